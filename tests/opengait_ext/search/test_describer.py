"""The describer: the same network by its files and by its folder, and crops that a program holds in memory."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from opengait.errors import CheckpointError, ConfigError, DataError
from opengait_ext import Describer, load_network
from opengait_ext.search import find_clips
from opengait_ext.weights import find
from tests.opengait_ext.every_model import MODELS
from tests.opengait_ext.runs.stand_in_runs import command

pytestmark = pytest.mark.slow
WITH_NETWORK = ("dinogrl", "biggait", "biggergait")


@pytest.fixture(scope="module")
def saved(every_model, tmp_path_factory):
    """Return a function that gives a model's describer and the folder that it was saved to."""
    folder = tmp_path_factory.mktemp("networks")
    made = {}

    def make(name):
        if name not in made:
            cfgs, checkpoint, _, _ = every_model(name)
            describer = Describer.load(cfgs, checkpoint, device="cpu")
            describer.save_pretrained(folder / name)
            made[name] = describer, folder / name
        return made[name]

    return make


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_network_describes_as_before(saved, every_model, name):
    describer, folder = saved(name)
    inputs = every_model(name)[2]
    clips = find_clips([inputs], describer.kind)[:3]
    again = Describer.from_pretrained(folder, device="cpu")
    assert np.array_equal(again.describe(clips).embeddings, describer.describe(clips).embeddings)
    facts = json.loads((folder / "config.json").read_text())
    assert facts["descriptor"] == {"channels": describer.shape[0], "parts": describer.shape[1], "distance": "euc"}
    assert str(inputs.parent) not in (folder / "config.yaml").read_text()
    if name in WITH_NETWORK:
        given, loaded = load_network(*every_model(name)[:2], "cpu"), load_network(folder, device="cpu")
        for key, value in given.state_dict().items():
            assert torch.equal(value, loaded.state_dict()[key]), key


def test_a_folder_needs_no_other_file(saved, world, tmp_path, monkeypatch):
    describer, folder = saved("dinogrl")
    copied = shutil.copytree(folder, tmp_path / "copied")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("opengait_ext.weights.read.FOLDER", tmp_path)
    (world / "vit.pth").rename(world / "away.pth")
    try:
        again = Describer.load(copied, device="cpu")
    finally:
        (world / "away.pth").rename(world / "vit.pth")
    crops = [np.full((40, 30, 3), 90, np.uint8)]
    assert np.array_equal(again.encode(crops, "visible", "rgb"), describer.encode(crops, "visible", "rgb"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "SHA-256 starts"),
        (lambda f: (f / "model.safetensors").unlink(), r"no model\.safetensors"),
        (lambda f: (f / "config.yaml").unlink(), r"no config\.yaml"),
        (lambda f: (f / "config.json").unlink(), r"config\.json is missing"),
        (lambda f: (f / "config.json").write_text("{}"), r"config\.json is not"),
    ],
)
def test_a_damaged_folder_is_refused(saved, tmp_path, change, reason):
    folder = shutil.copytree(saved("dinogrl")[1], tmp_path / "damaged")
    change(folder)
    with pytest.raises(CheckpointError, match=reason):
        Describer.load(folder)


def test_crops_are_described_as_their_files_are(saved, every_model, tmp_path):
    describer, _ = saved("dinogrl")
    clip = find_clips([every_model("dinogrl")[2]], describer.kind)[0]
    paths = list(clip.frames.paths)
    expected = describer.describe([clip]).embeddings
    frames = [cv2.imread(str(path)) for path in paths]
    modality = str(clip.modality)
    for tracklet, channels in (
        (frames, "bgr"),
        ([frame[..., ::-1] for frame in frames], "rgb"),
        (np.stack(frames), "bgr"),
        (paths, None),
        (clip.folder, None),
    ):
        assert np.array_equal(describer.encode([tracklet], modality, channels), expected)
    # A list of crops is one descriptor each, whatever their sizes.
    crops = [frames[0], cv2.resize(frames[1], (50, 90)), paths[2]]
    found = describer.encode(crops, modality, "bgr", batch=2)
    assert found.shape == (3, *describer.shape) and found.dtype == np.float32
    assert np.array_equal(found[2:], describer.encode([[frames[2]]], [modality], "bgr"))
    assert describer.distance(found, found[:2]).shape == (3, 2)
    assert describer.encode([], modality).shape == (0, *describer.shape)


def test_grey_and_deep_crops(saved):
    describer, _ = saved("dinogrl")
    grey = np.random.default_rng(0).integers(0, 255, (3, 64, 32), dtype=np.uint8)
    coloured = np.repeat(grey[..., None], 3, axis=-1)
    plain = describer.encode([list(grey)], "infrared")
    assert np.array_equal(plain, describer.encode([coloured], "infrared", "rgb"))
    deep = (grey.astype(np.uint16) - grey.min()) * 16 + 400
    levels = np.rint((grey - grey.min()) * (255 / (grey.max() - grey.min()))).astype(np.uint8)
    found, expected = describer.encode([list(deep)], "infrared"), describer.encode([list(levels)], "infrared")
    assert np.abs(found - expected).max() < 2e-3 * np.abs(expected).max()
    visible = describer.encode([list(grey)], "visible")
    assert not np.allclose(plain, visible)


@pytest.mark.parametrize(
    ("tracklets", "settings", "reason"),
    [
        ([np.zeros((9, 9, 3), np.uint8)], {"modality": "visible"}, "channels='rgb'"),
        ([np.zeros((9, 9, 3), np.uint8)], {"channels": "rgb"}, "modality='visible'"),
        ([np.zeros((9, 9, 3), np.uint8)], {"modality": "thermal", "channels": "rgb"}, "'thermal'"),
        ([np.zeros((9, 9, 3), np.uint8)], {"modality": ["visible"] * 2, "channels": "rgb"}, "2 modalities for 1"),
        ([np.zeros((9, 9, 3), np.uint8)], {"modality": "visible", "channels": "gbr"}, "'gbr'"),
        ([np.zeros((9, 9, 3))], {"modality": "visible", "channels": "rgb"}, "float64"),
        ([np.zeros((9, 9, 4), np.uint8)], {"modality": "visible", "channels": "rgb"}, r"\(9, 9, 4\)"),
        (np.zeros((9, 9, 3), np.uint8), {"modality": "visible", "channels": "rgb"}, r"write \[crop\]"),
        ([np.zeros((0, 9, 3), np.uint8)], {"modality": "visible", "channels": "rgb"}, r"\(0, 9, 3\)"),
        ([[]], {"modality": "visible"}, "Tracklet 0 has no frames"),
        (["none.png"], {"modality": "visible"}, r"none\.png"),
    ],
)
def test_what_cannot_be_described(saved, tracklets, settings, reason):
    with pytest.raises((ConfigError, DataError), match=reason):
        saved("dinogrl")[0].encode(tracklets, **settings)


def test_silhouettes_in_memory(saved):
    describer, _ = saved("gaitbase")
    silhouette = np.zeros((90, 60), np.uint8)
    silhouette[10:80, 20:40] = 255
    found = describer.encode([silhouette, [silhouette] * 3])
    assert found.shape == (2, *describer.shape) and np.allclose(found[0], found[1], atol=1e-5)
    with pytest.raises(DataError, match="not a silhouette"):
        describer.encode([np.full((90, 60), 128, np.uint8)])
    with pytest.raises(DataError, match="GaitBase takes silhouettes|Baseline takes silhouettes"):
        describer.encode([np.zeros((90, 60, 3), np.uint8)])


def test_commands_take_names(saved, every_model, tmp_path, monkeypatch, capsys):
    _, folder = saved("dinogrl")
    inputs = every_model("dinogrl")[2]
    named = tmp_path / "pretrained"
    shutil.copytree(folder, named / "dinogrl_hitsz")
    monkeypatch.setattr(find, "FOLDER", named)
    gallery = str(tmp_path / "g.npz")
    assert command("embed")(["--network", "dinogrl-hitsz", "--input", str(inputs), "--out", gallery]) == 0
    (named / "dinogrl_hitsz").rename(tmp_path / "moved")
    query = ["--gallery", gallery, "--query", str(next(path.parent for path in inputs.rglob("*.*")))]
    assert command("search")([*query, "--modality", "visible", "--network", str(tmp_path / "moved")]) == 0
    assert command("embed")(["--network", "dinogrl-bupt", "--input", str(inputs), "--out", gallery]) == 2
    assert "run `vvi download dinogrl_bupt`" in capsys.readouterr().err
    assert command("embed")(["--input", str(inputs), "--out", gallery]) == 2
    assert "--network NAME" in capsys.readouterr().err


def test_modalities_and_sizes_of_pictures_on_disk(saved, tmp_path):
    describer, _ = saved("biggait")
    Image.new("RGB", (31, 77), (9, 80, 200)).save(tmp_path / "crop.png")
    pixels = np.full((77, 31, 3), (9, 80, 200), np.uint8)
    # BigGait does not read the modality, so it need not be stated.
    assert np.array_equal(describer.encode([tmp_path / "crop.png"]), describer.encode([pixels], channels="rgb"))
