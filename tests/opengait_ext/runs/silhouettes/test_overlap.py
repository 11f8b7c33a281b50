"""Overlap with ground truth."""

import json
import shutil

import numpy as np
import pytest
import torch.nn.functional as F
from PIL import Image

from opengait.errors import DataError
from opengait_ext.runs.silhouettes import compare_with_truth, intersection_over_union, silhouettes_of
from tests.opengait_ext.runs.silhouettes.tiny import FRAMES, HEIGHT, WIDTH, ellipse


def test_by_hand():
    mask, truth = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    mask[:2], truth[1:3] = True, True
    assert intersection_over_union(mask, truth) == pytest.approx(4 / 12)
    assert intersection_over_union(mask, mask) == 1
    assert intersection_over_union(mask, ~mask) == 0
    assert intersection_over_union(~mask & mask, ~mask & mask) == 1


def test_thresholds():
    truth = np.array([[True, True, False, False]])
    assert intersection_over_union(np.array([[128, 127, 0, 0]], np.uint8), truth) == 0.5
    assert intersection_over_union(np.array([[0.5, 0.49, 0.9, 0]]), truth) == pytest.approx(1 / 3)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"got \(1, 4\) and \(4, 4\)"):
        intersection_over_union(np.zeros((1, 4), bool), np.zeros((4, 4), bool))


def test_overlap_of_the_masks_of_the_network(exported, network, tracklets, data):
    result = compare_with_truth(exported, tracklets, data, progress=False)
    expected = {"visible": [], "infrared": []}
    for tracklet in tracklets:
        for frame in range(FRAMES):
            mask = silhouettes_of(network, tracklet.source[[frame]]).mask
            mask = F.interpolate(mask, size=(HEIGHT, WIDTH), mode="bilinear")[0, 0].numpy() >= 0.5
            true = ellipse(int(tracklet.label), frame)
            expected[tracklet.type].append((mask & true).sum() / (mask | true).sum())
    for kind, values in expected.items():
        assert result[kind] == pytest.approx(np.mean(values), abs=2e-3)
    assert result["silhouette_iou"] == pytest.approx(np.mean(sum(expected.values(), [])), abs=2e-3)
    assert result["frames"] == 24
    assert json.loads((exported / "iou.json").read_text()) == result


def test_perfect_masks_in_other_sizes_and_layouts_of_the_truth(tracklets, data, tmp_path):
    tracklet = tracklets[2]
    folder = tmp_path / tracklet.folder / "mask"
    folder.mkdir(parents=True)
    for number, name in enumerate(tracklet.names):
        Image.fromarray(ellipse(501, number)).convert("L").save(folder / f"{name}.png")
    for truth in (data, data / "silhouettes", data / "silhouettes" / "Test"):
        result = compare_with_truth(tmp_path, [tracklet], truth, progress=False)
        assert result == {"visible": None, "infrared": 1.0, "silhouette_iou": 1.0, "frames": 3}
    for name in tracklet.names:
        large = Image.open(folder / f"{name}.png").resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.NEAREST)
        large.save(folder / f"{name}.png")
    assert compare_with_truth(tmp_path, [tracklet], data, progress=False)["infrared"] > 0.97


def test_missing_truth_is_named(exported, tracklets, data, tmp_path):
    shutil.copytree(data / "silhouettes", tmp_path / "silhouettes")
    (tmp_path / "silhouettes" / "Test" / "0503" / "ir" / "D5" / "6.png").unlink()
    with pytest.raises(DataError, match=r"0503/ir/D5/6\.jpg has no true"):
        compare_with_truth(exported, tracklets, tmp_path, progress=False)
    with pytest.raises(DataError, match="no folder of true silhouettes .*none"):
        compare_with_truth(exported, tracklets, tmp_path / "none")
