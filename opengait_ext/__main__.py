"""Run a command from a checkout: `python -m opengait_ext COMMAND`."""

import sys

from opengait_ext.commands import main

if __name__ == "__main__":
    sys.exit(main())
