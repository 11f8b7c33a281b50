"""Values inside SASG and PBMGE, compared with the network's own computation."""

import math

import numpy as np
import pytest
import torch

from opengait.errors import ConfigError
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.losses.diversity import diversity_loss
from opengait_ext.runs.figures.inside import DRAWINGS, draw_channel_use, look_inside
from opengait_ext.runs.figures.people import Seen, Shown
from tests.opengait_ext.models.dinogrl.tiny import MODEL, SASG, given

MODALITY = torch.tensor([0, 1])


def network(**changes):
    torch.manual_seed(0)
    net = DinoGRLNet.from_config(MODEL | SASG | changes).eval()
    for parameter in net.silhouette_generator.fusion.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.5)
    return net


def seen():
    blank = np.zeros((3, 64, 32), np.uint8)
    frames = np.zeros((3, 64, 32, 3), np.uint8)
    kinds = ("visible", "infrared")
    return [Seen(Shown(index, "0001", kind), frames, blank, frames) for index, kind in enumerate(kinds)]


def test_attention_is_the_weight_of_the_gait_prior():
    net = network()
    recorded = {}
    fusion = net.silhouette_generator.fusion.fusion
    fusion.register_forward_hook(lambda _, inputs, out: recorded.update(gait=inputs[0], appearance=inputs[1], out=out))
    attention = look_inside(net, given()[0], MODALITY).attention
    # The fusion of Eq. 6 is g w + a (1 - w), so w follows from its inputs and output.
    difference = recorded["gait"] - recorded["appearance"]
    weight = ((recorded["out"] - recorded["appearance"]) / difference).double()
    clear = (difference.abs() > 1e-3).all(dim=1)
    assert clear.any() and attention.shape == (6, 16, 8)
    assert attention[clear.numpy()] == pytest.approx(weight.mean(dim=1)[clear].numpy(), abs=2e-3)
    assert attention.std() > 0.01


def test_entropy_agrees_with_the_diversity_loss():
    net = network()
    shares = look_inside(net, given()[0], MODALITY).shares
    with torch.no_grad():
        prior = net(given()[0], MODALITY).silhouettes.gait_prior
    used = shares[shares.sum(axis=1) > 0]
    entropy = -(used * np.log2(np.clip(used, 1e-12, None))).sum(axis=1)
    assert math.log2(shares.shape[1]) - entropy.mean() == pytest.approx(float(diversity_loss(prior)), abs=1e-5)
    figure = draw_channel_use(look_inside(net, given()[0], MODALITY), seen())
    assert [len(bars) for bars in figure.axes[0].containers] == [4, 4]


def test_parts_that_an_ablation_lacks_are_named():
    net = network(silhouette=SASG["silhouette"] | {"gait_prior": False}, enhancement={"type": "concatenation"})
    inside = look_inside(net, given()[0], MODALITY)
    expected = {"attention": "single prior", "channels": "no E_g", "steps": "model_cfg.enhancement"}
    for kind, draw in DRAWINGS.items():
        with pytest.raises(ConfigError, match=expected[kind]):
            draw(inside, seen())
    torch.manual_seed(0)
    with pytest.raises(ConfigError, match="no SASG"):
        look_inside(DinoGRLNet.from_config(MODEL).eval(), given()[0], MODALITY)
