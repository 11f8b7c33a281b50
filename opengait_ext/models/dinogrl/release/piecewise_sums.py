"""Sums of rectified lines over all keys, in O(C log C) and without a C x C matrix."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class SortedKeys:
    """Keys in ascending order, with tables of the sums of the smallest keys.

    Attributes:
        values: (..., C), float64, ascending.
        first, second: (..., C + 1); entry m is the sum of the m smallest keys, or of their squares.
    """

    values: Tensor
    first: Tensor
    second: Tensor

    @classmethod
    def of(cls, keys: Tensor) -> "SortedKeys":
        """Sort `keys` (..., C) of any floating type; the gradient of `values` flows back to them.

        Prefix sums are in float64: the sum of a few keys is a difference of two of them, which in float32 would lose
        digits to the other keys.
        """
        values = keys.sort(dim=-1).values.double()
        plain = values.detach()
        return cls(values, *(F.pad(sums.cumsum(-1), (1, 0)) for sums in (plain, plain.square())))

    def split(self, sizes: list[int]) -> list["SortedKeys"]:
        """Cut into pieces of these `sizes` along the axis before the last."""
        tables = (self.values, self.first, self.second)
        pieces = zip(*(table.split(sizes, dim=-2) for table in tables), strict=True)
        return [SortedKeys(*(piece.contiguous() for piece in tables)) for tables in pieces]


def rectified_sums(slope: Tensor, offset: Tensor, keys: SortedKeys) -> tuple[Tensor, Tensor]:
    """Return the sums over the keys k_j of the rectified lines f_ij = u_i k_j + v_i.

    f is monotonic in k, so the keys with f > 0 lie above (u > 0) or below (u < 0) the root -v/u, and a binary search
    among the sorted keys replaces the matrix f. At a root itself the derivative is zero, as that of relu is in torch.

    Args:
        slope, offset: u and v, float64 (..., C').
        keys: with the leading axes (...).

    Returns:
        sum_j relu(f_ij) k_j and sum_j relu(f_ij), each (2, ..., C'): index 0 is for relu(f), index 1 for relu(-f). They
        are differentiable once with respect to slope, offset and `keys.values`.
    """
    if torch.compiler.is_compiling():
        return direct_sums(slope, offset, keys.values)
    return _RectifiedSums.apply(slope, offset, keys.values, keys.first, keys.second)


def direct_sums(slope: Tensor, offset: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums of `rectified_sums` from the matrix f itself, with operations that any exported graph can have.

    Args:
        slope, offset: u and v, (..., C').
        values: the keys in any order, (..., C).
    """
    lines = slope.unsqueeze(-1) * values.unsqueeze(-2) + offset.unsqueeze(-1)
    active = torch.stack([lines.relu(), (-lines).relu()])
    return (active @ values.unsqueeze(-1)).squeeze(-1), active.sum(dim=-1)


class _RectifiedSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, slope: Tensor, offset: Tensor, values: Tensor, first: Tensor, second: Tensor
    ) -> tuple[Tensor, Tensor]:
        below, above = _positions(slope, offset, values)
        ctx.save_for_backward(slope, offset, values, first, second, below, above)
        moments = _moments(slope, below, above, first, second)
        by_key = slope * moments[2] + offset * moments[1]
        plain = slope * moments[1] + offset * moments[0]
        return by_key, plain

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_key: Tensor, plain: Tensor) -> tuple[Tensor | None, ...]:
        slope, offset, values, first, second, below, above = ctx.saved_tensors
        moments = _moments(slope, below, above, first, second)
        # The sums are linear in the moments s_0, s_1, s_2 of the active keys.
        slope_grad = (by_key * moments[2] + plain * moments[1]).sum(0)
        offset_grad = (by_key * moments[1] + plain * moments[0]).sum(0)
        keys_grad = None
        if ctx.needs_input_grad[2]:
            first_factor = plain * slope + by_key * offset
            second_factor = by_key * slope
            bounds = (slope >= 0, below, above, first.shape)
            keys_grad = _spread(first_factor, *bounds) + 2 * values * _spread(second_factor, *bounds)
        return slope_grad, offset_grad, keys_grad, None, None


def _positions(slope: Tensor, offset: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the number of keys strictly below each root, and at or below it, (..., C') each.

    A line of slope zero has its root at minus infinity if it is positive, at infinity if it is negative: with that,
    "above the root" means f > 0 for it as for rising lines. Adding zero makes a slope of -0 a rising one.
    """
    root = -offset / (slope + 0.0)
    below = torch.searchsorted(values, root)
    above = torch.searchsorted(values, root, right=True)
    # 0/0: the line is zero everywhere, so no key counts on either side.
    return below.masked_fill_(root.isnan(), 0), above.masked_fill_(root.isnan(), values.shape[-1])


def _moments(slope: Tensor, below: Tensor, above: Tensor, first: Tensor, second: Tensor) -> list[Tensor]:
    """Return number, sum and sum of squares of the keys with f > 0 (index 0) and, negated, with f < 0 (index 1)."""
    rising, count = slope >= 0, first.shape[-1] - 1
    low = [below.double(), first.gather(-1, below), second.gather(-1, below)]
    high = [(count - above).double(), *(sums[..., -1:] - sums.gather(-1, above) for sums in (first, second))]
    return [
        torch.stack([torch.where(rising, upper, lower), -torch.where(rising, lower, upper)])
        for lower, upper in zip(low, high, strict=True)
    ]


def _spread(factor: Tensor, rising: Tensor, below: Tensor, above: Tensor, shape: torch.Size) -> Tensor:
    """Pass the factors (2, ..., C') of the sums back to their keys, (..., C); `shape` is that of a table."""
    low = torch.where(rising, -factor[1], factor[0])
    high = torch.where(rising, factor[0], -factor[1])
    ends = low.new_zeros(shape).scatter_add_(-1, below, low)
    starts = high.new_zeros(shape).scatter_add_(-1, above, high)
    # Key j is below the roots at position j + 1 and later, and above those at position j and earlier.
    return ends.flip(-1).cumsum(-1).flip(-1)[..., 1:] + starts.cumsum(-1)[..., :-1]
