"""The HITSZ-VCM reader: equal to public readers on the same tree, with a clear error for every kind of damage."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from opengait.errors import ConfigError, DataError
from opengait_ext.data import HITSZVCM, Modality, Tracklet
from opengait_ext.data.readers import HITSZVCMDataSet
from opengait_ext.data.tracklet import parse_view
from tests.golden.vvi import mini_hitsz

EXPECTED = json.loads((Path(mini_hitsz.__file__).parent / "mini_hitsz_expected.json").read_text())
MODALITY = {"rgb": Modality.VISIBLE, "ir": Modality.INFRARED}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return mini_hitsz.write(tmp_path_factory.mktemp("hitsz"))


@pytest.fixture
def copy(tree, tmp_path):
    """Return a copy of the tree that a test may damage."""
    return Path(shutil.copytree(tree, tmp_path / "HITSZ-VCM"))


def edit(path, number, line):
    lines = path.read_text().split("\n")
    lines[number - 1] = line
    path.write_text("\n".join(lines))


def described(split, tracklet, root):
    return (
        split,
        tracklet.modality,
        tracklet.person,
        tracklet.camera,
        [path.relative_to(root).as_posix() for path in tracklet.frames],
    )


@pytest.mark.parametrize("flat", [False, True])
def test_equals_public_readers(flat, tmp_path):
    root = mini_hitsz.write(tmp_path, flat=flat)
    data = HITSZVCM(root)
    actual = [
        described(split, tracklet, root) for split in ("train", "query", "gallery") for tracklet in getattr(data, split)
    ]
    expected = [
        (
            t["split"],
            MODALITY[t["modality"]],
            t["pid"],
            t["camera"],
            [frame.partition("/")[2] if flat else frame for frame in t["frames"]],
        )
        for split in ("train", "query", "gallery")
        for t in EXPECTED["tracklets"]
        if t["split"] == split
    ]
    assert actual == expected
    assert all(path.is_absolute() and path.is_file() for t in data.train for path in t.frames)


def test_the_tree_is_the_one_the_expected_numbers_come_from(tree):
    for name, digest in EXPECTED["info_sha256"].items():
        assert hashlib.sha256((tree / "info" / name).read_bytes()).hexdigest() == digest


def test_camera_and_track_numbers_of_several_digits(copy):
    names = copy / "info" / "train_name.txt"
    row = (copy / "info" / "track_train_info.txt").read_text().split("\n")[0].split()
    last = int(row[2])
    (copy / "Train" / "0001" / "rgb" / "D12").mkdir()
    for number in range(1, last + 1):
        edit(names, number, f"0001M2D12T10F{number}.jpg")
    edit(copy / "info" / "track_train_info.txt", 1, f"2 1 {last} 0001 12")
    first = HITSZVCM(copy).train[0]
    assert first.camera == 12
    assert first.frames[-1] == copy / "Train/0001/rgb/D12" / f"{last}.jpg"


def test_query_rows_may_be_spread_over_lines(tree, copy):
    path = copy / "info" / "query_IDX.txt"
    path.write_text("\n".join(path.read_text().split()) + "\n\n")
    assert [t.track for t in HITSZVCM(copy).query] == [t.track for t in HITSZVCM(tree).query]


def test_lists_saved_on_windows_are_read_alike(tree, copy):
    for path in (copy / "info").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    saved, original = HITSZVCM(copy), HITSZVCM(tree)
    assert [(t.track, len(t.frames)) for t in saved.train] == [(t.track, len(t.frames)) for t in original.train]
    assert [t.track for t in saved.query] == [t.track for t in original.query]


def test_minimum_frames_and_summary(tree):
    everything = HITSZVCM(tree, minimum_frames=1)
    assert len(everything.train) == EXPECTED["info"]["train_rows"]
    assert len(everything.test) == EXPECTED["info"]["test_rows"]
    summary = HITSZVCM(tree).summary()
    assert "21 [5,460]" in summary and "22 [4,584]" in summary and "338 [126,543]" in summary
    assert sum(int(n) for n in re.findall(r"(\d+) train \w+ tracklets dropped: fewer than 12 frames", summary)) == 6
    assert sum(int(n) for n in re.findall(r"(\d+) test \w+ tracklets dropped: fewer than 12 frames", summary)) == 7
    assert "[5,460]" not in everything.summary() and "[6,142]" in everything.summary()


def test_discard_lists_apply_before_short_tracklets_are_dropped(tree, tmp_path):
    twelve = next(t for t in HITSZVCM(tree).train if len(t.frames) == 12)
    names = (tree / "info" / "train_name.txt").read_text().split("\n")
    row = (tree / "info" / "track_train_info.txt").read_text().split("\n")[twelve.track - 1].split()
    discard = tmp_path / "discard.txt"
    discard.write_text(names[int(row[1]) - 1] + "\n")
    data = HITSZVCM(tree, discard_lists=[discard])
    assert twelve.track not in {t.track for t in data.train}
    assert "1 train frames removed: named in the discard lists" in data.summary()


def test_a_missing_discard_list_is_named(tree, tmp_path):
    with pytest.raises(DataError, match=r"discard_lists: .*none\.txt"):
        HITSZVCM(tree, discard_lists=[tmp_path / "none.txt"])


def test_people_in_one_modality_only_are_counted(copy):
    path = copy / "info" / "track_train_info.txt"
    rows = [row for row in path.read_text().strip().split("\n") if row.split()[3] != "0002" or row[0] == "2"]
    path.write_text("\n".join(rows) + "\n")
    data = HITSZVCM(copy)
    assert "1 train identities with tracklets in one modality only" in data.summary()
    assert {t.modality for t in data.train if t.person == 2} == {Modality.VISIBLE}


def test_the_row_takes_precedence_over_frame_names(copy):
    path = copy / "info" / "track_train_info.txt"
    row = path.read_text().split("\n")[0].split()
    edit(path, 1, " ".join([*row[:4], "9"]))
    data = HITSZVCM(copy)
    assert data.train[0].camera == 9
    assert "line 1: the row belongs to 0001/rgb/D9 and is used" in data.warnings[0]


def breakages():
    def missing_info(root):
        (root / "info" / "track_test_info.txt").unlink()
        return r"track_test_info\.txt is missing"

    def info_is_a_folder(root):
        (root / "info" / "test_name.txt").unlink()
        (root / "info" / "test_name.txt").mkdir()
        return r"test_name\.txt cannot be read"

    def past_the_list(root):
        edit(root / "info" / "track_train_info.txt", 3, "2 700 720 0001 2")
        return r"info\.txt, line 3: .*720 .* 719 lines"

    def zero_based(root):
        edit(root / "info" / "track_train_info.txt", 1, "2 0 19 0001 2")
        return r"line 1: frames 0 to 19"

    def four_numbers(root):
        edit(root / "info" / "track_train_info.txt", 2, "2 1 20 0001")
        return r"line 2: '2 1 20 0001' should be five"

    def third_modality(root):
        edit(root / "info" / "track_train_info.txt", 2, "3 1 20 0001 2")
        return r"line 2: modality 3"

    def malformed_name(root):
        edit(root / "info" / "test_name.txt", 5, "0501M2D3F1.jpg")
        return r"test_name\.txt, line 5: '0501M2D3F1\.jpg' is not a frame name"

    def query_past_the_rows(root):
        (root / "info" / "query_IDX.txt").write_text("1 2\n49\n")
        return r"query_IDX\.txt, line 2: '49' is not a"

    def query_empty(root):
        (root / "info" / "query_IDX.txt").write_text("\n")
        return r"query_IDX\.txt is empty"

    def query_twice(root):
        (root / "info" / "query_IDX.txt").write_text("7 8 7\n")
        return r"query_IDX\.txt, line 1: row 7"

    def in_both_splits(root):
        edit(root / "info" / "track_test_info.txt", 1, "2 1 20 0003 2")
        return r"person 0003: in track_train_info\.txt"

    def no_frames_folder(root):
        shutil.rmtree(root / "Test")
        return r"first test tracklet .*Test/0501/rgb"

    def no_info(root):
        shutil.rmtree(root / "info")
        return r"no info/; .*data_cfg\.dataset_root"

    def no_root(root):
        shutil.rmtree(root)
        return r"not found at .*does not exist"

    def empty_rows(root):
        (root / "info" / "track_train_info.txt").write_text("\n")
        return r"track_train_info\.txt is empty"

    def not_text(root):
        (root / "info" / "train_name.txt").write_bytes(b"\xff\xd8\xff\xe0")
        return r"train_name\.txt is not a text file"

    return [function for name, function in sorted(locals().items())]


@pytest.mark.slow
@pytest.mark.parametrize("damage", breakages(), ids=lambda function: function.__name__)
def test_damage_is_named(damage, copy):
    message = damage(copy)
    with pytest.raises(DataError, match=message):
        HITSZVCM(copy)


def test_a_rule_that_drops_everything_is_an_error(tree):
    with pytest.raises(DataError, match="48 train tracklets has 99 frames"):
        HITSZVCM(tree, minimum_frames=99)


def test_views_distinguish_tracklets_of_one_camera(tree):
    data = HITSZVCM(tree)
    views = {(t.person, t.modality, t.view) for t in data.test}
    assert len(views) == len(data.test)
    assert [parse_view(t.view) for t in data.test] == [(t.camera, t.track, None) for t in data.test]


def test_tracklets_are_immutable_and_hashable():
    a = Tracklet(1, Modality.VISIBLE, 3, (Path("/x.jpg"),))
    assert a == Tracklet(1, Modality("visible"), 3, (Path("/x.jpg"),)) and hash(a) is not None
    assert [modality.number for modality in Modality] == [0, 1]
    with pytest.raises(AttributeError):
        a.camera = 4


class TestEngineReader:
    def reader(self, root, training, **more):
        return HITSZVCMDataSet({"dataset_root": str(root), "frame_size": [16, 8], **more}, training)

    def test_items(self, tree):
        train, test = self.reader(tree, True), self.reader(tree, False)
        assert (len(train), len(test)) == (42, 41)
        assert train.label_set == [f"{person:04d}" for person in range(1, 7)]
        assert train.types_set == ["infrared", "visible"] and set(train.types_list) == set(train.types_set)
        assert sorted(i for indices in train.indices_dict.values() for i in indices) == list(range(42))
        expected = [t["label"] for t in EXPECTED["tracklets"] if t["split"] == "train"]
        assert [train.label_set.index(label) for label in train.label_list] == expected
        for index, tracklet in enumerate(train.tracklets):
            _, modality, view, paths = train.seqs_info[index]
            assert (modality, view, paths) == (tracklet.modality, tracklet.view, tracklet.frames)
            assert type(modality) is str

    def test_frames_are_those_requested(self, tree):
        train = self.reader(tree, True)
        (frames,), info = train[0]
        picked = frames[[4, 0, 4]]
        assert picked.shape == (3, 3, 16, 8) and picked.dtype == np.uint8
        camera = parse_view(info[2]).camera
        for frame, position in zip(picked, (4, 0, 4), strict=True):
            colour = mini_hitsz.colour(2, 1, camera, 1, position)
            np.testing.assert_allclose(frame.mean(axis=(1, 2)), colour, atol=6)

    def test_a_missing_frame_is_named_when_it_is_read(self, copy):
        train = self.reader(copy, True)
        train.tracklets[0].frames[2].unlink()
        (frames,), _ = train[0]
        frames[[0, 1]]
        with pytest.raises(DataError, match=re.escape(str(train.tracklets[0].frames[2]))):
            frames[[2]]

    def test_settings_are_checked(self, tree):
        for wrong in ({"frame_size": [256]}, {"frame_size": 256}, {"minimum_frames": "12"}, {"discard_lists": "a.txt"}):
            with pytest.raises(ConfigError, match=next(iter(wrong))):
                self.reader(tree, True, **wrong)
        with pytest.raises(ConfigError, match="dataset_root"):
            HITSZVCMDataSet({}, True)

    def test_the_table_is_logged(self, tree, caplog):
        with caplog.at_level("INFO", logger="opengait"):
            self.reader(tree, True)
        assert "21 [5,460]" in caplog.text
