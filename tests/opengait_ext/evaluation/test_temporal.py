"""Temporal re-ranking against its formulas, pair by pair, and in the evaluator."""

import math

import numpy as np
import pytest
import torch

from opengait.errors import DataError
from opengait_ext.evaluation.evaluator import evaluate_cross_modal
from opengait_ext.evaluation.metrics import cross_modal_metrics
from opengait_ext.evaluation.temporal import jaccard_distance, temporal_re_ranking


def features(rows: int, seed: int, parts: int = 1) -> torch.Tensor:
    x = torch.randn(rows, 6, parts, generator=torch.Generator().manual_seed(seed))
    return x / x.norm(dim=1, keepdim=True)


def distance(x: torch.Tensor, y: torch.Tensor) -> float:
    return sum(math.dist(x[:, p].tolist(), y[:, p].tolist()) for p in range(x.shape[1])) / x.shape[1]


def slow_jaccard(query: torch.Tensor, gallery: torch.Tensor, k1: int = 5, k2: int = 3) -> np.ndarray:
    """Return the Jaccard distances as the paper of k-reciprocal re-ranking has them, set by set."""
    both = [*query, *gallery]
    size = len(both)
    distances = np.array([[distance(x, y) for y in both] for x in both])
    distances /= distances.max(axis=1, keepdims=True)
    order = np.argsort(distances, axis=1, kind="stable")

    def reciprocal(i: int, k: int) -> set[int]:
        return {int(j) for j in order[i, : k + 1] if i in order[j, : k + 1]}

    weights = np.zeros((size, size))
    for i in range(size):
        members = reciprocal(i, k1)
        extended = set(members)
        for j in members:
            candidates = reciprocal(j, round(k1 / 2))
            if len(candidates & members) > 2 / 3 * len(candidates):
                extended |= candidates
        for j in extended:
            weights[i, j] = math.exp(-distances[i, j])
        weights[i] /= weights[i].sum()
    weights = np.array([weights[order[i, :k2]].mean(axis=0) for i in range(size)])
    out = np.zeros((len(query), len(gallery)))
    for q in range(len(query)):
        for g in range(len(gallery)):
            ours, theirs = weights[q], weights[len(query) + g]
            out[q, g] = 1 - np.minimum(ours, theirs).sum() / np.maximum(ours, theirs).sum()
    return out


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_jaccard_distance_is_that_of_the_sets(seed, parts):
    query, gallery = features(9, seed, parts), features(14, seed + 100, parts)
    expected = slow_jaccard(query, gallery)
    assert expected.std() > 0.05
    # The weights are in half precision.
    np.testing.assert_allclose(jaccard_distance(query, gallery).numpy(), expected, atol=4e-3)


@pytest.mark.parametrize("parts", [1, 3])
def test_the_distance_is_the_sum_of_the_formula(parts):
    query, gallery = ([features(rows, seed + k, parts) for k in range(3)] for rows, seed in ((9, 0), (14, 50)))
    whole, cross = slow_jaccard(query[0], gallery[0]), slow_jaccard(query[1], gallery[2])
    cross = cross + slow_jaccard(query[2], gallery[1])
    euclid = np.array([[distance(q, g) for g in gallery[0]] for q in query[0]])
    expected = 0.8 * euclid + 0.2 * whole + 0.1 * cross
    np.testing.assert_allclose(temporal_re_ranking(query, gallery).numpy(), expected, atol=2e-3)


@pytest.mark.parametrize(("queries", "gallery"), [(1, 1), (1, 4), (3, 1)])
def test_fewer_tracklets_than_neighbours(queries, gallery):
    ranked = temporal_re_ranking([features(queries, k) for k in range(3)], [features(gallery, k + 9) for k in range(3)])
    assert ranked.shape == (queries, gallery) and ranked.isfinite().all()


def data(people: int = 8) -> dict:
    """Return queries and gallery of both modalities, whose second halves alone tell people apart."""
    types = [kind for _ in range(people) for kind in ("visible", "infrared")] * 2
    labels = [str(person) for person in range(people) for _ in range(2)] * 2
    views = [f"c{k // (2 * people)}-t{k:05d}" + "-query" * (k < 2 * people) for k in range(4 * people)]
    rows = features(4 * people, 1).numpy()
    return {
        "labels": labels,
        "types": types,
        "views": views,
        "embeddings": rows,
        "embeddings_first_half": features(4 * people, 2).numpy(),
        "embeddings_second_half": features(4 * people, 3).numpy(),
    }


def test_the_evaluator_ranks_by_it_and_says_so():
    table = data()
    result = evaluate_cross_modal(table, "BUPTCampus", rerank="temporal", resamples=0)
    is_query = np.array([view.endswith("-query") for view in table["views"]])
    infrared = np.array(table["types"]) == "infrared"
    query, gallery = np.flatnonzero(is_query & infrared), np.flatnonzero(~is_query & ~infrared)
    parts = [torch.from_numpy(table[name]) for name in ("embeddings", *(k for k in table if k.endswith("half")))]
    ranked = temporal_re_ranking([part[query] for part in parts], [part[gallery] for part in parts])
    labels = np.array(table["labels"])
    expected = cross_modal_metrics(ranked, labels[query], labels[gallery], None, None, False)
    assert {key: result["infrared_to_visible"][key] for key in expected} == expected
    assert result["card"]["re_ranking"].startswith("temporal") and not result["card"]["protocol_followed"]
    assert "open_set" not in result
    plain = evaluate_cross_modal(table, "BUPTCampus", resamples=0)
    assert plain["infrared_to_visible"]["map"] != result["infrared_to_visible"]["map"]


def test_features_of_halves_are_needed():
    table = data()
    del table["embeddings_second_half"]
    with pytest.raises(DataError, match=r"rerank: temporal needs the features embeddings_second_half"):
        evaluate_cross_modal(table, "BUPTCampus", rerank="temporal", resamples=0)
