"""Conversions between numpy and torch, and helpers for modules."""

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

from opengait import distributed


def np2var(array: np.ndarray, requires_grad: bool = False) -> torch.Tensor:
    """Return a numpy array as a tensor of the same dtype on this process's device."""
    return torch.from_numpy(array).to(distributed.device()).requires_grad_(requires_grad)


def list2var(values: list[Any], requires_grad: bool = False) -> torch.Tensor:
    """Return a list of numbers or of equally shaped arrays as one tensor on this process's device."""
    return np2var(np.array(values), requires_grad=requires_grad)


def ts2np(tensor: torch.Tensor) -> np.ndarray:
    """Return a tensor as a numpy array; half precision becomes float32."""
    tensor = tensor.detach()
    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    return tensor.cpu().numpy()


def clones(module: nn.Module, count: int) -> nn.ModuleList:
    """Return `count` independent copies of a module."""
    return nn.ModuleList([copy.deepcopy(module) for _ in range(count)])


def ddp_all_gather(features: torch.Tensor, dim: int = 0, requires_grad: bool = True) -> torch.Tensor:
    """Call `opengait.distributed.gather_rows`, under upstream's name."""
    return distributed.gather_rows(features, dim=dim, requires_grad=requires_grad)


class TransparentDDP(nn.parallel.DistributedDataParallel):
    """DDP that forwards unknown attributes to the wrapped module, so that loops can ignore the wrapper."""

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("module"), name)


def get_ddp_module(
    module: nn.Module, find_unused_parameters: bool = False, *, alone_too: bool = False, **kwargs: Any
) -> nn.Module:
    """Wrap a module in DDP if there are several processes and it has parameters to train.

    Args:
        module: a module, already on its device.
        find_unused_parameters: passed to DDP.
        alone_too: also wrap in a process group of one, where the wrapper has no effect.
        **kwargs: further arguments of DDP.
    """
    needed = distributed.world_size() > 1 or (alone_too and distributed.is_initialized())
    if not needed or not any(p.requires_grad for p in module.parameters()):
        return module
    device = distributed.device()
    devices = [device] if device.type == "cuda" else None
    return TransparentDDP(module, device_ids=devices, find_unused_parameters=find_unused_parameters, **kwargs)


def bare(module: nn.Module) -> nn.Module:
    """Return the module inside a DDP wrapper, or the module itself."""
    return module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module


def params_count(module: nn.Module) -> str:
    """Return a log line with the number of parameters in millions."""
    return f"Parameters Count: {sum(p.numel() for p in module.parameters()) / 1e6:.5f}M"


def class_advice(logits: torch.Tensor, identities: int, number: str | None = None) -> str:
    """Say what to change about logits `[n, classes, p]` with fewer classes than training identities.

    Some models of OpenGait, such as GLN in its second phase, return `[n, 1, classes]`.

    Args:
        identities: the smallest number of classes that is enough.
        number: what `class_num` should be; `identities` by default.
    """
    if logits.dim() == 3 and logits.shape[1] == 1 and logits.shape[2] >= identities:
        return (
            f"expected logits [n, classes, p], got {list(logits.shape)}: swap their last two axes in the model's "
            f"forward (logits.transpose(1, 2))"
        )
    return f"set class_num in model_cfg (such as model_cfg.SeparateBNNecks.class_num) to {number or identities}"
