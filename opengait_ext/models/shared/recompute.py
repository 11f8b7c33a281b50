"""Activation checkpointing: activations are computed again in the backward pass instead of being kept."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recomputed(module: nn.Module, *inputs: Tensor | None) -> Tensor:
    """Return `module(*inputs)`, keeping only the inputs for the backward pass if there will be one.

    Gradients and running statistics are those of a plain call.
    """
    if not torch.is_grad_enabled():
        plain: Tensor = module(*inputs)
        return plain
    output: Tensor = checkpoint(
        module, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), untracked(module))
    )
    return output


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
