"""PBMGE, Progressive Bidirectional Multi-Granularity Enhancement (Section 3.3, Eq. 11-16)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait_ext.models.dinogrl.interactions import INTERACTIONS, build_step
from opengait_ext.models.shared.build import build_part
from opengait_ext.models.shared.pooling import granularity_slices


class LocalToGlobalEnhancement(nn.Module):
    """LGE: enhances a global feature by the stripes of the other stream, one after another (Eq. 11-16).

    The psi are pointwise 1D convolutions C -> C on signals of length one, so Q, K and V are row vectors of length C,
    and M+ and M- are C x C. With one V the two signs cancel, relu(x) - relu(-x) = x, hence

        Delta f = V M+ - V M- = V Q^T K = (V . Q) K,

    which costs O(C) instead of O(C^2).

    The paper fixes neither the scale of an update nor how psi^q starts. Without the first two of these choices updates
    grow with the square of the stripes' scale and compound over sixteen steps.

    Args:
        channels: C.
        divide: divide the product by C.
        unit_stripes: scale stripes to a root mean square of one.
        identity_query: start psi^q as the identity, not at random.
        zero_value: start psi^v at zero, not at random, so that updates are zero at first, as in the authors' release.
    """

    def __init__(
        self,
        channels: int,
        divide: bool = True,
        unit_stripes: bool = True,
        identity_query: bool = True,
        zero_value: bool = False,
    ) -> None:
        super().__init__()
        self.query = nn.Conv1d(channels, channels, 1)
        self.key = nn.Conv1d(channels, channels, 1)
        self.value = nn.Conv1d(channels, channels, 1)
        self.divisor = channels if divide else 1
        self.unit_stripes = unit_stripes
        if identity_query:
            nn.init.dirac_(self.query.weight)
            nn.init.zeros_(self.query.get_parameter("bias"))
        if zero_value:
            for parameter in self.value.parameters():
                nn.init.zeros_(parameter)

    def forward(self, global_feature: Tensor, stripes: Tensor) -> Tensor:
        """Return the global feature (n, C) enhanced by the stripes (n, C, n_s), top to bottom."""
        query = self.query(global_feature.unsqueeze(-1)).squeeze(-1)
        if self.unit_stripes:
            stripes = unit_scale(stripes)
        keys, values = self.key(stripes).unbind(-1), self.value(stripes).unbind(-1)
        for key, value in zip(keys, values, strict=True):
            query = query + (value * query).sum(dim=1, keepdim=True) / self.divisor * key
        return query


def unit_scale(stripes: Tensor) -> Tensor:
    """Scale each of the stripes (n, C, n_s) to a root mean square of one over its channels."""
    return F.normalize(stripes, dim=1) * stripes.shape[1] ** 0.5


class BidirectionalEnhancement(nn.Module):
    """Both directions at all granularities, each with its own LGE (or another `step`).

    Every chain starts from the stream's original global feature and reads the other stream's original stripes, so
    the directions do not influence each other.

    Args:
        channels: C.
        granularities: n_s.
        step: "lge" or an alternative of Table 9 (`opengait_ext.models.dinogrl.interactions`).
        lge: arguments of `LocalToGlobalEnhancement` (`model_cfg.lge`), which the alternatives do not read.

    Raises:
        ConfigError: an unknown step or argument.
    """

    def __init__(
        self,
        channels: int = 256,
        granularities: Sequence[int] = (2, 4, 8, 16),
        step: str = "lge",
        lge: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if step not in ("lge", *INTERACTIONS):
            known = ", ".join(("release", "lge", *INTERACTIONS))
            raise ConfigError(f"model_cfg.enhancement.type is {step!r}; known are {known}.")

        def build(stripes: int) -> nn.Module:
            if step == "lge":
                module: nn.Module = build_part(LocalToGlobalEnhancement, "lge", lge, channels=channels)
                return module
            return build_step(INTERACTIONS[step], channels, stripes)

        self.slices = granularity_slices(granularities)
        self.appearance = nn.ModuleList([build(stripes) for stripes in granularities])
        self.gait = nn.ModuleList([build(stripes) for stripes in granularities])

    def forward(self, appearance: Tensor, gait: Tensor) -> tuple[Tensor, Tensor]:
        """Compute f-bar of Eq. 16 for both streams.

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
    """Enhance a global feature (n, C) by the other stream's parts at every granularity: (n, C, slices)."""
    return torch.stack(
        [step(global_feature, other[..., stripes]) for step, stripes in zip(steps, slices, strict=True)], dim=-1
    )
