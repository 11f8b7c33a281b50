"""Supervised contrastive losses."""

import torch
import torch.nn.functional as F

from opengait.errors import ConfigError
from opengait.modeling.losses.base import BaseLoss, at_least_float32, gather_and_scale_wrapper


class SupConLoss_Re(BaseLoss):  # noqa: N801 (upstream's name)
    """Supervised contrastive loss on inner products (upstream `SupConLoss_Re`; Khosla et al. 2020, Eq. (2)).

    `L = -T / T0 * mean over anchors i of mean over positives p of log softmax_{j != i}(z_i . z_j / T)[p]`

    Args:
        temperature: T.
        contrast_mode: `all` uses every view of every sequence as an anchor, `one` only the first view.
        base_temperature: T0.

    Raises:
        ConfigError: the contrast mode is unknown.
    """

    def __init__(self, temperature: float = 0.07, contrast_mode: str = "all", base_temperature: float = 0.07) -> None:
        super().__init__()
        if contrast_mode not in ("all", "one"):
            raise ConfigError(f"SupConLoss_Re.contrast_mode: expected 'all' or 'one', got {contrast_mode!r}.")
        self.temperature = temperature
        self.contrast_mode = contrast_mode
        self.base_temperature = base_temperature

    @gather_and_scale_wrapper
    def forward(
        self, features: torch.Tensor, labels: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of a batch.

        Args:
            features: `[n, views, ...]`, normally of unit length; axes from the third on are flattened.
            labels: `[n]` identities.
            mask: `[n, n]`, 1 where two sequences are positives, instead of labels; with neither, only views of the same
                sequence are positives.

        Returns:
            Loss (scalar), and info: `loss`.

        Raises:
            ValueError: the shapes do not match, or both labels and mask are given.
        """
        if features.dim() < 3:
            raise ValueError(f"SupConLoss_Re expected features [n, views, ...], got {list(features.shape)}.")
        if labels is not None and mask is not None:
            raise ValueError("SupConLoss_Re expected labels or a mask, got both.")
        n, views = features.shape[:2]
        if labels is not None:
            mask = labels[:, None] == labels[None, :]
        elif mask is None:
            mask = torch.eye(n, device=features.device)
        # All first views come before all second views.
        contrast = at_least_float32(features).flatten(2).transpose(0, 1).flatten(0, 1)
        anchors = contrast if self.contrast_mode == "all" else contrast[:n]
        positives = mask.bool().repeat(len(anchors) // n, views)
        losses, matched = _contrast(anchors @ contrast.T / self.temperature, positives)
        loss = self.temperature / self.base_temperature * losses.sum() / matched.sum().clamp(min=1)
        self.info.update(loss=loss.detach().clone())
        return loss, self.info


class SupConLoss_Lp(BaseLoss):  # noqa: N801 (upstream's name)
    """Supervised contrastive loss on euclidean distances of normalised features (upstream `SupConLoss_Lp`).

    As `SupConLoss_Re` with `-|z_i - z_j|` instead of the inner product and `T0 = T`; the mean excludes anchors whose
    loss is 0, such as those without positives.

    Args:
        temperature: T.
    """

    def __init__(self, temperature: float = 0.01) -> None:
        super().__init__()
        self.temperature = temperature

    @gather_and_scale_wrapper
    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of features `[n, c]` with labels `[n]` (scalar), and info: `loss`.

        Raises:
            ValueError: the shapes do not match.
        """
        if features.dim() != 2 or labels.shape != features.shape[:1]:
            raise ValueError(
                f"SupConLoss_Lp expected features [n, c] and labels [n], "
                f"got {list(features.shape)} and {list(labels.shape)}."
            )
        unit = F.normalize(at_least_float32(features), dim=1)
        # Not computed from inner products, whose rounding errors would be divided by the temperature.
        distances = torch.cdist(unit, unit, compute_mode="donot_use_mm_for_euclid_dist")
        losses, _ = _contrast(-distances / self.temperature, labels[:, None] == labels[None, :])
        loss = losses.sum() / (losses != 0).sum().clamp(min=1)
        self.info.update(loss=loss.detach().clone())
        return loss, self.info


def _contrast(scores: torch.Tensor, positives: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each anchor's mean of `-log softmax` over its positives, excluding the anchor itself.

    Args:
        scores: `[anchors, rows]`; anchor i is row i.
        positives: bool, of the same shape; the entries of an anchor with itself are ignored.

    Returns:
        Losses `[anchors]`, 0 for an anchor without positives, and bool `[anchors]`, true for those with positives.
    """
    itself = torch.eye(*scores.shape, dtype=torch.bool, device=scores.device)
    positives = positives & ~itself
    log_share = scores - scores.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)
    number = positives.sum(1)
    losses = -log_share.masked_fill(~positives, 0.0).sum(1) / number.clamp(min=1)
    return losses, number > 0
