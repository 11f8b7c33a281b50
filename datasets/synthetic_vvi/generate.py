"""Former name of `vvi synthesize`, and former home of the contents of `opengait_ext.data.synthetic_vvi`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from opengait_ext.commands import main
from opengait_ext.data.synthetic_vvi import SettingsError, SyntheticConfig, generate

__all__ = ["SettingsError", "SyntheticConfig", "generate"]

if __name__ == "__main__":
    sys.exit(main(["synthesize", *sys.argv[1:]]))
