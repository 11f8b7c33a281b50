"""Backbones: every class of every file in this folder, including files that users add."""

from pathlib import Path
from typing import Any

from opengait import compat as _compat


def __getattr__(name: str) -> Any:
    _compat.skipped.explain(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


globals().update(_compat.import_classes(__name__, Path(__file__).resolve().parent))
