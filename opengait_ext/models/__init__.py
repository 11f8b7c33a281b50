"""The published methods, one folder each; every one stands on `shared/` and on no other."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Return DinoGRL's network or its output, without loading them for those who use another method."""
    if name in __all__:
        from opengait_ext.models.dinogrl import network

        return getattr(network, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["DinoGRLNet", "DinoGRLOutput"]
