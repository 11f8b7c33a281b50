"""OpenGait's layout of HITSZ-VCM and BUPTCampus: writing, reading back, resuming, and refused folders."""

import itertools
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from opengait import registry
from opengait.data import transform
from opengait.data.dataset import DataSet
from opengait.data.loader import build_loader
from opengait.data.packs.write import write_pack
from opengait.data.safe_pickle import load_pickle
from opengait.errors import DataError
from opengait_ext.data import HITSZVCM, BUPTCampus
from opengait_ext.data.opengait_layout.write import Prepared, folder_of, partition_of, prepare, render
from opengait_ext.data.readers import BUPTCampusDataSet, HITSZVCMDataSet
from opengait_ext.data.sampler import CrossModalSampler
from tests.golden.vvi import mini_bupt, mini_hitsz
from tests.opengait_ext.runs.stand_in_runs import command

SIZE = (32, 16)
SETTINGS = {"data_set": "test"}
READERS = {HITSZVCM: HITSZVCMDataSet, BUPTCampus: BUPTCampusDataSet}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Return raw trees whose frames, like the stored ones, are twice as high as wide."""
    root = tmp_path_factory.mktemp("raw")
    return {HITSZVCM: mini_hitsz.write(root / "hitsz"), BUPTCampus: mini_bupt.write(root / "bupt")}


@pytest.fixture(scope="module")
def prepared(trees, tmp_path_factory):
    out = {kind: tmp_path_factory.mktemp("prepared") / kind.__name__ for kind in trees}
    for kind, root in trees.items():
        prepare(kind(root), out[kind], SETTINGS, SIZE)
    return out


def opened(out, training):
    cfg = {"dataset_root": str(out), "dataset_partition": str(out / "partition.json"), "dataset_name": "Mine"}
    return DataSet(cfg, training)


def run(data_set, root, out, *options):
    return command("prepare")([data_set, str(root), "--out", str(out), *map(str, options)])


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("training", [True, False])
def test_the_engine_reads_the_same_frames_as_the_in_place_reader(kind, training, trees, prepared):
    ours = opened(prepared[kind], training)
    in_place = READERS[kind]({"dataset_root": str(trees[kind]), "frame_size": list(SIZE)}, training)
    indices = {tuple(info[:3]): i for i, info in enumerate(in_place.seqs_info)}
    assert len(ours) == len(in_place)
    for index in range(len(ours)):
        (frames, ratios), (label, kind_of, view, paths) = ours[index]
        assert [Path(path).name for path in paths] == [f"{view}-aligned-rgbs.pkl", f"{view}-ratios.pkl"]
        (expected,), info = in_place[indices.pop((label.removeprefix("Mine-"), kind_of, view))]
        everything = range(len(expected))
        assert len(frames) == len(ratios) == len(info[3])
        assert np.array_equal(frames[everything], expected[everything]) and frames[[0]].dtype == np.uint8
        assert ratios[everything].tolist() == [0.5] * len(expected)
    assert not indices
    # The classes are those of the dataset.
    assert [label.removeprefix("Mine-") for label in ours.label_set] == in_place.label_set


@pytest.mark.parametrize("kind", READERS)
def test_batches_for_a_model_that_reads_rgb_frames(kind, prepared, temporarily):
    temporarily(registry.samplers, CrossModalSampler)
    sampler = {"type": "TripletSampler", "batch_size": [3, 2], "sample_type": "fixed_unordered", "frames_num_fixed": 5}
    transforms = [transform.BaseRgbTransform(), transform.NoOperation()]
    loader = build_loader(opened(prepared[kind], True), sampler, transforms, training=True, seed=0)
    for (frames, ratios), labels, types, views, _ in itertools.islice(loader, 2):
        assert frames.shape == (6, 5, 3, *SIZE) and ratios.shape == (6, 5) and (ratios == 0.5).all()
        assert len(set(labels)) == 3 and set(types) <= {"visible", "infrared"} and len(views) == 6
    both = {
        "type": "CrossModalSampler",
        "batch_size": [2, 3],
        "sample_type": "fixed_sorted_random",
        "frames_num_fixed": 4,
    }
    batch = next(iter(build_loader(opened(prepared[kind], True), both, transforms, training=True, seed=0)))
    assert sorted(batch[2]) == ["infrared"] * 6 + ["visible"] * 6
    test = {"type": "InferenceSampler", "sample_type": "all_ordered"}
    (frames, ratios), _, _, _, lengths = next(
        iter(build_loader(opened(prepared[kind], False), test, transforms, training=False, seed=0))
    )
    assert frames.shape == (1, lengths.sum(), 3, *SIZE) and ratios.shape == (1, lengths.sum())


@pytest.mark.parametrize("kind", READERS)
def test_the_partition_lists_people_probes_and_gallery(kind, trees, prepared):
    source = kind(trees[kind])
    partition = json.loads((prepared[kind] / "partition.json").read_text())
    assert partition == partition_of(source) and partition["TRAIN_SET"] == sorted(partition["TRAIN_SET"])
    test = opened(prepared[kind], False)
    on_disk = ["-".join(info[:3]) for info in test.seqs_info]
    assert sorted(partition["PROBE_SET"] + partition["GALLERY_SET"]) == sorted(on_disk)
    assert len(partition["PROBE_SET"]) == len(source.query)
    queries = {
        BUPTCampus: "1911-infrared-c3-t00001-query",
        HITSZVCM: folder_of(source.query[0]).as_posix().replace("/", "-"),
    }
    assert partition["PROBE_SET"][0] == queries[kind]
    assert (
        partition["TRAIN_SET"]
        == {
            HITSZVCM: [f"{n:04d}" for n in range(1, 7)],
            BUPTCampus: ["10", "101", "1746", "2000", "27", "3"],
        }[kind]
    )


def write_image(path, width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return Image.fromarray(pixels)


class TestRender:
    """Frames with another aspect ratio than the stored ones."""

    @pytest.mark.parametrize(("width", "height"), [(10, 40), (13, 40), (30, 40), (31, 40), (20, 40), (1, 90)])
    def test_pad_keeps_the_aspect_ratio(self, width, height, tmp_path):
        image = write_image(tmp_path / "a.png", width, height)
        frames, ratios = render([tmp_path / "a.png"], SIZE, "pad")
        # OpenGait's readers locate the image by its ratio: int(height * ratio) columns in the middle.
        wide = max(1, int(32 * ratios[0]))
        assert frames.shape == (1, 3, *SIZE) and ratios.dtype == np.float32
        assert ratios[0] == pytest.approx(width / height)
        whole = np.asarray(image.resize((wide, 32), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        if wide <= 16:
            left = (16 - wide) // 2
            assert np.array_equal(frames[0, :, :, left : left + wide], whole)
            assert not frames[0, :, :, :left].any() and not frames[0, :, :, left + wide :].any()
        else:
            left = (wide - 16) // 2
            assert np.array_equal(frames[0], whole[:, :, left : left + 16])

    def test_stretch_equals_the_in_place_readers(self, tmp_path):
        paths = [tmp_path / f"{n}.png" for n in range(3)]
        images = [write_image(path, 9 + n, 50, n) for n, path in enumerate(paths)]
        frames, ratios = render(paths, SIZE, "stretch")
        for frame, image in zip(frames, images, strict=True):
            assert np.array_equal(
                frame.transpose(1, 2, 0), np.asarray(image.resize((16, 32), Image.Resampling.BILINEAR))
            )
        assert ratios.tolist() == [0.5] * 3

    def test_sizes_may_change_within_a_tracklet(self, tmp_path):
        paths = [tmp_path / f"{n}.png" for n in range(3)]
        for n, path in enumerate(paths):
            write_image(path, 8 * (n + 1), 32, n)
        frames, ratios = render(paths, SIZE, "pad")
        assert ratios.tolist() == [0.25, 0.5, 0.75] and frames[0, :, :, :4].max() == 0 < frames[1, :, :, 0].max()

    @pytest.mark.parametrize("fit", ["pad", "stretch"])
    def test_a_damaged_frame_is_named(self, fit, tmp_path):
        (tmp_path / "a.png").write_bytes(b"no picture")
        for name in ("a.png", "b.png"):
            with pytest.raises(DataError, match=f"Cannot read the frame .*{name}"):
                render([tmp_path / name], SIZE, fit)


class TestWriting:
    @pytest.fixture
    def source(self, trees):
        """Return a reader with only the first tracklets of BUPTCampus."""
        source = BUPTCampus(trees[BUPTCampus])
        source.train, source.query, source.gallery = source.train[:4], source.query[:2], source.gallery[:2]
        return source

    def test_resumes_and_keeps_finished_tracklets(self, source, tmp_path):
        out = tmp_path / "out"
        whole = sum(len(t.frames) for t in [*source.train, *source.test])
        assert prepare(source, out, SETTINGS, SIZE) == Prepared(written=8, frames=whole, kept=0)
        first, second = (out / folder_of(t) for t in (source.train[0], source.test[0]))
        before = [(path, path.stat().st_mtime_ns) for path in sorted(first.iterdir())]
        shutil.rmtree(second)
        (out / "partition.json").unlink()
        lost = len(source.test[0].frames)
        assert prepare(source, out, SETTINGS, SIZE) == Prepared(written=1, frames=lost, kept=7)
        assert [(path, path.stat().st_mtime_ns) for path in sorted(first.iterdir())] == before
        assert len(list(second.iterdir())) == 2 and (out / "partition.json").is_file()
        assert sorted(p.name for p in out.iterdir() if p.name.startswith(".")) == []

    def test_a_failed_tracklet_leaves_no_partial_folder(self, source, tmp_path, monkeypatch):
        broken = source.train[2]
        source.train[2] = type(broken)(**vars(broken) | {"frames": [tmp_path / "missing.jpg"]})
        out = tmp_path / "out"
        with pytest.raises(DataError, match="missing.jpg"):
            prepare(source, out, SETTINGS, SIZE)
        assert len(list(out.glob("*/*/*/*.pkl"))) == 4 and not list(out.glob(".partial*"))
        assert not (out / "partition.json").exists()
        source.train[2] = broken
        assert prepare(source, out, SETTINGS, SIZE).kept == 2

        # A folder gets its name last.
        def denied(folder, target):
            raise OSError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", denied)
            with pytest.raises(DataError, match="Cannot write .*Permission denied"):
                prepare(source, tmp_path / "unnamed", SETTINGS, SIZE)
        assert not list((tmp_path / "unnamed").glob("[0-9]*/*/*"))

        def full_disk(path, data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full_disk)
        with pytest.raises(DataError, match="Cannot write .*No space left"):
            prepare(source, tmp_path / "other", SETTINGS, SIZE)
        assert not list((tmp_path / "other").glob("[0-9]*/*/*"))

    def test_staging_folders_of_killed_runs_are_removed_and_of_running_ones_kept(self, source, tmp_path):
        out = tmp_path / "out"
        prepare(source, out, SETTINGS, SIZE)
        killed, running = (out / f".partial-{name}" for name in ("killed", "running"))
        for folder in (killed, running):
            (folder / "staged").mkdir(parents=True)
        os.utime(killed, (0, 0))
        prepare(source, out, SETTINGS, SIZE)
        assert running.is_dir() and not killed.exists()

    def test_tracklets_that_another_run_wrote_meanwhile_are_kept(self, source, tmp_path, monkeypatch):
        rename = Path.rename

        def overtaken(folder, target):
            shutil.copytree(folder, target)
            return rename(folder, target)

        monkeypatch.setattr(Path, "rename", overtaken)
        assert prepare(source, tmp_path / "out", SETTINGS, SIZE).written == 8
        assert len(list((tmp_path / "out").glob("*/*/*/*.pkl"))) == 16

    @pytest.mark.parametrize("fit", ["pad", "stretch"])
    def test_packs_and_files_give_the_same_bytes(self, fit, trees, source, tmp_path):
        write_pack(trees[BUPTCampus], tmp_path / "pack")
        packed = BUPTCampus(tmp_path / "pack")
        packed.train, packed.query, packed.gallery = packed.train[:4], packed.query[:2], packed.gallery[:2]
        for name, data in (("files", source), ("packed", packed)):
            prepare(data, tmp_path / name, SETTINGS, SIZE, fit)
        files = sorted(path.relative_to(tmp_path / "files") for path in (tmp_path / "files").rglob("*.pkl"))
        assert len(files) == 16
        for file in files:
            assert (tmp_path / "files" / file).read_bytes() == (tmp_path / "packed" / file).read_bytes()

    def test_several_processes_write_the_same_bytes(self, source, tmp_path):
        alone, together = tmp_path / "alone", tmp_path / "together"
        assert prepare(source, alone, SETTINGS, SIZE) == prepare(source, together, SETTINGS, SIZE, workers=2)
        files = sorted(path.relative_to(alone) for path in alone.rglob("*") if path.is_file())
        assert files == sorted(path.relative_to(together) for path in together.rglob("*") if path.is_file())
        assert all((alone / file).read_bytes() == (together / file).read_bytes() for file in files)

    def test_errors_of_worker_processes_are_raised(self, source, tmp_path):
        source.train[1] = type(source.train[1])(**vars(source.train[1]) | {"frames": [tmp_path / "missing.jpg"]})
        with pytest.raises(DataError, match="Cannot read the frame .*missing.jpg"):
            prepare(source, tmp_path / "out", SETTINGS, SIZE, workers=2)

    def test_other_settings_and_unknown_folders_are_refused(self, source, tmp_path):
        out = tmp_path / "out"
        prepare(source, out, SETTINGS, SIZE)
        for changed in ({"size": (64, 32)}, {"fit": "stretch"}, {"settings": {"data_set": "other"}}):
            with pytest.raises(DataError, match=r"was prepared with (height 32|fit pad|data_set test), not"):
                prepare(source, out, **({"settings": SETTINGS, "size": SIZE} | changed))
        (out / "prepared.json").write_text("{")
        with pytest.raises(DataError, match="prepared.json is not valid JSON"):
            prepare(source, out, SETTINGS, SIZE)
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.tex").touch()
        with pytest.raises(DataError, match="is not empty"):
            prepare(source, tmp_path / "mine", SETTINGS, SIZE)
        with pytest.raises(DataError, match="Cannot create the folder"):
            prepare(source, tmp_path / "mine" / "thesis.tex" / "out", SETTINGS, SIZE)

    def test_free_space_is_checked_before_writing(self, source, tmp_path, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
        with pytest.raises(DataError, match=r"0\.0 GB of free space"):
            prepare(source, tmp_path / "out", SETTINGS, SIZE)
        assert not list((tmp_path / "out").glob("*/*"))


class TestCommandLine:
    @pytest.mark.parametrize(("name", "kind"), [("hitsz", HITSZVCM), ("bupt", BUPTCampus)])
    def test_output_and_summary(self, name, kind, trees, tmp_path, capsys):
        out = tmp_path / "out"
        assert run(name, trees[kind], out, "--workers", 1, "--size", 16, 8) == 0
        count = len(opened(out, True)) + len(opened(out, False))
        printed = capsys.readouterr().out
        assert f"{count} tracklets" in printed and f"dataset_partition: {out}/partition.json" in printed
        assert "in brackets: as published" in printed
        frames = load_pickle(next(out.glob("*/*/*/*-aligned-rgbs.pkl")))
        assert frames.shape[1:] == (3, 16, 8)
        assert run(name, trees[kind], out, "--workers", 1, "--size", 16, 8) == 0
        assert f"0 tracklets (0 frames) written to {out}, {count} already existed" in capsys.readouterr().out

    def test_errors_are_one_sentence(self, trees, tmp_path, capsys):
        assert run("bupt", tmp_path / "nowhere", tmp_path / "out") == 2
        error = capsys.readouterr().err
        assert error.startswith("error: BUPTCampus was not found at") and error.count("\n") == 1
        assert not (tmp_path / "out").exists()
        with pytest.raises(SystemExit):
            run("hitsz", trees[HITSZVCM], tmp_path / "out", "--workers", "0")

    def test_optional_tracklets(self, trees, tmp_path, capsys):
        arguments = ("--workers", 1, "--size", 4, 2, "--auxiliary", "--fake-infrared")
        assert run("bupt", trees[BUPTCampus], tmp_path / "a", *arguments) == 0
        assert len(opened(tmp_path / "a", True)) == 62 + 8 + 31 + 4
        assert run("hitsz", trees[HITSZVCM], tmp_path / "b", *arguments[:5], "--minimum-frames", 1) == 0
        assert len(opened(tmp_path / "b", True)) == 48
        assert run("hitsz", trees[HITSZVCM], tmp_path / "b", *arguments[:5]) == 2
        assert "was prepared with minimum_frames 1, not 12" in capsys.readouterr().err

    def test_an_interruption_prints_no_traceback(self, trees, tmp_path, capsys, monkeypatch):
        def stopped(*arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr("opengait_ext.data.opengait_layout.write.prepare", stopped)
        assert run("bupt", trees[BUPTCampus], tmp_path / "out") == 130
        assert "run the same command again" in capsys.readouterr().err
