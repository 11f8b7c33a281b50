"""Small containers and the do-nothing object."""

from collections import OrderedDict, namedtuple
from typing import Any


class NoOp:
    """Stands where nothing is to happen: any attribute is a callable that returns None. It is truthy."""

    def __getattr__(self, name: str) -> Any:
        def nothing(*args: Any, **kwargs: Any) -> None:
            return None

        return nothing


class Odict(OrderedDict):
    """A dict of lists that grows by `append`."""

    def append(self, other: dict[str, Any]) -> None:
        """Extend each key's list by the other's; a value that is no list counts as a list of one."""
        for key, value in other.items():
            items = value if isinstance(value, list) else [value]
            if key in self:
                known = self[key]
                self[key] = known if isinstance(known, list) else [known]
                self[key].extend(items)
            else:
                self[key] = items


def Ntuple(description: str, keys: list[str] | str, values: Any) -> tuple:  # noqa: N802 (upstream's name)
    """A namedtuple made on the spot; a single key (a string) takes the value as it is."""
    if isinstance(keys, str):
        return namedtuple(description, [keys])(values)
    return namedtuple(description, keys)(*values)


def MergeCfgsDict(src: dict, dst: dict) -> None:  # noqa: N802 (upstream's name)
    """Merge `src` over `dst` in place: dicts recursively, anything else (lists, None) replaces what stood there."""
    for key, value in src.items():
        if type(value) is dict and isinstance(dst.get(key), dict):
            MergeCfgsDict(value, dst[key])
        else:
            dst[key] = value
