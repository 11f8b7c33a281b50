"""Whatever makes a number wrong stops the reader, or makes it warn, and is in the report of the check."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from opengait.data import layout
from opengait.data.dataset import DataSet
from opengait.errors import DataError
from opengait_ext.data import HITSZVCM, BUPTCampus, rules
from opengait_ext.data.bupt_campus import lists as bupt
from opengait_ext.data.check_data import check_dataset
from opengait_ext.data.files import BAD_LINE, LIST
from opengait_ext.data.hitsz_vcm import splits as hitsz
from opengait_ext.data.hitsz_vcm.lists import PAST
from tests.campaigns.agreement import agree
from tests.campaigns.targets import bupt_lists, hitsz_lists, partition

NAMES, ROWS, TEST_ROWS = "info/train_name.txt", "info/track_train_info.txt", "info/track_test_info.txt"
TARGETS = {"hitsz": hitsz_lists, "bupt": bupt_lists}


@pytest.fixture
def trees(tmp_path):
    for name, target in TARGETS.items():
        (tmp_path / name).mkdir()
        target.samples(tmp_path / name)
    return tmp_path


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def problems_of(data_set: str, root: Path, **settings) -> dict[str, list[str]]:
    report, _ = check_dataset(data_set, root, fast=True, workers=1, **settings)
    kinds: dict[str, list[str]] = {}
    for problem in report.problems:
        kinds.setdefault(problem.kind, []).append(str(problem))
    return kinds


# Data set, list, old text, new text, kind of the problem, whether the reader stops, what the message names.
CASES = {
    "identity in both splits": ("hitsz", TEST_ROWS, "0501", "0001", rules.TWO_LISTS, True, "person 0001"),
    "row twice": ("hitsz", ROWS, "1 5 8 0001 2", "2 1 4 0001 2", rules.TWICE, True, "line 2: 4 of its 4"),
    "row twice for two people": ("hitsz", ROWS, "2 9 12 0002 2", "2 1 4 0002 2", rules.TWICE, True, "line 3"),
    "overlap of two modalities": ("hitsz", ROWS, "1 5 8 0001 2", "1 3 8 0001 2", rules.TWICE, True, "2 of its 6"),
    "overlap at one camera": (
        "hitsz",
        ROWS,
        "2 1 4 0001 2",
        "2 1 3 0001 2\n2 3 4 0001 2",
        rules.TWICE,
        False,
        "line 2",
    ),
    "name twice": ("hitsz", NAMES, "F6.jpg", "F1.jpg", rules.TWICE, True, "a frame twice"),
    "names sorted by name": (
        "hitsz",
        NAMES,
        "F6.jpg\n0001M2D2T1F11",
        "F11.jpg\n0001M2D2T1F6",
        rules.ORDER,
        False,
        "6 follows",
    ),
    "reversed range": ("hitsz", ROWS, "2 1 4", "2 4 1", PAST, True, "frames 4 to 1"),
    "range from zero": ("hitsz", ROWS, "2 1 4", "2 0 4", PAST, True, "frames 0 to 4"),
    "negative range": ("hitsz", ROWS, "2 1 4", "2 -1 4", BAD_LINE, True, "five numbers"),
    "range past the end": ("hitsz", ROWS, "13 16", "13 17", PAST, True, "16 lines"),
    "other script's digits": ("hitsz", ROWS, "2 1 4", "2 ١ 4", BAD_LINE, True, "five numbers"),
    "5,000 digits": ("hitsz", ROWS, "2 1 4", f"2 {'1' * 5000} 4", BAD_LINE, True, "five numbers"),
    "path as a frame name": ("hitsz", NAMES, "0001M2D2T1F1.jpg", "0001/rgb/D2/1.jpg", BAD_LINE, True, "line 1"),
    "parent as a frame name": ("hitsz", NAMES, "0001M2D2T1F1.jpg", "../../x.jpg", BAD_LINE, True, "line 1"),
    "modality of a frame name": ("hitsz", NAMES, "0001M2D2T1F1.", "0001M3D2T1F1.", BAD_LINE, True, "line 1"),
    "row of another person": ("hitsz", ROWS, "2 1 4 0001 2", "2 1 4 0001 3", hitsz.AGAINST, False, "0001/rgb/D3"),
    "one modality": ("hitsz", ROWS, "1 13 16 0002 2", "2 13 16 0002 2", rules.ALONE, False, "person 0002"),
    "blank line": ("hitsz", ROWS, "2 1 4 0001 2\n", "2 1 4 0001 2\n\n", BAD_LINE, True, "line 2"),
    "empty list": ("hitsz", "info/query_IDX.txt", "2 4\n", "\n", LIST, True, "query_IDX"),
    "partial discard list": ("hitsz", "discard.txt", "F6", "F7", hitsz.DISCARDS, False, "1 of its 2"),
    "discard list of paths": ("hitsz", "discard.txt", None, "0501/ir/D1/1.jpg", hitsz.DISCARDS, True, "0 of its 1"),
    "query in the gallery": (
        "bupt",
        "gallery.txt",
        "11 RGB G25 1",
        "11 RGB LS3 1",
        rules.QUERY_IN_GALLERY,
        True,
        "query",
    ),
    "query without a match": ("bupt", "gallery.txt", "11 IR G25 1\n", "", rules.NO_MATCH, False, "person 11"),
    "identity in training and test": (
        "bupt",
        "query.txt",
        "11 RGB LS3 1",
        "1 RGB LS3 1",
        rules.TWO_LISTS,
        True,
        "person 1",
    ),
    "identity in both trainings": (
        "bupt",
        "train.txt",
        "2 RGB/IR G25 1",
        "3 RGB/IR W4 1",
        rules.TWO_LISTS,
        True,
        "person 3",
    ),
    "line twice": ("bupt", "train.txt", "2 RGB/IR G25 1", "1 RGB/IR LS3 1", bupt.TWICE, True, "line 2"),
    "absolute path": ("bupt", "data_paths.json", '"1/IR/', '"/1/IR/', bupt.OUTSIDE, True, "below DATA/"),
    "backslashes": ("bupt", "data_paths.json", '"1/IR/LS3/', '"1\\\\IR\\\\LS3\\\\', bupt.OUTSIDE, True, "below DATA/"),
    "parent folder": ("bupt", "data_paths.json", '"1/IR/', '"../1/IR/', bupt.OUTSIDE, True, "below DATA/"),
    "frames of another person": (
        "bupt",
        "data_paths.json",
        '"1/IR/LS3/1_IR',
        '"2/IR/G25/2_IR',
        bupt.AGAINST,
        False,
        "line 1",
    ),
    "frames by name": ("bupt", "data_paths.json", None, None, rules.ORDER, False, "follows frame 12"),
    "text of Windows": ("bupt", "query.txt", None, "utf-16", LIST, True, "UTF-16"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_reader_and_check_agree(case, trees):
    data_set, name, old, new, kind, stops, what = case
    root, path = trees / data_set, trees / data_set / name
    if new == "utf-16":
        path.write_bytes(path.read_text().encode("utf-16"))
    elif new is None:
        path.write_text(
            path.read_text().replace("_3.jpg", "_x.jpg").replace("_12.jpg", "_3.jpg").replace("_x.", "_12.")
        )
    elif old is None:
        path.write_text(new)
    else:
        replaced(path, old, new)
    lists = [str(root / "discard.txt")] if name == "discard.txt" else []
    cfg = {"minimum_frames": 1, "discard_lists": lists} if data_set == "hitsz" else {}
    found = problems_of(data_set, root, data_cfg=cfg)
    assert any(what in text for text in found[kind]), found
    read = (lambda: HITSZVCM(root, 1, lists)) if data_set == "hitsz" else (lambda: BUPTCampus(root, auxiliary=True))
    if stops:
        with pytest.raises(DataError, match=what.replace(".", r"\.")):
            read()
    else:
        (line,) = [line for line in read().warnings if kind in line]
        assert what in line


def test_the_samples_have_no_problems(trees):
    for name, target in TARGETS.items():
        target.read(trees / name / ("discard.txt" if name == "hitsz" else "query.txt"))
        assert all("frame" in kind for kind in problems_of(name, trees / name, data_cfg={"minimum_frames": 1}))


class TestOpenGaitsLayout:
    @pytest.fixture
    def root(self, tmp_path):
        partition.samples(tmp_path)
        return tmp_path

    def both(self, root: Path, kind: str, stops: bool, what: str, caplog, file: str = "plain.json") -> None:
        """Read and check; both must find the problem."""
        cfg = {"dataset_name": "Toy", "dataset_root": str(root / "data"), "dataset_partition": str(root / file)}
        found = problems_of("opengait", root / "data", partition=root / file)
        assert any(what in text for text in found[kind]), found
        if stops:
            with pytest.raises(DataError, match=what):
                for training in (True, False):
                    DataSet(cfg, training)
        else:
            for training in (True, False):
                DataSet(cfg, training)
            assert any(kind in text and what in text for text in caplog.messages)

    @pytest.mark.parametrize(
        ("lists", "kind", "stops", "what"),
        [
            ({"TEST_SET": ["002", "003"]}, layout.BOTH, True, "id 002"),
            ({"TEST_SET": ["003", "003", "004"]}, layout.PARTITION, True, "'003'"),
            ({"TRAIN_SET": ["001", "001"]}, layout.PARTITION, True, "'001'"),
            ({"TEST_SET": [3, 4]}, layout.NO_FOLDER, True, "'003' is meant"),
            ({"TEST_SET": [True]}, layout.PARTITION, True, "names as text"),
            ({"TEST_SET": {"003": 1}}, layout.PARTITION, True, "TEST_SET"),
            ({"TEST_SET": ["003", "005"]}, layout.NO_FOLDER, False, "id 005"),
            ({"TEST_SET": ["003", "../data/004"]}, layout.NO_FOLDER, False, "../data/004"),
            ({"PROBE_SET": ["003-nm-01-090", "003-nm-01-091"]}, layout.UNKNOWN, False, "003-nm-01-091"),
            ({"PROBE_SET": ["003-nm-01-090"] * 2}, layout.PARTITION, True, "PROBE_SET"),
            (
                {"PROBE_SET": ["003-nm-01-090"], "GALLERY_SET": ["003-nm-01-090"]},
                layout.BOTH,
                True,
                "tracklet 003-nm-01-090",
            ),
        ],
    )
    def test_partitions(self, root, lists, kind, stops, what, caplog):
        content = json.loads((root / "plain.json").read_text()) | lists
        (root / "plain.json").write_text(json.dumps(content))
        self.both(root, kind, stops, what, caplog)

    def test_a_key_twice_and_a_missing_key(self, root):
        cfg = {"dataset_root": str(root / "data"), "dataset_partition": str(root / "x.json")}
        for text, what in (
            ('{"TRAIN_SET": ["001"], "TRAIN_SET": ["002"]}', "twice"),
            ('{"TEST_SET": ["003"]}', "TRAIN"),
        ):
            (root / "x.json").write_text(text)
            with pytest.raises(DataError, match=what):
                DataSet(cfg, True)
        assert layout.PARTITION in problems_of("opengait", root / "data", partition=root / "x.json")

    def test_a_byte_order_mark_and_self_supervision(self, root):
        lists = {"TRAIN_SET": ["001", "002"], "TEST_SET": ["002"]}
        (root / "x.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(lists).encode())
        cfg = {"dataset_root": str(root / "data"), "dataset_partition": str(root / "x.json")}
        assert len(DataSet(cfg | {"self_supervised": True}, True)) == 4

    @pytest.mark.parametrize(
        ("folder", "kind", "what"),
        [
            ("003/cl-01/000", layout.NO_FILES, "003/cl-01/000"),
            ("003/NM-01/000", layout.TWINS, "NM-01 and nm-01"),
        ],
    )
    def test_folders(self, root, folder, kind, what, caplog):
        (root / "data" / folder).mkdir(parents=True)
        self.both(root, kind, False, what, caplog)

    def test_other_numbers_of_files(self, root, caplog):
        shutil.copy(root / "data/003/nm-01/090/090.pkl", root / "data/003/nm-01/090/a.pkl")
        self.both(root, layout.OTHER_NUMBER, False, "003-nm-01-090: 2 where", caplog)

    def test_a_folder_under_two_names(self, root, caplog):
        (root / "data/004/cl-01").symlink_to(root / "data/003/nm-01")
        self.both(root, layout.SAME_FOLDER, True, "004-cl-01-090", caplog)

    def test_clutter_is_ignored_and_links_are_followed(self, root):
        data = root / "data"
        before = problems_of("opengait", data, partition=root / "plain.json")
        for name in (".ipynb_checkpoints", ".git", "@eaDir", "__MACOSX"):
            for parent in (data, data / "003", data / "003/nm-01"):
                shutil.copytree(data / "003/bg-01", parent / name / "bg-01")
                shutil.copytree(data / "003/bg-01/090", parent / name / "090")
        for name in ("._090.pkl", ".DS_Store", "Thumbs.db", "desktop.ini", ".090.1.part.pkl"):
            (data / "003/nm-01/090" / name).write_bytes(b"\0\5\26\7")
        shutil.move(data / "004", root / "elsewhere")
        (data / "004").symlink_to(root / "elsewhere")
        cfg = {"dataset_root": str(data), "dataset_partition": str(root / "plain.json")}
        test = DataSet(cfg, False)
        assert len(test) == 4 and all(len(info[3]) == 1 for info in test.seqs_info)
        assert problems_of("opengait", data, partition=root / "plain.json") == before == {}

    def test_a_loop_is_refused(self, root):
        (root / "data/003/nm-01/loop").symlink_to(root / "data/003")
        read = {"dataset_root": str(root / "data"), "dataset_partition": str(root / "plain.json")}
        for refused in (
            lambda: DataSet(read, False),
            lambda: problems_of("opengait", root / "data", partition=root / "plain.json"),
        ):
            with pytest.raises(DataError, match="nm-01/loop is a link"):
                refused()

    @pytest.mark.parametrize(
        ("frames", "kind"),
        [
            (np.ones((2, 8, 6), np.uint8), "values of another scale"),
            (np.ones((2, 8, 6), bool), "values of another scale"),
            (np.full((2, 8, 6, 1), 255, np.uint8), "channels in the last axis"),
            (np.full((2, 8, 6, 3), 255, np.uint8), "channels in the last axis"),
            (np.full((2, 8, 6), 0.5, np.float32), None),
            (np.zeros((2, 8, 6), np.uint8), None),
        ],
    )
    def test_values_of_frames(self, root, frames, kind):
        for file in (root / "data").rglob("*.pkl"):
            file.write_bytes(frames.dumps())
        report, _ = check_dataset("opengait", root / "data", workers=1, partition=root / "plain.json")
        assert {problem.kind for problem in report.problems} == ({kind} if kind else set())
        assert f"values from {float(frames.min()):g} to {float(frames.max()):g}" in report.text() or kind


def test_agreement_notices_a_silent_reader(trees):
    def check(report):
        report.add("kind", "where")

    with pytest.raises(AssertionError, match="reader says nothing"):
        agree(lambda: None, check, hitsz_lists.Report("x", trees))


def test_the_demos_missing_data_is_drawn(tmp_path):
    with pytest.raises(DataError, match=r"Synthetic-VVI was not found .* vvi synthesize --out \S+none \(the demo's"):
        HITSZVCM(tmp_path / "none", name="Synthetic-VVI")
    with pytest.raises(DataError, match="HITSZ-VCM was not found .* ask its authors"):
        HITSZVCM(os.fspath(tmp_path / "none"))
