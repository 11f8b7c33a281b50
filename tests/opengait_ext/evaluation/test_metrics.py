"""Retrieval metrics against public code, against loops over the definition and against hand-computed cases."""

import json

import numpy as np
import pytest
import torch

from opengait.errors import DataError
from opengait_ext.evaluation import chance_rank1, cross_modal_metrics, evaluate_cross_modal
from tests.paths import GOLDEN_DIR

GOLDEN = GOLDEN_DIR / "vvi"
EXPECTED = json.loads((GOLDEN / "eval_expected.json").read_text())["cases"]
INPUTS = np.load(GOLDEN / "eval_inputs.npz")
CASES = sorted({name.partition("/")[0] for name in INPUTS.files} & set(EXPECTED))


def measure(case, camera_rule, dtype=np.float64):
    dist, *ids = (INPUTS[f"{case}/{name}"] for name in ("dist", "q_pid", "g_pid", "q_cam", "g_cam"))
    return cross_modal_metrics(dist.astype(dtype), *ids, camera_rule)


def assert_close(actual, cmc, mean_ap, mean_inp, tolerance):
    for rank, value in cmc.items():
        if value is not None:
            assert actual[f"rank{rank}"] == pytest.approx(value, abs=tolerance), rank
    assert actual["map"] == pytest.approx(mean_ap, abs=tolerance)
    if mean_inp is not None:
        assert actual["minp"] == pytest.approx(mean_inp, abs=tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("camera_rule", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_definition(case, camera_rule, dtype):
    expected = EXPECTED[case]["definition_camera_filter" if camera_rule else "definition_no_camera_filter"]["stable"]
    actual = measure(case, camera_rule, dtype)
    assert actual["valid_queries"] == expected["valid_queries"]
    assert_close(actual, expected["cmc"], expected["mAP"], expected["mINP"], 1e-9)
    assert (actual["queries"], actual["gallery"]) == INPUTS[f"{case}/dist"].shape


@pytest.mark.parametrize("code", ["mitml", "buptcampus", "m3reid"])
@pytest.mark.parametrize("case", [case for case in CASES if "ties" not in case])
def test_equals_public_code(case, code):
    expected = EXPECTED[case][code]
    if "error" in expected:
        pytest.skip("the public code raises here")
    assert_close(measure(case, code != "buptcampus"), expected["cmc"], expected["mAP"], expected.get("mINP"), 2e-6)


@pytest.mark.parametrize("camera_rule", [True, False])
def test_ties_lie_between_the_worst_and_the_best_order(camera_rule):
    orders = EXPECTED["c3_ties"]["definition_camera_filter" if camera_rule else "definition_no_camera_filter"]
    assert orders["worst"]["mAP"] < measure("c3_ties", camera_rule)["map"] < orders["best"]["mAP"]


@pytest.mark.parametrize(("code", "camera_rule"), [("evaluate_vcm", True), ("evaluate_bupt", False)])
def test_equals_the_authors_release(code, camera_rule):
    expected = json.loads((GOLDEN.parent / "dinogrl_official/metrics.json").read_text())
    rng = np.random.default_rng(780)
    distance = rng.random((40, 120))
    ids = rng.integers(0, 15, 40), rng.integers(0, 12, 120)
    cameras = rng.integers(1, 7, 40), rng.integers(1, 7, 120)
    distance -= 0.1 * (ids[0][:, None] == ids[1][None])
    assert distance.sum() == pytest.approx(expected["check"]["D_sum"])
    actual = cross_modal_metrics(distance, *ids, *cameras, camera_rule)
    cmc = {str(rank): expected[code]["cmc"][rank - 1] for rank in (1, 5, 10, 20)}
    assert_close(actual, cmc, expected[code]["mAP"], None, 2e-6)
    assert actual["valid_queries"] == expected[code]["valid_queries"]


def by_loops(distance, query_ids, gallery_ids, query_cameras, gallery_cameras, camera_rule):
    """Evaluate the definition: sort stably, remove by the camera rule, skip queries without a match."""
    hits, precisions, penalties = [], [], []
    for row, person, camera in zip(distance, query_ids, query_cameras, strict=True):
        order = [index for _, index in sorted((value, index) for index, value in enumerate(row))]
        kept = [
            index
            for index in order
            if not (camera_rule and gallery_ids[index] == person and gallery_cameras[index] == camera)
        ]
        ranks = [rank for rank, index in enumerate(kept, start=1) if gallery_ids[index] == person]
        if ranks:
            hits.append(ranks[0])
            precisions.append(np.mean([count / rank for count, rank in enumerate(ranks, start=1)]))
            penalties.append(len(ranks) / ranks[-1])
    shares = {f"rank{rank}": np.mean([hit <= rank for hit in hits]) if hits else 0 for rank in (1, 5, 10, 20)}
    means = {"map": np.mean(precisions) if hits else 0, "minp": np.mean(penalties) if hits else 0}
    return shares | means | {"valid_queries": len(hits), "queries": len(query_ids), "gallery": len(gallery_ids)}


@pytest.mark.parametrize("camera_rule", [True, False])
@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize(
    ("queries", "gallery", "people", "cameras"),
    [
        pytest.param(12, 1, 3, 2, id="one gallery tracklet"),
        pytest.param(24, 30, 8, 1, id="one camera, so the rule removes all matches"),
        pytest.param(30, 21, 4, 2, id="fewer than 20 left"),
        pytest.param(9, 7, 3, 3, id="curve longer than the gallery"),
        pytest.param(1, 40, 5, 4, id="one query"),
        pytest.param(25, 50, 70, 5, id="most have no match"),
        pytest.param(6, 0, 3, 2, id="no gallery"),
    ],
)
def test_unusual_populations_equal_loops(queries, gallery, people, cameras, ties, camera_rule):
    rng = np.random.default_rng(queries + gallery)
    distance = rng.random((queries, gallery))
    distance = np.round(distance * 4) / 4 if ties else distance
    ids_and_cameras = [rng.integers(0, top, size) for top in (people, cameras) for size in (queries, gallery)]
    assert cross_modal_metrics(distance, *ids_and_cameras, camera_rule) == pytest.approx(
        by_loops(distance, *ids_and_cameras, camera_rule)
    )


def test_distances_from_a_function_equal_the_matrix(monkeypatch):
    monkeypatch.setattr("opengait.evaluation.ranking._BLOCK", 64)
    rng = np.random.default_rng(3)
    distance = torch.from_numpy(rng.random((50, 20)))
    ids_and_cameras = [rng.integers(0, top, size) for top in (6, 3) for size in (50, 20)]
    blocks = []

    def rows(start, stop):
        blocks.append(stop - start)
        return distance[start:stop]

    assert cross_modal_metrics(rows, *ids_and_cameras, True) == cross_modal_metrics(distance, *ids_and_cameras, True)
    assert max(blocks) <= 3 and sum(blocks) == 50


def test_metrics_computed_by_hand():
    # Query of person 1, camera 7. Order of the gallery: person 2, 1 (camera 7: removed), 1, 2, 1.
    distance = torch.tensor([[0.3, 0.1, 0.2, 0.5, 0.4]])
    ids_and_cameras = [1], [1, 2, 1, 1, 2], [7], [2, 7, 7, 3, 2]
    with_rule = cross_modal_metrics(distance, *ids_and_cameras, True)
    assert (with_rule["rank1"], with_rule["rank5"]) == (0, 1)
    assert with_rule["map"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert with_rule["minp"] == pytest.approx(2 / 4)
    without = cross_modal_metrics(distance, *ids_and_cameras, False)
    assert without["map"] == pytest.approx((1 / 2 + 2 / 3 + 3 / 5) / 3)
    # Two matches among four tracklets with the rule, three among five without.
    assert chance_rank1(*ids_and_cameras, True) == pytest.approx(2 / 4)
    assert chance_rank1(*ids_and_cameras, False) == pytest.approx(3 / 5)


def test_chance_equals_the_mean_of_random_rankings():
    rng = np.random.default_rng(0)
    ids_and_cameras = rng.integers(0, 4, 12), rng.integers(0, 5, 20), rng.integers(0, 3, 12), rng.integers(0, 3, 20)
    for camera_rule in (True, False):
        scores = [cross_modal_metrics(rng.random((12, 20)), *ids_and_cameras, camera_rule)["rank1"] for _ in range(400)]
        chance = chance_rank1(*ids_and_cameras, camera_rule)
        assert abs(np.mean(scores) - chance) < 4 * np.std(scores) / 20
    assert chance_rank1(*ids_and_cameras, True) != chance_rank1(*ids_and_cameras, False)


def test_chance_skips_queries_without_a_match():
    # Person 1 matches one tracklet of two, person 2 matches one of its own camera only, and person 3 matches none.
    ids_and_cameras = [1, 2, 3], [1, 2], [5, 5, 5], [6, 5]
    assert chance_rank1(*ids_and_cameras, True) == pytest.approx(1 / 2)
    assert chance_rank1(*ids_and_cameras, False) == pytest.approx(1 / 2)
    assert chance_rank1([1, 3], [1], [5, 5], [6], True) == 1


def test_no_match_gives_zeros_not_nan():
    metrics = cross_modal_metrics(np.zeros((2, 3)), [1, 2], [3, 4, 5], [0, 0], [0, 0, 0], True)
    assert metrics["valid_queries"] == metrics["rank20"] == metrics["map"] == metrics["minp"] == 0
    assert chance_rank1([1, 2], [3, 4, 5], [0, 0], [0, 0, 0], True) == 0
    assert cross_modal_metrics(np.zeros((2, 0)), ["a", "b"], [], [0, 0], [], False)["gallery"] == 0


def tracklets(rng, people=6, cameras=3):
    rows = [(p, m, c) for p in range(people) for m in ("visible", "infrared") for c in range(1, cameras + 1)]
    rows = [rows[index] for index in rng.permutation(len(rows))]
    return {
        "embeddings": rng.standard_normal((len(rows), 5, 2)).astype(np.float32),
        "labels": [f"{person:04d}" for person, _, _ in rows],
        "types": [modality for _, modality, _ in rows],
        "views": [f"c{camera}-t{row:05d}" for row, (_, _, camera) in enumerate(rows, start=1)],
    }


class TestEvaluator:
    @pytest.mark.parametrize("camera_rule", [True, False])
    @pytest.mark.parametrize("metric", ["euc", "cos"])
    def test_both_directions_against_loops(self, camera_rule, metric):
        data = tracklets(np.random.default_rng(1))
        results = evaluate_cross_modal(data, "toy", metric=metric, camera_rule=camera_rule)
        for name, query_type in (("infrared_to_visible", "infrared"), ("visible_to_infrared", "visible")):
            first, precisions = [], []
            for i, (label, kind, view) in enumerate(zip(data["labels"], data["types"], data["views"], strict=True)):
                if kind != query_type:
                    continue
                others = []
                for j, (other, other_kind, other_view) in enumerate(
                    zip(data["labels"], data["types"], data["views"], strict=True)
                ):
                    same_camera = view.split("-")[0] == other_view.split("-")[0]
                    if other_kind == query_type or (camera_rule and other == label and same_camera):
                        continue
                    x, y = data["embeddings"][i].astype(float), data["embeddings"][j].astype(float)
                    norms = np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0)
                    euclid, cosine = np.linalg.norm(x - y, axis=0).mean(), 1 - ((x * y).sum(0) / norms).mean()
                    others.append((euclid if metric == "euc" else cosine, other == label))
                ranks = [rank for rank, (_, match) in enumerate(sorted(others), start=1) if match]
                first.append(ranks[0])
                precisions.append(np.mean([hits / rank for hits, rank in enumerate(ranks, start=1)]))
            assert results[name]["rank1"] == pytest.approx(np.mean([rank <= 1 for rank in first]))
            assert results[name]["rank5"] == pytest.approx(np.mean([rank <= 5 for rank in first]))
            assert results[name]["map"] == pytest.approx(np.mean(precisions))
            assert results[name]["queries"] == results[name]["gallery"] == 18
            assert results[name]["chance_rank1"] == pytest.approx(2 / 17 if camera_rule else 3 / 18)
        assert results["chance_rank1"] == pytest.approx(2 / 17 if camera_rule else 3 / 18)

    def test_perfect_features_rank_every_match_first(self, caplog):
        data = tracklets(np.random.default_rng(2))
        data["embeddings"][:] = np.eye(6, 5, dtype=np.float32)[[int(label) for label in data["labels"]]][..., None]
        with caplog.at_level("INFO", logger="opengait"):
            results = evaluate_cross_modal(data, "toy")
        for name in ("infrared_to_visible", "visible_to_infrared"):
            assert results[name]["rank1"] == results[name]["map"] == results[name]["minp"] == 1
        assert "toy: distance euc, camera rule on" in caplog.text
        assert "infrared to visible" in caplog.text and "100.00" in caplog.text and "11.76" in caplog.text

    def test_log_shows_intervals_of_rank_1_and_map(self, caplog):
        with caplog.at_level("INFO", logger="opengait"):
            results = evaluate_cross_modal(tracklets(np.random.default_rng(5)), "toy")
        metrics, spread = results["visible_to_infrared"], results["intervals"]["visible_to_infrared"]
        line, *_ = [line for line in caplog.text.splitlines() if line.startswith("visible to infrared")]
        shown = [
            f"{100 * metrics[key]:.2f} [{100 * spread[key][0]:.1f}, {100 * spread[key][1]:.1f}]"
            for key in ("rank1", "map")
        ]
        assert all(text in line for text in shown) and line.count("[") == 2
        assert "[95% intervals over queries]" in caplog.text

    def test_warns_of_queries_without_a_match(self, caplog):
        data = tracklets(np.random.default_rng(3), people=3, cameras=1)
        results = evaluate_cross_modal(data, "toy")
        assert results["infrared_to_visible"]["valid_queries"] == results["chance_rank1"] == 0
        assert "3 of 3 queries have no match in the gallery" in caplog.text
        assert "(3 since the camera rule" in caplog.text and "all metrics are 0" in caplog.text

    def test_rejects_wrong_types_and_views(self):
        data = tracklets(np.random.default_rng(4))
        with pytest.raises(DataError, match="expected toy .* got visible"):
            evaluate_cross_modal(data | {"types": ["visible"] * len(data["types"])}, "toy")
        with pytest.raises(DataError, match="'nm-01' is not a view"):
            evaluate_cross_modal(data | {"views": ["nm-01"] * len(data["views"])}, "toy")
