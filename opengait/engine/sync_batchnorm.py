"""Batch norm with statistics over the batches of all ranks, on any device."""

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from opengait import distributed

HALF = (torch.float16, torch.bfloat16)


def convert_sync_batchnorm(module: nn.Module) -> nn.Module:
    """Replace every batch norm in `module` by one that is synchronised over ranks, with the same parameters and names.

    On CUDA this is a `torch.nn.SyncBatchNorm`; on the CPU, where torch has none, `CrossRankBatchNorm`. Move the module
    to its device first. In training, ranks may hold different numbers of rows, or none.

    Returns:
        `module`, or its replacement if it is a batch norm itself.
    """
    on_cuda = any(tensor.is_cuda for tensor in (*module.parameters(), *module.buffers()))
    return _convert(module, _CudaBatchNorm if on_cuda else CrossRankBatchNorm, {})


def synchronised(norm: nn.Module) -> bool:
    """Return whether a batch norm takes its statistics over several ranks."""
    kinds = (nn.SyncBatchNorm, CrossRankBatchNorm)
    return isinstance(norm, kinds) and norm.training and distributed.world_size() > 1


def enough_rows(norm: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    """Return whether a batch norm could train on this number of rows, counted over all ranks if it is synchronised."""
    return (distributed.sum_over_ranks(rows) if synchronised(norm) else rows) > 1


def masked_batch_norm(norm: _BatchNorm, rows: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Normalise all rows `[n, c]` by a batch norm that trains on the `chosen` ones alone, bool `[n]`.

    Chosen rows, running statistics and gradients equal those of `norm(rows[chosen])`, synchronised or not, but no shape
    depends on the choice, so a GPU need not be waited for and the network can be exported. At least two rows must be
    chosen, on all ranks together if the norm is synchronised.
    """
    if not norm.training:
        return norm(rows)
    values = rows.float() if rows.dtype in HALF else rows
    weights = chosen.to(values.dtype)
    with torch.autocast(rows.device.type, enabled=False):
        # A product with the weights reads the rows once, and writes none.
        total = torch.cat([weights @ values, weights.sum().view(1)])
        if synchronised(norm):
            total = _SumOverRanks.apply(total)
        return _normalised(norm, values, total, weights).to(rows.dtype)


def _convert(module: nn.Module, kind: type[_BatchNorm], done: dict[nn.Module, nn.Module]) -> nn.Module:
    """Return `module` or its replacement; `done` keeps modules shared that are registered under several names."""
    if module not in done:
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            synced = kind(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats
            ).train(module.training)
            synced._parameters.update(module._parameters)
            synced._buffers.update(module._buffers)
            done[module] = synced
        else:
            done[module] = module
            for name, child in module._modules.items():
                if child is not None:
                    module._modules[name] = _convert(child, kind, done)
    return done[module]


class _CudaBatchNorm(nn.SyncBatchNorm):
    """torch's synchronised batch norm, also for half-precision inputs without rows.

    torch exchanges the statistics of half-precision rows in float32, but those of no rows in half precision, so the
    ranks' buffers would differ in size.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        empty_half = input.dtype in HALF and not input.numel()
        return super().forward(input.float() if empty_half else input).to(input.dtype)


class CrossRankBatchNorm(_BatchNorm):
    """Batch norm of `[n, c]` or `[n, c, ...]` over the rows of all ranks.

    Outputs, running statistics and gradients (summed over ranks) equal those of an ordinary batch norm on the
    concatenated batch. With one process, in evaluation, and if no rank has rows, this is the ordinary batch norm.
    """

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"Batch norm expected [n, c, ...], got a tensor of {input.dim()} axes.")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise every channel of `[n, c, ...]`.

        Raises:
            ValueError: in training, all ranks together hold a single value per channel.
        """
        if not synchronised(self):
            return super().forward(input)
        self._check_input_dim(input)
        values = input.float() if input.dtype in HALF else input
        axes = [axis for axis in range(input.dim()) if axis != 1]
        count = values.new_tensor([values.numel() // values.shape[1]])
        total = _SumOverRanks.apply(torch.cat([values.sum(axes), count]))
        number = total[-1].detach()
        if number == 0:
            return super().forward(input)
        if number < 2:
            raise ValueError("Batch norm in training expected at least two values per channel, got 1.")
        return _normalised(self, values, total).to(input.dtype)


def _normalised(
    norm: _BatchNorm, values: torch.Tensor, total: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Normalise `[n, c, ...]` in training, and update the running statistics.

    Args:
        norm: the batch norm.
        values: float32 or float64.
        total: the sum of each channel over the rows of all ranks, and their number, `[c + 1]`.
        weights: 1 for rows of `[n, c]` that count, 0 for others, `[n]`; None if all do.
    """
    axes = [axis for axis in range(values.dim()) if axis != 1]
    shape = [1, -1] + [1] * (values.dim() - 2)
    number = total[-1].detach()
    mean = total[:-1] / number
    centred = values - mean.view(shape)
    deviations = centred.square().sum(axes) if weights is None else weights @ centred.square()
    variance = (_SumOverRanks.apply(deviations) if synchronised(norm) else deviations) / number
    _track(norm, mean.detach(), variance.detach(), number)
    normalised = centred * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        normalised = normalised * norm.weight.view(shape) + norm.bias.view(shape)
    return normalised


@torch.no_grad()
def _track(norm: _BatchNorm, mean: torch.Tensor, variance: torch.Tensor, number: torch.Tensor) -> None:
    """Move the running statistics towards those of a batch of `number` values per channel."""
    if not norm.track_running_stats:
        return
    assert norm.num_batches_tracked is not None and norm.running_mean is not None and norm.running_var is not None
    norm.num_batches_tracked += 1
    momentum = 1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum
    norm.running_mean += momentum * (mean - norm.running_mean)
    norm.running_var += momentum * (variance * number / (number - 1) - norm.running_var)


class _SumOverRanks(torch.autograd.Function):
    """Sum over ranks; the gradients of every rank's copy of the sum flow back to every rank's term."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
        del ctx
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        del ctx
        total = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total
