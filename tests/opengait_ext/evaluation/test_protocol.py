"""Queries and gallery of each protocol, against published counts and the selection of public code."""

import json

import numpy as np
import pytest
import torch

from opengait.errors import ConfigError, DataError
from opengait.evaluation.distance import cuda_dist
from opengait.evaluation.reranking import re_ranking
from opengait_ext.data.readers import BUPTCampusDataSet
from opengait_ext.evaluation import cross_modal_metrics, evaluate_cross_modal, evaluator
from opengait_ext.evaluation.protocol import (
    ALL_TO_ALL,
    BUPT_CAMPUS,
    HITSZ_VCM,
    INFRARED_TO_VISIBLE,
    VISIBLE_TO_INFRARED,
    VISIBLE_TO_VISIBLE,
    official_cut,
    populations_of,
    protocol_for,
)
from tests.golden.vvi import mini_bupt
from tests.paths import GOLDEN_DIR

EXPECTED = json.loads((GOLDEN_DIR / "vvi/mini_bupt_expected.json").read_text())
VISIBLE, INFRARED = "visible", "infrared"


def campus(rng, people=9, gallery_of_each=2):
    """Make random descriptors: one query per person, in either modality, and gallery tracklets in both."""
    rows = [(person, (VISIBLE, INFRARED)[person % 2], 0, "-query") for person in range(people)]
    rows += [
        (p, kind, 1 + k, "") for p in range(people) for k in range(gallery_of_each) for kind in (VISIBLE, INFRARED)
    ]
    rows = [rows[index] for index in rng.permutation(len(rows))]
    return {
        "embeddings": rng.standard_normal((len(rows), 4, 3)).astype(np.float32),
        "labels": [str(person) for person, *_ in rows],
        "types": [kind for _, kind, *_ in rows],
        "views": [f"c{camera}-t{row:05d}{role}" for row, (_, _, camera, role) in enumerate(rows, start=1)],
    }


class TestSelection:
    def test_hitsz_queries_are_all_tracklets_of_a_modality(self):
        types = [VISIBLE, INFRARED, INFRARED, VISIBLE, INFRARED]
        views = [f"c{index}-t0000{index}" for index in range(5)]
        query, gallery = HITSZ_VCM.select(INFRARED_TO_VISIBLE, types, views)
        assert (query.tolist(), gallery.tolist()) == ([1, 2, 4], [0, 3])
        query, gallery = HITSZ_VCM.select(VISIBLE_TO_INFRARED, types, views)
        assert (query.tolist(), gallery.tolist()) == ([0, 3], [1, 2, 4])

    def test_bupt_queries_are_the_query_list(self):
        types = [VISIBLE, INFRARED, VISIBLE, INFRARED, VISIBLE]
        views = ["c1-t00001-query", "c1-t00002-query", "c1-t00001", "c1-t00002", "c1-t00003"]
        expected = {
            "infrared_to_visible": ([1], [2, 4]),
            "visible_to_infrared": ([0], [3]),
            "visible_to_visible": ([0], [2, 4]),
            "infrared_to_infrared": ([1], [3]),
            "all_to_all": ([0, 1], [2, 3, 4]),
        }
        selected = {
            d.name: tuple(part.tolist() for part in BUPT_CAMPUS.select(d, types, views)) for d in BUPT_CAMPUS.directions
        }
        assert selected == expected
        assert ALL_TO_ALL.title == "all to all" and VISIBLE_TO_VISIBLE.title == "visible to visible"

    def test_camera_rules(self):
        assert HITSZ_VCM.camera_rule and not BUPT_CAMPUS.camera_rule


class TestOfficialCut:
    @pytest.mark.parametrize("batch", [3, 4])
    @pytest.mark.parametrize("part", ["query", "gallery"])
    def test_keeps_the_lines_that_the_release_keeps(self, batch, part):
        expected = EXPECTED["official_sampler_drop"][f"batch_{batch}_{part}"]
        lines = mini_bupt.Plan(11).rows[part]
        types = [VISIBLE if line.split()[1] == "RGB" else INFRARED for line in lines]
        assert official_cut(types, batch).tolist() == [int(line) for line in expected["line_order"].split()]

    def test_counts_of_the_whole_dataset(self):
        """512 of 540 visible queries, 2,368 of 2,422 visible gallery tracklets and all infrared tracklets remain."""
        query = official_cut([VISIBLE] * 540 + [INFRARED] * 536)
        gallery = official_cut([INFRARED] * 2422 + [VISIBLE] * 2422)
        assert (len(query), len(gallery)) == (1048, 4790)
        assert query.tolist() == [*range(512), *range(540, 1076)]
        assert gallery.tolist() == [*range(2422, 2422 + 2368), *range(2422)]

    def test_no_remainder_leaves_no_visible_tracklet(self):
        assert official_cut([VISIBLE] * 128 + [INFRARED] * 2).tolist() == [128, 129]

    def test_cuts_each_list_separately_in_file_order(self):
        # 70 visible queries alternate with 65 visible gallery tracklets; the last 6 and the last 1 are cut.
        types = [VISIBLE] * 135 + [INFRARED] * 4
        views = [f"c1-t{row:05d}" + "-query" * (row % 2 == 0 and row < 140) for row in range(130)]
        views += [f"c2-t{row:05d}-query" for row in range(130, 135)]
        views += ["c3-t00001-query", "c3-t00002", "c3-t00003", "c3-t00004"]
        query, gallery = BUPT_CAMPUS.select(VISIBLE_TO_VISIBLE, types, views, "official_cut")
        all_queries = [index for index in range(135) if views[index].endswith("-query")]
        all_gallery = [index for index in range(135) if not views[index].endswith("-query")]
        assert (len(all_queries), len(all_gallery)) == (70, 65)
        assert (query.tolist(), gallery.tolist()) == (all_queries[:64], all_gallery[:64])
        query, gallery = BUPT_CAMPUS.select(INFRARED_TO_VISIBLE, types, views, "official_cut")
        assert (query.tolist(), gallery.tolist()) == ([135], all_gallery[:64])


class TestChoice:
    @pytest.mark.parametrize("name", ["HITSZ-VCM", "hitsz-vcm", "hitsz_vcm", "HITSZ-VCM-small"])
    def test_by_name_of_hitsz(self, name):
        assert protocol_for(None, name, ["c1-t00001"]) is protocol_for(name, "anything", ["c1-t00001"]) is HITSZ_VCM

    @pytest.mark.parametrize("name", ["BUPTCampus", "bupt-campus", "BUPT"])
    def test_by_name_of_bupt(self, name):
        views = ["c1-t00001-query", "c1-t00001"]
        assert protocol_for(None, name, views) is protocol_for(name, "anything", views) is BUPT_CAMPUS

    def test_by_views_of_an_unknown_dataset(self):
        assert protocol_for(None, "Synthetic-VVI", ["c1-t00001"]) is HITSZ_VCM
        assert protocol_for(None, "my campus", ["c1-t00001-query", "c1-t00001"]) is BUPT_CAMPUS

    def test_rejects_protocols_that_do_not_fit(self):
        with pytest.raises(ConfigError, match="protocol: .* got 'sysu'"):
            protocol_for("sysu", "x", ["c1-t00001"])
        with pytest.raises(DataError, match="0 of the 1 tracklets of BUPTCampus"):
            protocol_for(None, "BUPTCampus", ["c1-t00001"])
        with pytest.raises(DataError, match="1 queries, .* bupt-campus"):
            protocol_for("hitsz-vcm", "BUPTCampus", ["c1-t00001-query", "c1-t00001"])

    def test_populations(self):
        assert populations_of(BUPT_CAMPUS, "both") == ("full", "official_cut")
        assert populations_of(BUPT_CAMPUS, "official_cut") == ("official_cut",)
        assert populations_of(HITSZ_VCM, "full") == ("full",)
        with pytest.raises(ConfigError, match="population: .* got 'official_cut'"):
            populations_of(HITSZ_VCM, "official_cut")


def test_populations_equal_public_code(tmp_path):
    """Reader, views and protocol combined, against the masks of the public code."""
    data = BUPTCampusDataSet({"dataset_root": str(mini_bupt.write(tmp_path))}, training=False)
    features = np.random.default_rng(0).standard_normal((len(data), 2, 1))
    columns = {"labels": data.label_list, "types": data.types_list, "views": data.views_list}
    result = evaluate_cross_modal({"embeddings": features, **columns}, "BUPTCampus", resamples=10)
    names = {"rgb": VISIBLE, "ir": INFRARED}
    for masks, expected in EXPECTED["masks_without_drop"].items():
        direction = "_to_".join(names[modality] for modality in masks.split("->"))
        facts = result["card"]["populations"]["full"][direction]
        assert (facts["queries"], facts["gallery"]) == (expected["queries"], expected["gallery"])
        assert facts["valid_queries"] == expected["queries_with_a_match"]
        assert facts["same_camera_pairs"] == expected["same_id_same_camera_pairs"]
    assert result["all_to_all"]["queries"] == 10 and result["all_to_all"]["gallery"] == 56


def evaluate_direction(data, query, gallery, camera_rule=False):
    """Evaluate one direction without the evaluator."""
    ids = np.array(data["labels"])
    cameras = np.array([int(view[1:].split("-")[0]) for view in data["views"]])
    distance = cuda_dist(data["embeddings"][query], data["embeddings"][gallery])
    return cross_modal_metrics(distance, ids[query], ids[gallery], cameras[query], cameras[gallery], camera_rule)


class TestEvaluator:
    def test_five_directions_over_separate_lists(self):
        data = campus(np.random.default_rng(5))
        result = evaluate_cross_modal(data, "BUPTCampus", resamples=0)
        types, is_query = np.array(data["types"]), np.array([view.endswith("-query") for view in data["views"]])
        for direction in BUPT_CAMPUS.directions:
            query = is_query if direction.query is None else is_query & (types == direction.query)
            gallery = ~is_query if direction.gallery is None else ~is_query & (types == direction.gallery)
            expected = evaluate_direction(data, query, gallery)
            metrics = dict(result[direction.name])
            chance = metrics.pop("chance_rank1")
            assert metrics == pytest.approx(expected)
            assert chance == pytest.approx(2 / 18 if direction.gallery else 4 / 36)
        assert result["intervals"]["all_to_all"] is None
        assert result["chance_rank1"] == pytest.approx(2 / 18)

    def test_both_populations(self, caplog):
        data = campus(np.random.default_rng(6), people=70)
        with caplog.at_level("INFO", logger="opengait"):
            both = evaluate_cross_modal(data, "BUPTCampus", population="both", resamples=20)
        cut = evaluate_cross_modal(data, "BUPTCampus", population="official_cut", resamples=20)
        full = evaluate_cross_modal(data, "BUPTCampus", resamples=20)
        for direction in BUPT_CAMPUS.directions:
            assert both[direction.name] == full[direction.name]
            assert both["official_cut"][direction.name] == cut[direction.name]
            assert both["intervals"]["official_cut"][direction.name] == cut["intervals"][direction.name]
        # 35 visible queries are less than a batch; 140 visible gallery tracklets are two batches and 12.
        assert both["official_cut"]["visible_to_infrared"]["queries"] == 0
        assert both["official_cut"]["infrared_to_visible"]["gallery"] == 128
        assert full["infrared_to_visible"]["gallery"] == 140
        assert "protocol bupt-campus, in percent" in caplog.text
        assert "protocol bupt-campus, official_cut, in percent" in caplog.text
        assert list(both["card"]["populations"]) == ["full", "official_cut"]
        assert "official_cut: the last visible" in both["card"]["removed"][0]

    def test_camera_rule_can_be_turned_on(self):
        data = campus(np.random.default_rng(7))
        data["views"] = [view.replace("c0", "c1") for view in data["views"]]
        with_rule = evaluate_cross_modal(data, "BUPTCampus", camera_rule=True, resamples=0)
        without = evaluate_cross_modal(data, "BUPTCampus", resamples=0)
        assert with_rule["infrared_to_visible"]["map"] != without["infrared_to_visible"]["map"]
        assert without["card"]["protocol_followed"] and not with_rule["card"]["protocol_followed"]
        facts = with_rule["card"]["populations"]["full"]["infrared_to_visible"]
        assert facts["same_camera_pairs"] == facts["removed_pairs"] == facts["queries"] == 4
        assert without["card"]["populations"]["full"]["infrared_to_visible"]["removed_pairs"] == 0

    @pytest.mark.parametrize("metric", ["euc", "cos"])
    def test_re_ranking_is_recorded_in_the_card(self, metric, monkeypatch):
        calls = []

        def recorded(distances, query_num):
            # The result depends on the last digits of the distances, so the test uses this very result.
            calls.append((distances, query_num, re_ranking(distances, query_num)))
            return calls[-1][2]

        monkeypatch.setattr(evaluator, "re_ranking", recorded)
        data = campus(np.random.default_rng(8), people=20)
        result = evaluate_cross_modal(data, "BUPTCampus", metric=metric, rerank=True, resamples=0)
        is_query = np.array([view.endswith("-query") for view in data["views"]])
        types, ids = np.array(data["types"]), np.array(data["labels"])
        query, gallery = np.flatnonzero(is_query & (types == INFRARED)), np.flatnonzero(~is_query & (types == VISIBLE))
        distances, query_num, ranked = calls[0]
        features = data["embeddings"][np.concatenate([query, gallery])]
        torch.testing.assert_close(distances, cuda_dist(features, features, metric), atol=2e-3, rtol=0)
        assert query_num == len(query) and len(calls) == 5
        expected = cross_modal_metrics(ranked, ids[query], ids[gallery], None, None, False)
        metrics = result["infrared_to_visible"]
        assert {key: metrics[key] for key in expected} == expected
        assert result["card"]["re_ranking"].startswith("k-reciprocal") and not result["card"]["protocol_followed"]

    def test_products_rank_and_are_not_re_ranked(self):
        data = campus(np.random.default_rng(8), people=20)
        result = evaluate_cross_modal(data, "BUPTCampus", metric="dot", resamples=0)
        is_query = np.array([view.endswith("-query") for view in data["views"]])
        types, ids = np.array(data["types"]), np.array(data["labels"])
        query, gallery = np.flatnonzero(is_query & (types == INFRARED)), np.flatnonzero(~is_query & (types == VISIBLE))
        products = np.einsum("qcp,gcp->qg", data["embeddings"][query], data["embeddings"][gallery])
        expected = cross_modal_metrics(torch.from_numpy(-products), ids[query], ids[gallery], None, None, False)
        assert result["infrared_to_visible"]["map"] == pytest.approx(expected["map"])
        assert result["card"]["distance"]["meaning"].endswith("minus their products")
        with pytest.raises(ConfigError, match="rerank"):
            evaluate_cross_modal(data, "BUPTCampus", metric="dot", rerank=True)

    def test_queries_can_be_resampled_by_identity(self):
        data = campus(np.random.default_rng(10), people=8)
        # Each query occurs three times.
        repeated = [index for index, view in enumerate(data["views"]) if view.endswith("-query")] * 2
        order = [*range(len(data["views"])), *repeated]
        data = {key: [value[index] for index in order] for key, value in data.items()}
        by_query = evaluate_cross_modal(data, "BUPTCampus")
        by_identity = evaluate_cross_modal(data, "BUPTCampus", resample_by="identity")
        width = {
            name: np.ptp(result["intervals"]["all_to_all"]["map"])
            for name, result in (("query", by_query), ("identity", by_identity))
        }
        assert width["identity"] > 1.3 * width["query"]
        assert by_identity["card"]["intervals"]["resampled"] == "identities, each with all its queries"
        assert by_query["card"]["intervals"]["resampled"] == "queries"

    def test_rejects_unknown_settings(self):
        data = campus(np.random.default_rng(9))
        with pytest.raises(ConfigError, match="resample_by: .* got 'camera'"):
            evaluate_cross_modal(data, "x", resample_by="camera")
        with pytest.raises(ConfigError, match="bupt-campus .* got 'half'"):
            evaluate_cross_modal(data, "x", population="half")
        with pytest.raises(ConfigError, match="metric: .* got 'hamming'"):
            evaluate_cross_modal(data, "x", metric="hamming")
