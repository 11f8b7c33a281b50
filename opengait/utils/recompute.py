"""Activation checkpointing: activations are computed again in the backward pass instead of being kept."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from opengait.errors import ConfigError


def recompute_parts(model: nn.Module, names: Sequence[str]) -> None:
    """Have parts of a model compute their activations again in the backward pass, whenever they train.

    Args:
        names: names of the parts, as `model.named_modules()` has them; a `Sequential` or `ModuleList` stands for its
            children, since a part is computed again as a whole.

    Raises:
        ConfigError: the model has no part of a name.
    """
    known = {name: part for name, part in model.named_modules() if name}
    for name in names:
        if name not in known:
            children = [child for child, _ in model.named_children()]
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or children
            raise ConfigError(
                f"trainer_cfg.recompute: {type(model).__name__} has no part {name!r}; expected one such as "
                f"{', '.join(near)}."
            )
        part = known[name]
        for piece in part if isinstance(part, nn.Sequential | nn.ModuleList) else [part]:
            _recompute(piece)


def _recompute(part: nn.Module) -> None:
    forward = part.forward

    def run(*inputs: Any, **keywords: Any) -> Any:
        return _call(part, forward, *inputs, **keywords) if part.training else forward(*inputs, **keywords)

    # An attribute of the instance, so that names in the state dict, hooks and wrappers around the part stay.
    part.forward = run


def recomputed(module: nn.Module, *inputs: Tensor | None) -> Tensor:
    """Return `module(*inputs)`, keeping only the inputs for the backward pass if there will be one.

    Gradients and running statistics are those of a plain call.
    """
    output: Tensor = _call(module, module, *inputs)
    return output


def _call(part: nn.Module, function: Callable[..., Any], *inputs: Any, **keywords: Any) -> Any:
    """Return `function(*inputs)`, computed again in the backward pass without updating the batch norms of `part`."""
    if not torch.is_grad_enabled():
        return function(*inputs, **keywords)
    return checkpoint(
        function, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), untracked(part)), **keywords
    )


@contextmanager
def untracked(module: nn.Module) -> Iterator[None]:
    """Run a block in which the batch norms of `module` leave their running statistics unchanged."""
    norms = [child for child in module.modules() if isinstance(child, _BatchNorm)]
    counts = [norm.num_batches_tracked for norm in norms if norm.num_batches_tracked is not None]
    before = [count.clone() for count in counts]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        # Not `track_running_stats`: checkpointing expects the same tensors to be saved, and the statistics are.
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for count, value in zip(counts, before, strict=True):
            count.copy_(value)
