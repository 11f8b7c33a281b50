"""VLD's losses, rates and batches, as the configurations set them."""

import math

import pytest
import torch
import torch.nn.functional as F

from opengait.config import load_config
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.engine.run_state import RunState
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models.vld.model import loss_terms
from tests.opengait_ext.models.vld.tiny import network, tracklets
from tests.paths import ROOT


def weighted_triplet(x: torch.Tensor, labels: list[int]) -> torch.Tensor:
    """Return the release's weighted triplet loss, anchor by anchor."""
    losses = []
    for i, label in enumerate(labels):
        d = [(x[i] - other).square().sum().clamp(min=1e-12).sqrt() for other in x]
        far = [v for v, other in zip(d, labels, strict=True) if other == label]
        near = [v for v, other in zip(d, labels, strict=True) if other != label]
        w_far = [(v - max(far)).exp() for v in far]
        w_near = [(-v).exp() for v in near]
        a = sum(w * v for w, v in zip(w_far, far, strict=True)) / (sum(w_far) + 1e-6)
        b = sum(w * v for w, v in zip(w_near, near, strict=True)) / (sum(w_near) + 1e-6)
        losses.append((1 + (a - b).exp()).log())
    return sum(losses) / len(losses)


def test_the_sum_of_the_losses_is_that_of_the_description():
    cfgs = load_config(ROOT / "configs/vld/hitsz.yaml")
    net = network()
    labels = [0, 0, 3, 3, 1]
    output = net(tracklets(5))
    total, _ = LossAggregator(cfgs["loss_cfg"], RunState())(loss_terms(output, torch.tensor(labels)))
    weights = {"visual": 1.0, "projected": 1.0, "text": 0.08, "hub": 0.4}
    expected = sum(
        -weight * sum(F.log_softmax(row, 0)[label] for row, label in zip(output.logits[name], labels, strict=True)) / 5
        for name, weight in weights.items()
    )
    expected = expected + sum(
        weighted_triplet(x, labels) for x in (output.early, output.visual, output.projected, output.hub)
    )
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "batch"), [("hitsz", [4, 4]), ("bupt", [8, 2])])
def test_rates_are_those_of_the_code(name, batch):
    cfgs = load_config(ROOT / f"configs/vld/{name}.yaml")
    assert cfgs["trainer_cfg"]["sampler"]["batch_size"] == batch and cfgs["trainer_cfg"]["total_iter"] == 4800
    net = network()
    named = [(f"network.{part}", parameter) for part, parameter in net.named_parameters()]
    optimiser = build_optimizer(named, cfgs["optimizer_cfg"])
    schedule = build_scheduler(optimiser, cfgs["scheduler_cfg"])
    bases = {id(p): group["initial_lr"] for group in optimiser.param_groups for p in group["params"]}
    for part, parameter in named:
        fast = part.endswith("bias") or any(f".{key}" in part for key in ("necks.", "texts.", "hub.prompts"))
        expected = None if ".text_encoder." in part else 2.5e-5 * (25 if fast else 1)
        assert bases.get(id(parameter)) == (None if expected is None else pytest.approx(expected)), part
    assert {group["weight_decay"] for group in optimiser.param_groups} == {1e-4}
    for epoch in range(24):
        for group in optimiser.param_groups:
            base, floor = group["initial_lr"], 2.5e-7
            falling = floor + (base - floor) * (1 + math.cos(math.pi * epoch / 24)) / 2
            rate = floor + (base - floor) * epoch / 3 if epoch < 3 else falling
            assert group["lr"] == pytest.approx(rate)
        for _ in range(200):
            optimiser.step()
            schedule.step()


def test_half_precision_gives_nearly_the_same_gradients():
    plain, half = network().float(), network().float()
    frames = tracklets(4).float()
    gradients = []
    for net, enabled in ((plain, False), (half, True)):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            output = net(frames)
        loss = sum(scores.float().tanh().mean() for scores in output.logits.values())
        loss.backward()
        gradients.append(net.texts.tokens.grad)
    assert F.cosine_similarity(*(g.flatten() for g in gradients), dim=0) > 0.9
