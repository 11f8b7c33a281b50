"""Former name of `opengait.dry_run`, kept for code that imports or runs it."""

import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from opengait.dry_run import *  # noqa: E402, F403
from opengait.dry_run import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
