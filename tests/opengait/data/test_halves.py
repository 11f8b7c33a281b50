"""Halves of tracklets: the frames that the public code of BUPTCampus picks, and nothing else of a dataset changed."""

import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from opengait.data.frame_picker import FramePicker
from opengait.data.halves import HALVES, HalfTracklets
from tests.paths import ROOT

PICKS = json.loads((ROOT / "tests/golden/vvi/sampling_expected.json").read_text())["cases"]


class Tracklets:
    """Tracklets of numbered frames, one of each length, with two features."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = lengths
        self.label_set = ["a"]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> tuple[list, list]:
        frames = np.arange(self.lengths[index])
        return [frames, [np.full(2, frame) for frame in frames]], ["a", "visible", "c1", []]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("case", PICKS)
def test_frames_are_those_of_the_public_code(case, half):
    frames, length = (int(part[1:]) for part in case.split("_"))
    (first, second), info = HalfTracklets(Tracklets([length]), half)[0]
    indices = FramePicker("fixed", "uniform", fixed=frames)(len(first))
    assert first[indices].tolist() == PICKS[case][half] == second[indices][:, 0].tolist()
    assert info == ["a", "visible", "c1", []] and len(first) == len(second)


@pytest.mark.parametrize(("length", "first", "second"), [(0, 0, 0), (1, 1, 1), (2, 1, 1), (7, 3, 4)])
def test_a_single_frame_is_both_halves(length, first, second):
    assert [len(HalfTracklets(Tracklets([length]), half)[0][0][0]) for half in HALVES] == [first, second]


def test_everything_else_is_that_of_the_dataset():
    halves = pickle.loads(pickle.dumps(HalfTracklets(Tracklets([4, 5]), "second_half")))
    assert len(halves) == 2 and halves.label_set == ["a"]
    with pytest.raises(AttributeError):
        _ = halves.missing
    lazy = HalfTracklets(SimpleNamespace(__getitem__=None), "first_half")
    assert lazy.half == 0
