"""The BUPTCampus reader: equal to public readers on the same tree, with a clear error for every kind of damage."""

import hashlib
import json
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opengait import registry
from opengait.config import load_config
from opengait.data.frame_picker import FramePicker, uniform
from opengait.errors import ConfigError, DataError
from opengait_ext import register
from opengait_ext.data import BUPTCampus, Modality, Role
from opengait_ext.data.readers import BUPTCampusDataSet
from opengait_ext.data.tracklet import FrameFiles, parse_view
from tests.golden.vvi import mini_bupt
from tests.paths import ROOT

GOLDEN = Path(mini_bupt.__file__).parent
EXPECTED = json.loads((GOLDEN / "mini_bupt_expected.json").read_text())
PICKS = json.loads((GOLDEN / "sampling_expected.json").read_text())["cases"]
MODALITY = {"rgb": Modality.VISIBLE, "ir": Modality.INFRARED}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return mini_bupt.write(tmp_path_factory.mktemp("bupt"))


@pytest.fixture
def copy(tree, tmp_path):
    """Return a copy of the tree that a test may damage."""
    return Path(shutil.copytree(tree, tmp_path / "BUPTCampus"))


def edit_paths(root, change):
    path = root / "data_paths.json"
    paths = json.loads(path.read_text())
    change(paths)
    path.write_text(json.dumps(paths))


def rows(root, name):
    return (root / name).read_text().strip().split("\n")


def edit(path, number, line):
    lines = path.read_text().split("\n")
    lines[number - 1] = line
    path.write_text("\n".join(lines))


def expected_tracklets(split):
    return [
        (MODALITY[t["modality"]], str(t["pid"]), t["camera"], t["frames"])
        for t in EXPECTED["tracklets"]
        if t["split"] == split
    ]


def described(tracklets, root):
    return [
        (t.modality, t.person, t.camera, [p.relative_to(root / "DATA").as_posix() for p in t.frames]) for t in tracklets
    ]


def test_the_tree_is_the_one_the_expected_numbers_come_from(tree):
    for name, digest in EXPECTED["files_sha256"].items():
        assert hashlib.sha256((tree / name).read_bytes()).hexdigest() == digest


def test_lists_saved_on_windows_are_read_alike(tree, copy):
    for path in (*copy.glob("*.txt"), copy / "data_paths.json"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    data = [BUPTCampus(root) for root in (copy, tree)]
    for split in ("train", "query", "gallery"):
        saved, original = ([(t.person, t.view) for t in getattr(source, split)] for source in data)
        assert saved == original


def test_equals_public_readers(tree):
    data = BUPTCampus(tree)
    for split in ("train", "query", "gallery"):
        assert described(getattr(data, split), tree) == expected_tracklets(split)
    assert data.test == [*data.query, *data.gallery]
    assert all(path.is_file() for t in [*data.train, *data.test] for path in t.frames)


@pytest.mark.parametrize("split", ["train", "query", "gallery"])
def test_rows_are_lines_of_the_list(split, tree):
    data = BUPTCampus(tree)
    lines = rows(tree, f"{split}.txt")
    for tracklet in getattr(data, split):
        person, _, camera, track = lines[tracklet.track - 1].split()
        assert tracklet.person == person
        assert tracklet.frames[0].name.split("_")[2:4] == [camera, track]


def test_counts_of_every_list_and_direction(tree):
    data = BUPTCampus(tree, auxiliary=True)
    lists = {"query": data.query, "gallery": data.gallery}
    lists["auxiliary"] = [t for t in data.train if t.person in map(str, mini_bupt.AUXILIARY)]
    lists["train"] = [t for t in data.train if t.person in map(str, mini_bupt.TRAIN)]
    for name, tracklets in lists.items():
        counts = EXPECTED["counts"][name]
        assert len(tracklets) == counts["tracklets"] and len({t.person for t in tracklets}) == counts["ids"]
        assert sum(len(t.frames) for t in tracklets) == counts["frames"]
        assert sum(t.modality is Modality.INFRARED for t in tracklets) == counts["ir"]
        assert sum(len(t.frames) == 1 for t in tracklets) == counts["one_frame_tracklets"]
    for direction, counts in EXPECTED["masks_without_drop"].items():
        query_modality, gallery_modality = (MODALITY[name] for name in direction.split("->"))
        query = [t for t in data.query if t.modality is query_modality]
        gallery = [t for t in data.gallery if t.modality is gallery_modality]
        assert (len(query), len(gallery)) == (counts["queries"], counts["gallery"])
        assert sum(any(g.person == q.person for g in gallery) for q in query) == counts["queries_with_a_match"]
    assert data.same_camera_pairs() == 0


def test_pairs_are_adjacent_and_share_person_camera_track_and_length(tree):
    train = BUPTCampus(tree).train
    for infrared, visible in zip(train[::2], train[1::2], strict=True):
        assert (infrared.modality, visible.modality) == (Modality.INFRARED, Modality.VISIBLE)
        assert (infrared.person, infrared.view) == (visible.person, visible.view)
        assert [p.name.replace("_IR_", "_RGB_") for p in infrared.frames] == [p.name for p in visible.frames]


def test_auxiliary_people_are_additional_classes(tree):
    data = BUPTCampus(tree, auxiliary=True)
    people = sorted({t.person for t in data.train})
    assert len(people) == 10
    assert people == ["10", "101", "1746", "2000", "27", *map(str, mini_bupt.AUXILIARY), "3"]


def test_auxiliary_people_can_be_apart(tree):
    data, together = BUPTCampus(tree, auxiliary="apart"), BUPTCampus(tree, auxiliary=True)
    apart = [t for t in data.train if t.role is Role.AUXILIARY]
    assert {t.person for t in apart} == set(map(str, mini_bupt.AUXILIARY)) and len(apart) == 8
    assert [replace(t, role=None) for t in data.train] == together.train
    assert data.summary() == together.summary()


def test_fake_infrared_adds_a_third_tracklet_per_line(tree):
    data = BUPTCampus(tree, fake_infrared=True)
    generated = [t for t in data.train if t.role is Role.FAKE]
    assert [t for t in data.train if t.role is None] == BUPTCampus(tree).train
    for visible, fake in zip([t for t in data.train if t.modality is Modality.VISIBLE], generated, strict=True):
        assert fake.modality is Modality.INFRARED and fake.view == f"{visible.view}-fake"
        assert fake.frames[0].parts[-3] == "FakeIR" and fake.frames[0].is_file()
        assert [p.name for p in fake.frames] == [p.name for p in visible.frames]
    assert re.search(r"train +FakeIR +6 \[-\] +31 \[-\]", data.summary())


def test_summary_shows_the_published_counts(tree, copy):
    summary = BUPTCampus(tree).summary()
    for counts in ("596 [796,138]", "62 [7,148]", "5 [540]", "5 [536]", "556 [597,542]", "28 [2,422]"):
        assert counts in summary
    assert "8 tracklets of a single frame" in summary and "not aligned" not in summary
    assert "0 pairs of a query and a gallery tracklet share person and camera" in summary
    assert "[540]" not in BUPTCampus(tree).summary(beside_published=False)

    # A gallery row at the camera of a query, a query without a match in the infrared gallery, and a shifted pair.
    person, _, camera, _ = rows(copy, "query.txt")[0].split()
    other = next(t for t in BUPTCampus(copy).query if t.person != person and t.modality is Modality.VISIBLE)
    kept = [line for line in rows(copy, "gallery.txt") if not line.startswith(f"{other.person} IR")]
    (copy / "gallery.txt").write_text("\n".join([*kept, f"{person} RGB {camera} 1"]) + "\n")
    edit_paths(copy, lambda paths: paths["27"]["IR"]["LS3"].update({"2": paths["27"]["IR"]["LS3"]["2"][::-1]}))
    data = BUPTCampus(copy)
    assert data.same_camera_pairs() == 1
    assert "1 pairs of a query and a gallery tracklet share person and camera: a camera rule would re" in data.summary()
    assert BUPTCampus(tree).warnings == []
    for part in ("query without a match in the gallery: 1 case", "pair perhaps not aligned: 1 case"):
        assert any(part in line for line in data.warnings)


def test_views_hold_camera_track_and_role(tree):
    data = BUPTCampus(tree, fake_infrared=True)
    assert len({(t.person, t.modality, t.view) for t in [*data.train, *data.test]}) == len(data.train) + len(data.test)
    for tracklet in [*data.train, *data.test]:
        assert parse_view(tracklet.view) == (tracklet.camera, tracklet.track, tracklet.role)
    assert {t.role for t in data.query} == {Role.QUERY} and {t.role for t in data.gallery} == {None}


def test_frame_files_are_paths_created_on_demand():
    files = FrameFiles(Path("/data"), ("a/1.jpg", "a/2.jpg", "b/3.jpg"))
    assert list(files) == [Path("/data/a/1.jpg"), Path("/data/a/2.jpg"), Path("/data/b/3.jpg")]
    assert files[-1] == Path("/data/b/3.jpg") and list(files[1:]) == list(files)[1:] and len(files[::2]) == 2
    assert pickle.loads(pickle.dumps(files)) == files and hash(files[:]) == hash(files) and files != files[1:]
    with pytest.raises(IndexError):
        files[3]


def breakages():
    def no_root(root):
        shutil.rmtree(root)
        return r"not exist; .*data_cfg\.dataset_root"

    def no_frames(root):
        shutil.rmtree(root / "DATA")
        return r"not found at .*no DATA/ in it"

    def no_paths(root):
        (root / "data_paths.json").unlink()
        return r"data_paths\.json is missing"

    def no_list(root):
        (root / "gallery.txt").unlink()
        return r"gallery\.txt is missing"

    def no_auxiliary_list(root):
        (root / "train_auxiliary.txt").unlink()
        return r"train_auxiliary\.txt is missing"

    def cut_paths(root):
        path = root / "data_paths.json"
        path.write_text(path.read_text()[:500])
        return r"data_paths\.json is not valid JSON"

    def paths_are_a_list(root):
        (root / "data_paths.json").write_text("[1, 2]")
        return r"data_paths\.json.* got a list"

    def frames_are_a_dict(root):
        edit_paths(root, lambda paths: paths["27"]["RGB"]["LS3"].update({"2": {"0": "a.jpg"}}))
        return r"train\.txt, line 1: .*RGB tracklet 2"

    def empty_list(root):
        (root / "train.txt").write_text("\n\n")
        return r"train\.txt is empty"

    def list_is_not_text(root):
        (root / "query.txt").write_bytes(b"\xff\xd8\xff\xe0")
        return r"query\.txt is not a text file"

    def list_is_a_folder(root):
        (root / "query.txt").unlink()
        (root / "query.txt").mkdir()
        return r"query\.txt cannot be read"

    def three_fields(root):
        edit(root / "train.txt", 4, "1746 RGB/IR TSG2")
        return r"train\.txt, line 4: '1746 RGB/IR TSG2'"

    def person_is_not_a_number(root):
        edit(root / "gallery.txt", 2, "abc RGB TSG2 1")
        return r"gallery\.txt, line 2: 'abc RGB TSG2 1'"

    def single_in_train(root):
        edit(root / "train.txt", 2, "27 RGB LS3 2")
        return r"line 2: modality RGB; expected RGB/IR"

    def pair_in_query(root):
        edit(root / "query.txt", 1, "1911 RGB/IR W4 1")
        return r"line 1: modality RGB/IR; expected RGB"

    def unknown_camera(root):
        edit(root / "query.txt", 1, "1911 RGB Q9 1")
        return r"query\.txt, line 1: camera Q9; .*LS3"

    def listed_twice(root):
        lines = rows(root, "gallery.txt")
        edit(root / "gallery.txt", 6, lines[2])
        return r"gallery\.txt, line 6: .*in line 3"

    def unknown_track(root):
        edit(root / "query.txt", 3, " ".join([*rows(root, "query.txt")[2].split()[:3], "9"]))
        return r"line 3: .*tracklet 9 of person 1901"

    def no_partner(root):
        edit_paths(root, lambda paths: paths["27"].pop("IR"))
        return r"train\.txt, line 1: .*IR half: .*27"

    def uneven_pair(root):
        edit_paths(root, lambda paths: paths["27"]["IR"]["LS3"]["2"].pop())
        return r"line 1: .*15 RGB and 14 IR frames"

    def tracklet_without_frames(root):
        edit_paths(root, lambda paths: paths["27"]["RGB"]["LS3"].update({"2": []}))
        return r"line 1: .*no frames for RGB tracklet 2"

    def in_train_and_test(root):
        _, _, camera, track = rows(root, "train.txt")[0].split()
        edit(root / "gallery.txt", 1, f"27 IR {camera} {track}")
        return r"person 27: in train\.txt .*gallery\.txt"

    def in_both_training_lists(root):
        edit(root / "train_auxiliary.txt", 1, rows(root, "train.txt")[0])
        return r"person 27: in train\.txt .*auxiliary"

    def no_folder(root):
        shutil.rmtree(root / "DATA" / "27" / "IR" / "LS3")
        return r"DATA/27/IR/LS3: should hold frames"

    def no_fake_frames(root):
        shutil.rmtree(root / "DATA" / "27" / "FakeIR")
        return r"DATA/27/FakeIR/\w+: should hold frames"

    return [function for name, function in sorted(locals().items())]


@pytest.mark.slow
@pytest.mark.parametrize("damage", breakages(), ids=lambda function: function.__name__)
def test_damage_is_named(damage, copy):
    message = damage(copy)
    with pytest.raises(DataError, match=message) as error:
        BUPTCampus(copy, auxiliary=True, fake_infrared=True)
    assert "\n" not in str(error.value)


def test_optional_files_may_be_missing(copy):
    (copy / "train_auxiliary.txt").unlink()
    for folder in (copy / "DATA").glob("*/FakeIR"):
        shutil.rmtree(folder)
    assert len(BUPTCampus(copy).train) == 62


class TestEngineReader:
    def reader(self, root, training, **more):
        return BUPTCampusDataSet({"dataset_root": str(root), "frame_size": [16, 8], **more}, training)

    def test_items(self, tree):
        train, test = self.reader(tree, True), self.reader(tree, False)
        assert (len(train), len(test)) == (62, 66)
        assert train.label_set == ["10", "101", "1746", "2000", "27", "3"]
        expected = [t["label"] for t in EXPECTED["tracklets"] if t["split"] == "train"]
        assert [train.label_set.index(label) for label in train.label_list] == expected
        for index, tracklet in enumerate(train.tracklets):
            label, modality, view, paths = train.seqs_info[index]
            assert type(modality) is str
            assert (label, modality, view, paths) == (
                tracklet.person,
                tracklet.modality,
                tracklet.view,
                tracklet.frames,
            )
        assert [parse_view(view).role for view in test.views_list] == [Role.QUERY] * 10 + [None] * 56
        assert len(self.reader(tree, True, auxiliary=True, fake_infrared=True)) == 62 + 8 + 31 + 4

    def test_classes_of_people_apart_come_last(self, tree):
        train = self.reader(tree, True, auxiliary="apart")
        assert train.classes == ["10", "101", "1746", "2000", "27", "3"]
        assert train.label_set == [*train.classes, *map(str, mini_bupt.AUXILIARY)]
        assert {train.views_list[i].rpartition("-")[2] for i in train.indices_dict["2830"]} == {"auxiliary"}
        for settings in ({}, {"auxiliary": True}):
            train = self.reader(tree, True, **settings)
            assert train.classes == train.label_set

    def test_frames_are_those_requested(self, tree):
        data = self.reader(tree, True, fake_infrared=True)
        # Line 1: person 27 at camera LS3, track 2; infrared, visible, fake infrared.
        for index, code in enumerate(("IR", "RGB", "FakeIR")):
            picked = data[index][0][0][[4, 0, 4]]
            assert picked.shape == (3, 3, 16, 8) and picked.dtype == np.uint8
            for frame, position in zip(picked, (4, 0, 4), strict=True):
                colour = mini_bupt.colour(code, 27, "LS3", 2, position)
                np.testing.assert_allclose(frame.mean(axis=(1, 2)), colour, atol=6)

    def test_a_missing_frame_is_named_when_it_is_read(self, copy):
        train = self.reader(copy, True)
        missing = train.tracklets[0].frames[2]
        missing.unlink()
        (frames,), _ = train[0]
        frames[[0, 1]]
        with pytest.raises(DataError, match=re.escape(str(missing))):
            frames[[2]]

    def test_settings_are_checked(self, tree):
        for wrong in ({"frame_size": [256]}, {"auxiliary": "yes"}, {"fake_infrared": 2}):
            with pytest.raises(ConfigError, match=next(iter(wrong))):
                self.reader(tree, True, **wrong)
        with pytest.raises(ConfigError, match="dataset_root"):
            BUPTCampusDataSet({}, True)

    def test_the_table_is_logged(self, tree, caplog):
        with caplog.at_level("INFO", logger="opengait"):
            self.reader(tree, True)
            assert "596 [796,138]" in caplog.text
            caplog.clear()
            self.reader(tree, True, dataset_name="Mine")
        assert "596" in caplog.text and "[796,138]" not in caplog.text


@pytest.mark.parametrize(("name", "count"), [("bupt", 6), ("bupt_t10", 10)])
class TestConfigurations:
    def test_follows_the_paper(self, name, count):
        register()
        cfg = load_config(ROOT / f"configs/dinogrl/{name}.yaml", [])
        assert registry.datasets.get(cfg["data_cfg"]["reader"]) is BUPTCampusDataSet
        assert "minimum_frames" not in cfg["data_cfg"]
        assert cfg["model_cfg"]["num_classes"] == 1074
        train, test = cfg["trainer_cfg"], cfg["evaluator_cfg"]
        assert train["sampler"]["frames_num_fixed"] == test["sampler"]["frames_num_fixed"] == count
        assert train["sampler"]["batch_size"] == [8, 4] and train["sampler"]["paired"] is True
        # 3,574 pairs, 32 per batch; 200 epochs, decay at 35 and 80, warm-up over 10.
        epoch = round(3574 / 32)
        warm_up, decay = cfg["scheduler_cfg"]["schedulers"]
        assert warm_up["total_iters"] == 10 * epoch and decay["milestones"] == [35 * epoch, 80 * epoch]
        assert (
            train["total_iter"] == test["restore_hint"] == 200 * epoch and train["total_iter"] % train["save_iter"] == 0
        )
        assert test["camera_rule"] is False and train["save_name"] == test["save_name"]

    def test_frames_are_drawn_as_in_public_code(self, name, count):
        cfg = load_config(ROOT / f"configs/dinogrl/{name}.yaml", [])
        in_test = FramePicker.from_config(cfg["evaluator_cfg"]["sampler"])
        in_training = FramePicker.from_config(cfg["trainer_cfg"]["sampler"])
        np.random.seed(0)  # noqa: NPY002
        lengths = [int(case.split("_n")[1]) for case in PICKS if case.startswith(f"S{count}_")]
        assert lengths
        for length in lengths:
            assert in_test(length) == PICKS[f"S{count}_n{length}"]["uniform_linspace"] == uniform(length, count)
            drawn = in_training(length)
            assert drawn == sorted(drawn) and len(drawn) == count and max(drawn) < length
            assert length < count or len(set(drawn)) == count
