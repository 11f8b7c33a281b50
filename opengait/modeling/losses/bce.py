"""Binary cross entropy of masks."""

import torch

from opengait.modeling.losses.base import BaseLoss, at_least_float32


class BinaryCrossEntropyLoss(BaseLoss):
    """Binary cross entropy on probabilities (upstream `BinaryCrossEntropyLoss`).

    `L = -mean(y log(x + eps) + (1 - y) log(1 - x + eps))`

    Args:
        loss_term_weight: factor of this loss in the sum.
        eps: added to the argument of the logarithm.
    """

    def __init__(self, loss_term_weight: float = 1.0, eps: float = 1.0e-9) -> None:
        super().__init__(loss_term_weight)
        self.eps = eps

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of a batch of masks.

        Args:
            logits: `[n, 1, h, w]` probabilities in [0, 1], not logits despite the name.
            labels: `[n, 1, h, w]` of 0 and 1.

        Returns:
            Loss (scalar), and info: `loss`; `hard_loss`, the largest of any pixel; `miou` `[n]`, intersection over
            union of each mask thresholded at 0.5.
        """
        logits = at_least_float32(logits)
        labels = labels.to(logits.dtype)
        losses = -(labels * (logits + self.eps).log() + (1 - labels) * (1 - logits + self.eps).log())
        loss = losses.mean()
        with torch.no_grad():
            predicted, target = (logits > 0.5).flatten(1), (labels > 0.5).flatten(1)
            overlap = (predicted & target).sum(1) / ((predicted | target).sum(1) + 1e-9)
        self.info.update(loss=loss.detach().clone(), hard_loss=losses.detach().max(), miou=overlap)
        return loss, self.info
