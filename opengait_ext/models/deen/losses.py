"""DEEN's losses on its three versions of a tracklet: orthogonality, and centre-guided pair mining (CPM)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait.modeling.losses.base import BaseLoss, at_least_float32, gather_and_scale_wrapper
from opengait.modeling.losses.triplet import pairwise_distances
from opengait_ext.models.shared.modality import INFRARED, VISIBLE

# The sets of centres: of both modalities, of the original version and then of a generated one.
SETS = {"V": (0, VISIBLE), "I": (0, INFRARED), "V'": (1, VISIBLE), "I'": (1, INFRARED)}


class OrthogonalityLoss(BaseLoss):
    """L_ort: pushes the two generated versions of a tracklet apart, L = sum over tracklets of f2 . f3 / (3 n).

    Features are pooled after a ReLU, so no product is negative. As published, the sum is divided by the number of all
    versions, although each tracklet has one product.

    Args:
        loss_term_weight: factor of this loss in the sum; 0.01 as published.
    """

    def forward(self, embeddings: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss (scalar) of f1, f2 and f3, (n, c, 3), and info: `loss`."""
        _, second, third = at_least_float32(embeddings).unbind(2)
        loss = (second * third).sum(1).mean() / embeddings.shape[2]
        self.info.update(loss=loss.detach().clone())
        return loss, self.info


class CentreGuidedPairMiningLoss(BaseLoss):
    """L_cpm: an identity's generated centre lies nearer to the centre of the other modality than to anything else.

    The sum of `pair_mining_loss` over both generated versions, each with the original one. The released code finds an
    identity's images by cutting the batch into equal pieces; here its labels tell, so any order will do.

    Args:
        margin: of all hinges. The released code ignores its argument and always takes 0.2.
        loss_term_weight: factor of this loss in the sum; 0.8 as published.
    """

    def __init__(self, margin: float = 0.2, loss_term_weight: float = 1.0) -> None:
        super().__init__(loss_term_weight)
        self.margin = margin

    @gather_and_scale_wrapper
    def forward(self, embeddings: Tensor, labels: Tensor, modality: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss (scalar), and info: `loss`.

        Args:
            embeddings: f1, f2 and f3, (n, c, 3).
            labels: (n), identities.
            modality: (n), 0 visible, 1 infrared.
        """
        original, *generated = at_least_float32(embeddings).unbind(2)
        losses = [pair_mining_loss(original, version, labels, modality, self.margin) for version in generated]
        loss = torch.stack(losses).sum()
        self.info.update(loss=loss.detach().clone())
        return loss, self.info


def pair_mining_loss(original: Tensor, generated: Tensor, labels: Tensor, modality: Tensor, margin: float) -> Tensor:
    """Return L = (a + b) / 2 of one generated version; 0 if no identity has both modalities.

    V_i and I_i are the centres of identity i in the original version of each modality, V'_i and I'_i those in the
    generated one; d is Euclidean, [x] = max(0, x), and sg stops the gradient:

    a = mean_i [d(I_i, V'_i) - sg d(V_i, V'_i) + m]
        + 1/2 (mean_i [d(I_i, V'_i) - min_j d(V'_i, V'_j) + m] + mean_i [d(I_i, V'_i) - min_j d(V_i, V_j) + m]),

    where j is not i, and b is the same with the modalities swapped. Identities with one modality are left out. With a
    single identity there is no j, and the hinges that need one are 0.

    Args:
        original, generated: (n, c).
        labels, modality: (n).
        margin: m.
    """
    same = labels[:, None] == labels
    members = [same & (modality == kind) for kind in (VISIBLE, INFRARED)]
    complete = members[0].any(1) & members[1].any(1)
    # Row r stands for its identity, so that nothing depends on how many there are and no step waits for the device.
    versions = (original, generated)
    centres = [means(versions[version], members[kind]) for version, kind in SETS.values()]
    distances = pairwise_distances(torch.cat(centres)[None])[0]
    table = distances.unflatten(1, (len(SETS), -1)).unflatten(0, (len(SETS), -1))
    among = complete & ~same
    hinges = sum(side_hinges(table, among, names, margin) for names in (("I", "V", "V'"), ("V", "I", "I'"))) / 2
    weights = complete / same.sum(1)
    return (hinges * weights).sum() / weights.sum().clamp(min=1)


def side_hinges(table: Tensor, among: Tensor, names: Sequence[str], margin: float) -> Tensor:
    """Return the hinges of a for each row, (n).

    Args:
        table: distances between all centres, (4, n, 4, n).
        among: which rows j count for row i, bool (n, n).
        names: the sets of I, V and V'; for b those of V, I and I'.
        margin: m.
    """
    other, original, generated = (list(SETS).index(name) for name in names)

    def nearest(kind: int) -> Tensor:
        return table[kind, :, kind].masked_fill(~among, torch.inf).amin(1)

    pair = table[other, :, generated].diagonal()
    versions = table[original, :, generated].diagonal().detach()
    first, second, third = (F.relu(pair - d + margin) for d in (versions, nearest(generated), nearest(original)))
    return first + (second + third) / 2


def means(vectors: Tensor, members: Tensor) -> Tensor:
    """Return the mean of the vectors (n, c) that are members (bool, (n, n)) of each row's set, 0 of none; (n, c)."""
    return members.to(vectors.dtype) @ vectors / members.sum(1, keepdim=True).clamp(min=1)
