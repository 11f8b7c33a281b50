"""PBMGE, Progressive Bidirectional Multi-Granularity Enhancement (Section 3.3, Eq. 11-16)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait_ext.models.dinogrl.interactions import INTERACTIONS
from opengait_ext.models.shared.pooling import granularity_slices


class LocalToGlobalEnhancement(nn.Module):
    """LGE: a global feature takes in the stripes of the other stream, one after the other (Eq. 11-16).

    The psi are pointwise 1D convolutions C -> C on signals of length one, so Q, K and V are row vectors of length C,
    and M+ and M- are C x C. With one V the two signs cancel, relu(x) - relu(-x) = x, hence

        Delta f = V M+ - V M- = V Q^T K = (V . Q) K,

    which costs O(C) where the written form costs O(C^2); `explicit_enhancement` is the written form.

    Two scales that the paper leaves open are fixed here. The product is divided by C, and stripes enter with a root
    mean square of one. Else an update grows with the square of the stripes' scale, is compounded over sixteen steps,
    and training at the paper's learning rate diverges within ten iterations. psi^q starts as the identity, so training
    starts from the stream's own global feature.

    Args:
        channels: C.
        stripes: n_s; one LGE takes any number.
    """

    def __init__(self, channels: int, stripes: int | None = None) -> None:
        del stripes
        super().__init__()
        self.query = nn.Conv1d(channels, channels, 1)
        self.key = nn.Conv1d(channels, channels, 1)
        self.value = nn.Conv1d(channels, channels, 1)
        nn.init.dirac_(self.query.weight)
        nn.init.zeros_(self.query.bias)

    def forward(self, global_feature: Tensor, stripes: Tensor) -> Tensor:
        """Enhance (n, C) by the stripes (n, C, n_s), top to bottom; returns (n, C)."""
        query = self.query(global_feature.unsqueeze(-1)).squeeze(-1)
        stripes = unit_scale(stripes)
        keys, values = self.key(stripes).unbind(-1), self.value(stripes).unbind(-1)
        for key, value in zip(keys, values, strict=True):
            query = query + (value * query).mean(dim=1, keepdim=True) * key
        return query


def unit_scale(stripes: Tensor) -> Tensor:
    """Stripes (n, C, n_s), each scaled to a root mean square of one over its channels."""
    return F.normalize(stripes, dim=1) * stripes.shape[1] ** 0.5


def explicit_enhancement(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """One LGE step exactly as Eq. 13-15 write it, both signs of the attention map spelled out.

    Shape: (n, C) three times -> (n, C). Kept as the reference that `LocalToGlobalEnhancement` is tested against.
    """
    affinity = query.unsqueeze(2) @ key.unsqueeze(1) / query.shape[1]
    positive, negative = affinity.relu(), (-affinity).relu()
    row = value.unsqueeze(1)
    return query + (row @ positive - row @ negative).squeeze(1)


class BidirectionalEnhancement(nn.Module):
    """Both directions and all granularities, each with an LGE (or another `step`) of its own.

    Every chain starts from the stream's original global feature and reads the other stream's original stripes, so
    neither direction sees what the other has changed.

    Args:
        channels: C.
        granularities: n_s.
        step: "lge", or what Table 9 compares with it (`opengait_ext.models.dinogrl.interactions`).

    Raises:
        ConfigError: an unknown step.
    """

    def __init__(self, channels: int = 256, granularities: Sequence[int] = (2, 4, 8, 16), step: str = "lge") -> None:
        super().__init__()
        steps = {"lge": LocalToGlobalEnhancement, **INTERACTIONS}
        if step not in steps:
            raise ConfigError(f"model_cfg.enhancement.type is {step!r}; known are release, {', '.join(steps)}.")
        self.slices = granularity_slices(granularities)
        self.appearance = nn.ModuleList([steps[step](channels, stripes) for stripes in granularities])
        self.gait = nn.ModuleList([steps[step](channels, stripes) for stripes in granularities])

    def forward(self, appearance: Tensor, gait: Tensor) -> tuple[Tensor, Tensor]:
        """f-bar of Eq. 16 for both streams.

        Args:
            appearance, gait: (n, C, parts), the global feature first, then the stripes of each granularity.

        Returns:
            The enhanced global features of the appearance and of the gait stream, each (n, C, granularities).
        """
        return (
            enhance_stream(self.appearance, appearance[..., 0], gait, self.slices),
            enhance_stream(self.gait, gait[..., 0], appearance, self.slices),
        )


def enhance_stream(steps: nn.ModuleList, global_feature: Tensor, other: Tensor, slices: list[slice]) -> Tensor:
    """One stream's global feature (n, C) enhanced at every granularity by the other stream's parts: (n, C, slices)."""
    return torch.stack(
        [step(global_feature, other[..., where]) for step, where in zip(steps, slices, strict=True)], dim=-1
    )
