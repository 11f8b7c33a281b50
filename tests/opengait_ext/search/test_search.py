"""Descriptors of folders and videos, and search of a gallery."""

import csv
import io
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from opengait.errors import ConfigError, DataError
from opengait.evaluation.features import save_features
from opengait.utils.files import check_writable, write_json
from opengait_ext import search as package
from opengait_ext.commands.embed import save
from opengait_ext.commands.search import text_of
from opengait_ext.models import DinoGRLNet
from opengait_ext.runs.figures.style import figure_files, new_figure
from opengait_ext.search import Descriptors, find_clips, load_descriptors, network, save_descriptors, search
from opengait_ext.search.decode import OpenCVReader, PyAVReader, av
from opengait_ext.search.network import ClipDataSet
from opengait_ext.search.tracklets import as_tracklets
from opengait_ext.search.uncalibrated import p_values, student_t_cdf
from tests.opengait_ext.runs.stand_in_runs import command
from tests.opengait_ext.world import write_config

SIZE = (64, 32)
READER = OpenCVReader if av is None else PyAVReader


def write_frames(folder, count=4, value=0):
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        Image.new("RGB", (16, 32), (value, number, 0)).save(folder / f"{number}.png")
    return folder


def descriptors(embeddings, types, sha="a"):
    names = np.array([f"t{i}" for i in range(len(types))])
    return Descriptors(np.asarray(embeddings, dtype=np.float32), names, np.array(types), names, "c", "p", sha, 6)


def strangers(count, seed=0, kind="visible"):
    points = np.random.default_rng(seed).standard_normal((count, 64, 2))
    return descriptors(points, [kind] * count)


def test_every_folder_with_pictures_is_a_tracklet(tmp_path):
    write_frames(tmp_path / "all/rgb/anna", 11, value=1)
    write_frames(tmp_path / "all/ir/anna", 2, value=2)
    (tmp_path / "all/ir/empty").mkdir()
    clips = find_clips([tmp_path / "all"], SIZE)
    assert [(clip.name, str(clip.modality), len(clip.frames)) for clip in clips] == [
        ("ir/anna", "infrared", 2),
        ("rgb/anna", "visible", 11),
    ]
    assert clips[1].frames[[1, 9]][:, 1, 0, 0].tolist() == [2, 10]  # in numerical order
    assert clips[0].frames[[0]].shape == (1, 3, *SIZE)
    both = [tmp_path / "all/rgb", tmp_path / "all/ir/anna"]
    assert [clip.name for clip in find_clips(both, SIZE, "visible")] == [str(both[0] / "anna"), str(both[1])]


def write_video(path, frames=6):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(frames):
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, :32, 2] = 40 * number  # red on the left
        picture[:, 32:, 0] = 200  # blue on the right
        writer.write(picture)
    writer.release()
    return path


def write_boxes(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", "track", "x", "y", "w", "h"])
        writer.writerows(rows)
    return path


def test_boxes_of_a_video(tmp_path):
    video = write_video(tmp_path / "clip.avi")
    boxes = write_boxes(tmp_path / "b.csv", [(5, 1, 2, 2, 20, 40), (1, 1, -9, 0, 30, 44), (2, 2, 40, 4, 20, 40)])
    left, right = find_clips([video], (32, 16), "visible", [boxes])
    assert (left.name, right.name) == ("clip.avi#1", "clip.avi#2")
    assert left.video is right.video is not None and left.video.path == video
    frames = left.frames[[1, 0, 1]]
    assert frames.shape == (3, 3, 32, 16)
    assert frames[:, 0].mean(axis=(1, 2)) == pytest.approx([200, 40, 200], abs=6)
    assert frames[:, 2].max() < 30
    assert right.frames[[0]][:, 2].mean() == pytest.approx(200, abs=6)


def test_a_single_track_and_boxes_beside_the_video(tmp_path):
    video = write_video(tmp_path / "clip.avi")
    rows = [(5, 7, 2, 2, 20, 40), (1, 7, 0, 0, 30, 44), (2, "a#9", 40, 4, 20, 40)]
    with pytest.raises(ConfigError, match=r"clip\.avi needs boxes: .*vvi track"):
        find_clips([f"{video}#7"], SIZE, "visible")
    write_boxes(tmp_path / "clip.boxes.txt", rows)
    assert find_clips([f"{video}#a#9"], SIZE, "visible")[0].track == "a#9"
    (clip,) = find_clips([f"{video}#7"], SIZE, "visible")
    assert clip.name == "clip.avi#7" and len(clip.frames) == 2
    both = find_clips([f"{video}#7", video], SIZE, "visible")
    assert [clip.track for clip in both] == ["7", "7", "a#9"] and both[0].video is both[2].video
    with pytest.raises(DataError, match=r"clip\.boxes\.txt has no track '8'; its 2 tracks are 7, a#9"):
        find_clips([f"{video}#8"], SIZE, "visible")
    (part,) = find_clips([video], SIZE, "visible", between=(0.3, 9))
    assert (part.track, part.start_seconds, len(part.frames)) == ("7", 0.5, 1)
    with pytest.raises(DataError, match=r"no box in frames 3 to 4 of"):
        find_clips([video], SIZE, "visible", between=(0.3, 0.5))
    (tmp_path / "other").mkdir()
    other = write_video(tmp_path / "other/clip.avi")
    write_boxes(tmp_path / "other/clip.boxes.txt", rows)
    names = [clip.name for clip in find_clips([video, other], SIZE, "visible")]
    assert len(set(names)) == 4 and f"{other}#7" in names


def test_clips_say_where_and_when_they_were_seen_and_show_a_frame(tmp_path):
    video = write_video(tmp_path / "clip.avi")
    boxes = write_boxes(tmp_path / "b.csv", [(5, 7, 2, 2, 20, 40), (1, 7, -9, 0, 30, 44), (2, 9, 40, 4, 20, 40)])
    left, right = find_clips([video], (32, 16), "visible", [boxes])
    assert (left.source, left.track, left.start_seconds, left.end_seconds) == (str(video), "7", 0.1, 0.5)
    assert (right.track, right.start_seconds, right.end_seconds, right.folder) == ("9", 0.2, 0.2, None)
    with Image.open(io.BytesIO(right.thumbnail)) as picture:
        assert picture.format == "JPEG" and picture.size == (20, 40)
        assert np.asarray(picture).mean(axis=(0, 1)) == pytest.approx([0, 0, 200], abs=12)
    folder = write_frames(tmp_path / "visible/anna")
    (clip,) = find_clips([folder], SIZE, "visible")
    assert (clip.source, clip.folder, clip.track, clip.start_seconds) == (str(folder), folder, "", None)
    with Image.open(io.BytesIO(clip.thumbnail)) as picture:
        assert picture.size == (16, 32)


def test_each_video_has_its_own_boxes_and_is_decoded_once(tmp_path, monkeypatch):
    videos = [write_video(tmp_path / name) for name in ("one.avi", "two.avi")]
    boxes = [
        write_boxes(tmp_path / "1.csv", [(5, 1, 0, 0, 20, 40), (1, 2, 0, 0, 20, 40)]),
        write_boxes(tmp_path / "2.csv", [(3, 1, 0, 0, 20, 40), (2, 1, 0, 0, 20, 40)]),
    ]
    clips = find_clips([videos[0], write_frames(tmp_path / "x", value=7), videos[1]], (32, 16), "visible", boxes)
    assert [clip.video is None for clip in clips] == [False, False, True, False]
    passes = []
    frames = READER.frames
    monkeypatch.setattr(READER, "frames", lambda self, wanted: passes.append(self.path) or frames(self, wanted))
    data = ClipDataSet(clips, 2)
    pictures = [data[index][0][0][[0, 1]] for index in range(4)]
    assert passes == videos
    red = [part[:, 0].mean(axis=(1, 2)).round().tolist() for part in pictures]
    assert np.allclose(red, [[200, 200], [40, 40], [7, 7], [80, 120]], atol=6)
    with pytest.raises(ConfigError, match=r"two\.avi needs boxes"):
        find_clips(videos, SIZE, "visible", boxes[:1])
    with pytest.raises(ConfigError, match=r"2\.csv .* 2 files of boxes, 1 videos"):
        find_clips(videos[:1], SIZE, "visible", boxes)


def test_videos_are_cut_in_parts_of_bounded_memory(tmp_path, monkeypatch):
    video = write_video(tmp_path / "clip.avi")
    boxes = write_boxes(tmp_path / "b.csv", [(n, n, 0, 0, 20, 40) for n in range(6)])
    clips = find_clips([video], (32, 16), "visible", [boxes])
    together = [ClipDataSet(clips, 2)[index][0][0] for index in range(6)]
    passes = []
    frames = READER.frames
    monkeypatch.setattr(READER, "frames", lambda self, wanted: passes.append(wanted) or frames(self, wanted))
    monkeypatch.setattr(network, "CUT_BYTES", 2 * 2 * 3 * 32 * 16)
    data = ClipDataSet(clips, 2)
    assert np.array_equal([data[index][0][0] for index in range(6)], together)
    assert passes == [[0, 1], [2, 3], [4, 5]]
    assert all(clip.thumbnail for clip in clips) and len(passes) == 3


def test_clips_as_tracklets_to_export(tmp_path):
    video = write_video(tmp_path / "clip.avi")
    boxes = write_boxes(tmp_path / "b.csv", [(n, 7, 0, 0, 20, 40) for n in range(6)])
    (track,) = as_tracklets(find_clips([video], SIZE, "infrared", [boxes]), 3)
    assert (track.folder, track.indices) == (Path("7/infrared/c1"), (0, 2, 4))
    assert track.names == ("00000", "00002", "00004")
    folders = as_tracklets(find_clips([write_frames(tmp_path / "in/rgb/anna").parents[1]], SIZE))
    assert folders[0].label == "rgb/anna" and len(folders[0].indices) == 4


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda d: find_clips([d / "none"], SIZE), "none does not exist"),
        (lambda d: find_clips([(d / "hollow").mkdir() or d / "hollow"], SIZE, "visible"), "hollow .* holds frames"),
        (lambda d: find_clips([write_frames(d / "x")], SIZE), "--modality"),
        (lambda d: find_clips([write_frames(d / "x")], SIZE, "thermal"), "visible or infrared"),
        (lambda d: find_clips([write_video(d / "v.avi")], SIZE, "visible"), "needs boxes"),
        (lambda d: boxed(d, [(9, 1, 0, 0, 9, 9)]), "v.avi ends .* after 6 frames"),
        (lambda d: boxed(d, [(1, 1, 70, 0, 9, 9)]), "none of its boxes lies in the picture"),
        (lambda d: boxed(d, [(1, 1, "a", 0, 9, 9)]), "line 2: expected numbers"),
        (lambda d: boxed(d, [(1, 1, 0, 0, 0, 9)]), "1 boxes, all narrower"),
        (lambda d: boxed(d, []), "has no boxes"),
    ],
)
def test_bad_inputs_are_named(tmp_path, make, reason):
    with pytest.raises((DataError, ConfigError), match=reason):
        make(tmp_path)


def boxed(folder, rows):
    video = write_video(folder / "v.avi")
    return find_clips([video], SIZE, "visible", [write_boxes(folder / "b.csv", rows)])[0].frames[[0]]


def test_planted_person_is_a_match_and_strangers_are_not():
    gallery = strangers(40)
    noise = 0.3 * np.random.default_rng(1).standard_normal((64, 2))
    here = descriptors([gallery.embeddings[7] + noise], ["infrared"])
    result = search(gallery, here, top=3)[0]
    assert result.somebody and result.candidates[0].name == "t7" and result.candidates[0].p_value < 1e-6
    assert len(result.candidates) == 3
    assert result.candidates[0].distance < result.candidates[1].distance
    answers = [search(gallery, strangers(1, seed))[0].somebody for seed in range(100, 300)]
    assert np.mean(answers) < 0.08  # the level is 0.05, and distances are only approximately normal


def test_shift_of_a_whole_modality_changes_no_answer():
    gallery = strangers(30)
    both = descriptors(
        np.concatenate([gallery.embeddings, gallery.embeddings + 3]), ["visible"] * 30 + ["infrared"] * 30
    )
    query = descriptors([gallery.embeddings[4] + 0.1], ["visible"])
    p = p_values(np.linalg.norm(both.embeddings - query.embeddings[0], axis=1).mean(axis=1), both.types)
    assert p[4] < 1e-6 and search(both, query)[0].somebody


@pytest.mark.slow
@pytest.mark.parametrize("count", [8, 25, 200])
def test_p_values_by_simulation(count):
    draws = np.random.default_rng(0).standard_normal((1500, count))
    smallest = np.array([p_values(row, np.array(["visible"] * count)).min() for row in draws])
    # In a small gallery the nearest tracklet itself widens the spread, which favours "no match".
    for level in (0.05, 0.1):
        share = (smallest < level).mean()
        assert (0.1 if count == 8 else 0.5) * level < share < 1.3 * level


def test_student_t_against_known_values():
    # From tables: 5% of t(5) lie below -2.015 and 1% of t(10) below -2.764; t(1) is the Cauchy distribution.
    assert student_t_cdf(np.array([-2.015, 0.0]), 5.0) == pytest.approx([0.05, 0.5], abs=1e-4)
    assert student_t_cdf(np.array([-2.764]), 10.0) == pytest.approx([0.01], abs=1e-5)
    assert student_t_cdf(np.array([-1.0, 3.0]), 1.0) == pytest.approx([0.25, 0.5 + np.arctan(3) / np.pi], abs=1e-6)


def test_small_gallery_gives_no_decision():
    result = search(strangers(5), strangers(1, 9))[0]
    assert result.somebody is None and result.candidates[0].p_value is None


def test_descriptors_are_saved_and_those_of_two_networks_refused(tmp_path):
    gallery = strangers(9)
    with pytest.raises(DataError, match="different checkpoints"):
        search(gallery, descriptors(gallery.embeddings[:1], ["visible"], sha="b"))
    path = save_descriptors(tmp_path / "f", gallery)
    again = load_descriptors(path)
    assert np.array_equal(again.embeddings, gallery.embeddings) and again.frames == 6 and again.checkpoint == "p"
    np.savez(tmp_path / "other.npz", a=1)
    (tmp_path / "text.npz").write_text("no")
    for name, reason in (("other.npz", "no `embeddings`"), ("text.npz", "text.npz is not"), ("none.npz", "none.npz")):
        with pytest.raises(DataError, match=reason):
            load_descriptors(tmp_path / name)


def test_descriptors_that_are_not_numbers_are_refused_by_name(tmp_path):
    for value in (np.nan, np.inf, -np.inf):
        points = np.zeros((3, 2, 1))
        points[1] = value
        path = save_descriptors(tmp_path / "bad", descriptors(points, ["visible"] * 3))
        with pytest.raises(DataError, match=r"bad\.npz: 1 of 3 .* tracklet t1"):
            load_descriptors(path)
        data = {"embeddings": points, "labels": ["a", "b", "c"], "types": ["visible"] * 3, "views": ["c1"] * 3}
        with pytest.raises(DataError, match="1 of 3 .* tracklet b-visible-c1"):
            save_features(tmp_path / "f.npz", data, "", "", 0)


def test_json_has_no_numbers_that_are_none(tmp_path):
    write_json(tmp_path / "x.json", {"a": [np.array([1.0, np.nan]), float("inf")], "b": torch.tensor(-np.inf)})
    content = json.loads((tmp_path / "x.json").read_text(), parse_constant=lambda text: pytest.fail(text))
    assert content == {"a": [[1.0, None], None], "b": None}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("embeddings", np.zeros((9, 4), np.float32), "`embeddings` is float32"),
        ("embeddings", np.zeros((9, 4, 1), int), "`embeddings` is int64"),
        ("names", np.arange(9), "`names` is int64"),
        ("names", np.array(["a"]), "names 1"),
        ("folders", np.array(["a"] * 8), "folders 8"),
        ("types", np.array(["thermal"] * 9), "'thermal'"),
        ("frames", np.array(6.5), "`frames` is float64"),
        ("overrides", np.array("a=1"), "`overrides` is"),
        ("cfgs", np.array(["a"]), "`cfgs` is"),
    ],
)
def test_galleries_of_another_form_are_refused(tmp_path, name, value, reason):
    path = save_descriptors(tmp_path / "g", strangers(9))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {name: value})
    with pytest.raises(DataError, match=reason):
        load_descriptors(path)


def test_names_keep_their_dots(tmp_path):
    for name, written in {"gal.cam1": "gal.cam1.npz", "gal.cam2": "gal.cam2.npz", "a.npz": "a.npz"}.items():
        assert save_descriptors(tmp_path / name, strangers(1)).name == written
    for name, written in {"fig.v1": "fig.v1", "fig.v2": "fig.v2", "fig.png": "fig", "fig.PDF": "fig"}.items():
        assert [path.name for path in figure_files(tmp_path / name)] == [f"{written}.png", f"{written}.pdf"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("folder", "is a folder"),
        ("file/x.npz", "file/x.npz cannot be written: Not a directory"),
        ("x" * 300, "File name too long"),
        ("new/" + "x" * 260 + "/y", "File name too long"),
        ("a\0b", "null"),
        ("/proc/1/x", "/proc/1/x cannot be written"),
    ],
)
def test_paths_that_cannot_be_written_are_refused_before_the_work(tmp_path, path, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=reason):
        check_writable(tmp_path / path)
    check_writable(tmp_path / "new/folders/x.npz")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("out", ["file/g.npz", "folder.npz", "/proc/1/g"])
def test_descriptors_survive_an_output_that_is_gone(tmp_path, monkeypatch, capsys, out):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    (tmp_path / "folder.npz").mkdir()
    gallery = strangers(3)
    path = save(str(tmp_path / out), gallery)
    assert path.is_file() and np.array_equal(load_descriptors(path).embeddings, gallery.embeddings)
    error = capsys.readouterr().err
    assert f"{tmp_path / out} cannot be written" in error and error.count("\n") == 1


@pytest.mark.parametrize("option", ["--json", "--picture"])
def test_answers_are_printed_even_if_they_cannot_be_written(tmp_path, monkeypatch, capsys, option):
    gallery = strangers(9)
    path = save_descriptors(tmp_path / "g", gallery)
    # The disk is there when the work begins, and gone at its end.
    out = tmp_path / "out/answers"

    def describe(clips, frames):
        out.parent.touch()
        return descriptors(gallery.embeddings[:1], ["visible"])

    describer = SimpleNamespace(
        trained=SimpleNamespace(checkpoint=tmp_path / "a.pt"),
        checkpoint_sha256="a",
        frames=6,
        kind=None,
        metric="euc",
        describe=describe,
    )
    monkeypatch.setattr(package, "load_describer", lambda *_: describer)
    monkeypatch.setattr(package, "find_clips", lambda *_: [])
    monkeypatch.setattr("opengait_ext.search.answer_figure.draw_answers", lambda *_: new_figure(1, 1))
    assert command("search")(["--gallery", str(path), "--query", "q", option, str(out)]) == 2
    printed = capsys.readouterr()
    assert "rank" in printed.out and "t0" in printed.out
    assert printed.err.startswith("error: ") and str(Path("out/answers")) in printed.err
    assert printed.err.count("\n") == 1


def test_an_exact_duplicate_is_a_match_in_any_gallery():
    # Pairs of duplicates in a gallery spread the distances so little that their p-values were near 1.
    points = np.random.default_rng(0).standard_normal((4, 6, 2)).repeat(2, axis=0) * 1e-3 + 1
    for count in (3, 8):
        gallery = descriptors(points[:count], ["visible"] * count)
        again = descriptors(points[2:3] * (1 + 1e-6), ["infrared"])
        result = search(gallery, again)[0]
        assert result.somebody and result.candidates[0].name in ("t2", "t3") and result.candidates[0].p_value == 0


def test_reasons_why_nothing_is_decided():
    equal = descriptors(np.ones((8, 4, 1)), ["visible"] * 8)
    other = descriptors(np.full((1, 4, 1), 3.0), ["visible"])
    for query, gallery, reason in (
        (equal, equal, "most of the gallery's 8 visible tracklets are equally far"),
        (other, equal, "most of the gallery's 8 visible tracklets are equally far"),
        (strangers(1, 9), strangers(5), "the gallery has 5 visible tracklets, fewer than 8"),
    ):
        result = search(gallery, query)[0]
        assert result.somebody is None and reason in result.undecided and reason in text_of(result, 0.05)


@pytest.mark.parametrize(
    ("folders", "given", "modality"),
    [
        ("ir-project/cam1", "ir-project/cam1", None),
        ("thermal_2020/visit/cam1", "thermal_2020/visit", None),
        ("ir/visit/cam1", "ir/visit/cam1", None),
        ("x_ir", "x_ir", None),
        ("rgb/D1", "rgb/D1", None),
        ("ir/cam1", "ir/cam1", None),
        ("data/all/day.ir/D1", "data/all", "infrared"),
        ("rgb/D1", "rgb", "visible"),
        ("all/cam_ir/anna", "all", "infrared"),
        ("ir/all/Cam-RGB/anna", "ir/all", "visible"),
        ("all/rgb-ir/anna", "all", None),
        ("data/NIR", "data", "infrared"),
    ],
)
def test_only_names_from_the_input_on_state_a_modality(tmp_path, folders, given, modality):
    write_frames(tmp_path / folders)
    if modality is None:
        with pytest.raises(DataError, match=r"--modality"):
            find_clips([tmp_path / given], SIZE)
    else:
        assert find_clips([tmp_path / given], SIZE)[0].modality == modality
    assert find_clips([tmp_path / given], SIZE, "visible")[0].modality == "visible"


def test_coloured_frames_are_not_infrared_because_of_the_name_of_the_input(tmp_path):
    write_frames(tmp_path / "ir/cam1", value=200)
    with pytest.raises(DataError, match="has colours"):
        find_clips([tmp_path / "ir"], SIZE)
    write_video(tmp_path / "ir/ir.avi")
    boxes = write_boxes(tmp_path / "b.csv", [(5, 1, 0, 0, 20, 40)])
    with pytest.raises(DataError, match="has colours"):
        find_clips([tmp_path / "ir/ir.avi"], SIZE, boxes=[boxes])


def test_hidden_folders_and_names_with_other_digits(tmp_path):
    write_frames(tmp_path / "visible/.thumbnails")
    folder = write_frames(tmp_path / "visible/a", 2)
    (folder / "1.png").rename(folder / "camera\u2460_10.png")
    (folder / "2.png").rename(folder / "camera\u2460_9.png")
    clips = find_clips([tmp_path / "visible"], SIZE)
    assert [clip.name for clip in clips] == ["a"]
    assert [path.name[8:] for path in clips[0].frames.paths] == ["9.png", "10.png"]


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", bytes(2000)])
def test_files_that_are_no_videos_are_named(tmp_path, content):
    (tmp_path / "v.mp4").write_bytes(content)
    boxes = write_boxes(tmp_path / "b.csv", [(0, 1, 5, 5, 9, 9)])
    with pytest.raises(DataError, match=r"v\.mp4 cannot be read as a video"):
        find_clips([tmp_path / "v.mp4"], SIZE, "visible", [boxes])


@pytest.mark.parametrize("name", ["concat:a|b.avi", "-rf.avi", "$(x) %03d.avi", "\u4e2d\U0001f600.avi", "a\nb.avi"])
def test_videos_of_any_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "plain.avi").rename(name)
    clips = find_clips([name], (32, 16), "visible", [write_boxes(tmp_path / "b.csv", [(5, 1, 2, 2, 20, 40)])])
    assert clips[0].frames[[0]][:, 0].mean() == pytest.approx(200, abs=6)


@pytest.fixture
def trained(world, tmp_path):
    """Return a configuration and a checkpoint of an untrained network."""
    from opengait.config import load_config

    file = write_config(world, tmp_path)
    torch.manual_seed(0)
    network = DinoGRLNet.from_config(load_config(file)["model_cfg"])
    state = {f"network.{k}": v for k, v in network.state_dict().items() if not k.startswith("vision_model.")}
    torch.save({"model": state, "iteration": 1}, tmp_path / "net.pt")
    return file, tmp_path / "net.pt"


@pytest.mark.slow
def test_embed_and_search_from_the_command_line(trained, world, tmp_path, capsys):
    file, checkpoint = map(str, trained)
    frames = next((world / "data").rglob("*.jpg")).parents[1]  # one person's visible or infrared tracklets
    out = str(tmp_path / "g.npz")
    common = ["--cfgs", file, "--checkpoint", checkpoint, "--modality", "visible", "--set", "trainer_cfg.log_iter=3"]
    assert command("embed")([*common, "--input", str(frames), "--out", out]) == 0
    assert "visible tracklets, 6 frames of each" in capsys.readouterr().out
    gallery = load_descriptors(out)
    assert gallery.overrides == ("trainer_cfg.log_iter=3",)
    query = [gallery.folders[1]]
    outputs = ["--json", str(tmp_path / "a.json"), "--picture", str(tmp_path / "a.png")]
    arguments = ["--gallery", out, "--query", *query, "--modality", "visible", "--top", "2", *outputs]
    assert command("search")(arguments) == 0
    printed = capsys.readouterr().out
    # The same frames give the same descriptor, alone or in a batch, up to rounding.
    assert gallery.names[1] in printed.splitlines()[2] and "  0.000" in printed
    content = json.loads((tmp_path / "a.json").read_text())
    assert content[0]["candidates"][0]["place"] == 1 and len(content[0]["candidates"]) == 2
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 300
    assert command("search")(["--gallery", str(tmp_path / "no.npz"), "--query", *query]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "no.npz" in error
    for wrong in (["--level", "5"], ["--top", "0"]):
        with pytest.raises(SystemExit):
            command("search")([*arguments, *wrong])
