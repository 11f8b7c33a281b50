"""The BN neck of re-identification: a norm between the feature that metric losses compare and the classifier."""

from torch import Tensor, nn

from opengait.modeling.modules.parts import check_rows


class BNNeck(nn.Module):
    """BN neck (Luo et al., 2019) with the initial values of AGW, which its successors share.

    The norm's bias starts at 0 and is trained only if asked for; its weights start as N(1, 0.01). The classifier has no
    bias, and its weights start as N(0, 0.001).

    Args:
        channels: c.
        num_classes: number of identities; None for a neck without a classifier.
        bias: train the norm's bias.
    """

    def __init__(self, channels: int, num_classes: int | None = None, bias: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        nn.init.normal_(self.norm.weight, 1.0, 0.01)
        self.norm.bias.requires_grad_(bias)
        self.classifier = None
        if num_classes is not None:
            self.classifier = nn.Linear(channels, num_classes, bias=False)
            nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the normalised features (n, c) of (n, c) and, in training, their identity scores (n, classes).

        Raises:
            ConfigError: in training, the norm would see a single row.
        """
        check_rows(self.norm, features)
        normalised = self.norm(features)
        if self.classifier is None or not self.training:
            return normalised, None
        return normalised, self.classifier(normalised)
