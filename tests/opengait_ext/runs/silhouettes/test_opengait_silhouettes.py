"""Masks as OpenGait silhouette folders."""

import json

import cv2
import numpy as np
from PIL import Image

from opengait.data.dataset import DataSet
from opengait_ext.runs.silhouettes import align_silhouette, write_opengait_silhouettes
from tests.opengait_ext.runs.silhouettes.tiny import HEIGHT, WIDTH, picture


def test_alignment_by_hand():
    """A block of 32 rows and 10 columns at columns 3 to 12 becomes 64 x 20, halved by column 32."""
    silhouette = np.zeros((100, 50), np.uint8)
    silhouette[40:72, 3:13] = 255
    aligned = align_silhouette(silhouette)
    assert aligned.shape == (64, 64) and aligned.dtype == np.uint8
    # Resized by 2 the block covers columns 6 to 25; ten of its columns hold half, the first with more is 16.
    assert (aligned[:, 23:41] == 255).all()
    assert (aligned[:, :21] == 0).all() and (aligned[:, 43:] == 0).all()
    half = np.argmax(aligned.sum(axis=0, dtype=int).cumsum() > aligned.sum(dtype=int) / 2)
    assert half == 32


def test_padding_near_the_border():
    silhouette = np.zeros((64, 200), np.uint8)
    silhouette[:, 150:190] = 255
    aligned = align_silhouette(silhouette)
    assert (aligned[:, 12:52] == 255).all() and (aligned[:, :12] == 0).all() and (aligned[:, 52:] == 0).all()


def test_alignment_agrees_with_a_slow_reference(tracklets, data):
    truth = data / "silhouettes" / "Test" / "0503" / "ir" / "D5" / "11.png"
    silhouette = np.asarray(Image.open(truth).convert("L"))
    rows = [row for row in range(HEIGHT) if silhouette[row].sum() > 0]
    cut = silhouette[rows[0] : rows[-1] + 1]
    resized = cv2.resize(cut, (int(64 * WIDTH / len(cut)), 64), interpolation=cv2.INTER_CUBIC)
    total, middle = resized.sum(dtype=int), 0
    while resized[:, : middle + 1].sum(dtype=int) <= total / 2:
        middle += 1
    padded = np.zeros((64, resized.shape[1] + 64), np.uint8)
    padded[:, 32:-32] = resized
    np.testing.assert_array_equal(align_silhouette(silhouette), padded[:, middle : middle + 64])


def test_almost_empty_silhouettes_are_skipped():
    silhouette = np.zeros((64, 64), np.uint8)
    assert align_silhouette(silhouette) is None
    silhouette[:39, 30] = 255
    assert align_silhouette(silhouette) is None
    silhouette[39, 30] = 255
    assert align_silhouette(silhouette) is not None


def test_engine_reads_the_folders(exported, tracklets):
    masks = [exported / t.folder / "mask" / f"{name}.png" for t in tracklets for name in t.names]
    visible = sum(int((picture(mask) >= 128).sum()) * 255 > 10_000 for mask in masks)
    assert visible > 12
    summary = write_opengait_silhouettes(exported, tracklets, progress=False)
    assert (summary.frames, summary.frames + summary.empty_frames) == (visible, 24)
    for folder, width in (("silhouettes-64x64", 64), ("silhouettes-64x44", 44)):
        cfg = {
            "dataset_root": str(exported / folder),
            "dataset_partition": str(exported / "silhouettes.json"),
        }
        dataset = DataSet(cfg, training=False)
        assert len(dataset) == summary.tracklets
        frames = 0
        for index in range(len(dataset)):
            (source,), (label, kind, view, _) = dataset[index]
            assert any((t.label, t.type, t.view) == (label, kind, view) for t in tracklets)
            stack = source[range(len(source))]
            assert stack.shape == (len(source), 64, width) and stack.dtype == np.uint8
            frames += len(source)
        assert frames == visible


def test_narrow_is_the_middle_of_wide_and_soft_keeps_grey(exported, tracklets, tmp_path):
    tracklet = tracklets[0]
    out = tmp_path / "out"
    folder = out / tracklet.folder / "mask"
    folder.mkdir(parents=True)
    for name in tracklet.names:
        mask = np.full((80, 64), 3, np.uint8)  # masks are never exactly zero
        mask[5:69, 20:40] = 200
        mask[5:69, 18:20] = 100
        Image.fromarray(mask).save(folder / f"{name}.png")
    stacks = {}
    for soft in (False, True):
        write_opengait_silhouettes(out, [tracklet], training=soft, soft=soft, progress=False)
        wide, narrow = (
            np.load(out / f"silhouettes-64x{width}" / tracklet.folder / f"{tracklet.view}.pkl", allow_pickle=True)
            for width in (64, 44)
        )
        np.testing.assert_array_equal(narrow, wide[:, :, 10:54])
        stacks[soft] = wide
    assert stacks[False][0, 32, 32] == 255 and stacks[True][0, 32, 32] == 200
    # The person is centred on column 30, computed without the uncertain columns; two columns are padding.
    assert stacks[False][0, 0].tolist() == [0] * 22 + [255] * 20 + [0] * 22
    assert stacks[True][0, 0].tolist() == [0] * 2 + [3] * 18 + [100] * 2 + [200] * 20 + [3] * 22
    partition = json.loads((out / "silhouettes.json").read_text())
    assert partition == {"TRAIN_SET": ["0501"], "TEST_SET": ["0501"]}
