"""Descriptors of folders and videos, and who is found by them."""

import csv
import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from opengait.errors import ConfigError, DataError
from opengait_ext.models import DinoGRLNet
from opengait_ext.search import Descriptors, find_clips, load_descriptors, save_descriptors, search
from opengait_ext.search.descriptors import pictures_of
from opengait_ext.search.matching import _student, p_values
from tests.opengait_ext.runs.stand_in_runs import script
from tests.opengait_ext.world import write_config

SIZE = (64, 32)


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
    assert [(clip.name, str(clip.modality), len(clip.source)) for clip in clips] == [
        ("ir/anna", "infrared", 2),
        ("rgb/anna", "visible", 11),
    ]
    assert clips[1].source[[1, 9]][:, 1, 0, 0].tolist() == [2, 10]  # by number, not by letters
    assert clips[0].source[[0]].shape == (1, 3, *SIZE)
    both = [tmp_path / "all/rgb", tmp_path / "all/ir/anna"]
    assert [clip.name for clip in find_clips(both, SIZE)] == [str(both[0] / "anna"), str(both[1])]


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


def test_a_videos_boxes(tmp_path):
    video = write_video(tmp_path / "clip.avi")
    boxes = write_boxes(tmp_path / "b.csv", [(5, 1, 2, 2, 20, 40), (1, 1, -9, 0, 30, 44), (2, 2, 40, 4, 20, 40)])
    left, right = find_clips([video], (32, 16), "visible", [boxes])
    assert (left.name, right.name) == ("clip.avi#1", "clip.avi#2")
    frames = left.source[[1, 0, 1]]
    assert frames.shape == (3, 3, 32, 16)
    assert frames[:, 0].mean(axis=(1, 2)) == pytest.approx([200, 40, 200], abs=6)
    assert frames[:, 2].max() < 30
    assert right.source[[0]][:, 2].mean() == pytest.approx(200, abs=6)


def test_each_video_has_its_own_boxes_and_is_read_once(tmp_path, monkeypatch):
    videos = [write_video(tmp_path / name) for name in ("one.avi", "two.avi")]
    boxes = [
        write_boxes(tmp_path / "1.csv", [(5, 1, 0, 0, 20, 40), (1, 2, 0, 0, 20, 40)]),
        write_boxes(tmp_path / "2.csv", [(3, 1, 0, 0, 20, 40), (2, 1, 0, 0, 20, 40)]),
    ]
    clips = find_clips([videos[0], write_frames(tmp_path / "x", value=7), videos[1]], (32, 16), "visible", boxes)
    opened = []
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda path: opened.append(path) or capture(path))
    pictures = list(pictures_of(clips, 2))
    assert opened == list(map(str, videos))
    red = [part[:, 0].mean(axis=(1, 2)).round().tolist() for part in pictures]
    assert np.allclose(red, [[200, 200], [40, 40], [7, 7], [80, 120]], atol=6)
    with pytest.raises(ConfigError, match=r"two\.avi needs boxes: .*one for each video"):
        find_clips(videos, SIZE, "visible", boxes[:1])
    with pytest.raises(ConfigError, match=r"2\.csv holds boxes, but only 1 videos"):
        find_clips(videos[:1], SIZE, "visible", boxes)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda d: find_clips([d / "none"], SIZE), "does not exist"),
        (lambda d: find_clips([(d / "hollow").mkdir() or d / "hollow"], SIZE, "visible"), "holds no frames"),
        (lambda d: find_clips([write_frames(d / "x")], SIZE), "--modality"),
        (lambda d: find_clips([write_frames(d / "x")], SIZE, "thermal"), "visible or infrared"),
        (lambda d: find_clips([write_video(d / "v.avi")], SIZE, "visible"), "needs boxes"),
        (lambda d: boxed(d, [(9, 1, 0, 0, 9, 9)]), "ends .* at frame 6"),
        (lambda d: boxed(d, [(1, 1, 70, 0, 9, 9)]), "outside"),
        (lambda d: boxed(d, [(1, 1, "a", 0, 9, 9)]), "line 2 holds no numbers"),
        (lambda d: boxed(d, [(1, 1, 0, 0, 0, 9)]), "is no box"),
        (lambda d: boxed(d, []), "has no boxes"),
    ],
)
def test_bad_inputs_are_named(tmp_path, make, told):
    with pytest.raises((DataError, ConfigError), match=told):
        make(tmp_path)


def boxed(folder, rows):
    video = write_video(folder / "v.avi")
    return find_clips([video], SIZE, "visible", [write_boxes(folder / "b.csv", rows)])[0].source[[0]]


def test_a_planted_person_is_found_and_a_stranger_is_nobody():
    gallery = strangers(40)
    noise = 0.3 * np.random.default_rng(1).standard_normal((64, 2))
    here = descriptors([gallery.embeddings[7] + noise], ["infrared"])
    found = search(gallery, here, top=3)[0]
    assert found.somebody and found.candidates[0].name == "t7" and found.candidates[0].p_value < 1e-6
    assert len(found.candidates) == 3
    assert found.candidates[0].distance < found.candidates[1].distance
    answers = [search(gallery, strangers(1, seed))[0].somebody for seed in range(100, 300)]
    assert np.mean(answers) < 0.08  # level 0.05, and distances are only about normal


def test_a_shift_of_a_whole_modality_changes_no_answer():
    gallery = strangers(30)
    both = descriptors(
        np.concatenate([gallery.embeddings, gallery.embeddings + 3]), ["visible"] * 30 + ["infrared"] * 30
    )
    query = descriptors([gallery.embeddings[4] + 0.1], ["visible"])
    chances = p_values(np.linalg.norm(both.embeddings - query.embeddings[0], axis=1).mean(axis=1), both.types)
    assert chances[4] < 1e-6 and search(both, query)[0].somebody


@pytest.mark.parametrize("count", [8, 25, 200])
def test_p_values_by_simulation(count):
    draws = np.random.default_rng(0).standard_normal((1500, count))
    smallest = np.array([p_values(row, np.array(["visible"] * count)).min() for row in draws])
    # In a small gallery the query's own nearest widens the spread, which errs towards "nobody here".
    for level in (0.05, 0.1):
        share = (smallest < level).mean()
        assert (0.1 if count == 8 else 0.5) * level < share < 1.3 * level


def test_student_against_known_values():
    # Tables: t(5) = -2.015 and t(10) = -2.764 have 5 % and 1 % below them; one degree of freedom is Cauchy's.
    assert _student(np.array([-2.015, 0.0]), 5.0) == pytest.approx([0.05, 0.5], abs=1e-4)
    assert _student(np.array([-2.764]), 10.0) == pytest.approx([0.01], abs=1e-5)
    assert _student(np.array([-1.0, 3.0]), 1.0) == pytest.approx([0.25, 0.5 + np.arctan(3) / np.pi], abs=1e-6)


def test_a_small_gallery_gives_no_verdict():
    found = search(strangers(5), strangers(1, 9))[0]
    assert found.somebody is None and found.candidates[0].p_value is None


def test_descriptors_of_two_networks_are_refused(tmp_path):
    gallery = strangers(9)
    with pytest.raises(DataError, match="different checkpoints"):
        search(gallery, descriptors(gallery.embeddings[:1], ["visible"], sha="b"))
    path = save_descriptors(tmp_path / "f", gallery)
    again = load_descriptors(path)
    assert np.array_equal(again.embeddings, gallery.embeddings) and again.frames == 6 and again.checkpoint == "p"
    np.savez(tmp_path / "other.npz", a=1)
    (tmp_path / "text.npz").write_text("no")
    for name, told in (
        ("other.npz", "no `embeddings`"),
        ("text.npz", "is not what it should be"),
        ("none.npz", "Cannot"),
    ):
        with pytest.raises(DataError, match=told):
            load_descriptors(tmp_path / name)


@pytest.fixture
def trained(world, tmp_path):  # noqa: F811
    """A configuration and a checkpoint of an untrained network."""
    from opengait.config import load_config

    file = write_config(world, tmp_path)
    torch.manual_seed(0)
    network = DinoGRLNet.from_config(load_config(file)["model_cfg"])
    state = {f"network.{k}": v for k, v in network.state_dict().items() if not k.startswith("vision_model.")}
    torch.save({"model": state, "iteration": 1}, tmp_path / "net.pt")
    return file, tmp_path / "net.pt"


def test_the_command_lines(trained, world, tmp_path, capsys):  # noqa: F811
    file, checkpoint = map(str, trained)
    frames = next((world / "data").rglob("*.jpg")).parents[1]  # one person's visible or infrared tracklets
    out = str(tmp_path / "g.npz")
    common = ["--cfgs", file, "--checkpoint", checkpoint, "--modality", "visible", "--set", "trainer_cfg.log_iter=3"]
    assert script("embed")([*common, "--input", str(frames), "--out", out]) == 0
    assert "visible tracklets, 6 frames of each" in capsys.readouterr().out
    gallery = load_descriptors(out)
    assert gallery.overrides == ("trainer_cfg.log_iter=3",)
    query = [gallery.folders[1]]
    answers = ["--json", str(tmp_path / "a.json"), "--picture", str(tmp_path / "a.png")]
    told = ["--gallery", out, "--query", *query, "--modality", "visible", "--top", "2", *answers]
    assert script("search")(told) == 0
    printed = capsys.readouterr().out
    # Described alone and in a batch, the same frames give the same descriptor up to rounding.
    assert gallery.names[1] in printed.splitlines()[2] and "  0.000" in printed
    content = json.loads((tmp_path / "a.json").read_text())
    assert content[0]["candidates"][0]["place"] == 1 and len(content[0]["candidates"]) == 2
    assert Image.open(tmp_path / "a.png").size[0] > 300
    assert script("search")(["--gallery", str(tmp_path / "no.npz"), "--query", *query]) == 2
    assert capsys.readouterr().err.startswith("error: Cannot read")
    for wrong in (["--level", "5"], ["--top", "0"]):
        with pytest.raises(SystemExit):
            script("search")([*told, *wrong])
