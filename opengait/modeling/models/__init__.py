"""The models: every class of every file and package in this folder, by its name.

A file written for OpenGait works here as it is (`opengait.compat`). A folder elsewhere does too, once it is named under
`extensions:` in the configuration.
"""

from pathlib import Path
from typing import Any

from opengait import compat as _compat


def __getattr__(name: str) -> Any:
    _compat.skipped.explain(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


globals().update(_compat.import_classes(__name__, Path(__file__).resolve().parent))
