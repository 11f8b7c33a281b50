"""Figure 2: the assembled network."""

import pytest
import torch

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models import DinoGRLNet
from tests.equations.networks import TINY_VIT, tiny_batch, tiny_config, tiny_network


@pytest.mark.parametrize(("tracklets", "frames"), [(1, 1), (1, 4), (3, 1), (2, 5)])
def test_any_number_of_tracklets_and_frames(tracklets, frames):
    network = tiny_network().eval()
    out = network(*tiny_batch(tracklets, frames))
    assert out.descriptor.shape == (tracklets, 12, 10)
    assert out.appearance.supervised.shape == out.gait.supervised.shape == (tracklets, 12, 5)
    assert out.silhouettes.mask.shape == (tracklets * frames, 1, 64, 32)
    assert out.silhouettes.mask.min() >= 0 and out.silhouettes.mask.max() <= 1
    assert out.appearance.logits is None, "identity scores belong to training"


def test_training_gives_logits_of_the_five_supervised_features():
    out = tiny_network().train()(*tiny_batch())
    assert out.appearance.logits.shape == out.gait.logits.shape == (4, 5, 5)


def test_a_tracklet_is_described_alone_as_in_company():
    network = tiny_network().eval()
    frames, modality = tiny_batch(4)
    together = network(frames, modality).descriptor
    for index in range(4):
        alone = network(frames[index : index + 1], modality[index : index + 1]).descriptor
        assert torch.allclose(alone[0], together[index], atol=1e-5)


def test_the_gait_stream_does_not_see_the_modality():
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


def test_supervising_all_parts_as_the_release_does():
    frames, modality = tiny_batch()
    network = tiny_network(supervised="parts", cosine=True).train()
    out = network(frames, modality)
    assert out.gait.supervised.shape == (4, 12, 35) and out.gait.logits.shape == (4, 5, 35)
    assert torch.equal(out.gait.supervised[..., :31], out.gait.parts)
    assert out.gait.logits.abs().max() <= 1 + 1e-5, "cosines"
    assert network.eval()(frames, modality).descriptor.shape == (4, 12, 70)


def test_appearance_baseline():
    network = tiny_network(gait=None, silhouette=None, vision_model=None, enhancement=False).train()
    out = network(*tiny_batch())
    assert out.gait is None and out.silhouettes is None
    assert out.descriptor.shape == (4, 12, 1)


def test_every_trainable_parameter_learns():
    network = tiny_network().train()
    out = network(*tiny_batch())
    total = out.appearance.logits.square().sum() + out.gait.logits.square().sum()
    (total + out.silhouettes.decoded.square().sum()).backward()
    silent = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert silent == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"granularites": [2]}, r"model_cfg has an unknown key 'granularites'; did you mean granularities"),
        ({"appearance": {"backbne": "resnet18"}}, r"model_cfg.appearance .* did you mean backbone"),
        ({"gait": None}, "enhancement needs both streams"),
        ({"descriptor": "all"}, "'supervised' or 'parts'"),
        ({"supervised": "all"}, "'globals' or 'parts'"),
        ({"silhouette": [64, 32]}, "model_cfg.silhouette must be a table"),
        ({"vision_model": TINY_VIT | {"layers": [1, 2]}}, "blocks 0 to 1"),
        ({"vision_model": TINY_VIT | {"name": "vit_tinny"}}, "no model 'vit_tinny'"),
        ({"vision_model": TINY_VIT | {"name": "resnet18", "arguments": {}}}, "resnet18"),
        ({"vision_model": TINY_VIT | {"precision": "half"}}, "float16"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        DinoGRLNet.from_config(tiny_config(**changes))


def test_frames_that_do_not_divide_into_stripes_are_refused():
    network = tiny_network().eval()
    with pytest.raises(ConfigError, match="15 rows high cannot be cut into 2"):
        network(torch.randn(1, 1, 3, 120, 64), torch.tensor([0]))


def test_weights_of_another_vision_model(tmp_path):
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
