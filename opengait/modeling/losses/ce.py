"""Cross entropy over identities, for every part."""

import torch
import torch.nn.functional as F

from opengait.errors import ConfigError
from opengait.modeling.losses.base import BaseLoss, at_least_float32


class CrossEntropyLoss(BaseLoss):
    """Cross entropy with label smoothing over the logits of every part (upstream `CrossEntropyLoss`).

    Args:
        scale: factor of the logits; cosines need one well above 1.
        label_smooth: whether to smooth labels.
        eps: how much of a label's weight is spread over all classes when smoothing.
        loss_term_weight: factor of this loss in the sum.
        log_accuracy: whether info holds the share of parts classified correctly.
    """

    def __init__(
        self,
        scale: float = 2**4,
        label_smooth: bool = True,
        eps: float = 0.1,
        loss_term_weight: float = 1.0,
        log_accuracy: bool = False,
    ) -> None:
        super().__init__(loss_term_weight)
        self.scale = scale
        self.label_smooth = label_smooth
        self.eps = eps
        self.log_accuracy = log_accuracy

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The mean loss over sequences and parts.

        Args:
            logits: `[n, classes, p]`; half precision is computed in float32.
            labels: `[n]` class indices.

        Returns:
            Loss (scalar), and info: `loss`, with `log_accuracy` also `accuracy` in [0, 1].

        Raises:
            ValueError: shapes that do not fit.
            ConfigError: a label has no class among the logits.
        """
        if logits.dim() != 3 or labels.shape != logits.shape[:1]:
            raise ValueError(
                f"CrossEntropyLoss takes logits [n, classes, p] and labels [n], "
                f"not {list(logits.shape)} and {list(labels.shape)}."
            )
        # Said here, since the kernel's own words are an index out of bounds, on CUDA at some later line.
        highest, classes = int(labels.max()), logits.shape[1]
        if highest >= classes:
            raise ConfigError(
                f"CrossEntropyLoss got the label {highest}, but the logits have {classes} classes, 0 to {classes - 1}; "
                f"give the model's classifier (class_num in model_cfg) a class for every training identity."
            )
        targets = labels[:, None].expand(-1, logits.shape[2])
        loss = F.cross_entropy(
            at_least_float32(logits) * self.scale, targets, label_smoothing=self.eps if self.label_smooth else 0.0
        )
        self.info.update(loss=loss.detach().clone())
        if self.log_accuracy:
            self.info.update(accuracy=(logits.argmax(1) == targets).float().mean())
        return loss, self.info
