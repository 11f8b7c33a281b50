"""Run commands by the names of their former scripts, from a checkout that need not be installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(*command: str) -> None:
    """Run a command with the arguments of this process, and exit with its status."""
    from opengait_ext.commands import main

    sys.exit(main([*command, *sys.argv[1:]]))
