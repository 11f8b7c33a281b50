"""AuxNet's temporal re-ranking (Du et al., TIFS 2024): the first half of a tracklet is compared with a second half."""

from collections.abc import Sequence

import torch

from opengait.evaluation.distance import Metric, cuda_dist
from opengait.evaluation.reranking import re_ranking

# Size of a neighbourhood, and the number of nearest tracklets whose neighbourhoods are averaged.
K1, K2 = 5, 3
# Weights of the distance, of the Jaccard distance of whole tracklets, and of that of either pair of halves.
WEIGHTS = (0.8, 0.2, 0.1)
DESCRIPTION = "temporal, 0.8 of the distance, 0.2 of J(whole), 0.1 of J(halves) each, k1 5, k2 3"

# Features of whole tracklets, first halves and second halves, (n, c, p) each.
Parts = Sequence[torch.Tensor]


def temporal_re_ranking(query: Parts, gallery: Parts, metric: Metric = "euc") -> torch.Tensor:
    """Return D = 0.8 d(q, g) + 0.2 J(q, g) + 0.1 (J(q1, g2) + J(q2, g1)), float32 (queries, gallery).

    q1 and q2 are the halves of a query, g1 and g2 those of a gallery tracklet; d is the distance of whole tracklets.

    Args:
        query, gallery: features of the whole tracklets, of their first and of their second halves.
        metric: "euc" or "cos".
    """
    distance, whole, halves = WEIGHTS
    ranked = distance * cuda_dist(query[0], gallery[0], metric)
    ranked = ranked + whole * jaccard_distance(query[0], gallery[0], metric)
    for one, other in ((1, 2), (2, 1)):
        ranked = ranked + halves * jaccard_distance(query[one], gallery[other], metric)
    return ranked


def jaccard_distance(query: torch.Tensor, gallery: torch.Tensor, metric: Metric = "euc") -> torch.Tensor:
    """Return J, the Jaccard distance of k-reciprocal neighbourhoods among queries and gallery, (queries, gallery)."""
    both = torch.cat([query, gallery])
    return re_ranking(cuda_dist(both, both, metric), len(query), K1, K2, 0.0)
