"""Masks of another network: reading, augmentation with their frames, and files."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from opengait.data.loader import build_loader
from opengait.errors import ConfigError, DataError
from opengait_ext.data.augment import CrossModalAugmentation, Normalise
from opengait_ext.data.channels import IMAGENET_MEAN, IMAGENET_STD
from opengait_ext.data.check_data import check_dataset
from opengait_ext.data.masks import MaskFolder, MaskTransform, open_masks
from opengait_ext.data.readers import CrossModalDataSet, HITSZVCMDataSet
from opengait_ext.data.tracklet import Modality, Tracklet
from tests.opengait_ext.runs.stand_in_runs import draw_people

HEIGHT, WIDTH, FRAMES = 24, 16, 9
TRAIN = {"type": "TripletSampler", "batch_size": [2, 2], "sample_type": "fixed_unordered", "frames_num_fixed": 5}
TEST = {"type": "InferenceSampler", "batch_size": 4, "sample_type": "fixed_uniform", "frames_num_fixed": 4}


def save(path: Path, values: np.ndarray, mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(values)
    if mode == "P":
        picture.putpalette([number % 256 for number in range(7, 7 + 768)])
        assert picture.mode == "P"
    (picture.convert("1") if mode == "1" else picture).save(path)
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> tuple[Path, list[Tracklet]]:
    """Write frames that are their own masks: noise of 0 and 255, with another pattern in every frame."""
    root = tmp_path_factory.mktemp("world")
    noise = np.random.default_rng(0)
    tracklets = []
    for person, modality in itertools.product((1, 2), Modality):
        names = [Path(f"{person:04d}/{modality}/{number}") for number in range(FRAMES)]
        for name in names:
            pattern = noise.integers(0, 2, (HEIGHT, WIDTH), dtype=np.uint8) * 255
            save(root / "frames" / name.with_suffix(".bmp"), pattern)
            save(root / "masks" / name.with_suffix(".png"), pattern)
        frames = tuple((root / "frames" / name).with_suffix(".bmp") for name in names)
        tracklets.append(Tracklet(person, modality, 1, frames, len(tracklets)))
    return root, tracklets


def dataset_of(world) -> CrossModalDataSet:
    root, tracklets = world
    masks = open_masks({"dataset_root": str(root / "frames"), "mask_root": str(root / "masks")}, tracklets)
    return CrossModalDataSet(tracklets, [f"{t.person:04d}" for t in tracklets], (HEIGHT, WIDTH), masks=masks)


def batches(world, count: int = 1, workers: int = 0, **settings) -> list:
    loader = build_loader(
        dataset_of(world),
        TRAIN,
        [CrossModalAugmentation(**settings), MaskTransform()],
        training=True,
        seed=1,
        num_workers=workers,
    )
    return list(itertools.islice(loader, count))


def as_masks(frames: torch.Tensor) -> torch.Tensor:
    """Convert normalised frames of 0 and 255 to 0 and 1: `[..., 3, h, w]` to `[..., 1, h, w]`."""
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (IMAGENET_MEAN, IMAGENET_STD))
    return (frames * std + mean)[..., :1, :, :]


class TestTogether:
    @pytest.mark.parametrize("per_frame", [False, True])
    def test_masks_move_with_their_frames(self, world, per_frame):
        still = 0
        for (frames, masks), *_ in batches(world, 6, pad=5, erasing=0.0, adaptive_grey=None, per_frame=per_frame):
            assert masks.shape == (4, 5, 1, HEIGHT, WIDTH) and masks.dtype == torch.float32
            torch.testing.assert_close(as_masks(frames), masks, atol=1e-5, rtol=0)
            still += sum(bool((mask[:, :, 0] > 0).any() and (mask[:, :, -1] > 0).any()) for mask in masks)
        assert still < 24  # a crop that moves brings zeros in

    def test_only_frames_are_erased(self, world):
        settings = {"pad": 3, "adaptive_grey": None}
        ((erased, masks), *_), ((_, masks_without_erasing), *_) = (
            batches(world, **settings, erasing=erasing)[0] for erasing in (1.0, 0.0)
        )
        assert torch.equal(masks, masks_without_erasing)
        assert set(masks.unique().tolist()) == {0.0, 1.0}
        changed = (as_masks(erased) - masks).abs().amax(dim=(1, 2)) > 0.1
        assert changed.flatten(1).any(dim=1).all() and not changed.flatten(1).all(dim=1).any()

    def test_workers_do_not_change_the_batches(self, world):
        for one, two in zip(batches(world, 2), batches(world, 2, workers=2), strict=True):
            assert torch.equal(one[0][0], two[0][0]) and torch.equal(one[0][1], two[0][1])

    def test_masks_are_not_moved_in_test(self, world):
        transforms = [Normalise(), MaskTransform()]
        (frames, masks), *_ = next(iter(build_loader(dataset_of(world), TEST, transforms, training=False, seed=0)))
        torch.testing.assert_close(as_masks(frames), masks, atol=1e-5, rtol=0)
        root, tracklets = world
        for index, number in enumerate([0, 2, 4, 6]):
            expected = np.asarray(Image.open(root / "masks/0001/visible" / f"{number}.png")) / 255
            np.testing.assert_array_equal(masks[0, index, 0], expected)

    def test_only_the_drawn_frames_are_decoded(self, world, monkeypatch):
        opened = []
        read = MaskFolder.read
        monkeypatch.setattr(MaskFolder, "read", lambda self, path, size: opened.append(path) or read(self, path, size))
        sources, info = dataset_of(world)[0]
        assert len(sources) == 2 and len(sources[1]) == FRAMES and type(info) is list
        picked = sources[1][[7, 2, 7]]
        assert [path.name for path in sorted(opened)] == ["2.png", "7.png"]
        assert np.array_equal(picked[0], picked[2]) and not np.array_equal(picked[0], picked[1])
        assert sources[1][[]].shape == (0, 1, HEIGHT, WIDTH)

    def test_without_masks_there_is_one_feature(self, world):
        _, tracklets = world
        sources, info = CrossModalDataSet(tracklets, ["a"] * len(tracklets), (HEIGHT, WIDTH))[0]
        assert len(sources) == 1 and type(info) is list


class TestFiles:
    SIZE = (4, 6)

    def read(self, tmp_path, values, mode="L", size=SIZE, **settings):
        path = save(tmp_path / "masks/1.png", np.asarray(values, np.uint8), mode)
        return MaskFolder(tmp_path / "masks", tmp_path / "frames", **settings).read(path, size)

    @pytest.fixture
    def parsing(self):
        return np.arange(24, dtype=np.uint8).reshape(self.SIZE) % 20

    @pytest.mark.parametrize("mode", ["L", "P"])
    def test_classes(self, tmp_path, parsing, mode):
        assert np.array_equal(self.read(tmp_path, parsing, mode)[0], np.where(parsing > 0, 255, 0))
        chosen = self.read(tmp_path, parsing, mode, classes=[2, 13])
        assert chosen.shape == (1, *self.SIZE) and chosen.dtype == np.uint8
        assert np.array_equal(chosen[0] > 0, np.isin(parsing, [2, 13])) and set(np.unique(chosen)) == {0, 255}
        groups = self.read(tmp_path, parsing, mode, classes=[[2, 13], [5], [0]])
        for index, group in enumerate(([2, 13], [5], [0])):
            assert np.array_equal(groups[index] == 255, np.isin(parsing, group))

    def test_one_bit_and_zero_to_255(self, tmp_path):
        for mode in ("L", "1"):
            assert self.read(tmp_path, [[0, 255], [255, 0]], mode, (2, 2))[0].tolist() == [[0, 255], [255, 0]]
            assert self.read(tmp_path, [[0, 255]], mode, (1, 2), soft=True)[0].tolist() == [[0, 255]]

    def test_classes_are_resized_by_the_nearest_pixel(self, tmp_path):
        parsing = np.array([[1, 19], [5, 0]])
        large = self.read(tmp_path, parsing, size=(4, 6), classes=[[1], [19], [5], [10]])
        expected = parsing.repeat(2, axis=0).repeat(3, axis=1)
        for index, number in enumerate((1, 19, 5)):
            assert np.array_equal(large[index] == 255, expected == number)
        assert not large[3].any()  # nothing lies between two classes

    def test_soft_masks_keep_their_values(self, tmp_path):
        assert self.read(tmp_path, [[0, 40, 200, 255]], size=(1, 4), soft=True)[0].tolist() == [[0, 40, 200, 255]]
        assert self.read(tmp_path, [[0, 255]], size=(1, 1), soft=True)[0, 0, 0] in (127, 128)

    def test_colour_images_are_refused(self, tmp_path, parsing):
        with pytest.raises(DataError, match=r"1\.png: .*grey or palette PNG.*mode RGB"):
            self.read(tmp_path, np.stack([parsing] * 3, axis=-1))
        with pytest.raises(DataError, match="a grey PNG .*probabilities.*mode P"):
            self.read(tmp_path, parsing, "P", soft=True)

    def test_damaged_and_missing_files_are_named(self, tmp_path):
        folder = MaskFolder(tmp_path, tmp_path)
        with pytest.raises(DataError, match=r"Cannot read the mask .*1\.png"):
            folder.read(tmp_path / "1.png", self.SIZE)
        (tmp_path / "1.png").write_bytes(b"\x89PNG")
        with pytest.raises(DataError, match=r"Cannot read the mask .*1\.png"):
            folder.read(tmp_path / "1.png", self.SIZE)

    @pytest.mark.parametrize("classes", [[], [256], [-1], [True], "1", 3, [[]], [[1], 2], [1.0]])
    def test_unusable_classes(self, tmp_path, classes):
        with pytest.raises(ConfigError, match=r"mask_classes: .*from 0 to 255"):
            MaskFolder(tmp_path, tmp_path, classes)


class TestKeys:
    def test_every_missing_mask_is_counted_and_the_first_named(self, world, tmp_path):
        root, tracklets = world
        for path in sorted((root / "masks").rglob("*.png")):
            if path.parent.name == "visible" and path.stem not in ("3", "4"):
                save(tmp_path / path.relative_to(root / "masks"), np.asarray(Image.open(path)))
        cfg = {"dataset_root": str(root / "frames"), "mask_root": str(tmp_path)}
        with pytest.raises(DataError, match=r"visible/\d\.png: 22 of 36 frames"):
            open_masks(cfg, tracklets)
        assert open_masks(cfg, []).maps == 1

    @pytest.mark.parametrize(
        ("keys", "error", "message"),
        [
            ({"mask_classes": [1]}, ConfigError, "mask_classes is set without data_cfg.mask_root"),
            ({"mask_soft": True}, ConfigError, "mask_soft is set without data_cfg.mask_root"),
            ({"mask_root": "/nowhere/at/all"}, DataError, "no folder of masks /nowhere/at/all; .*MASKS.md"),
            ({"mask_root": ".", "mask_soft": "yes"}, ConfigError, "mask_soft: .*'yes'"),
            (
                {"mask_root": ".", "mask_soft": True, "mask_classes": [1]},
                ConfigError,
                "remove data_cfg.mask_classes",
            ),
        ],
    )
    def test_unusable_keys(self, keys, error, message):
        with pytest.raises(error, match=message):
            open_masks({"dataset_root": "."} | keys, [])

    def test_the_reader_opens_masks(self, tmp_path):
        data = draw_people(tmp_path / "data", train=1, test=1)
        cfg = {"dataset_root": str(data), "frame_size": [64, 32], "mask_root": str(data / "silhouettes")}
        for training in (True, False):
            dataset = HITSZVCMDataSet(cfg, training)
            (frames, masks), (_, kind, _, paths) = dataset[0]
            assert frames[[3]].shape == (1, 3, 64, 32) and masks[[3]].shape == (1, 1, 64, 32)
            true = np.asarray(Image.open(data / "silhouettes" / paths[3].relative_to(data).with_suffix(".png")))
            assert kind == "visible" and np.array_equal(masks[[3]][0, 0] == 255, true)
        (data / "silhouettes/Test/0501/ir/D1/6.png").unlink()
        with pytest.raises(DataError, match=r"Test/0501/ir/D1/6\.png: 1 of"):
            HITSZVCMDataSet(cfg, False)


def masks_of(values: list[int]) -> np.ndarray:
    return np.resize(np.array(values, np.uint8), (HEIGHT, WIDTH))


class TestValues:
    """What a start says to masks of another scale, and what the check of the dataset says."""

    def problems(self, world, tmp_path, values, caplog, size=None, **keys) -> str:
        """Write masks that hold these values, and return the error or the warnings of a start."""
        root, tracklets = world
        picture = masks_of(values) if size is None else np.resize(np.array(values, np.uint8), size)
        for tracklet in tracklets:
            for frame in tracklet.frames:
                save(tmp_path / frame.relative_to(root / "frames").with_suffix(".png"), picture)
        cfg = {"dataset_root": str(root / "frames"), "mask_root": str(tmp_path)} | keys
        caplog.clear()
        try:
            open_masks(cfg, tracklets)
        except DataError as error:
            return f"error: {error}"
        return " ".join(caplog.messages)

    @pytest.mark.parametrize(
        ("values", "keys", "message"),
        [
            ([0, 255], {"mask_classes": [1, 2, 13]}, "error: .*0 and 255; remove mask_classes"),
            ([255], {"mask_classes": [[1], [2]]}, "error: .*0 and 255; remove mask_classes"),
            ([0, 10, 200], {"mask_classes": [1, 2]}, r"error: .*0, 10, 200 in 4 masks.*no foreground"),
            ([0, 1], {"mask_soft": True}, "error: .*0, 1 in 4 masks.*mask_soft"),
            ([0, 1, 2, 19], {"mask_soft": True}, "error: .*mask_soft"),
            ([0], {}, "error: .*no foreground"),
            ([1, 2], {}, "error: .*background"),
            (list(range(256)), {}, "error: .*256 different.*set mask_soft: true"),
            ([0, 1], {"mask_classes": [1, 2, 13]}, "^[^e].*may be masks"),
            ([0, 1, 5], {"mask_classes": [[1], [9]]}, "^[^e].*map 2 of"),
        ],
    )
    def test_of_another_scale(self, world, tmp_path, caplog, values, keys, message):
        assert re.search(message, self.problems(world, tmp_path, values, caplog, **keys))

    @pytest.mark.parametrize(
        ("values", "keys"),
        [
            ([0, 255], {}),
            ([0, 1], {}),
            ([0, 1, 2, 13, 255], {"mask_classes": [1, 2, 13]}),
            ([0, 255], {"mask_classes": [255]}),
            (list(range(256)), {"mask_soft": True}),
            ([0, 255], {"mask_soft": True}),
            ([0, 5, 19], {}),
        ],
    )
    def test_fitting_ones_are_no_problem(self, world, tmp_path, caplog, values, keys):
        assert self.problems(world, tmp_path, values, caplog, **keys) == ""

    @pytest.mark.parametrize(("size", "warns"), [((HEIGHT, WIDTH), 0), ((48, 32), 0), ((16, 24), 1), ((24, 24), 1)])
    def test_another_aspect(self, world, tmp_path, caplog, size, warns):
        said = self.problems(world, tmp_path, [0, 255], caplog, size)
        assert (f"{size[0]} x {size[1]} for a frame of 24 x 16" in said) == bool(warns)

    def test_frames_cannot_be_their_own_masks(self, tmp_path):
        frame = save(tmp_path / "1/visible/1.png", masks_of([0, 1]))
        tracklet = Tracklet(1, Modality.VISIBLE, 1, (frame,), 1)
        with pytest.raises(DataError, match=r"1\.png would be its own mask"):
            open_masks({"dataset_root": str(tmp_path), "mask_root": str(tmp_path)}, [tracklet])

    def test_the_check_opens_every_mask(self, tmp_path):
        data = draw_people(tmp_path / "data", train=1, test=1)
        cfg = {"minimum_frames": 1, "mask_root": str(data / "silhouettes")}
        report, _ = check_dataset("hitsz", data, fast=True, workers=1, data_cfg=cfg)
        assert report.problems == [] and "masks checked: values 0, " in report.text()
        report, _ = check_dataset("hitsz", data, fast=True, workers=1, data_cfg=cfg | {"mask_soft": True})
        assert report.problems == []
        save(data / "silhouettes/Test/0501/ir/D1/6.png", np.zeros((64, 32, 3), np.uint8))
        (data / "silhouettes/Test/0501/ir/D1/1.png").unlink()
        report, _ = check_dataset("hitsz", data, fast=True, workers=1, data_cfg=cfg)
        assert [problem.kind for problem in report.problems] == ["missing mask", "unreadable mask"]
