"""Models: the classes of all files and packages in this folder.

Files written for OpenGait work here unchanged (`opengait.compat`), as they do in a folder elsewhere that the
configuration names under `extensions:`.
"""

from pathlib import Path
from typing import Any

from opengait import compat as _compat


def __getattr__(name: str) -> Any:
    _compat.skipped.explain(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


globals().update(_compat.import_classes(__name__, Path(__file__).resolve().parent))
