"""One-channel batch norms that a network calls repeatedly, computed for many calls at once."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from opengait.engine.sync_batchnorm import synchronised

RUNNING = ("running_mean", "running_var", "num_batches_tracked")


class RepeatedNorms:
    """2 x 2 batch norms of one channel, for one forward pass.

    Every call of a batch norm has its own statistics, so calls whose inputs are available together are computed
    together. `track` updates the running statistics once all calls are made and can be put in order.
    Norms that were converted for several ranks take their statistics over all ranks; the statistics are differentiable.

    Args:
        norms: two rows of two norms, all with the same eps, each in training or in evaluation mode.
    """

    def __init__(self, norms: Sequence[Sequence[_BatchNorm]]) -> None:
        self.norms = [norm for row in norms for norm in row]
        self.eps = self.norms[0].eps
        self.weight = _stacked([norm.weight for norm in self.norms])
        self.bias = _stacked([norm.bias for norm in self.norms])
        self.live = [norm.training or norm.running_mean is None for norm in self.norms]
        self.means: list[Tensor] = []
        self.variances: list[Tensor] = []
        if not all(self.live):
            self.running_mean = self._running("running_mean", 0.0)
            self.running_var = self._running("running_var", 1.0)

    def __call__(self, values: Tensor) -> Tensor:
        """Normalise several calls at once, (2, n, 2, calls, C); a call's statistics are over n x C.

        Raises:
            ValueError: a training batch of a single value.
        """
        if not any(self.live):
            return self._normalise(values, self.running_mean, self.running_var)
        mean, variance = self._statistics(values)
        if not all(self.live):
            live = torch.tensor(self.live, device=values.device).view(2, 1, 2, 1, 1)
            mean = torch.where(live, mean, self.running_mean)
            variance = torch.where(live, variance, self.running_var)
        return self._normalise(values, mean, variance)

    def _normalise(self, values: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias - mean * scale, values, scale)

    def _statistics(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and (biased) variance over the batch, (2, 1, 2, calls, 1) each, and record them for `track`."""
        axes, count = (1, 4), values.shape[1] * values.shape[4]
        if synchronised(self.norms[0]):
            group = getattr(self.norms[0], "process_group", None)
            total = _SumOverRanks.apply(values.new_tensor(count), group)
            mean = _SumOverRanks.apply(values.sum(axes, keepdim=True), group) / total
            squares = (values - mean).square().sum(axes, keepdim=True)
            variance = _SumOverRanks.apply(squares, group) / total
            unbiased = total / (total - 1)
        else:
            if count < 2:
                raise ValueError("Batch norm needs at least two values per channel in training, not 1.")
            variance, mean = torch.var_mean(values, axes, correction=0, keepdim=True)
            unbiased = count / (count - 1)
        self.means.append(mean.detach()[:, 0, ..., 0])
        self.variances.append((variance.detach() * unbiased)[:, 0, ..., 0])
        return mean, variance

    @torch.no_grad()
    def track(self, order: Tensor) -> None:
        """Update the running statistics as consecutive calls would have.

        Args:
            order: the calls in their original order, as positions among the calls that were made.
        """
        if not self.means:
            return
        means, variances = (torch.cat(s, dim=-1).flatten(0, 1)[:, order] for s in (self.means, self.variances))
        calls = len(order)
        for norm, mean, variance in zip(self.norms, means, variances, strict=True):
            if not norm.training or norm.running_mean is None:
                continue
            running_mean, running_var, count = (norm.get_buffer(name) for name in RUNNING)
            if norm.momentum is None:
                before = int(count)
                keep, weights = before / (before + calls), torch.full((calls,), 1 / (before + calls), dtype=mean.dtype)
            else:
                keep = (1 - norm.momentum) ** calls
                later = torch.arange(calls - 1, -1, -1, dtype=mean.dtype)
                weights = norm.momentum * (1 - norm.momentum) ** later
            weights = weights.to(mean.device)
            running_mean.mul_(keep).add_((mean * weights).sum())
            running_var.mul_(keep).add_((variance * weights).sum())
            count += calls

    def _running(self, name: str, missing: float) -> Tensor:
        buffers = [getattr(norm, name) for norm in self.norms]
        return _stacked([torch.full_like(self.norms[0].weight, missing) if b is None else b for b in buffers])


class _SumOverRanks(torch.autograd.Function):
    """Sum over the ranks of a group (None for all); the gradients of all ranks flow back to every rank's term."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, group: dist.ProcessGroup | None) -> Tensor:
        ctx.group = group
        total = value.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        total = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ctx.group)
        return total, None


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Return four one-element tensors as float64 (2, 1, 2, 1, 1)."""
    return torch.cat(list(tensors)).double().view(2, 1, 2, 1, 1)
