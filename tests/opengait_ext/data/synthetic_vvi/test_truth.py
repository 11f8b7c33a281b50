"""What comes with every synthetic frame: parsing maps, joints, and other people who cover them."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from opengait_ext.data.hitsz_vcm.reader import HITSZVCM
from opengait_ext.data.masks import open_masks
from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate, tracklet
from opengait_ext.data.synthetic_vvi.settings import INFRARED, VISIBLE
from opengait_ext.data.synthetic_vvi.tracklet import Drawn, TrackletKey, render, who
from opengait_ext.data.synthetic_vvi.truth import COVERED, JOINTS, OUTSIDE
from opengait_ext.data.synthetic_vvi.truth import VISIBLE as SHOWN

CONFIG = SyntheticConfig(frames=12, occlusion=0.0, crowd=0.0, motion_blur=0.0)
PEOPLE = range(1, 13)


def keys(pids: range = PEOPLE) -> list[TrackletKey]:
    return [TrackletKey(pid, modality, 1 + pid % 4, 1) for pid in pids for modality in (VISIBLE, INFRARED)]


@pytest.fixture(scope="module")
def walks() -> dict[TrackletKey, list[Drawn]]:
    return {key: list(render(CONFIG, key)) for key in keys()}


def test_parsing_covers_the_silhouette_but_for_bags(walks) -> None:
    seen_bags = 0
    for key, frames in walks.items():
        bag = who(CONFIG, key.pid)[0].baggage != "none"
        for drawn in frames:
            person = drawn.silhouette > 0
            assert not drawn.parsing[~person].any()
            missing = person & (drawn.parsing == 0)
            assert bag or not missing.any()
            seen_bags += missing.any()
            assert missing.mean() < 0.35 * person.mean()
    assert seen_bags > 20


def test_classes_are_those_of_the_clothes(walks) -> None:
    for key, frames in walks.items():
        person = who(CONFIG, key.pid)[0]
        classes = set(np.unique([drawn.parsing for drawn in frames]))
        assert classes <= {0, 1, 2, 5, 7, 9, 12, 13, 14, 15, 16, 17, 18, 19}
        assert (7 in classes) == (person.upper in ("jacket", "coat")) != (5 in classes)
        assert (12 in classes) == ("skirt" in person.lower) != (9 in classes)
        assert (1 in classes) == (person.hair in ("cap", "beanie", "hood"))
        assert {18, 19} & classes


def test_sides_are_the_persons_own() -> None:
    """A person who walks to the right shows the right side; from behind, the left shoe is on the left."""
    shoes = np.zeros((2, 2))
    for pid in PEOPLE:
        for column, opposite in enumerate((0.0, 1.0)):
            config = replace(CONFIG, view_spread=0.0, turning=0.0, opposite=opposite)
            for drawn in render(config, TrackletKey(pid, VISIBLE, 1, 1)):
                shoes[:, column] += [(drawn.parsing == label).sum() for label in (18, 19)]
    assert shoes[1, 0] > shoes[0, 0] and shoes[0, 1] > shoes[1, 1]

    joints = np.stack([drawn.joints for pid in PEOPLE for drawn in render(_behind(), TrackletKey(pid, VISIBLE, 1, 1))])
    left, right = (joints[:, JOINTS.index(f"{side}_shoulder"), 0] for side in ("left", "right"))
    assert (left < right).all()


def _behind() -> SyntheticConfig:
    """Return a configuration whose only camera may look from behind or from the front, with the first."""
    for seed in range(100):
        config = replace(CONFIG, cameras=2, view_spread=90.0, turning=0.0, opposite=0.0, seed=seed)
        if tracklet.draw_view(config, 1, 1, np.random.default_rng(0)).away > 0.9:
            return config
    raise AssertionError


def test_visible_joints_lie_on_the_silhouette(walks) -> None:
    shown = []
    for frames in walks.values():
        for drawn in frames:
            assert drawn.joints.shape == (17, 3)
            for x, y, visibility in drawn.joints:
                inside = 0 <= x < 64 and 0 <= y < 128
                assert (visibility == OUTSIDE) != inside
                if visibility == SHOWN:
                    assert drawn.silhouette[int(y), int(x)] > 0
            shown.append(drawn.joints[:, 2] == SHOWN)
    shares = dict(zip(JOINTS, np.mean(shown, axis=0), strict=True))
    assert all(0.2 < share < 0.99 for share in shares.values()), shares


def test_joints_lie_in_their_parts(walks) -> None:
    """Where they show, ankles are on legs or shoes of their side, wrists on arms, and faces on heads."""
    labels = {"left_ankle": {5, 7, 9, 12, 16, 18}, "right_ankle": {7, 9, 12, 17, 19}, "nose": {13}, "left_eye": {1, 13}}
    labels |= {"left_wrist": {5, 7, 14}, "right_wrist": {5, 7, 15}}
    right = total = 0
    for frames in walks.values():
        for drawn in frames:
            for name, expected in labels.items():
                x, y, visibility = drawn.joints[JOINTS.index(name)]
                if visibility == SHOWN:
                    total += 1
                    right += drawn.parsing[int(y), int(x)] in expected
    assert total > 300 and right / total > 0.97


def test_far_limbs_are_covered_in_profile() -> None:
    config = replace(CONFIG, view_spread=0.0, turning=0.0, opposite=0.0)
    joints = np.stack([drawn.joints for pid in PEOPLE for drawn in render(config, TrackletKey(pid, VISIBLE, 1, 1))])
    shown = dict(zip(JOINTS, (joints[..., 2] == SHOWN).mean(axis=0), strict=True))
    for joint in ("shoulder", "hip", "ear"):
        assert shown[f"left_{joint}"] < 0.15
    assert shown["right_shoulder"] > 0.8 and shown["right_hip"] > 0.4 and shown["right_knee"] > 0.9


def test_a_passer_by_covers_the_person_and_changes_nothing_else() -> None:
    lost = covered = 0
    for key in keys():
        alone, crowded = (list(render(replace(CONFIG, crowd=crowd), key)) for crowd in (0.0, 1.0))
        assert len(alone) == len(crowded)
        before, after = (np.stack([drawn.silhouette > 0 for drawn in frames]) for frames in (alone, crowded))
        assert not (after & ~before).any()
        lost += (after.sum(axis=(1, 2)) < 0.7 * before.sum(axis=(1, 2))).any()
        for first, second, mask in zip(alone, crowded, after, strict=True):
            assert np.array_equal(first.joints[:, :2], second.joints[:, :2])
            assert (second.joints[:, 2] <= first.joints[:, 2]).all()
            covered += (second.joints[:, 2] < first.joints[:, 2]).sum()
            assert not second.parsing[~mask].any()
            assert np.array_equal(second.parsing[mask], first.parsing[mask]) or (
                np.mean(second.parsing[mask] == first.parsing[mask]) > 0.95  # edges
            )
        changed = np.stack([cv2.absdiff(a.frame, b.frame).max() > 30 for a, b in zip(alone, crowded, strict=True)])
        assert changed.any()
    assert lost > 0.9 * len(keys()) and covered > 100


def test_an_occluder_covers_joints() -> None:
    covered = 0
    for key in keys():
        for free, hidden in zip(render(CONFIG, key), render(replace(CONFIG, occlusion=1.0), key), strict=True):
            assert np.array_equal(free.joints[:, :2], hidden.joints[:, :2])
            now = hidden.joints[:, 2] < free.joints[:, 2]
            assert (hidden.joints[now, 2] == COVERED).all()
            covered += now.sum()
    assert covered > 100


def test_the_folder_holds_the_truth_of_every_frame(tmp_path) -> None:
    config = SyntheticConfig(train_identities=1, test_identities=1, cameras=1, tracklets=2, frames=4, size=(64, 32))
    generate(tmp_path, config)
    frames = sorted(tmp_path.glob("T*/**/*.jpg"))
    assert len(frames) >= 2 * 2 * 2 * 3
    for frame in frames:
        place = frame.relative_to(tmp_path)
        parsing = cv2.imread(str((tmp_path / "parsing" / place).with_suffix(".png")), cv2.IMREAD_UNCHANGED)
        silhouette = cv2.imread(str((tmp_path / "silhouettes" / place).with_suffix(".png")), cv2.IMREAD_UNCHANGED)
        assert parsing.shape == silhouette.shape == (64, 32) and parsing.dtype == np.uint8
        assert not parsing[silhouette == 0].any() and parsing.max() <= 19
        content = json.loads((tmp_path / "joints" / place.parent).with_suffix(".json").read_text())
        joints = np.array(content["frames"][frame.stem])
        assert content["names"] == list(JOINTS) and joints.shape == (17, 3)
        assert set(joints[:, 2]) <= {0, 1, 2}
    files = {path.stem for path in (tmp_path / "Train/0001/ir/D1").iterdir()}
    assert files == json.loads((tmp_path / "joints/Train/0001/ir/D1.json").read_text())["frames"].keys()


@pytest.mark.parametrize(("folder", "classes"), [("silhouettes", None), ("parsing", [[5, 7], [9, 12], [13]])])
def test_masks_of_training_may_be_either(tmp_path, folder, classes) -> None:
    config = SyntheticConfig(train_identities=2, test_identities=1, cameras=1, frames=4, size=(64, 32))
    generate(tmp_path, config)
    tracklets = HITSZVCM(tmp_path, minimum_frames=1).train
    settings = {"dataset_root": str(tmp_path), "mask_root": str(tmp_path / folder), "mask_classes": classes}
    masks = open_masks(settings, tracklets)
    assert not list(masks.check(tracklets)) and not list(masks.sample(tracklets))
    frames = masks.source(tracklets[0].frames, (64, 32))[[0, 1]]
    assert frames.shape == (2, len(classes or [0]), 64, 32) and all(frames.any(axis=(0, 2, 3)))
