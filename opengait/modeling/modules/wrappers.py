"""Wrappers that apply an image network to every frame, and a pooling function to every sequence."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn


class SetBlockWrapper(nn.Module):
    """Applies an image network to every frame of a batch of sequences (upstream `SetBlockWrapper`).

    Args:
        forward_block: a callable from `[n*s, c, h, w]` to a tensor with the same first axis; other axes may differ. A
            module is registered as `forward_block`.
    """

    def __init__(self, forward_block: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.forward_block = forward_block

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Map `[n, c, s, h, w]` to `[n, c', s, ...]`; further arguments are passed to the block."""
        sequences, channels, frames = x.shape[:3]
        images = x.transpose(1, 2).reshape(sequences * frames, channels, *x.shape[3:])
        out = self.forward_block(images, *args, **kwargs)
        return out.reshape(sequences, frames, *out.shape[1:]).transpose(1, 2).contiguous()


class PackSequenceWrapper(nn.Module):
    """Pools each sequence of a packed batch separately (upstream `PackSequenceWrapper`).

    Args:
        pooling_func: reduces the frame axis, such as `torch.max` or a module; returns a tensor or a tuple of tensors
            whose first axis is the sequence.
    """

    def __init__(self, pooling_func: Callable[..., Any]) -> None:
        super().__init__()
        self.pooling_func = pooling_func

    def forward(
        self,
        seqs: torch.Tensor,
        seqL: torch.Tensor | Sequence[Sequence[int]] | None,
        dim: int = 2,
        options: dict[str, Any] | None = None,
    ) -> Any:
        """Pool the frames of each sequence.

        Args:
            seqs: `[n, c, s, ...]` when `seqL` is None, else `[1, c, S, ...]` with the sequences concatenated.
            seqL: None, or lengths `[1, n]` whose sum is at most S.
            dim: the axis that holds the frames.
            options: keyword arguments of `pooling_func`, such as `{"dim": 2}` for `torch.max`.

        Returns:
            The outputs of `pooling_func`, concatenated on axis 0; tuples are concatenated element by element into a
            list.

        Raises:
            ValueError: the lengths add up to more frames than there are.
        """
        options = options or {}
        if seqL is None:
            return self.pooling_func(seqs, **options)
        lengths = torch.as_tensor(seqL[0]).tolist()
        if sum(lengths) > seqs.shape[dim]:
            raise ValueError(
                f"seqL {lengths} needs {sum(lengths)} frames, but axis {dim} of seqs has {seqs.shape[dim]}."
            )
        pooled, start = [], 0
        for length in lengths:
            pooled.append(self.pooling_func(seqs.narrow(dim, start, length), **options))
            start += length
        if isinstance(pooled[0], (tuple, list)):
            return [torch.cat(values, dim=0) for values in zip(*pooled, strict=True)]
        return torch.cat(pooled, dim=0)
