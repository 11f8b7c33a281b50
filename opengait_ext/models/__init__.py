"""The published methods, one folder each; a method imports `shared/` but no other method."""

from typing import Any

__all__ = ["DinoGRLNet", "DinoGRLOutput", "load_network"]


def __getattr__(name: str) -> Any:
    """Import the public names lazily, since not every user of a method needs DinoGRL."""
    if name == "load_network":
        from opengait_ext.models.load import load_network

        return load_network
    if name in __all__:
        from opengait_ext.models.dinogrl import network

        return getattr(network, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
