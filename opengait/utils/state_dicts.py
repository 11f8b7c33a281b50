"""State dicts as other programs nest and name them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

# Keys under which programs save the state dict of a network.
HOLDERS = ("model", "state_dict", "model_state_dict", "network", "net", "weights")
# Modules that wrap a network and prefix its entries: DDP, torch.compile, Lightning and the like.
WRAPPERS = ("module", "_orig_mod", "model", "state_dict")
# An entry that torch's averaged models add to those of the network.
_AVERAGED = "n_averaged"

State = Mapping[str, torch.Tensor]


def find_state(content: Any) -> State | None:
    """Return the state dict in the content of a file, bare or nested under usual keys; None if there is none."""
    for _ in range(len(HOLDERS)):
        if not isinstance(content, Mapping):
            return None
        if is_state(content):
            return content
        content = next((content[key] for key in HOLDERS if isinstance(content.get(key), Mapping)), None)
    return None


def is_state(value: Any) -> bool:
    """Return whether a value maps names to tensors; modules may add entries `_extra_state` of any type."""
    return (
        isinstance(value, Mapping)
        and any(isinstance(entry, torch.Tensor) for entry in value.values())
        and all(
            isinstance(name, str) and (isinstance(entry, torch.Tensor) or name.endswith("_extra_state"))
            for name, entry in value.items()
        )
    )


def is_plain(name: str) -> bool:
    """Return whether a name starts with no wrapper; for readers that do not know the names of their network."""
    return name.partition(".")[0] not in WRAPPERS


def unwrapped(state: State, fits: Callable[[str], bool]) -> dict[str, torch.Tensor]:
    """Return a state dict without the prefixes of wrappers, such as `module.`, if more names fit without them.

    Args:
        state: tensors by name.
        fits: whether the network has an entry of that name.
    """
    best = candidate = dict(state)
    most = sum(map(fits, best))
    for _ in range(len(WRAPPERS)):
        for strip in (_without_first, _without_inner_wrappers):
            stripped = strip(candidate)
            fitting = sum(map(fits, stripped))
            if fitting > most:
                best, most = stripped, fitting
        candidate = _without_first(candidate)
    return best


def _without_first(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Remove the wrapper that most names start with."""
    firsts = [name.partition(".")[0] for name in state]
    wrapper = max(WRAPPERS, key=firsts.count)
    if wrapper not in firsts:
        return state
    return _renamed(state, {name: name.removeprefix(f"{wrapper}.") for name in state if name != _AVERAGED})


def _without_inner_wrappers(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Remove the wrappers of parts of a network that were compiled or made parallel by themselves."""
    return _renamed(state, {name: _without(f".{name}", "._orig_mod.", ".module.") for name in state})


def _without(name: str, *parts: str) -> str:
    for part in parts:
        name = name.replace(part, ".")
    return name.removeprefix(".")


def _renamed(state: dict[str, torch.Tensor], names: dict[str, str]) -> dict[str, torch.Tensor]:
    """Rename entries, unless two would get the same name."""
    if len(set(names.values())) < len(names):
        return state
    return {new: state[old] for old, new in names.items()}
