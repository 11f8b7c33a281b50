"""AuxNet's network against its formulas, and the recipe of the configurations."""

import math

import pytest
import torch
import torch.nn.functional as F

from opengait.config import load_config
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.errors import ConfigError
from opengait_ext.models.auxnet.model import loss_terms
from opengait_ext.models.auxnet.network import AuxNetNet
from tests.paths import ROOT

SMALL = {"backbone": "resnet10", "width": 4}


def network(**changes) -> AuxNetNet:
    torch.manual_seed(0)
    return AuxNetNet.from_config({"model": "AuxNet", "num_classes": 5, "backbone": SMALL, **changes}).double()


def tracklets(modality: list[int], frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    values = torch.randn(len(modality), frames, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    return values.double(), torch.tensor(modality)


@pytest.mark.parametrize("count", [1, 3])
def test_a_descriptor_is_the_normalised_mean_of_the_frames(count):
    net = network().eval()
    frames, modality = tracklets([1, 0, 1], count)
    output = net(frames, modality)
    for number, (clip, kind) in enumerate(zip(frames, modality.tolist(), strict=True)):
        maps = [net.backbone.stages(net.backbone.stems[kind](frame[None]))[0] for frame in clip]
        x = sum(part.flatten(1).mean(1) for part in maps) / count
        torch.testing.assert_close(output.features[number], x)
        norm = net.neck.norm
        after = (x - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight
        torch.testing.assert_close(output.descriptor[number, :, 0], after / after.norm())
    assert output.logits is None


def test_one_modality_alone_trains():
    net = network()
    output = net(*tracklets([1, 1, 1]))
    output.logits.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters() if p.requires_grad)
    assert not any(p.grad.any() for p in net.backbone.stems[0].parameters())


def test_one_frame_of_one_tracklet_cannot_be_normalised():
    with pytest.raises(ConfigError, match="batch"):
        network()(*tracklets([0], 1))


def test_the_published_sizes():
    with torch.device("meta"):
        net = AuxNetNet.from_config({"num_classes": 1074})
        maps = net.backbone.stages(net.backbone.stems[0](torch.zeros(1, 3, 256, 128)))
    assert maps.shape == (1, 512, 16, 8)
    assert sum(p.numel() for p in net.parameters()) == 21_845_120


def test_the_terms_of_the_losses():
    net = network()
    labels = torch.tensor([0, 3, 3])
    output = net(*tracklets([1, 0, 1]))
    terms = loss_terms(output, labels)
    assert torch.equal(terms["identity"]["logits"][:, :, 0], output.logits)
    assert torch.equal(terms["triplet"]["embeddings"][:, :, 0], output.features)
    assert all(term["labels"] is labels for term in terms.values())
    scores = (
        F.batch_norm(output.features, None, None, net.neck.norm.weight, training=True) @ net.neck.classifier.weight.T
    )
    torch.testing.assert_close(output.logits, scores)


@pytest.mark.parametrize(("name", "steps"), [("hitsz", 268), ("bupt", 223)])
def test_the_recipe(name, steps):
    cfgs = load_config(ROOT / f"configs/auxnet/{name}.yaml")
    trainer, evaluator = cfgs["trainer_cfg"], cfgs["evaluator_cfg"]
    assert trainer["total_iter"] == evaluator["restore_hint"] == 100 * steps
    assert [section["sampler"]["frames_num_fixed"] for section in (trainer, evaluator)] == [10, 10]
    assert trainer["sampler"]["batch_size"] == [8, 2]
    (triplet,) = (entry for entry in cfgs["loss_cfg"] if entry["log_prefix"] == "triplet")
    assert triplet["margin"] == 0.6
    optimiser = build_optimizer([("x", torch.nn.Parameter(torch.zeros(1)))], cfgs["optimizer_cfg"])
    assert optimiser.param_groups[0]["weight_decay"] == 1e-5
    schedule = build_scheduler(optimiser, cfgs["scheduler_cfg"])
    for epoch in range(101):
        expected = 2e-4 * (1 + math.cos(math.pi * epoch / 100)) / 2
        for _ in range(steps):
            assert optimiser.param_groups[0]["lr"] == pytest.approx(expected, abs=1e-12)
            optimiser.step()
            schedule.step()
