"""M3-ReID's losses beside the cross entropies, with the names of their terms in the publication: MMA, OFR and DAC."""

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait.modeling.losses.base import BaseLoss, at_least_float32, gather_and_scale_wrapper
from opengait_ext.data import Modality


class ModalityAlignmentLoss(BaseLoss):
    """MMA: a person's vectors of the other modality are nearer than those of other people.

    d = (1 - cos) / 2. For each vector, p is the mean of d over the same person's vectors of the other modality, and n
    over other people's; vectors that lack one of the two are left out. The loss is the mean of log(1 + exp(p - n)) in
    each modality, averaged over the modalities that have such vectors; 0 if none has.

    Args:
        loss_term_weight: factor of this loss in the sum.
    """

    @gather_and_scale_wrapper
    def forward(self, embeddings: Tensor, labels: Tensor, modality: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss (scalar), and info: `loss`.

        Args:
            embeddings: (n, c, p), p vectors of each tracklet, such as one per frame; all n p vectors are compared.
            labels: (n), identities.
            modality: (n), 0 visible, 1 infrared.
        """
        vectors = embeddings.transpose(1, 2).flatten(0, 1)
        count = embeddings.shape[2]
        loss = alignment_loss(vectors, labels.repeat_interleave(count), modality.repeat_interleave(count))
        self.info.update(loss=loss.detach().clone())
        return loss, self.info


class FrameDiversityLoss(BaseLoss):
    """OFR: the mean squared cosine between the vectors of different frames of a tracklet.

    Args:
        loss_term_weight: factor of this loss in the sum.
    """

    def forward(self, embeddings: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss (scalar; 0 for a single frame) of frames' vectors (n, c, s), and info: `loss`."""
        loss = mean_squared_cosine(embeddings.transpose(1, 2))
        self.info.update(loss=loss.detach().clone())
        return loss, self.info


class AttentionDiversityLoss(BaseLoss):
    """DAC: the mean squared cosine between the masks of different heads, as the views see them, added over the views.

    Args:
        loss_term_weight: factor of this loss in the sum.
    """

    def forward(self, masks: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss (scalar; 0 for a single head) of masks (n, s, 3, heads, h, w), and info: `loss`.

        The three views of a tracklet cut it into frames (h x w), rows (s x w) and columns (s x h).
        """
        frames, rows, columns = masks.permute(2, 0, 3, 1, 4, 5)  # (n, heads, s, h, w) each
        cuts = (frames.transpose(1, 2), rows.permute(0, 3, 1, 2, 4), columns.permute(0, 4, 1, 2, 3))
        loss = torch.stack([mean_squared_cosine(cut.flatten(0, 1).flatten(2)) for cut in cuts]).sum()
        self.info.update(loss=loss.detach().clone())
        return loss, self.info


def alignment_loss(vectors: Tensor, labels: Tensor, modality: Tensor) -> Tensor:
    """Return MMA of vectors (k, c), identities (k) and modalities (k); see `ModalityAlignmentLoss`."""
    unit = F.normalize(at_least_float32(vectors), dim=1)
    distances = (1 - unit @ unit.T) / 2
    same, other = labels[:, None] == labels, modality[:, None] != modality
    matches, rest = same & other, ~same & other
    gaps = masked_mean(distances, matches) - masked_mean(distances, rest)
    valid = matches.any(1) & rest.any(1)
    kinds = torch.arange(len(Modality), device=modality.device)
    queries = valid & (modality == kinds[:, None])
    losses = masked_mean(F.softplus(gaps).expand(len(kinds), -1), queries)
    return losses.sum() / queries.any(1).sum().clamp(min=1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of each row's values (k, m) where the mask is true; 0 where it nowhere is."""
    return (values * mask).sum(1) / mask.sum(1).clamp(min=1)


def mean_squared_cosine(sets: Tensor) -> Tensor:
    """Return the mean squared cosine between different vectors of a set, over k sets of m (k, m, c); 0 for m = 1."""
    unit = F.normalize(at_least_float32(sets), dim=2)
    size = sets.shape[1]
    different = ~torch.eye(size, dtype=torch.bool, device=sets.device)
    return ((unit @ unit.transpose(1, 2)).square() * different).sum() / max(len(sets) * size * (size - 1), 1)
