"""Ranking against a slow loop over the definition and values of public code, with ties, limits and blocks."""

import json

import numpy as np
import pytest
import torch

from opengait.errors import DataError
from opengait.evaluation import rank_metrics, ranking
from tests.paths import GOLDEN_DIR

FOLDER = GOLDEN_DIR / "vvi"
GOLDEN = json.loads((FOLDER / "eval_expected.json").read_text())["cases"]
INPUTS = np.load(FOLDER / "eval_inputs.npz")
RULES = {"definition_camera_filter": True, "definition_no_camera_filter": False}


def case(name: str) -> list[np.ndarray]:
    return [INPUTS[f"{name}/{part}"] for part in ("dist", "q_pid", "g_pid", "q_cam", "g_cam")]


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("rule", RULES)
def test_metrics_equal_the_definition(name, rule):
    expected = GOLDEN[name][rule]["stable"]
    metrics = rank_metrics(*case(name), drop_same_camera=RULES[rule])
    assert metrics.valid_queries == expected["valid_queries"]
    assert (metrics.queries, metrics.gallery) == tuple(GOLDEN[name]["shape"])
    assert metrics.mean_ap == pytest.approx(expected["mAP"], abs=1e-12)
    assert metrics.mean_inp == pytest.approx(expected["mINP"], abs=1e-12)
    for rank, value in expected["cmc"].items():
        assert metrics.cmc[int(rank) - 1] == pytest.approx(value, abs=1e-12)
    for order, compare in (("best", np.less_equal), ("worst", np.greater_equal)):
        bound = GOLDEN[name][rule][order]
        assert compare(metrics.mean_ap, bound["mAP"] + (1e-12 if order == "best" else -1e-12))


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize(
    ("code", "camera_rule"),
    [("mitml_stable_sort", True), ("buptcampus_stable_sort", False), ("m3reid_stable_sort", True)],
)
def test_metrics_equal_public_code(name, code, camera_rule):
    expected = GOLDEN[name][code]
    metrics = rank_metrics(*case(name), drop_same_camera=camera_rule)
    assert metrics.mean_ap == pytest.approx(expected["mAP"], abs=2e-6)
    assert metrics.mean_inp == pytest.approx(expected.get("mINP", metrics.mean_inp), abs=2e-6)
    for rank, value in expected["cmc"].items():
        assert metrics.cmc[int(rank) - 1] == pytest.approx(value, abs=2e-6)


def by_loop(distance, q_ids, g_ids, q_cams, g_cams, drop, max_rank):
    """Evaluate the definition, one query at a time."""
    ap, inp, first = [], [], []
    for row, q_id, q_cam in zip(distance, q_ids, q_cams, strict=True):
        kept = [g for g in range(len(g_ids)) if not (drop and g_ids[g] == q_id and g_cams[g] == q_cam)]
        kept.sort(key=lambda g: (row[g], g))
        ranks = [rank for rank, g in enumerate(kept, 1) if g_ids[g] == q_id]
        first.append(ranks[0] if ranks else 0)
        ap.append(np.mean([(j + 1) / rank for j, rank in enumerate(ranks)]) if ranks else np.nan)
        inp.append(len(ranks) / ranks[-1] if ranks else np.nan)
    valid = [rank for rank in first if rank]
    cmc = [np.mean([rank <= k for rank in valid]) for k in range(1, max_rank + 1)]
    return cmc, ap, inp, first


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("drop", [False, True])
def test_metrics_equal_a_loop_for_any_block_size(seed, drop, monkeypatch):
    rng = np.random.default_rng(seed)
    distance = rng.integers(0, 6, (17, 23)) / 4
    q_ids, g_ids = rng.integers(0, 7, 17), rng.integers(0, 7, 23)
    q_cams, g_cams = rng.integers(0, 3, 17), rng.integers(0, 3, 23)
    cmc, ap, inp, first = by_loop(distance, q_ids, g_ids, q_cams, g_cams, drop, 30)
    for block in (1, 50, 10**6):
        monkeypatch.setattr(ranking, "_BLOCK", block)
        metrics = rank_metrics(distance, q_ids, g_ids, q_cams, g_cams, drop_same_camera=drop, max_rank=30)
        np.testing.assert_allclose(metrics.cmc, cmc, atol=1e-12)
        np.testing.assert_allclose(metrics.ap, ap, atol=1e-12)
        np.testing.assert_allclose(metrics.inp, inp, atol=1e-12)
        assert metrics.first_hit.tolist() == first
        assert metrics.mean_ap == pytest.approx(np.nanmean(ap)) and metrics.mean_inp == pytest.approx(np.nanmean(inp))
        assert metrics.valid_queries == np.count_nonzero(first)


def test_equal_distances_keep_gallery_order():
    metrics = rank_metrics(torch.zeros(1, 4), ["a"], ["b", "a", "b", "a"], max_rank=4)
    assert metrics.cmc.tolist() == [0, 1, 1, 1] and metrics.ap.tolist() == [0.5] and metrics.inp.tolist() == [0.5]


def test_gallery_of_one_item():
    metrics = rank_metrics(torch.tensor([[3.0], [1.0]]), ["a", "b"], ["a"], max_rank=5)
    assert metrics.valid_queries == 1 and metrics.cmc.tolist() == [1.0] * 5
    assert metrics.mean_ap == 1.0 and np.isnan(metrics.ap[1]) and metrics.first_hit.tolist() == [1, 0]
    dropped = rank_metrics(torch.tensor([[3.0]]), ["a"], ["a"], [1], [1], drop_same_camera=True)
    assert dropped.valid_queries == 0


@pytest.mark.parametrize("gallery", [["b", "c"], []])
def test_no_valid_query_gives_zeros(gallery):
    metrics = rank_metrics(torch.zeros(2, len(gallery)), ["a", "d"], gallery, max_rank=3)
    assert (metrics.valid_queries, metrics.mean_ap, metrics.mean_inp) == (0, 0.0, 0.0)
    assert metrics.cmc.tolist() == [0.0] * 3 and np.isnan(metrics.ap).all() and metrics.first_hit.tolist() == [0, 0]


def test_no_queries():
    metrics = rank_metrics(torch.zeros(0, 3), [], ["a", "b", "c"])
    assert (metrics.queries, metrics.valid_queries, metrics.mean_ap) == (0, 0, 0.0)


def test_removed_items_take_no_rank():
    # The nearest item is removed by the camera rule, the second is another person, the third is the match.
    distance, cameras = torch.tensor([[0.0, 1.0, 2.0]]), [7, 7, 8]
    metrics = rank_metrics(distance, [1], [1, 2, 1], [7], cameras, drop_same_camera=True, max_rank=3)
    assert metrics.first_hit.tolist() == [2] and metrics.ap.tolist() == [0.5]


def test_distances_from_a_function(monkeypatch):
    monkeypatch.setattr(ranking, "_BLOCK", 120)
    arrays = case("c1_plain")
    blocks = []

    def rows(start, stop):
        blocks.append((start, stop))
        return torch.from_numpy(arrays[0][start:stop])

    metrics = rank_metrics(rows, *arrays[1:], drop_same_camera=True)
    assert metrics.mean_ap == rank_metrics(*arrays, drop_same_camera=True).mean_ap
    assert blocks == [(i, i + 2) for i in range(0, 40, 2)]


def test_gallery_of_a_hundred_thousand_items():
    ids = np.arange(100_000) % 5_000
    distance = torch.from_numpy(np.random.default_rng(0).random((4, 100_000), dtype=np.float32))
    distance[:, 2] = -1
    metrics = rank_metrics(distance, [2, 3, 2, 3], ids)
    assert metrics.cmc[0] == 0.5 and metrics.first_hit[0] == 1


def test_reversed_numpy_views_are_accepted():
    distance = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])
    metrics = rank_metrics(distance[::-1, ::-1], [1, 2], [1, 2, 3])
    assert metrics.first_hit.tolist() == rank_metrics(distance[::-1, ::-1].copy(), [1, 2], [1, 2, 3]).first_hit.tolist()


def test_rejects_mismatched_arguments():
    with pytest.raises(DataError, match=r"\(2, 2\) .* got \(2, 3\)"):
        rank_metrics(torch.zeros(2, 3), [1, 2], [1, 2])
    with pytest.raises(DataError, match="drop_same_camera"):
        rank_metrics(torch.zeros(1, 1), [1], [1], drop_same_camera=True)
    with pytest.raises(DataError, match="got 1 and 2"):
        rank_metrics(torch.zeros(1, 1), [1], [1], [1], [1, 2], drop_same_camera=True)
    with pytest.raises(DataError, match="NaN"):
        rank_metrics(torch.tensor([[0.0, float("nan")]]), [1], [1, 2])


@pytest.mark.cuda
def test_equal_on_cpu_and_cuda(monkeypatch):
    """Use ties, among them 0.0 and -0.0, and several blocks."""
    rng = np.random.default_rng(5)
    distance = torch.from_numpy(np.round(4 * rng.standard_normal((40, 300))) / 4 * rng.choice([-1.0, 1.0], (40, 300)))
    ids_and_cameras = [
        rng.integers(0, 20, 40),
        rng.integers(0, 20, 300),
        rng.integers(0, 4, 40),
        rng.integers(0, 4, 300),
    ]
    monkeypatch.setattr(ranking, "_BLOCK", 2000)
    for drop in (False, True):
        on_cpu, on_cuda = (rank_metrics(distance.to(device), *ids_and_cameras, drop) for device in ("cpu", "cuda"))
        for name in ("cmc", "inp", "first_hit"):
            np.testing.assert_array_equal(getattr(on_cpu, name), getattr(on_cuda, name))
        # The same precisions at the same ranks, which a GPU sums in another order.
        np.testing.assert_allclose(on_cpu.ap, on_cuda.ap, rtol=1e-14)
