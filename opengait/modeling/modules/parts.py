"""Horizontal parts: pooling of a map's stripes, and layers with separate weights per part."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from opengait import distributed
from opengait.errors import ConfigError


class HorizontalPoolingPyramid:
    """Stripe descriptors at several granularities (upstream `HorizontalPoolingPyramid`).

    Args:
        bin_num: numbers of equal stripes, one per granularity; None means `[16, 8, 4, 2, 1]`.
    """

    def __init__(self, bin_num: Sequence[int] | None = None) -> None:
        self.bin_num = list(bin_num) if bin_num is not None else [16, 8, 4, 2, 1]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, c, h, w]` to `[n, c, sum(bin_num)]`: each stripe's mean plus its maximum, in the order of `bin_num`.

        Raises:
            ValueError: a map cannot be cut into that many equal stripes.
        """
        n, c, h, w = x.shape
        stripes = []
        for bins in self.bin_num:
            if h * w % bins:
                raise ValueError(
                    f"A map of {h} rows and {w} columns cannot be cut into {bins} equal stripes (bin_num)."
                )
            pixels = x.reshape(n, c, bins, -1)
            stripes.append(pixels.mean(-1) + pixels.amax(-1))
        return torch.cat(stripes, dim=-1)


class SeparateFCs(nn.Module):
    """A linear layer without bias per part (upstream `SeparateFCs`).

    Args:
        parts_num: number of parts p.
        in_channels: channels of a part's input.
        out_channels: channels of a part's output.
        norm: L2-normalise the weight vector of each output unit.
    """

    def __init__(self, parts_num: int, in_channels: int, out_channels: int, norm: bool = False) -> None:
        super().__init__()
        self.p = parts_num
        self.norm = norm
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.zeros(parts_num, in_channels, out_channels)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[n, in_channels, p]` to `[n, out_channels, p]`."""
        weight = F.normalize(self.fc_bin, dim=1) if self.norm else self.fc_bin
        return _per_part_product(x, weight)


class ParallelBN1d(nn.Module):
    """One `BatchNorm1d` over all channels of all parts (upstream `ParallelBN1d`)."""

    def __init__(self, parts_num: int, in_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.parts_num = parts_num
        self.bn1d = nn.BatchNorm1d(in_channels * parts_num, **kwargs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise `[n, c, p]`, each of the c*p values over the sequences."""
        return self.bn1d(x.flatten(1)).view_as(x)


class SeparateBNNecks(nn.Module):
    """A BNNeck and a classifier per part (upstream `SeparateBNNecks`).

    Args:
        parts_num: number of parts p.
        in_channels: channels c of a part.
        class_num: number of identities.
        norm: L2-normalise the feature and the class weights, which makes the logits cosines.
        parallel_BN1d: one `BatchNorm1d` over c*p values named `bn1d`; otherwise p of them, `bn1d.<part>`.
    """

    # Entries that depend on the number of identities and that no feature needs.
    classifiers = ("fc_bin",)

    def __init__(
        self, parts_num: int, in_channels: int, class_num: int, norm: bool = True, parallel_BN1d: bool = True
    ) -> None:
        super().__init__()
        self.p = parts_num
        self.class_num = class_num
        self.norm = norm
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.zeros(parts_num, in_channels, class_num)))
        self.parallel_BN1d = parallel_BN1d
        self.bn1d: nn.BatchNorm1d | nn.ModuleList
        if parallel_BN1d:
            self.bn1d = nn.BatchNorm1d(in_channels * parts_num)
        else:
            self.bn1d = nn.ModuleList(nn.BatchNorm1d(in_channels) for _ in range(parts_num))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map `[n, c, p]` to the feature `[n, c, p]` (after the norms) and the logits `[n, class_num, p]`.

        Raises:
            ConfigError: in training, a norm would see a single tracklet.
        """
        norms = self.bn1d if isinstance(self.bn1d, nn.ModuleList) else [self.bn1d]
        check_rows(norms[0], x)
        if self.parallel_BN1d:
            feature = norms[0](x.flatten(1)).view_as(x)
        else:
            feature = torch.stack([norm(part) for norm, part in zip(norms, x.unbind(2), strict=True)], dim=2)
        if not self.norm:
            return feature, _per_part_product(feature, self.fc_bin)
        feature = F.normalize(feature, dim=1)
        return feature, _per_part_product(feature, F.normalize(self.fc_bin, dim=1))


def _per_part_product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Multiply `[n, c_in, p]` by `[p, c_in, c_out]` part by part, to `[n, c_out, p]`."""
    return (x.permute(2, 0, 1) @ weight).permute(1, 2, 0).contiguous()


def check_rows(norm: nn.Module, rows: torch.Tensor) -> None:
    """Check that a norm before a classifier, whether synchronised or not, can train on this number of rows.

    Raises:
        ConfigError: it would see one.
    """
    # A synchronised norm is of another class.
    ranks = 1 if isinstance(norm, nn.BatchNorm1d) else distributed.world_size()
    if norm.training and len(rows) * ranks == 1:
        raise ConfigError(
            "Training on a batch of one tracklet is impossible, since the norm before the classifiers needs two; "
            "raise trainer_cfg.sampler.batch_size or, with several processes, set trainer_cfg.sync_BN to true."
        )
