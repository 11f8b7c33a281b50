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


def by_argsort(distance, q_ids, g_ids, q_cams, g_cams, drop, max_rank):
    """Evaluate the definition by ordering the gallery, one query at a time."""
    ap, inp, first = [], [], []
    for row, q_id, q_cam in zip(distance, q_ids, q_cams, strict=True):
        order = np.argsort(row, kind="stable")
        kept = order[~((g_ids[order] == q_id) & (g_cams[order] == q_cam))] if drop else order
        ranks = (np.flatnonzero(g_ids[kept] == q_id) + 1).tolist()
        first.append(ranks[0] if ranks else 0)
        ap.append(np.cumsum(np.arange(1, len(ranks) + 1) / ranks)[-1] / len(ranks) if ranks else np.nan)
        inp.append(len(ranks) / ranks[-1] if ranks else np.nan)
    valid = [rank for rank in first if rank]
    cmc = [np.mean([rank <= k for rank in valid]) if valid else 0.0 for k in range(1, max_rank + 1)]
    return cmc, ap, inp, first


def random_case(rng):
    """Make distances and ids with few or many ties, matches and removed items, infinite distances among them."""
    queries, gallery = rng.integers(1, 20), rng.integers(1, 40)
    scale, dtype = rng.choice([1, 4, 1000]), rng.choice(["float16", "float32", "float64", "int64"])
    distance = np.round(scale * rng.standard_normal((queries, gallery)))
    if dtype != "int64":
        distance[rng.random(distance.shape) < rng.choice([0, 0.2])] = rng.choice([np.inf, -np.inf, -0.0])
        distance /= 4
    sides = [rng.integers(0, rng.choice([1, 3, 30]), size) for size in (queries, gallery)]
    cameras = [rng.integers(0, rng.choice([1, 2, 6]), size) for size in (queries, gallery)]
    return distance.astype(dtype), *sides, *cameras


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("drop", [False, True])
def test_metrics_equal_an_argsort_for_any_block_size(seed, drop, monkeypatch):
    rng = np.random.default_rng(seed)
    for _ in range(25):
        arrays = random_case(rng)
        expected = by_argsort(*arrays, drop, 30)
        monkeypatch.setattr(ranking, "_BLOCK", int(rng.choice([1, 50, 10**6])))
        metrics = rank_metrics(*arrays, drop_same_camera=drop, max_rank=30)
        for name, values in zip(("cmc", "ap", "inp", "first_hit"), expected, strict=True):
            np.testing.assert_array_equal(getattr(metrics, name), values)
        valid = np.array(expected[3]) > 0
        assert metrics.valid_queries == valid.sum()
        for name, values in (("mean_ap", expected[1]), ("mean_inp", expected[2])):
            mean = np.array(values)[valid].mean() if valid.any() else 0.0
            assert getattr(metrics, name) == pytest.approx(mean, abs=1e-15)


def test_distances_are_left_as_they_are():
    rng = np.random.default_rng(0)
    distance = torch.from_numpy(rng.integers(0, 3, (5, 9)) / 4)
    before = distance.clone()
    rank_metrics(distance, np.arange(5) % 2, np.arange(9) % 2, np.zeros(5), np.arange(9) % 3, drop_same_camera=True)
    assert torch.equal(distance, before)


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


@pytest.mark.parametrize("column", range(4))
def test_rejects_nan_wherever_it_is(column):
    """The four items are a match, a removed one, a stranger, and one at infinity."""
    distance = torch.tensor([[1.0, 2.0, 3.0, torch.inf]])
    distance[0, column] = torch.nan
    with pytest.raises(DataError, match="NaN"):
        rank_metrics(distance, [1], [1, 1, 2, 2], [5], [6, 5, 5, 5], drop_same_camera=True)


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
        for name in ("cmc", "ap", "inp", "first_hit"):
            np.testing.assert_array_equal(getattr(on_cpu, name), getattr(on_cuda, name))
