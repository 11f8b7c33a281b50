"""Small containers and a no-op object."""

from collections import OrderedDict, namedtuple
from typing import Any


class NoOp:
    """Accepts any method call and returns None; an instance is truthy."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


class Odict(OrderedDict[Any, Any]):
    """A dict of lists that grows by `append`."""

    def append(self, other: dict[str, Any]) -> None:
        """Extend each key's list by that of `other`; a single value counts as a list of one."""
        for key, value in other.items():
            items = value if isinstance(value, list) else [value]
            if key in self:
                existing = self[key]
                self[key] = existing if isinstance(existing, list) else [existing]
                self[key].extend(items)
            else:
                self[key] = items


def Ntuple(description: str, keys: list[str] | str, values: Any) -> tuple[Any, ...]:  # noqa: N802 (upstream's name)
    """Build a namedtuple; with a single key, given as a string, `values` is its value."""
    if isinstance(keys, str):
        return namedtuple(description, [keys])(values)
    return namedtuple(description, keys)(*values)


def MergeCfgsDict(src: dict[Any, Any], dst: dict[Any, Any]) -> None:  # noqa: N802 (upstream's name)
    """Merge `src` into `dst` in place: dicts recursively; any other value, such as a list or None, replaces the old."""
    for key, value in src.items():
        if type(value) is dict and isinstance(dst.get(key), dict):
            MergeCfgsDict(value, dst[key])
        else:
            dst[key] = value
