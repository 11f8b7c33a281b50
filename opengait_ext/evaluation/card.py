"""The evaluator's part of the protocol card: queries, gallery, and the distance between them.

The engine adds the rest (data and fingerprint, frames, precision, checkpoint, versions) and writes the card into
`logs/test-<iteration>.json`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from opengait.data.deep_pixels import RULE
from opengait.evaluation.ranking import RankMetrics
from opengait_ext.evaluation.metrics import same_camera_pairs
from opengait_ext.evaluation.protocol import FULL, Protocol
from opengait_ext.evaluation.temporal import DESCRIPTION

_METRICS = {
    "euc": "mean over the parts of their Euclidean distances",
    "cos": "mean over the parts of 1 minus their cosines",
    "dot": "mean over the parts of minus their products",
}

_RE_RANKINGS: dict[bool | str, str | bool] = {
    False: False,
    True: "k-reciprocal, k1 20, k2 6, lambda 0.3",
    "temporal": DESCRIPTION,
}


def population_facts(
    metrics: RankMetrics,
    people: tuple[np.ndarray, np.ndarray],
    cameras: tuple[np.ndarray, np.ndarray],
    camera_rule: bool,
) -> dict[str, int]:
    """Return the counts of one direction.

    Args:
        metrics: retrieval metrics of the direction.
        people, cameras: identities and cameras, of the queries `[queries]` and of the gallery `[gallery]`.
        camera_rule: whether pairs with equal person and camera are removed; they are counted either way.
    """
    pairs = int(same_camera_pairs(people[0], people[1], cameras[0], cameras[1]).sum())
    return {
        "queries": metrics.queries,
        "valid_queries": metrics.valid_queries,
        "query_identities": len(set(people[0].tolist())),
        "gallery": metrics.gallery,
        "gallery_identities": len(set(people[1].tolist())),
        "same_camera_pairs": pairs,
        "removed_pairs": pairs if camera_rule else 0,
    }


def protocol_card(
    protocol: Protocol,
    camera_rule: bool,
    populations: Mapping[str, Mapping[str, Any]],
    metric: str,
    shape: tuple[int, int],
    rerank: bool | str,
    resampling: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the evaluator's part of the card.

    Args:
        protocol: the protocol.
        camera_rule: the rule in use, which may differ from the protocol's.
        populations: `population_facts` by population and direction.
        metric: "euc", "cos" or "dot".
        shape: channels and parts of a descriptor.
        rerank: whether distances were re-ranked, or "temporal".
        resampling: description of the bootstrap.
    """
    removed = []
    if camera_rule:
        removed.append("gallery tracklets of the query's person and camera number")
    if any(name != FULL for name in populations):
        removed.append("official_cut: the last visible queries and gallery tracklets, to whole batches of 64")
    return {
        "protocol": protocol.name,
        "camera_rule": camera_rule,
        "protocol_followed": camera_rule == protocol.camera_rule and not rerank,
        "removed": removed or ["nothing"],
        "populations": {name: dict(facts) for name, facts in populations.items()},
        "distance": {
            "metric": metric,
            "meaning": _METRICS.get(metric, metric),
            "channels": shape[0],
            "parts": shape[1],
            "computed_in": "float32",
        },
        "re_ranking": _RE_RANKINGS[rerank],
        "frames_published": protocol.frames,
        "pixels": RULE,
        "intervals": dict(resampling),
    }
