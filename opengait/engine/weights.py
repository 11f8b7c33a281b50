"""Loading of weights into a module, with a report of what does not fit."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import torch
from torch import nn

from opengait.errors import CheckpointError
from opengait.utils.state_dicts import unwrapped

# A file fits by chance if fewer of its entries do.
LEAST_SHARE = 0.1


def load_weights(
    module: nn.Module,
    state: Mapping[str, torch.Tensor],
    source: str | Path,
    *,
    strict: bool,
    free: tuple[str, ...] = (),
    classifiers: Collection[str] = (),
    warn: Callable[[str], None] | None = None,
) -> list[str]:
    """Load `state` into `module`, as `load_state_dict` does, with a clear report of mismatches.

    Prefixes of wrappers, such as `module.`, are removed where the module's names have none.

    Args:
        source: origin of `state`, for messages.
        strict: require exactly the module's entries, without NaN; otherwise load those that match by name and shape.
        free: prefixes of names that may be missing or unexpected even if `strict`.
        classifiers: names that are left out, with a warning, where their shapes differ.
        warn: takes one sentence that says what was not loaded, or is NaN.

    Returns:
        The names of the module's entries that received no value, except those under `free`.

    Raises:
        CheckpointError: entries do not match, and the message names the first missing, unexpected and mis-shaped ones;
            or hardly any matches, strict or not.
    """
    entries = module.state_dict()
    state = _named_like(entries, state)
    misfit = {name: reason for name in state if name in entries and (reason := _misfit(state[name], entries[name]))}
    others = {name: misfit.pop(name) for name in list(misfit) if name in classifiers}
    state = {name: value for name, value in state.items() if name not in others}
    free = (*free, *others)
    fitting = {name: state[name] for name in state if name in entries and name not in misfit}
    absent = [name for name in entries if name not in state and not name.startswith(free)]
    unexpected = [name for name in state if name not in entries and not name.startswith(free)]
    kind = type(module).__name__
    if _by_chance(fitting, entries, state, free):
        raise CheckpointError(_of_another_model(source, kind, list(entries), list(state), misfit))
    if strict and (absent or unexpected or misfit):
        problems = []
        if absent:
            problems.append(f"it lacks {_first(absent)}")
        if unexpected:
            problems.append(f"the model has no {_first(unexpected)}")
        if misfit:
            problems.append(_first_misfit(misfit))
        raise CheckpointError(
            f"{source} does not fit this {kind}: {'; '.join(problems)}. Use the configuration it was trained with, or "
            f"set `restore_ckpt_strict: false` to load only the {len(fitting)} of {len(entries)} entries that match."
        )
    if broken := diverged(module, fitting):
        if strict:
            raise CheckpointError(f"{source} cannot be used: {broken}. Name an earlier checkpoint.")
        if warn:
            warn(f"{source}: {broken}.")
    module.load_state_dict(fitting, strict=False)
    if warn and others:
        warn(f"{source}: its classifiers are of other identities and are not used: {_first_misfit(others)}.")
    missing = absent + list(misfit)
    if warn and (missing or unexpected):
        without, unused = _prefixes(missing, entries), _prefixes(unexpected, state)
        warn(
            f"{source}: loaded {len(fitting)} of its {len(state)} entries; of {len(entries)} in this {kind}, "
            f"{len(missing)} have no value from it ({without}), and {len(unexpected)} of the file are not used "
            f"({unused})."
        )
    return missing


def _named_like(entries: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return `state` under the names of `entries`: without wrappers, or inside the model's only part."""
    named = unwrapped(state, entries.__contains__)
    for part in {name.partition(".")[0] for name in entries}:
        if not any(name in entries for name in named) and any(f"{part}.{name}" in entries for name in named):
            return {f"{part}.{name}": value for name, value in named.items()}
    return named


def _misfit(value: torch.Tensor, entry: torch.Tensor) -> str | None:
    """Say why a value cannot be an entry's; None if it can."""
    if not isinstance(value, torch.Tensor) or not isinstance(entry, torch.Tensor):
        # Only `_extra_state` may be something else.
        return None if type(value) is type(entry) else f"is a {type(value).__name__} in the file"
    if value.shape != entry.shape:
        return f"is {_shape(value)} in the file and {_shape(entry)} in the model"
    if value.is_meta or value.layout is not torch.strided:
        return "has no values in the file" if value.is_meta else "is sparse in the file"
    if entry.is_floating_point() and not value.is_floating_point():
        return f"is {value.dtype} in the file and {entry.dtype} in the model".replace("torch.", "")
    return None


def _by_chance(fitting: Iterable[str], entries: Iterable[str], state: Iterable[str], free: tuple[str, ...]) -> bool:
    """Return whether so few entries fit that the file must be of another model."""
    # Counters of batch norms fit everywhere.
    counts = [
        sum(not name.startswith(free) and not name.endswith("num_batches_tracked") for name in names)
        for names in (fitting, entries, state)
    ]
    return counts[1] > 0 and counts[0] <= LEAST_SHARE * min(counts[1:])


def _of_another_model(
    source: str | Path, kind: str, entries: list[str], state: list[str], misfit: Mapping[str, str]
) -> str:
    if not state:
        return f"{source} has no weights: its state dict is empty."
    if misfit:
        return f"{source} holds weights of another model than this {kind}, or of another size: {_first_misfit(misfit)}."
    return (
        f"{source} holds weights of another model than this {kind}: it has {len(state)} entries such as "
        f"{_first(state)}, and the model has {len(entries)} such as {_first(entries)}. Name a checkpoint of this model."
    )


def diverged(module: nn.Module, state: Mapping[str, torch.Tensor]) -> str | None:
    """Name the entries that are not finite, or return None; a buffer, such as a mask, may hold infinity.

    Args:
        module: the module that `state` is for.
        state: entries of the module's shapes.
    """
    parameters = dict(module.named_parameters())
    broken = []
    for name, value in state.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            fine = value.isfinite() if name in parameters else ~value.isnan()
            if not fine.all():
                broken.append(name)
    return f"it holds numbers that are not finite, in {_first(broken)}; its training diverged" if broken else None


def _first(names: list[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(map(_written, names[:count])) + more


def _written(name: str) -> str:
    """Return a name of a file for a message of one line."""
    return name if name.isprintable() and len(name) <= 100 else repr(name[:100])


def _first_misfit(misfit: Mapping[str, str]) -> str:
    name, reason = next(iter(misfit.items()))
    more = f" and {len(misfit) - 1} more" if len(misfit) > 1 else ""
    return f"{_written(name)}{more} {reason}"


def _prefixes(names: list[str], among: Iterable[str]) -> str:
    """Return the first parts of names, as many as tell the names of `among` apart, with how many names each has."""
    parts = [name.split(".") for name in among]
    depth = next((depth for depth in range(1, 5) if len({tuple(part[:depth]) for part in parts}) > 1), 1)
    counts = Counter(".".join(name.split(".")[:depth]) for name in names)
    return _first([f"{_written(part)}.*: {count}" for part, count in counts.items()], 5) or "none"


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"
