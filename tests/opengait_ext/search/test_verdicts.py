"""Verdicts with a calibration: sizes of galleries, duplicates, records, and where calibrations are found."""

import json
from dataclasses import replace

import numpy as np
import pytest

from opengait.errors import DataError
from opengait_ext.commands.search import text_of
from opengait_ext.evaluation.calibrate import calibrate
from opengait_ext.evaluation.calibration_file import Calibration, save_calibration
from opengait_ext.search import Descriptors, load_descriptors, save_descriptors, search
from opengait_ext.search.calibrating import (
    KnownPeople,
    adapt,
    calibration_for,
    described_as_tested,
    find_calibration,
    known_people,
)
from opengait_ext.search.neighbours import exact_neighbours
from opengait_ext.search.records import Record
from tests.opengait_ext.runs.stand_in_runs import command


def people_at(count, seed, spread=0.4):
    """Return points of people, seen twice in each modality, their names and modalities."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, 1, 16)) + spread * rng.standard_normal((count, 4, 16))
    names = np.repeat([f"{number:03}" for number in range(count)], 4)
    return points.reshape(-1, 16, 1).astype(np.float32), names, np.array(["visible", "infrared"] * (2 * count))


def gallery_of(points, names, types, sha="a"):
    return Descriptors(points, names, types, names, "c", "p", sha, 6)


@pytest.fixture(scope="module")
def calibration():
    points, names, types = people_at(24, 0)
    return Calibration("a", "euc", "test", calibrate(points, names, types)[0])


@pytest.mark.parametrize("kinds", [["visible"], ["visible", "infrared"]])
def test_rate_and_matches_of_new_people(calibration, kinds):
    points, names, types = people_at(120, 1)
    enrolled = np.isin(names, np.unique(names)[:20]) & np.isin(types, kinds)
    enrolled &= np.arange(len(names)) % 4 < 2  # the other two tracklets of each person are queries
    queries = (types == "infrared") & (np.arange(len(names)) % 4 > 1)
    gallery = gallery_of(points[enrolled], names[enrolled], types[enrolled])
    results = search(gallery, gallery_of(points[queries], names[queries], types[queries]), calibration=calibration)
    mated = np.isin(names[queries], gallery.names)
    somebody = np.array([result.somebody for result in results])
    right = np.array([result.candidates[0].name == result.query for result in results])
    assert somebody[~mated].mean() < 0.12 and somebody[mated & right].mean() > 0.7
    assert all(result.calibrated and result.fpir == 0.05 for result in results)
    probability = np.array([result.probability for result in results])
    assert probability[mated & right].mean() > 0.7 > 0.3 > probability[~mated].mean()


def test_gallery_of_three_and_of_one(calibration):
    points, names, types = people_at(6, 2)
    gallery = gallery_of(points[[0, 4, 8]], names[[0, 4, 8]], types[[0, 4, 8]])
    here, away = (gallery_of(points[[n]], names[[n]], types[[n]]) for n in (1, 17))
    assert search(gallery, here, calibration=calibration)[0].somebody is True
    assert search(gallery, away, calibration=calibration)[0].somebody is False
    one = gallery_of(points[:1], names[:1], types[:1])
    assert search(one, here, calibration=calibration)[0].somebody is True
    assert search(one, one)[0].somebody is True  # a duplicate needs no calibration


def test_a_duplicate_is_always_found_even_in_16_bits(calibration):
    points, names, types = people_at(5, 3)
    gallery = gallery_of(points.astype(np.float16).astype(np.float32), names, types)
    strict = replace(
        calibration, pairs={k: replace(p, distances=p.distances - 99) for k, p in calibration.pairs.items()}
    )
    for use in (None, strict):
        for result in search(gallery, gallery_of(points, names, types), level=1e-6, calibration=use):
            assert result.somebody and result.candidates[0].p_value == 0
    assert result.probability == 1


def test_a_calibration_of_another_network_or_metric_is_refused(calibration):
    gallery = gallery_of(*people_at(5, 3))
    with pytest.raises(DataError, match="another checkpoint"):
        search(gallery, gallery, calibration=replace(calibration, network="b"))
    with pytest.raises(DataError, match="metric euc"):
        search(gallery, gallery, metric="cos", calibration=calibration)


def test_blocks_give_the_order_of_one_sort():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 3, (300, 2, 2)).astype(np.float32)  # many ties
    queries = points[:7] + 0.25
    whole = exact_neighbours(queries, [(np.arange(300), points)], 300, "euc")
    for size in (1, 7, 64, 300):
        blocks = [(np.arange(s, min(s + size, 300)), points[s : s + size]) for s in range(0, 300, size)]
        for top in (1, 5, 100):
            part = exact_neighbours(queries, blocks, top, "euc")
            assert np.array_equal(part.places, whole.places[:, :top])
            assert np.array_equal(part.farthest, whole.farthest) and part.count == 300
    slow = np.linalg.norm(queries[:, None] - points[None], axis=2).mean(axis=2)
    assert np.allclose(np.take_along_axis(slow, whole.places, axis=1), np.sort(slow, axis=1), atol=1e-5)


def test_records_travel_with_the_file(tmp_path):
    points, names, types = people_at(1, 0)
    records = (
        Record("/a/clip.avi", "37", 1.5, 3.25, b"jpeg"),
        Record("/b", "", None, None, b""),
        Record("/a/clip.avi", "38", 0.0, 1.0, b"more"),
        Record(),
    )
    gallery = replace(gallery_of(points, names, types), records=records)
    again = load_descriptors(save_descriptors(tmp_path / "g", gallery))
    assert again.records == records
    result = search(again, again)[0]
    first = result.candidates[0]
    assert (first.source, first.track, first.start_seconds, first.end_seconds) == ("/a/clip.avi", "37", 1.5, 3.25)
    assert "(1.5-3.2 s)" in text_of(result, 0.05)
    with np.load(tmp_path / "g.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "g.npz", **arrays | {"thumbnail_sizes": np.array([4, 0, 5, 0])})
    with pytest.raises(DataError, match="thumbnails do not fit"):
        load_descriptors(tmp_path / "g.npz")


def test_calibrations_are_found_beside_the_checkpoint(tmp_path, calibration):
    checkpoint = tmp_path / "run/checkpoints/net.pt"
    assert calibration_for(checkpoint, "a") is None
    (tmp_path / "run/logs").mkdir(parents=True)
    content = {"calibration": calibration.content() | {"network": ""}, "card": {"checkpoint": {"sha256": "a"}}}
    (tmp_path / "run/logs/test-1.json").write_text(json.dumps(content))
    assert calibration_for(checkpoint, "a").network == "a" and calibration_for(checkpoint, "b") is None
    assert find_calibration(tmp_path / "run").source == "test"
    (tmp_path / "gallery").mkdir()
    save_calibration(tmp_path / "gallery", replace(calibration, source="its own"))
    assert calibration_for(checkpoint, "a", gallery=tmp_path / "gallery").source == "its own"
    # Of other frames, or by another metric, distances are others.
    assert calibration_for(checkpoint, "a", gallery=tmp_path / "gallery", as_tested=False).source == "its own"
    assert calibration_for(checkpoint, "a", as_tested=False) is calibration_for(checkpoint, "a", "cos") is None


@pytest.mark.parametrize(
    ("frames", "overrides", "expected"),
    [
        (6, (), True),
        (6, ("data_cfg.dataset_root=/data",), True),
        (4, (), False),
        (6, ("evaluator_cfg.sampler.frames_num_fixed=6",), False),
        (6, ("data_cfg.frame_size=[64,32]",), False),
        (6, ("model_cfg.descriptor=parts",), False),
    ],
)
def test_a_tests_calibration_holds_for_tracklets_described_as_in_the_test(frames, overrides, expected):
    gallery = replace(gallery_of(*people_at(2, 1)), frames=frames, overrides=overrides)
    assert described_as_tested(gallery, 6) is expected


def test_adaptation_to_a_gallery_without_names(tmp_path, calibration, capsys):
    points, names, types = people_at(40, 4)
    file = save_descriptors(tmp_path / "g", gallery_of(3 * points, names, types))
    save_calibration(tmp_path / "c.json", calibration)
    moved = adapt(file, tmp_path / "c.json")
    pair = ("infrared", "visible")
    there, here = moved.pairs[pair].distance_at(0.05, 30), calibration.pairs[pair].distance_at(0.05, 30)
    assert there == pytest.approx(3 * here, rel=0.1)
    out = tmp_path / "moved.json"
    assert command("calibrate")([str(file), "--from", str(tmp_path / "c.json"), "--out", str(out)]) == 0
    assert "infrared to visible" in capsys.readouterr().out and out.is_file()
    assert command("calibrate")([str(file), "--from", str(tmp_path / "c.json"), "--report"]) == 2
    flat = {key: replace(value, spread=0.0) for key, value in calibration.pairs.items()}
    save_calibration(tmp_path / "flat.json", replace(calibration, pairs=flat))
    with pytest.raises(DataError, match="equally far"):
        adapt(file, tmp_path / "flat.json")
    with pytest.raises(DataError, match="too few"):
        adapt(save_descriptors(tmp_path / "s", gallery_of(points[:3], names[:3], types[:3])), tmp_path / "c.json")


def test_report_of_known_people(tmp_path, monkeypatch):
    points, names, types = people_at(24, 5)
    report = KnownPeople(points, names, types, None, False, "euc", "a", "x").report(0.05)
    assert report.count("visible to infrared") == 2 and "S-norm" in report
    names = np.array([f"{name}/{number}" for number, name in enumerate(names)])
    file = save_descriptors(tmp_path / "g", gallery_of(points, names, types))
    people = tmp_path / "people.csv"
    people.write_text("tracklet,person\n" + "".join(f"{name},{name[:3]}\n" for name in names[4:]))
    monkeypatch.setattr("opengait_ext.search.calibrating._metric_of", lambda *_: "euc")
    known = known_people(file, people)
    assert len(known.people) == 92 and known.calibrate().pairs["visible", "visible"].people == 23
    people.write_text("tracklet,person\nx,y\n")
    with pytest.raises(DataError, match="names no tracklet"):
        known_people(file, people)
    people.write_text("name\nx,y\n")
    with pytest.raises(DataError, match="line 1"):
        known_people(file, people)
