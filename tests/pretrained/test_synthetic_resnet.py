"""The small ResNet: its training, its file, and the shipped weights in both streams."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml

from opengait.errors import ConfigError
from opengait_ext.data import Modality
from opengait_ext.data.augment import Normalise
from opengait_ext.models.dinogrl.appearance import AppearanceEncoder
from opengait_ext.models.dinogrl.gait import GaitExtractor
from pretrained.synthetic_resnet import PretrainSettings, Recogniser, pretrain
from pretrained.synthetic_resnet.train import load_people
from pretrained.synthetic_resnet.trainer import augment
from pretrained.worlds import training_frames, write_weights
from tests.paths import ROOT

pytestmark = pytest.mark.slow

SHIPPED = "pretrained/synthetic_resnet.safetensors"
SMALL = PretrainSettings(width=4, iterations=40, batch=16)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Draw a few people with a seed that the shipped file was not trained on."""
    from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate

    root = tmp_path_factory.mktemp("world")
    config = SyntheticConfig(train_identities=8, test_identities=1, cameras=2, frames=14, size=(128, 64), seed=78)
    generate(root, config)
    return root


def test_people_of_two_worlds_are_different_and_all_frames_are_visible(world):
    frames, people = load_people([world, world], (64, 32), every=7)
    assert frames.shape[1:] == (3, 64, 32) and frames.dtype == torch.uint8
    assert people.bincount().tolist() == people.bincount()[:8].tolist() * 2
    half = len(frames) // 2
    assert torch.equal(frames[:half], frames[half:]) and torch.equal(people[:half] + 8, people[half:])
    colours = frames.float().std(dim=1).flatten(1).mean(dim=1)
    assert colours.min() > 1, "infrared frames are grey"


def test_each_frame_is_augmented_on_its_own():
    torch.manual_seed(0)
    frames = torch.randint(256, (1, 3, 40, 20), dtype=torch.uint8).expand(64, -1, -1, -1)
    pictures = augment(frames)
    assert pictures.shape == frames.shape and len(pictures.flatten(1).unique(dim=0)) == 64
    grey = (pictures.std(dim=1) < 1e-5).all(dim=(1, 2))
    assert 8 < grey.sum() < 32


def test_a_short_run_learns_and_is_reproducible(world):
    frames, people = load_people([world], (64, 32), every=3)
    _, losses = pretrain(frames, people, SMALL)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert pretrain(frames, people, SMALL)[1] == losses


def test_a_written_file_gives_both_streams_its_features(tmp_path):
    torch.manual_seed(0)
    network = Recogniser(SMALL, 3).eval()
    torch.nn.init.normal_(network.stem.bn1.running_mean)
    write_weights(tmp_path / "small.safetensors", network.backbone_state())
    settings = {"backbone": "resnet10", "width": 4, "strides": SMALL.strides}
    settings["weights"] = str(tmp_path / "small.safetensors")
    frames = torch.randn(2, 3, 64, 32)
    expected = network.stages(network.stem(frames))
    for modality in (0, 1):
        got = AppearanceEncoder(**settings).eval()(frames.unsqueeze(1), torch.tensor([modality] * 2))
        assert torch.allclose(got, expected, atol=1e-5)
    gait = GaitExtractor(4, **settings).eval()
    assert torch.allclose(gait(network.stem(frames).unsqueeze(1)), expected, atol=1e-5)
    with pytest.raises(ConfigError, match=r"needs stages of width 4 on 4 channels, not 8 on 8"):
        AppearanceEncoder(**settings | {"width": 8})
    with pytest.raises(ConfigError, match=r"needs stages of width 4 on 4 channels, not 4 on 16"):
        GaitExtractor(16, **settings)


def test_the_shipped_file_tells_unseen_people_apart(world):
    """In colour, a frame's nearest one of another camera shows the same person more often than at random weights."""
    settings = yaml.safe_load((ROOT / "configs/dinogrl/demo.yaml").read_text())["model_cfg"]
    assert (ROOT / SHIPPED).stat().st_size < 2_000_000
    GaitExtractor(settings["silhouette"]["channels"], **settings["gait"] | {"weights": SHIPPED})
    visible = [entry for entry in training_frames(world, (128, 64), 3) if entry[0].modality is Modality.VISIBLE]
    frames = Normalise()(torch.cat([pictures for *_, pictures in visible])).unsqueeze(1)
    people, cameras = (
        torch.tensor([getattr(tracklet, key) for tracklet, indices, _ in visible for _ in indices])
        for key in ("person", "camera")
    )
    shares = []
    for weights in (SHIPPED, None):
        torch.manual_seed(0)
        encoder = AppearanceEncoder(**settings["appearance"] | {"weights": weights}).eval()
        with torch.no_grad():
            features = encoder(frames, torch.zeros_like(people)).mean(dim=(2, 3))
        features = F.normalize(features - features.mean(dim=0))
        similar = (features @ features.T).masked_fill(cameras[:, None] == cameras, -2)
        shares.append((people[similar.argmax(dim=1)] == people).float().mean().item())
    assert shares[0] > shares[1] + 0.2, shares
