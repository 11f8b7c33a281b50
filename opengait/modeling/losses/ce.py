"""Cross entropy over identities, for each part."""

import torch
import torch.nn.functional as F

from opengait.errors import ConfigError
from opengait.modeling.losses.base import BaseLoss, at_least_float32
from opengait.utils.tensors import class_advice


class CrossEntropyLoss(BaseLoss):
    """Cross entropy with label smoothing over the logits of each part (upstream `CrossEntropyLoss`).

    Args:
        scale: factor of the logits; cosine similarities need a factor well above 1.
        label_smooth: smooth the labels.
        eps: share of a label's weight that smoothing spreads over all classes.
        loss_term_weight: factor of this loss in the sum.
        log_accuracy: include the share of correctly classified parts in info.
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
        """Return the mean loss over sequences and parts.

        Args:
            logits: `[n, classes, p]`; half precision is computed in float32.
            labels: `[n]` class indices.

        Returns:
            Loss (scalar), and info: `loss`, and with `log_accuracy` also `accuracy` in [0, 1].

        Raises:
            ValueError: the shapes do not match.
            ConfigError: a label exceeds the classes of the logits (detected on the CPU only).
        """
        if logits.dim() != 3 or labels.shape != logits.shape[:1]:
            raise ValueError(
                f"CrossEntropyLoss expected logits [n, classes, p] and labels [n], "
                f"got {list(logits.shape)} and {list(labels.shape)}."
            )
        targets = labels[:, None].expand(-1, logits.shape[2])
        smoothing = self.eps if self.label_smooth else 0.0
        try:
            loss = F.cross_entropy(at_least_float32(logits) * self.scale, targets, label_smoothing=smoothing)
        except IndexError as error:
            # Only the CPU kernel raises. Checking the labels beforehand would make every step wait for the GPU, so for
            # GPUs the training loop compares the classes with the identities once.
            highest, classes = int(labels.max()), logits.shape[1]
            raise ConfigError(
                f"CrossEntropyLoss got the label {highest}, but the logits have {classes} classes, 0 to {classes - 1}; "
                f"{class_advice(logits, highest + 1, 'the number of training identities')}."
            ) from error
        self.info.update(loss=loss.detach().clone())
        if self.log_accuracy:
            self.info.update(accuracy=(logits.argmax(1) == targets).float().mean())
        return loss, self.info
