"""Figure 2: the assembled network."""

import pytest
import torch

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models import DinoGRLNet
from tests.equations.networks import TINY_VIT, tiny_batch, tiny_config, tiny_network


@pytest.mark.parametrize(("tracklets", "frames"), [(1, 1), (1, 4), (3, 1), (2, 5)])
def test_any_number_of_tracklets_and_frames(tracklets, frames):
    network = tiny_network().eval()
    output = network(*tiny_batch(tracklets, frames))
    assert output.descriptor.shape == (tracklets, 12, 10)
    assert output.appearance.supervised.shape == output.gait.supervised.shape == (tracklets, 12, 5)
    assert output.silhouettes.mask.shape == (tracklets * frames, 1, 64, 32)
    assert output.silhouettes.mask.min() >= 0 and output.silhouettes.mask.max() <= 1
    assert output.appearance.logits is None, "identity scores belong to training"


def test_training_outputs_logits_of_the_supervised_features():
    output = tiny_network().train()(*tiny_batch())
    assert output.appearance.logits.shape == output.gait.logits.shape == (4, 5, 5)


def test_descriptors_do_not_depend_on_the_batch():
    network = tiny_network().eval()
    frames, modality = tiny_batch(4)
    together = network(frames, modality).descriptor
    for index in range(4):
        alone = network(frames[index : index + 1], modality[index : index + 1]).descriptor
        assert torch.allclose(alone[0], together[index], atol=1e-5)


def test_the_gait_stream_ignores_the_modality():
    network = tiny_network(enhancement=False).eval()
    frames, _ = tiny_batch(2)
    visible = network(frames, torch.tensor([0, 0]))
    infrared = network(frames, torch.tensor([1, 1]))
    assert torch.equal(visible.gait.parts, infrared.gait.parts)
    assert not torch.allclose(visible.appearance.parts, infrared.appearance.parts)


def test_descriptor_of_all_parts_and_without_enhancement():
    frames, modality = tiny_batch(2)
    assert tiny_network(descriptor="parts").eval()(frames, modality).descriptor.shape == (2, 12, 70)
    plain = tiny_network(enhancement=False).eval()(frames, modality)
    assert plain.descriptor.shape == (2, 12, 2)
    unit = torch.nn.functional.normalize(plain.gait.parts[..., 0], dim=1)
    assert torch.equal(plain.descriptor[..., 0], unit)
    raw = tiny_network(enhancement=False, normalise=False).eval()(frames, modality)
    assert torch.equal(raw.descriptor[..., 1], raw.appearance.parts[..., 0])
    fewer = tiny_network(granularities=[2, 4]).eval()(frames, modality)
    assert fewer.descriptor.shape == (2, 12, 6)


def test_all_parts_can_be_supervised():
    frames, modality = tiny_batch()
    network = tiny_network(supervised="parts", cosine=True).train()
    output = network(frames, modality)
    assert output.gait.supervised.shape == (4, 12, 35) and output.gait.logits.shape == (4, 5, 35)
    assert torch.equal(output.gait.supervised[..., :31], output.gait.parts)
    assert output.gait.logits.abs().max() <= 1 + 1e-5, "cosines"
    assert network.eval()(frames, modality).descriptor.shape == (4, 12, 70)


def test_appearance_baseline():
    network = tiny_network(gait=None, silhouette=None, vision_model=None, enhancement=False).train()
    output = network(*tiny_batch())
    assert output.gait is None and output.silhouettes is None
    assert output.descriptor.shape == (4, 12, 1)


def test_every_trainable_parameter_gets_a_gradient():
    network = tiny_network().train()
    output = network(*tiny_batch())
    total = output.appearance.logits.square().sum() + output.gait.logits.square().sum()
    (total + output.silhouettes.decoded.square().sum()).backward()
    without_gradient = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert without_gradient == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"granularites": [2]}, r"model_cfg has an unknown key 'granularites'; did you mean granularities"),
        ({"appearance": {"backbne": "resnet18"}}, r"model_cfg.appearance .* did you mean backbone"),
        ({"gait": None}, "enhancement needs both streams"),
        ({"descriptor": "all"}, "'supervised' or 'parts'"),
        ({"supervised": "all"}, "'globals' or 'parts'"),
        ({"silhouette": [64, 32]}, "model_cfg.silhouette is .* expected a table"),
        ({"vision_model": TINY_VIT | {"layers": [1, 2]}}, "blocks 0 to 1"),
        ({"vision_model": TINY_VIT | {"name": "vit_tinny"}}, "no model 'vit_tinny'"),
        ({"vision_model": TINY_VIT | {"name": "resnet18", "arguments": {}}}, "resnet18"),
        ({"vision_model": TINY_VIT | {"precision": "half"}}, "float16"),
    ],
)
def test_invalid_settings_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        DinoGRLNet.from_config(tiny_config(**changes))


def test_frames_that_cannot_be_cut_into_stripes_are_refused():
    network = tiny_network().eval()
    with pytest.raises(ConfigError, match="15 rows high cannot be cut into 2"):
        network(torch.randn(1, 1, 3, 120, 64), torch.tensor([0]))


def test_weight_files_of_the_vision_model(tmp_path):
    network = tiny_network()
    path = tmp_path / "vit.pth"
    torch.save(network.vision_model.transformer.state_dict(), path)
    same = tiny_network(seed=5, vision_model=TINY_VIT | {"weights": str(path)})
    frames, _ = tiny_batch(1, 2)
    assert torch.equal(same.vision_model(frames[0]).last, network.vision_model(frames[0]).last)
    deeper = TINY_VIT | {"weights": str(path), "arguments": TINY_VIT["arguments"] | {"depth": 3}}
    with pytest.raises(CheckpointError, match=r"blocks.2.*is missing"):
        tiny_network(vision_model=deeper)
    wider = TINY_VIT | {"weights": str(path), "arguments": TINY_VIT["arguments"] | {"embed_dim": 32}}
    with pytest.raises(CheckpointError, match="does not fit"):
        tiny_network(vision_model=wider)
