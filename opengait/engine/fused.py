"""Fused optimisers: one kernel updates all parameters and skips steps whose gradients overflowed."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim import SGD, Optimizer

# Settings of parameter groups that choose among implementations of one update, which a device may lack.
IMPLEMENTATION = frozenset({"foreach", "fused", "capturable", "differentiable"})
# Adagrad takes `fused` too, but some versions of torch that we support have no CUDA kernel for it.
_FUSED_ON_CUDA = ("Adam", "AdamW", "SGD")


def fused(
    solver: type[Optimizer], arguments: Mapping[str, Any], groups: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the argument that makes an optimiser on CUDA fused, where it can be.

    Args:
        solver: its class.
        arguments: those of the configuration, which may choose another implementation.
        groups: torch's parameter groups, each of which may choose one too: torch scales the gradients of all groups or
            of none.
    """
    settings = (arguments, *groups)
    chosen = any(section.get(name) is not None for section in settings for name in ("fused", "foreach"))
    # `start_momentum` cannot do what SGD's first step does with dampening.
    excluded = any(section.get(name) for section in settings for name in ("differentiable", "dampening"))
    if chosen or excluded or solver.__name__ not in _FUSED_ON_CUDA:
        return {}
    return {"fused": True}


def mend_momentum(optimizer: Optimizer) -> None:
    """Have a fused SGD call `start_momentum` before each step."""
    if isinstance(optimizer, SGD):
        optimizer.register_step_pre_hook(lambda sgd, *_: start_momentum(sgd))


def start_momentum(optimizer: Optimizer) -> None:
    """Give parameters of a fused SGD that have a gradient, but no momentum yet, a momentum of zero.

    Without dampening, the step is the same. Torch alone would keep uninitialised memory as the momentum if the first
    gradients overflow, and fail if a parameter has its first gradient later than others.
    """
    for group in optimizer.param_groups:
        if not group.get("fused") or not group["momentum"] or group["dampening"]:
            continue
        for parameter in group["params"]:
            if parameter.grad is not None and optimizer.state[parameter].get("momentum_buffer") is None:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def with_implementation_of(optimizer: Optimizer, saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return an optimiser's saved state with the implementation of `optimizer`, which is to load it.

    Torch would take the saved flags, but go on scaling gradients for those that the optimiser was built with, and a
    checkpoint may come from another device.

    Args:
        optimizer: the optimiser as configured.
        saved: the `state_dict()` of one with as many groups.
    """
    groups = [
        {**theirs, **{flag: ours[flag] for flag in IMPLEMENTATION & ours.keys()}}
        for ours, theirs in zip(optimizer.param_groups, saved["param_groups"], strict=True)
    ]
    return {**saved, "param_groups": groups}
