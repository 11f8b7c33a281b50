"""Former name of `vvi prepare bupt`."""

import runpy
from pathlib import Path

if __name__ == "__main__":
    vvi = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "_vvi.py"))
    vvi["main"]("prepare", "bupt")
