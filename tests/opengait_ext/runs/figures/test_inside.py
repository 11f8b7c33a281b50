"""A look inside SASG: what is shown is what the network computed."""

import math

import numpy as np
import pytest
import torch

from opengait.errors import ConfigError
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.losses.diversity import diversity_loss
from opengait_ext.runs.figures.inside import draw_attention, draw_channel_use, draw_lge_steps, look_inside
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
    return [Seen(Shown(place, "0001", kind), frames, blank, frames) for place, kind in enumerate(kinds)]


def test_the_attention_is_the_gait_priors_weight():
    net = network()
    kept = {}
    fusion = net.silhouette_generator.fusion.fusion
    fusion.register_forward_hook(lambda _, inputs, out: kept.update(gait=inputs[0], appearance=inputs[1], out=out))
    found = look_inside(net, given()[0], MODALITY).attention
    # Eq. 6's fusion is g w + a (1 - w), so w can be read off what went in and what came out.
    apart = kept["gait"] - kept["appearance"]
    weight = ((kept["out"] - kept["appearance"]) / apart).double()
    clear = (apart.abs() > 1e-3).all(dim=1)
    assert clear.any() and found.shape == (6, 16, 8)
    assert found[clear.numpy()] == pytest.approx(weight.mean(dim=1)[clear].numpy(), abs=2e-3)
    assert found.std() > 0.01


def test_the_entropy_is_that_of_the_diversity_loss():
    net = network()
    shares = look_inside(net, given()[0], MODALITY).shares
    with torch.no_grad():
        prior = net(given()[0], MODALITY).silhouettes.gait_prior
    used = shares[shares.sum(axis=1) > 0]
    entropy = -(used * np.log2(np.clip(used, 1e-12, None))).sum(axis=1)
    assert math.log2(shares.shape[1]) - entropy.mean() == pytest.approx(float(diversity_loss(prior)), abs=1e-5)
    figure = draw_channel_use(look_inside(net, given()[0], MODALITY), seen())
    assert [len(bars) for bars in figure.axes[0].containers] == [4, 4]


def test_what_an_ablation_lacks_is_said():
    net = network(silhouette=SASG["silhouette"] | {"gait_prior": False}, enhancement={"type": "concatenation"})
    inside = look_inside(net, given()[0], MODALITY)
    for draw, told in (
        (lambda: draw_attention(inside, seen()), "single prior"),
        (lambda: draw_channel_use(inside, seen()), "no E_g"),
        (lambda: draw_lge_steps(inside), "no LGE of the paper's kind"),
    ):
        with pytest.raises(ConfigError, match=told):
            draw()
    torch.manual_seed(0)
    with pytest.raises(ConfigError, match="no SASG to look into"):
        look_inside(DinoGRLNet.from_config(MODEL).eval(), given()[0], MODALITY)
