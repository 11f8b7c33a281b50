"""Tracks of people who cross a drawn street."""

import numpy as np
import pytest
import torch
from torchvision.models import detection
from torchvision.ops import box_iou

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.search.boxes import read_boxes
from opengait_ext.search.decode import open_video
from opengait_ext.track import Motion, TorchvisionDetector, follow, track_video
from tests.opengait_ext.clips import write_street
from tests.opengait_ext.runs.stand_in_runs import command

pytest.importorskip("norfair")


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """Return a video, and the true boxes of its people."""
    path = tmp_path_factory.mktemp("street") / "street.mp4"
    return path, write_street(path)


def overlaps(rows, truth):
    """Return the IoU of each row with the true box of its frame."""
    corners = [torch.tensor(np.c_[boxes[:, 1:3], boxes[:, 1:3] + boxes[:, 3:]]) for boxes in (rows, truth[rows[:, 0]])]
    return box_iou(*corners).diagonal().numpy()


def test_motion_finds_each_walker_as_one_track(street, tmp_path):
    path, truth = street
    summary = track_video(path, tmp_path / "boxes.txt", Motion())
    tracks = read_boxes(tmp_path / "boxes.txt").inside(open_video(path).size).tracks
    assert summary.tracks == len(tracks) == len(truth) and summary.frames == 50
    assert summary.boxes == sum(map(len, tracks.values())) and summary.seconds == pytest.approx(4.9)
    owners = set()
    for rows in tracks.values():
        person = max(truth, key=lambda person, rows=rows: overlaps(rows, truth[person]).mean())
        owners.add(person)
        assert len(rows) > 40 and np.median(overlaps(rows, truth[person])) > 0.6
    assert len(owners) == len(truth)
    assert track_video(path, tmp_path / "none.txt", Motion(), least_seconds=9).tracks == 0


class TruthWithAGap:
    """A detector that loses its only person in frames 20 to 27."""

    def __init__(self, truth):
        self.truth, self.number = truth, -1

    def learn(self, frames, rate):
        assert rate == pytest.approx(10, abs=0.3) and len(list(frames)) == 50

    def __call__(self, frame):
        self.number += 1
        _, x, y, w, h = self.truth[self.number]
        gone = 20 <= self.number < 28
        return np.array([[x, y, x + w, y + h]][gone:], float).reshape(-1, 4), np.full(1 - gone, 0.9)


@pytest.mark.parametrize(("lost_seconds", "count"), [(1.5, 1), (0.3, 2)])
def test_hidden_people_are_found_again_within_the_given_time(street, tmp_path, lost_seconds, count):
    path, truth = street
    summary = track_video(path, tmp_path / "b.txt", TruthWithAGap(truth[0]), lost_seconds=lost_seconds)
    assert (summary.tracks, summary.boxes) == (count, 42)
    first = (tmp_path / "b.txt").read_text().splitlines()[0].split(",")
    assert first[:2] == ["1", "1"] and first[6:] == ["0.90", "-1", "-1", "-1"]


def test_detectors_of_torchvision(tmp_path):
    network = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)
    with torch.no_grad():
        # Everything is a person: class 1 outweighs the others.
        for head in network.head.classification_head.module_list:
            head[1].bias.view(-1, 91)[:, 1] = 9
    torch.save(network.state_dict(), tmp_path / "w.pth")
    detector = TorchvisionDetector("ssdlite320_mobilenet_v3_large", tmp_path / "w.pth", torch.device("cpu"))
    boxes, scores = detector(np.zeros((96, 128, 3), np.uint8))
    assert boxes.shape == (len(scores), 4) and len(scores) > 0 and scores.min() >= 0.5
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="ssdlite320_mobilenet_v3_large cannot be loaded"):
        TorchvisionDetector("ssdlite320_mobilenet_v3_large", tmp_path / "other.pth", torch.device("cpu"))
    with pytest.raises(ConfigError, match="'yolo' is unknown; choose motion or fasterrcnn"):
        TorchvisionDetector("yolo", None, torch.device("cpu"))


def test_the_command_writes_beside_the_video(street, capsys, monkeypatch):
    path, _ = street
    assert command("track")([str(path)]) == 0
    assert "street.mp4: 3 tracks" in capsys.readouterr().out
    assert len(read_boxes(path.with_name("street.boxes.txt")).tracks) == 3
    assert command("track")([str(path), "--least-seconds", "9", "--out", str(path.with_name("none.txt"))]) == 0
    assert "Nobody was found" in capsys.readouterr().err
    assert command("track")([str(path), str(path), "--out", "x.txt"]) == 2
    assert command("track")([str(path.with_name("none.mp4"))]) == 2
    assert "none.mp4" in capsys.readouterr().err
    monkeypatch.setattr(follow, "norfair", None)
    assert command("track")([str(path)]) == 2
    assert 'pip install "opengait-dinogrl[track]"' in capsys.readouterr().err
