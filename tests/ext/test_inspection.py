"""Inspection: silhouettes as pictures, as OpenGait folders, and against the truth."""

import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from PIL import Image

from opengait import registry
from opengait.data.dataset import DataSet
from opengait.errors import CheckpointError, ConfigError, DataError
from opengait_ext.data.dataset import HITSZVCMDataSet
from opengait_ext.inspection import (
    Projection,
    align_silhouette,
    choose_tracklets,
    compare_with_truth,
    draw_contact_sheets,
    export_silhouettes,
    intersection_over_union,
    load_network,
    silhouettes_of,
    write_opengait_silhouettes,
)
from opengait_ext.inspection import export as export_module
from opengait_ext.inspection.pictures import overlay, panels, write_gif
from opengait_ext.inspection.projection import weighted_quantile
from opengait_ext.models import DinoGRLNet

PROJECT = Path(__file__).resolve().parents[2]
HEIGHT, WIDTH, FRAMES = 96, 48, 3
SEED = 3
PEOPLE = {"train": (1,), "test": (501, 503)}
MODEL = {
    "model": "DinoGRL",
    "dimension": 8,
    "granularities": [2, 4],
    "num_classes": 2,
    "appearance": {"backbone": "resnet10", "width": 8},
    "vision_model": {
        "name": "vit_tiny_patch16_224",
        "layers": [0, 1],
        "image_size": [128, 64],
        "arguments": {"patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2},
    },
    "silhouette": {"size": [64, 32], "priors": 4, "channels": 6},
    "gait": {"backbone": "resnet10", "width": 8},
}


def ellipse(person: int, frame: int) -> np.ndarray:
    """A standing ellipse, bool (HEIGHT, WIDTH), which moves to the right from frame to frame."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    middle = WIDTH / 2 - 3 + 3 * frame
    return ((rows - 50) / 38) ** 2 + ((columns - middle) / (8 + person % 5)) ** 2 < 1


def write_data(root: Path) -> Path:
    """Two test people and a training person in HITSZ-VCM's layout, a tracklet a modality and camera, and the truth."""
    noise = np.random.default_rng(0)
    (root / "info").mkdir(parents=True)
    for split, people in PEOPLE.items():
        names, rows, queries = [], [], []
        for person in people:
            for code, sensor in ((2, "rgb"), (1, "ir")):
                for camera in (2, 5):
                    rows.append(f"{code} {len(names) + 1} {len(names) + FRAMES} {person:04d} {camera}")
                    if code == 1:
                        queries.append(str(len(rows)))
                    place = Path(split.capitalize(), f"{person:04d}", sensor, f"D{camera}")
                    (root / place).mkdir(parents=True)
                    (root / "silhouettes" / place).mkdir(parents=True)
                    for frame in range(FRAMES):
                        number = 1 + 5 * frame
                        names.append(f"{person:04d}M{code}D{camera}T1F{number}.jpg")
                        shape = ellipse(person, frame)
                        picture = noise.integers(0, 90, (HEIGHT, WIDTH, 3 if code == 2 else 1))
                        picture = picture + shape[..., None] * 40 * np.arange(2, 2 + picture.shape[2])
                        picture = np.broadcast_to(picture, (HEIGHT, WIDTH, 3)).astype(np.uint8)
                        Image.fromarray(picture).save(root / place / f"{number}.jpg")
                        Image.fromarray(shape).save(root / "silhouettes" / place / f"{number}.png")
        (root / "info" / f"{split}_name.txt").write_text("\n".join(names) + "\n")
        (root / "info" / f"track_{split}_info.txt").write_text("\n".join(rows) + "\n")
        (root / "info" / "query_IDX.txt").write_text(" ".join(queries) + "\n")
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "vcm")


@pytest.fixture(scope="module")
def data_cfg(data):
    registry.datasets.add(HITSZVCMDataSet)
    return {"reader": "HITSZVCMDataSet", "dataset_root": str(data), "frame_size": [HEIGHT, WIDTH], "minimum_frames": 1}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(SEED)
    network = DinoGRLNet.from_config(MODEL)
    # A random network is almost sure of nothing; stretched, its masks cover the range from 0 to 1.
    with torch.no_grad():
        network.silhouette_generator.mask_encoder.down_sampling.weight.mul_(8)
    return network.eval()


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory):
    """As the engine saves it: without the frozen vision model."""
    path = tmp_path_factory.mktemp("checkpoints") / "tiny-00010.pt"
    state = {f"network.{key}": value for key, value in network.state_dict().items() if "vision_model." not in key}
    torch.save({"model": state, "iteration": 10}, path)
    return path


@pytest.fixture(scope="module")
def tracklets(data_cfg):
    return choose_tracklets(data_cfg, "test")


@pytest.fixture(scope="module")
def exported(network, tracklets, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "export"
    summary = export_silhouettes(network, tracklets, out, batch=7, progress=False)
    assert (summary.written, summary.kept, summary.frames) == (8, 0, 24)
    return out


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


class TestChoice:
    def test_whole_split_in_order(self, tracklets):
        assert [str(t.folder) for t in tracklets[:4]] == [
            "0501/visible/c2-t00001",
            "0501/visible/c5-t00002",
            "0501/infrared/c2-t00003",
            "0501/infrared/c5-t00004",
        ]
        assert len(tracklets) == 8
        assert tracklets[0].names == ("1", "6", "11")

    @pytest.mark.parametrize(("split", "kind"), [("query", "infrared"), ("gallery", "visible")])
    def test_queries_and_gallery(self, data_cfg, split, kind):
        chosen = choose_tracklets(data_cfg, split)
        assert len(chosen) == 4 and {t.type for t in chosen} == {kind}

    def test_train(self, data_cfg):
        assert {t.label for t in choose_tracklets(data_cfg, "train")} == {"0001"}

    def test_people_without_leading_zeros_and_few_frames(self, data_cfg):
        chosen = choose_tracklets(data_cfg, "test", people=["503"], frames=2)
        assert {t.label for t in chosen} == {"0503"}
        assert all(t.indices == (0, 1) and t.names == ("1", "6") for t in chosen)

    def test_few_tracklets_show_everybody_in_both_modalities(self, data_cfg):
        chosen = choose_tracklets(data_cfg, "test", tracklets=4)
        assert [(t.label, t.type, t.view[:2]) for t in chosen] == [
            (person, kind, "c2") for person in ("0501", "0503") for kind in ("visible", "infrared")
        ]

    def test_nobody_of_that_name(self, data_cfg):
        with pytest.raises(DataError, match="test split has no person 9999; its 2 people are called 0501 to 0503"):
            choose_tracklets(data_cfg, "test", people=["0501", "9999"])

    def test_reader_without_queries(self, tmp_path):
        folder = tmp_path / "0001" / "nm" / "000"
        folder.mkdir(parents=True)
        (folder / "000.pkl").write_bytes(b"")
        (tmp_path / "p.json").write_text('{"TRAIN_SET": [], "TEST_SET": ["0001"]}')
        cfg = {"dataset_root": str(tmp_path), "dataset_partition": str(tmp_path / "p.json")}
        with pytest.raises(ConfigError, match="DataSet does not tell queries from gallery"):
            choose_tracklets(cfg, "query")


class TestNetwork:
    def test_checkpoint_gives_the_same_silhouettes(self, network, checkpoint):
        frames = np.random.default_rng(1).integers(0, 256, (3, 3, HEIGHT, WIDTH), dtype=np.uint8)
        loaded = load_network({"model_cfg": MODEL, "trainer_cfg": {"seed": SEED}}, checkpoint, "cpu")
        assert not loaded.training
        mine, theirs = silhouettes_of(loaded, frames), silhouettes_of(network, frames)
        assert mine.mask.shape == (3, 1, 64, 32) and mine.enriched.shape == (3, 6, 64, 32)
        assert torch.equal(mine.mask, theirs.mask) and torch.equal(mine.enriched, theirs.enriched)
        assert mine.mask.min() < 0.2 and mine.mask.max() > 0.8

    def test_vision_model_in_the_checkpoint_counts(self, network, tmp_path):
        state = {f"network.{key}": value for key, value in network.state_dict().items()}
        torch.save({"model": state}, tmp_path / "whole.pt")
        loaded = load_network({"model_cfg": MODEL}, tmp_path / "whole.pt", "cpu")
        own = network.vision_model.state_dict()
        assert all(torch.equal(value, own[key]) for key, value in loaded.vision_model.state_dict().items())

    def test_loading_draws_nothing_from_the_global_streams(self, checkpoint):
        torch.manual_seed(5)
        expected = torch.rand(1)
        torch.manual_seed(5)
        load_network({"model_cfg": MODEL}, checkpoint, "cpu")
        assert torch.equal(torch.rand(1), expected)

    def test_frames_are_normalised_and_do_not_influence_each_other(self, network):
        frames = np.random.default_rng(1).integers(0, 256, (3, 3, HEIGHT, WIDTH), dtype=np.uint8)
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        normalised = ((frames / 255).transpose(0, 2, 3, 1) - mean) / std
        with torch.no_grad():
            tensor = torch.from_numpy(normalised.transpose(0, 3, 1, 2)).float()
            expected = network.silhouettes(tensor.unsqueeze(1)).mask
        torch.testing.assert_close(silhouettes_of(network, frames).mask, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(silhouettes_of(network, frames[1:2]).mask, expected[1:2], atol=1e-5, rtol=0)

    def test_pretrained_files_of_trained_parts_are_not_needed(self, checkpoint):
        model = MODEL | {"appearance": MODEL["appearance"] | {"weights": "nowhere/resnet.pth"}}
        load_network({"model_cfg": model}, checkpoint, "cpu")
        assert model["appearance"]["weights"] == "nowhere/resnet.pth"

    def test_model_without_gait_stream(self, checkpoint):
        model = {key: value for key, value in MODEL.items() if key != "gait"}
        with pytest.raises(ConfigError, match="no gait stream"):
            load_network({"model_cfg": model}, checkpoint, "cpu")

    def test_missing_checkpoint_names_those_there(self, checkpoint):
        with pytest.raises(CheckpointError, match="no checkpoint .*none.pt; that folder has tiny-00010.pt"):
            load_network({"model_cfg": MODEL}, checkpoint.with_name("none.pt"), "cpu")

    def test_checkpoint_of_another_model(self, tmp_path):
        path = tmp_path / "other.pt"
        torch.save({"model": {"Backbone.conv.weight": torch.zeros(1)}}, path)
        with pytest.raises(CheckpointError, match="other.pt is a checkpoint of another model"):
            load_network({"model_cfg": MODEL}, path, "cpu")

    def test_checkpoint_of_another_size(self, checkpoint):
        model = MODEL | {"silhouette": MODEL["silhouette"] | {"channels": 8}}
        with pytest.raises(CheckpointError, match="tiny-00010.pt does not fit .* has shape"):
            load_network({"model_cfg": model}, checkpoint, "cpu")

    def test_unknown_device(self, checkpoint):
        with pytest.raises(ConfigError, match="device abacus cannot be used here"):
            load_network({"model_cfg": MODEL}, checkpoint, "abacus")


class TestExport:
    def test_every_file_is_there_and_of_the_frames_size(self, exported, tracklets):
        for tracklet in tracklets:
            folder = exported / tracklet.folder
            for kind, shape in (("mask", (HEIGHT, WIDTH)), ("enriched", (HEIGHT, WIDTH, 3))):
                files = sorted(file.name for file in (folder / kind).iterdir())
                assert files == ["1.png", "11.png", "6.png"]
                assert picture(folder / kind / "6.png").shape == shape
                assert picture(folder / kind / "6.png").dtype == np.uint8
            animation = Image.open(folder / "walk.gif")
            assert (animation.n_frames, animation.size) == (FRAMES, (4 * WIDTH, HEIGHT))
        assert not list(exported.rglob("*.part*"))

    def test_mask_is_the_networks(self, exported, network, tracklets):
        for tracklet in (tracklets[0], tracklets[-1]):
            mask = silhouettes_of(network, tracklet.source[[2]]).mask
            expected = F.interpolate(mask, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0, 0] * 255
            written = picture(exported / tracklet.folder / "mask" / "11.png")
            assert np.abs(written - expected.numpy()).max() <= 0.51

    def test_a_tracklet_alone_looks_the_same_with_the_same_projection(self, exported, network, tracklets, tmp_path):
        (tmp_path / "projection.npz").write_bytes((exported / "projection.npz").read_bytes())
        export_silhouettes(network, tracklets[5:6], tmp_path, progress=False)
        for kind in ("mask", "enriched"):
            name = tracklets[5].folder / kind / "6.png"
            difference = picture(tmp_path / name).astype(int) - picture(exported / name)
            assert np.abs(difference).max() <= 1

    def test_one_projection_for_both_modalities(self, exported, network, tracklets):
        projection = Projection.load(exported / "projection.npz", 6)
        for tracklet in (tracklets[0], tracklets[3]):
            maps = silhouettes_of(network, tracklet.source[[0]])
            colours = F.interpolate(projection.colours(*maps[::-1]), (HEIGHT, WIDTH), mode="bilinear") * 255
            written = picture(exported / tracklet.folder / "enriched" / "1.png").transpose(2, 0, 1)
            assert np.abs(written - colours[0].numpy()).max() <= 0.51

    def test_twice_the_same_bytes(self, exported, network, tracklets, tmp_path):
        export_silhouettes(network, tracklets, tmp_path, batch=7, progress=False)
        for name in ("mask/6.png", "enriched/6.png", "walk.gif"):
            mine = tracklets[2].folder / name
            assert (tmp_path / mine).read_bytes() == (exported / mine).read_bytes()

    def test_continues_where_it_stopped(self, exported, network, tracklets, tmp_path):
        out = tmp_path / "copy"
        shutil.copytree(exported, out)
        whole, stopped, torn, bare = (out / t.folder for t in tracklets[:4])
        stopped.rename(stopped.with_name(f".{stopped.name}.part"))
        (stopped.with_name(f".{stopped.name}.part") / "mask" / "1.png").write_bytes(b"half")
        (torn / "mask" / "6.png").unlink()
        (bare / "walk.gif").unlink()
        (whole / "mask" / "1.png").write_bytes(b"mine")
        summary = export_silhouettes(network, tracklets, out, progress=False)
        assert (summary.written, summary.kept, summary.frames) == (3, 5, 9)
        assert (whole / "mask" / "1.png").read_bytes() == b"mine"
        for folder in (stopped, torn, bare):
            name = folder.relative_to(out) / "mask" / "6.png"
            assert np.abs(picture(out / name).astype(int) - picture(exported / name)).max() <= 1
            assert (folder / "walk.gif").is_file()
        assert not list(out.rglob("*.part"))

    def test_nothing_is_left_of_a_tracklet_that_fails(self, network, tracklets, tmp_path, monkeypatch):
        def full(*_):
            raise OSError("disk full")

        monkeypatch.setattr(export_module, "write_gif", full)
        with pytest.raises(OSError, match="disk full"):
            export_silhouettes(network, tracklets[:2], tmp_path, progress=False)
        assert not any((tmp_path / t.folder).exists() for t in tracklets[:2])

    def test_other_frames_replace_the_former(self, exported, network, tracklets, data_cfg, tmp_path):
        out = tmp_path / "copy"
        shutil.copytree(exported, out)
        one = choose_tracklets(data_cfg, "test", tracklets=1, frames=1)
        assert export_silhouettes(network, one, out, gif=False, progress=False).written == 1
        assert [file.name for file in (out / one[0].folder / "mask").iterdir()] == ["1.png"]

    def test_another_network_is_refused(self, exported, network, tracklets):
        other = DinoGRLNet.from_config(MODEL).eval()
        with pytest.raises(DataError, match="holds silhouettes of another checkpoint"):
            export_silhouettes(other, tracklets, exported, progress=False)
        other.silhouette_generator.load_state_dict(network.silhouette_generator.state_dict())
        with pytest.raises(DataError, match="another checkpoint"):  # its vision model is still another
            export_silhouettes(other, tracklets, exported, progress=False)

    def test_broken_frame_is_named(self, network, data_cfg, data, tmp_path):
        copy = tmp_path / "vcm"
        shutil.copytree(data, copy)
        (copy / "Test" / "0501" / "rgb" / "D2" / "6.jpg").write_bytes(b"")
        chosen = choose_tracklets(data_cfg | {"dataset_root": str(copy)}, "test")
        with pytest.raises(DataError, match="0501/rgb/D2/6.jpg"):
            export_silhouettes(network, chosen, tmp_path / "out", progress=False)


class TestProjection:
    def test_finds_the_plane_of_the_foreground(self):
        generator = torch.Generator().manual_seed(0)
        scores = torch.randn(500, 3, generator=generator, dtype=torch.float64) * torch.tensor([5.0, 3.0, 1.0])
        maps = torch.zeros(1, 4, 20, 50, dtype=torch.float64)
        maps[0, [2, 0, 3], :10] = scores.T.reshape(3, 10, 50)
        maps[0, 1] = 7
        maps[0, 1, 10:] = -1000  # background, without any weight
        mask = torch.zeros(1, 1, 20, 50)
        mask[:, :, :10] = 0.7
        projection = Projection.fit(maps, mask)
        expected_mean = torch.zeros(4, dtype=torch.float64)
        expected_mean[[2, 0, 3]] = scores.mean(dim=0)
        expected_mean[1] = 7
        np.testing.assert_allclose(projection.mean, expected_mean, atol=1e-4)
        np.testing.assert_allclose(np.abs(projection.components), np.eye(4)[[2, 0, 3]], atol=0.1)
        assert (projection.components.max(axis=1) > 0.9).all()  # signs are fixed

    def test_weights_count(self):
        """Two clouds; the one that weighs nothing changes neither mean nor range."""
        maps = torch.zeros(1, 3, 1, 4)
        maps[0, 0, 0] = torch.tensor([1.0, 3.0, 100.0, 1.0])
        projection = Projection.fit(maps, torch.tensor([1.0, 2.0, 0.0, 1.0]).view(1, 1, 1, 4))
        np.testing.assert_allclose(projection.mean, [2, 0, 0], atol=1e-6)
        np.testing.assert_allclose(projection.components[0], [1, 0, 0], atol=1e-6)
        assert (projection.low[0], projection.high[0]) == (-1, 1)

    def test_colours_by_hand(self):
        projection = Projection(
            mean=np.float32([1, 0]),
            components=np.float32([[1, 0], [0, 1], [0, 0]]),
            low=np.float32([-1, 0, 0]),
            high=np.float32([1, 2, 1]),
        )
        maps = torch.tensor([1.5, 1.0]).view(1, 2, 1, 1)
        colours = projection.colours(maps, torch.full((1, 1, 1, 1), 0.5)).flatten()
        torch.testing.assert_close(colours, torch.tensor([0.375, 0.25, 0.0]))

    def test_quantile(self):
        values, weights = np.array([4.0, 1.0, 2.0]), np.array([0.5, 0.2, 0.3])
        assert [weighted_quantile(values, weights, share) for share in (0.1, 0.2, 0.3, 0.99)] == [1, 1, 2, 4]

    def test_few_channels_and_empty_masks_give_numbers(self):
        projection = Projection.fit(torch.rand(2, 2, 4, 4), torch.zeros(2, 1, 4, 4))
        colours = projection.colours(torch.rand(2, 2, 4, 4), torch.ones(2, 1, 4, 4))
        assert colours.shape == (2, 3, 4, 4) and colours.isfinite().all()
        assert (colours[:, 2] == 0).all()

    def test_file_of_another_network_or_damaged(self, tmp_path):
        path = tmp_path / "projection.npz"
        Projection.fit(torch.rand(1, 4, 4, 4), torch.ones(1, 1, 4, 4)).save(path)
        assert Projection.load(path, 4).components.shape == (3, 4)
        with pytest.raises(DataError, match="projects 4 channels, but .* have 6"):
            Projection.load(path, 6)
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(DataError, match="no readable projection"):
            Projection.load(path, 4)


class TestPictures:
    def test_overlay_by_hand(self):
        frame = np.zeros((1, 3, 3), np.uint8)
        frame[0, :, :] = (100, 200, 10)
        mask = np.array([[0, 255, 51]], np.uint8)
        # Half of (255, 40, 40) where the mask is certain, a tenth of it at a fifth of certainty.
        expected = [[100, 200, 10], [178, 120, 25], [116, 184, 13]]
        np.testing.assert_allclose(overlay(frame, mask)[0], expected, atol=0.51)

    def test_panels(self):
        frame, enriched = np.full((2, 4, 3), 9, np.uint8), np.full((2, 4, 3), 5, np.uint8)
        mask = np.zeros((2, 4), np.uint8)
        mask[0, 1] = 255
        whole, grey, mixed, colour = panels(frame, mask, enriched)
        assert (whole == 9).all() and (colour == 5).all()
        assert grey[0, 1].tolist() == [255, 255, 255] and grey.sum() == 3 * 255
        assert (mixed != frame).any(axis=-1).sum() == 1

    def test_animation_keeps_colours_and_order(self, tmp_path):
        frames = np.zeros((3, 16, 24, 3), np.uint8)
        frames[0, :, :8] = (255, 0, 0)
        frames[1, :, 8:16] = (0, 130, 60)
        frames[2, :, 16:] = (70, 80, 255)
        write_gif(tmp_path / "walk.gif", frames)
        with Image.open(tmp_path / "walk.gif") as animation:
            assert (animation.n_frames, animation.info["loop"], animation.info["duration"]) == (3, 0, 120)
            for number, frame in enumerate(frames):
                animation.seek(number)
                np.testing.assert_array_equal(np.asarray(animation.convert("RGB")), frame)

    def test_animation_of_a_tracklet(self, exported, tracklets):
        folder = exported / tracklets[1].folder
        frame = tracklets[1].source[[1]][0].transpose(1, 2, 0)
        expected = panels(frame, picture(folder / "mask" / "6.png"), picture(folder / "enriched" / "6.png"))
        with Image.open(folder / "walk.gif") as animation:
            animation.seek(1)
            shown = np.asarray(animation.convert("RGB")).astype(int)
        assert np.abs(shown - np.concatenate(expected, axis=1)).mean() < 8

    def test_contact_sheet(self, exported, tracklets):
        (page,) = draw_contact_sheets(exported, tracklets, frames=2)
        sheet = picture(page)
        assert page.name == "contact_sheet.png"
        step = 64 + 2  # tiles keep 96:48 at a height of 128
        assert sheet.shape == (44 + 2 * (128 + 8), 64 + 2 * (2 * (4 * step + 8)) + 24, 3)
        mask = picture(exported / tracklets[0].folder / "mask" / "1.png")
        tile = np.asarray(Image.fromarray(mask).resize((64, 128), Image.Resampling.BILINEAR))
        shown = sheet[44 : 44 + 128, 64 + step : 64 + step + 64]
        assert np.abs(shown.astype(int) - tile[..., None]).max() <= 1

    def test_pages_and_a_person_without_partner(self, exported, tracklets, tmp_path):
        chosen = [t for t in tracklets if t.type == "visible"]
        pages = draw_contact_sheets(exported, chosen, frames=5, people=1)
        assert [page.name for page in pages] == ["contact_sheet-01.png", "contact_sheet-02.png"]
        assert sorted(file.name for file in exported.glob("contact*")) == [page.name for page in pages]


class TestOpenGaitSilhouettes:
    def test_alignment_by_hand(self):
        """A block of 32 rows and 10 columns at columns 3 to 12 becomes 64 x 20 with its half at column 32."""
        silhouette = np.zeros((100, 50), np.uint8)
        silhouette[40:72, 3:13] = 255
        aligned = align_silhouette(silhouette)
        assert aligned.shape == (64, 64) and aligned.dtype == np.uint8
        # Resized by 2 the block covers columns 6 to 25; ten of its columns hold half, the first with more is 16.
        assert (aligned[:, 23:41] == 255).all()
        assert (aligned[:, :21] == 0).all() and (aligned[:, 43:] == 0).all()
        half = np.argmax(aligned.sum(axis=0, dtype=int).cumsum() > aligned.sum(dtype=int) / 2)
        assert half == 32

    def test_padding_where_the_person_is_near_the_border_or_narrow(self):
        silhouette = np.zeros((64, 200), np.uint8)
        silhouette[:, 150:190] = 255
        aligned = align_silhouette(silhouette)
        assert (aligned[:, 12:52] == 255).all() and (aligned[:, :12] == 0).all() and (aligned[:, 52:] == 0).all()

    def test_against_a_slow_reference(self, tracklets, data):
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

    def test_nobody(self):
        silhouette = np.zeros((64, 64), np.uint8)
        assert align_silhouette(silhouette) is None
        silhouette[:39, 30] = 255
        assert align_silhouette(silhouette) is None
        silhouette[39, 30] = 255
        assert align_silhouette(silhouette) is not None

    def test_engine_reads_the_folders(self, exported, tracklets):
        masks = [exported / t.folder / "mask" / f"{name}.png" for t in tracklets for name in t.names]
        found = sum(int((picture(mask) >= 128).sum()) * 255 > 10_000 for mask in masks)
        assert found > 12
        summary = write_opengait_silhouettes(exported, tracklets, progress=False)
        assert (summary.frames, summary.frames + summary.empty_frames) == (found, 24)
        for folder, width in (("silhouettes-64x64", 64), ("silhouettes-64x44", 44)):
            cfg = {
                "dataset_root": str(exported / folder),
                "dataset_partition": str(exported / "silhouettes.json"),
            }
            dataset = DataSet(cfg, training=False)
            assert len(dataset) == summary.tracklets
            frames = 0
            for place in range(len(dataset)):
                (source,), (label, kind, view, _) = dataset[place]
                assert any((t.label, t.type, t.view) == (label, kind, view) for t in tracklets)
                stack = source[range(len(source))]
                assert stack.shape == (len(source), 64, width) and stack.dtype == np.uint8
                frames += len(source)
            assert frames == found

    def test_narrow_is_the_middle_of_wide_and_soft_keeps_grey(self, exported, tracklets, tmp_path):
        tracklet = tracklets[0]
        out = tmp_path / "out"
        folder = out / tracklet.folder / "mask"
        folder.mkdir(parents=True)
        for name in tracklet.names:
            mask = np.full((80, 64), 3, np.uint8)  # a mask is nowhere quite certain
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
        # The person is centred on column 30, found without the uncertain columns; two columns are padding.
        assert stacks[False][0, 0].tolist() == [0] * 22 + [255] * 20 + [0] * 22
        assert stacks[True][0, 0].tolist() == [0] * 2 + [3] * 18 + [100] * 2 + [200] * 20 + [3] * 22
        partition = json.loads((out / "silhouettes.json").read_text())
        assert partition == {"TRAIN_SET": ["0501"], "TEST_SET": ["0501"]}


class TestOverlap:
    def test_by_hand(self):
        mask, truth = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
        mask[:2], truth[1:3] = True, True
        assert intersection_over_union(mask, truth) == pytest.approx(4 / 12)
        assert intersection_over_union(mask, mask) == 1
        assert intersection_over_union(mask, ~mask) == 0
        assert intersection_over_union(~mask & mask, ~mask & mask) == 1

    def test_thresholds(self):
        truth = np.array([[True, True, False, False]])
        assert intersection_over_union(np.array([[128, 127, 0, 0]], np.uint8), truth) == 0.5
        assert intersection_over_union(np.array([[0.5, 0.49, 0.9, 0]]), truth) == pytest.approx(1 / 3)

    def test_shapes_must_agree(self):
        with pytest.raises(ValueError, match="shape"):
            intersection_over_union(np.zeros((1, 4), bool), np.zeros((4, 4), bool))

    def test_against_the_masks_of_the_network(self, exported, network, tracklets, data):
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

    def test_perfect_masks_other_sizes_and_both_places_of_the_truth(self, tracklets, data, tmp_path):
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

    def test_no_truth_for_a_frame(self, exported, tracklets, data, tmp_path):
        shutil.copytree(data / "silhouettes", tmp_path / "silhouettes")
        (tmp_path / "silhouettes" / "Test" / "0503" / "ir" / "D5" / "6.png").unlink()
        with pytest.raises(DataError, match=r"0503/ir/D5/6\.jpg has no true silhouette"):
            compare_with_truth(exported, tracklets, tmp_path, progress=False)
        with pytest.raises(DataError, match="no folder of true silhouettes"):
            compare_with_truth(exported, tracklets, tmp_path / "none")


@pytest.fixture(scope="module")
def command():
    spec = importlib.util.spec_from_file_location("export_silhouettes", PROJECT / "scripts/export_silhouettes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


class TestCommandLine:
    @pytest.fixture
    def configuration(self, data_cfg, tmp_path):
        path = tmp_path / "tiny.yaml"
        cfg = {"extensions": ["opengait_ext"], "data_cfg": data_cfg | {"dataset_root": "elsewhere"}, "model_cfg": MODEL}
        path.write_text(yaml.safe_dump(cfg))
        return path

    def test_all_at_once(self, command, configuration, checkpoint, data, tmp_path, capsys):
        out = tmp_path / "out"
        asked = ["--cfgs", str(configuration), "--checkpoint", str(checkpoint), "--out", str(out), "--device", "cpu"]
        asked += ["--set", f"data_cfg.dataset_root={data}", "--people", "0501", "--frames", "2", "--tracklets", "2"]
        asked += ["--pkl", "--no-gif", "--truth", str(data), "--batch", "3"]
        assert command(asked) == 0
        said = capsys.readouterr().out
        assert "2 tracklets (4 frames) written" in said
        assert "Mean intersection over union with the true silhouettes, 4 frames: visible 0." in said
        folders = sorted(str(folder.relative_to(out)) for folder in out.glob("0*/*/*"))
        assert folders == ["0501/infrared/c2-t00003", "0501/visible/c2-t00001"]
        assert not list(out.rglob("*.gif"))
        assert {"contact_sheet.png", "iou.json", "projection.npz", "silhouettes.json"} <= {
            f.name for f in out.iterdir()
        }
        assert command(asked) == 0
        assert "0 tracklets (0 frames) written" in capsys.readouterr().out

    def test_one_sentence_and_status_2(self, command, configuration, tmp_path, capsys):
        asked = ["--cfgs", str(configuration), "--checkpoint", str(tmp_path / "no.pt"), "--out", str(tmp_path / "out")]
        assert command(asked) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: There is no checkpoint") and "Traceback" not in said
        assert not (tmp_path / "out").exists()

    def test_numbers_are_checked(self, command, capsys):
        with pytest.raises(SystemExit):
            command(["--cfgs", "a", "--checkpoint", "b", "--out", "c", "--frames", "0"])
        assert "'0' is no whole number of 1 or more" in capsys.readouterr().err
