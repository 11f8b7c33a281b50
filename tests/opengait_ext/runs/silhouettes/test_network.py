"""A network from its checkpoint, and its silhouettes."""

import numpy as np
import pytest
import torch

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.runs.silhouettes import load_silhouette_network, silhouettes_of
from tests.opengait_ext.runs.silhouettes.tiny import HEIGHT, MODEL, SEED, WIDTH


def test_checkpoint_gives_the_same_silhouettes(network, checkpoint):
    frames = np.random.default_rng(1).integers(0, 256, (3, 3, HEIGHT, WIDTH), dtype=np.uint8)
    loaded = load_silhouette_network({"model_cfg": MODEL, "trainer_cfg": {"seed": SEED}}, checkpoint, "cpu")
    assert not loaded.training
    actual, expected = silhouettes_of(loaded, frames), silhouettes_of(network, frames)
    assert actual.mask.shape == (3, 1, 64, 32) and actual.enriched.shape == (3, 6, 64, 32)
    assert torch.equal(actual.mask, expected.mask) and torch.equal(actual.enriched, expected.enriched)
    assert actual.mask.min() < 0.2 and actual.mask.max() > 0.8


def test_vision_model_in_the_checkpoint_is_used(network, tmp_path):
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    torch.save({"model": state}, tmp_path / "whole.pt")
    loaded = load_silhouette_network({"model_cfg": MODEL}, tmp_path / "whole.pt", "cpu")
    expected = network.vision_model.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in loaded.vision_model.state_dict().items())


def test_loading_does_not_change_the_random_state(checkpoint):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    load_silhouette_network({"model_cfg": MODEL}, checkpoint, "cpu")
    assert torch.equal(torch.rand(1), expected)


def test_frames_are_normalised_and_do_not_influence_each_other(network):
    frames = np.random.default_rng(1).integers(0, 256, (3, 3, HEIGHT, WIDTH), dtype=np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    normalised = ((frames / 255).transpose(0, 2, 3, 1) - mean) / std
    with torch.no_grad():
        tensor = torch.from_numpy(normalised.transpose(0, 3, 1, 2)).float()
        expected = network.silhouettes(tensor.unsqueeze(1)).mask
    torch.testing.assert_close(silhouettes_of(network, frames).mask, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(silhouettes_of(network, frames[1:2]).mask, expected[1:2], atol=1e-5, rtol=0)


def test_pretrained_files_of_trained_parts_are_not_needed(checkpoint):
    model = MODEL | {"appearance": MODEL["appearance"] | {"weights": "nowhere/resnet.pth"}}
    load_silhouette_network({"model_cfg": model}, checkpoint, "cpu")
    assert model["appearance"]["weights"] == "nowhere/resnet.pth"


def test_model_without_gait_stream(checkpoint):
    model = {key: value for key, value in MODEL.items() if key != "gait"}
    with pytest.raises(ConfigError, match="no gait stream"):
        load_silhouette_network({"model_cfg": model}, checkpoint, "cpu")


def test_missing_checkpoint_names_those_there(checkpoint):
    with pytest.raises(CheckpointError, match="none.pt; .* has tiny-00010.pt"):
        load_silhouette_network({"model_cfg": MODEL}, checkpoint.with_name("none.pt"), "cpu")


def test_checkpoint_of_another_model(tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"model": {"Backbone.conv.weight": torch.zeros(1)}}, path)
    with pytest.raises(CheckpointError, match="other.pt is a checkpoint of another model"):
        load_silhouette_network({"model_cfg": MODEL}, path, "cpu")


def test_checkpoint_of_another_size(checkpoint):
    model = MODEL | {"silhouette": MODEL["silhouette"] | {"channels": 8}}
    with pytest.raises(CheckpointError, match="tiny-00010.pt does not fit .* has shape"):
        load_silhouette_network({"model_cfg": model}, checkpoint, "cpu")


def test_unknown_device(checkpoint):
    with pytest.raises(ConfigError, match="device abacus cannot be used here"):
        load_silhouette_network({"model_cfg": MODEL}, checkpoint, "abacus")
