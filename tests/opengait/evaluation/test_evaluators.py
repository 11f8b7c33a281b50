"""Evaluators against the results, logs and files of upstream OpenGait for the same descriptors."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from opengait import registry
from opengait.errors import ConfigError, DataError
from opengait.evaluation import cuda_dist, re_ranking, reranking
from opengait.evaluation import evaluator as evaluators
from tests.golden import seeded
from tests.paths import GOLDEN_DIR

GOLDEN = json.loads((GOLDEN_DIR / "opengait/evaluators.json").read_text())
RUNS = {name: run for name, run in GOLDEN["runs"].items() if "result" in run and "function" in run}


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def lines():
    logger, handler = logging.getLogger("opengait"), Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, partition in GOLDEN["partition"].items():
        path = tmp_path / f"datasets/{name}/{name}.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(partition))


def data_of(rows: list[tuple[str, str, str]], embeddings: np.ndarray) -> dict:
    labels, types, views = (list(column) for column in zip(*rows, strict=True))
    return {"embeddings": embeddings, "labels": labels, "types": types, "views": views}


def case_data(name: str) -> dict:
    case = GOLDEN["cases"][name]
    rows = [(label, kind, view) for label in case["labels"] for kind in case["types"] for view in case["views"]]
    return data_of(rows, seeded.gallery(name, rows))


@pytest.mark.parametrize("name", RUNS)
def test_results_and_log_equal_upstream(name, lines):
    run = RUNS[name]
    data = case_data(run["case"])
    views = list(data["views"])
    metrics = registry.evaluators.get(run["function"])(data, run["dataset"], **run["kwargs"])
    assert list(metrics) == list(run["result"])
    for key, value in run["result"].items():
        np.testing.assert_allclose(metrics[key], value, rtol=0, atol=1e-9)
    assert lines == run["log"] or int(np.__version__[0]) < 2
    assert data["views"] == views


def test_every_evaluator_is_registered():
    assert set(evaluators.__all__) <= set(registry.evaluators.names())


@pytest.mark.parametrize("function", ["evaluate_FreeGait", "evaluate_CCGR_MINI"])
def test_listed_probes_and_galleries(function):
    if function == "evaluate_FreeGait":
        kinds, views = ["devid_0", "devid_1"], ["seq_00", "seq_01"]
        rows = [(f"{label:04d}", kind, view) for label in range(8) for kind in kinds for view in views]
    else:
        rows = [(str(label), kind, "v1") for label in range(601, 613) for kind in "ABC"]
    data = data_of(rows, seeded.gallery(function, rows))
    metrics = getattr(evaluators, function)(data, "any")
    probe = [i for i, row in enumerate(rows) if row[1] in ("devid_0", "B", "C")]
    gallery = [i for i in range(len(rows)) if i not in probe]
    distance = cuda_dist(data["embeddings"][probe], data["embeddings"][gallery]).cpu().numpy()
    hits = [rows[gallery[i]][0] == rows[q][0] for q, i in zip(probe, distance.argmin(axis=1), strict=True)]
    assert metrics["scalar/test_accuracy/Rank-1"] == pytest.approx(100 * np.mean(hits), abs=1e-4)
    assert {"Rank-1", "Rank-5", "Rank-10", "mAP", "mINP"} == {key.split("/")[-1] for key in metrics}


def test_partition_file_can_be_named_and_must_match(tmp_path, lines):
    data = case_data("gait3d")
    partition_file = tmp_path / "mine.json"
    partition_file.write_text(json.dumps(GOLDEN["partition"]["Gait3D"]))
    expected = evaluators.evaluate_Gait3D(data, "Gait3D")
    Path("datasets/Gait3D/Gait3D.json").unlink()
    assert evaluators.evaluate_Gait3D(data, "Gait3D", dataset_partition=str(partition_file)) == expected
    with pytest.raises(DataError, match="Gait3D.json is missing"):
        evaluators.evaluate_Gait3D(data, "Gait3D")
    partition_file.write_text('{"PROBE_SET": ["x-y-z"]}')
    lines.clear()
    zeros = evaluators.evaluate_Gait3D(data, "Gait3D", dataset_partition=str(partition_file))
    assert list(zeros) == list(expected) and not any(zeros.values())
    assert "0 probes and 24 gallery tracklets; check PROBE_SET of" in lines[0] and str(partition_file) in lines[0]


def test_falls_back_on_opengaits_partition_file(tmp_path):
    data = case_data("gait3d")
    (tmp_path / "mine.json").write_text('{"TRAIN_SET": [], "TEST_SET": []}')
    metrics = evaluators.evaluate_Gait3D(data, "Gait3D", dataset_partition=str(tmp_path / "mine.json"))
    assert metrics == evaluators.evaluate_Gait3D(data, "Gait3D")
    Path("datasets/Gait3D/Gait3D.json").unlink()
    with pytest.raises(DataError, match=r"mine.json has no list named PROBE_SET"):
        evaluators.evaluate_Gait3D(data, "Gait3D", dataset_partition=str(tmp_path / "mine.json"))


def test_note_about_a_small_gallery_equals_upstream(capsys):
    evaluators.evaluate_Gait3D(case_data("gait3d"), "Gait3D")
    assert capsys.readouterr().out == "Note: number of gallery samples is quite small, got 16\n"
    evaluators.evaluate_CCPG(case_data("ccpg"), "CCPG")
    assert capsys.readouterr().out.splitlines() == [
        f"Note: number of gallery samples is quite small, got {count}" for count in (36, 12, 12, 12)
    ]


EMPTY = {"embeddings": np.zeros((0, 3, 4), np.float32), "labels": [], "types": [], "views": []}


@pytest.mark.parametrize(
    ("function", "dataset"),
    [
        ("evaluate_indoor_dataset", "CASIA-B"),
        ("evaluate_indoor_dataset", "SUSTech1K"),
        ("evaluate_CCPG", "CCPG"),
        ("evaluate_Gait3D", "Gait3D"),
        ("evaluate_real_scene", "GREW"),
        ("evaluate_scoliosis", "Scoliosis1K"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_empty_test_set_gives_zeros_and_one_warning(function, dataset, lines):
    metrics = getattr(evaluators, function)(EMPTY, dataset)
    assert metrics and all(not np.any(value) for value in metrics.values())
    assert sum("no probes" in line or "below are 0" in line for line in lines) == 1
    assert "nan" not in " ".join(lines)


def test_empty_segmentation(lines):
    metrics = evaluators.evaluate_segmentation({"pred": np.zeros((0, 1, 2, 2)), "mask": np.zeros((0, 1, 2, 2))}, "any")
    assert metrics["scalar/test_accuracy/mIOU"].shape == (0,) and lines == ["mIOU: 0.000"]


def test_small_and_partial_test_sets(lines):
    rows = [("1", "nm-01", "000"), ("1", "nm-05", "090"), ("2", "nm-01", "000"), ("2", "nm-05", "090")]
    data = data_of(rows, seeded.gallery("small", rows, signal=20))
    metrics = evaluators.evaluate_indoor_dataset(data, "CASIA-B")
    # Only view 090 has probes and only view 000 has a gallery, so 090 against 000 is the only pair, and it is correct.
    assert metrics == {
        f"scalar/test_accuracy/{name}@R1": value for name, value in (("NM", 100.0), ("BG", 0), ("CL", 0))
    }
    assert "NM@R1: [- 100.00]" in lines
    assert "NM has none from view 000, skipped in its mean; BG has none and counts as 0" in lines[0]
    one_view = data_of([(label, kind, "000") for label, kind, _ in rows], data["embeddings"])
    assert evaluators.evaluate_indoor_dataset(one_view, "CASIA-B")["scalar/test_accuracy/NM@R1"] == 100.0
    together = evaluators.evaluate_indoor_dataset(data, "CASIA-B", cross_view_gallery=True)
    assert not any(np.isnan(value) for value in together.values())
    ccpg = data_of([("1", "U0_D0", "00_a"), ("1", "U1_D1", "01_a")], data["embeddings"][:2])
    metrics = evaluators.evaluate_CCPG(ccpg, "CCPG")
    assert metrics["scalar/test_accuracy/CL"].tolist() == [[0, 100], [0, 0]]
    pair = data_of([("1", "1", "a"), ("1", "2", "a")], data["embeddings"][:2])
    assert evaluators.evaluate_real_scene(pair, "TTG-200") == {
        "scalar/test_accuracy/Rank-1": 100.0,
        "scalar/test_accuracy/Rank-5": 100.0,
    }


def test_sustech_matches_conditions_inside_types(lines):
    kinds = ["00-nm", "01-nm", "01-bg-nt", "02-cl"]
    rows = [(str(label), kind, view) for label in range(4) for kind in kinds for view in ("000", "090", "180")]
    data = data_of(rows, seeded.gallery("sustech", rows, signal=20))
    metrics = evaluators.evaluate_indoor_dataset(data, "SUSTech1K")
    for condition in ("Normal", "Bag", "Night", "Clothing", "Overall"):
        assert metrics[f"scalar/test_accuracy/{condition}@R1"] == 100.0
    assert metrics["scalar/test_accuracy/Umberalla@R1"] == 0.0
    assert [line.split("@")[1][:2] for line in lines[-5:]] == ["R1", "R2", "R3", "R4", "R5"]


def test_casia_e_drops_view_270():
    kinds = ["H-scene1-nm-1", "L-scene3_s-bg-2", "H-scene2-nm-2"]
    rows = [(str(label), kind, view) for label in range(3) for kind in kinds for view in ("000", "090", "270")]
    data = data_of(rows, seeded.gallery("casia-e", rows, signal=20))
    is_dropped = np.array([view == "270" for view in data["views"]])
    data["embeddings"][is_dropped] = np.random.default_rng(0).normal(size=data["embeddings"][is_dropped].shape)
    metrics = evaluators.evaluate_indoor_dataset(data, "CASIA-E")
    assert metrics == {
        f"scalar/test_accuracy/{name}@R1": value for name, value in (("NM", 100), ("BG", 100), ("CL", 0))
    }


def test_rejects_unknown_names():
    data = case_data("oumvlp")
    with pytest.raises(ConfigError, match="supports CASIA-B, .* got 'CASIAB'"):
        evaluators.evaluate_indoor_dataset(data, "CASIAB")
    with pytest.raises(ConfigError, match="cross_view_gallery .* got 'SUSTech1K'"):
        evaluators.evaluate_indoor_dataset(data, "SUSTech1K", cross_view_gallery=True)
    with pytest.raises(ConfigError, match="metric: .* got 'manhattan'"):
        evaluators.evaluate_indoor_dataset(data, "OUMVLP", metric="manhattan")
    with pytest.raises(DataError, match="needs `embeddings`"):
        evaluators.evaluate_CCPG({"labels": [], "types": [], "views": []}, "CCPG")
    with pytest.raises(DataError, match="views, got"):
        evaluators.evaluate_real_scene({**data, "labels": data["labels"][:-1]}, "GREW")


def hid_data() -> dict:
    rows = [(f"{500 + label:04d}", "t0", view) for label in range(6) for view in "ab"]
    rows += [("probe", "t0", f"p{i:02d}") for i in range(9)]
    embeddings = seeded.gallery("hid", rows)
    for i in range(9):
        noise, mean = (seeded.normal(f"eval:hid:{part}", (8, 4)) for part in (f"probe{i}", f"id:{500 + i % 6:04d}"))
        embeddings[12 + i] = noise + 0.8 * mean
    return data_of(rows, embeddings)


def test_hid_submission_equals_upstream():
    assert evaluators.HID_submission(hid_data(), "HID", rerank=False) is None
    (path,) = Path("HID_result").iterdir()
    assert path.read_text().splitlines() == GOLDEN["runs"]["hid_rerank_False"]["csv"]


def test_hid_submission_re_ranks():
    evaluators.HID_submission(hid_data(), "HID")
    (path,) = Path("HID_result").iterdir()
    nearest = np.argmin(GOLDEN["runs"]["re_ranking"]["result"], axis=1)
    labels = [f"{500 + index // 2:04d}" for index in nearest]
    assert path.read_text().splitlines()[1:] == [f"p{i:02d},{label}" for i, label in enumerate(labels)]


def test_grew_submission_lists_ids():
    rows = [(str(label), kind, f"s{label}{kind}") for label in range(11, 41) for kind in ("01", "02")]
    rows += [("probe", "03", "x7"), ("probe", "03", "x8")]
    data = data_of(rows, seeded.gallery("grew", rows))
    data["embeddings"][60] = data["embeddings"][5]
    assert evaluators.GREW_submission(data, "GREW") is None
    (path,) = Path("GREW_result").iterdir()
    head, first, second = (line.split(",") for line in path.read_text().splitlines())
    assert head == ["videoId", *(f"rank{i}" for i in range(1, 21))]
    assert first[:2] == ["x7", "13"] and second[0] == "x8" and len(first) == len(second) == 21
    with pytest.raises(DataError, match="got 'a1'"):
        evaluators.GREW_submission({**data, "labels": ["a1", *data["labels"][1:]]}, "GREW")
    with pytest.raises(ConfigError, match="got 'HID'"):
        evaluators.GREW_submission(data, "HID")


def test_re_ranking_equals_upstream(monkeypatch):
    data, golden = hid_data(), GOLDEN["runs"]["re_ranking"]
    order = [*range(12, 21), *range(12)]
    distances = cuda_dist(data["embeddings"][order], data["embeddings"][order])
    arguments = [golden[key] for key in ("query_num", "k1", "k2", "lambda_value")]
    whole = re_ranking(distances, *arguments)
    np.testing.assert_allclose(whole.cpu().numpy(), golden["result"], atol=2e-6)
    monkeypatch.setattr(reranking, "_BLOCK", 40)
    assert torch.equal(re_ranking(distances, *arguments), whole)


def test_re_ranking_of_fewer_tracklets_than_neighbours():
    distances = cuda_dist(*(seeded.gallery("few", 4 * [("a", "", "")]),) * 2)
    distance = re_ranking(distances, 2, k1=6, k2=6, lambda_value=0.3)
    assert distance.shape == (2, 2) and distance.isfinite().all()


def test_scoliosis_computed_by_hand(lines):
    predictions = ["negative", "neutral", "neutral", "positive", "negative", "positive"]
    types = ["negative", "negative", "neutral", "positive", "positive", "positive"]
    logits = np.zeros((6, 3, 2))
    for row, prediction in enumerate(predictions):
        logits[row, ["negative", "neutral", "positive"].index(prediction), 0] = 3.0
    data = {"embeddings": logits, "types": types, "labels": types, "views": types}
    metrics = evaluators.evaluate_scoliosis(data, "Scoliosis1K")
    assert metrics["scalar/test_accuracy/"] == pytest.approx(4 / 6)
    assert metrics["scalar/test_precision/"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert metrics["scalar/test_recall/"] == pytest.approx((1 / 2 + 1 + 2 / 3) / 3)
    assert metrics["scalar/test_f1/"] == pytest.approx((1 / 2 + 2 / 3 + 4 / 5) / 3)
    assert lines[0] == "Total Accuracy: 66.67%"
    with pytest.raises(DataError, match="got healthy"):
        evaluators.evaluate_scoliosis({**data, "types": ["healthy"] * 6}, "Scoliosis1K")


def test_segmentation_overlap(lines):
    mask = np.array([[[[1, 1, 0]]], [[[1, 0, 0]]]])
    metrics = evaluators.evaluate_segmentation({"pred": mask, "mask": np.array([[[[1, 0, 0]]], [[[1, 0, 0]]]])}, "any")
    torch.testing.assert_close(metrics["scalar/test_accuracy/mIOU"], torch.tensor([0.5, 1.0]))
    assert lines == ["mIOU: 0.750"]


@pytest.mark.parametrize("count", [1, 7, 40])
def test_nearest_are_the_first_of_a_stable_sort(count, monkeypatch):
    """Distances with many ties, in blocks of two rows."""
    monkeypatch.setattr(reranking, "_BLOCK", 60)
    distances = torch.from_numpy(np.random.default_rng(0).integers(0, 6, (30, 30)) / 4).float()
    assert torch.equal(reranking._nearest(distances, count), distances.argsort(dim=1, stable=True)[:, :count])
