"""Rows of Tables 7 and 9 in the network: given masks and all replacements of LGE learn."""

import pytest
import torch
import torch.nn.functional as F

from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.interactions import INTERACTIONS
from tests.opengait_ext.models.dinogrl.tiny import MODEL, SASG, given

MODALITY = torch.tensor([0, 1, 0, 1])
LABELS = torch.tensor([0, 0, 1, 1])


def network(**changes):
    torch.manual_seed(0)
    return DinoGRLNet.from_config(MODEL | changes)


def loss_of(net, masks=True):
    frames, maps = given(count=4)
    out = net(frames, MODALITY, maps if masks else None)
    loss = 0.0
    for stream in (out.appearance, out.gait):
        loss = loss + F.cross_entropy(stream.logits, LABELS[:, None].expand(-1, stream.logits.shape[-1]))
    return loss, out


def step(net, masks=True, lr=0.01):
    """Take a step of plain gradient descent on the fixed batch, and return the loss before it."""
    net.zero_grad()
    loss, _ = loss_of(net, masks)
    loss.backward()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.grad is not None:
                parameter -= lr * parameter.grad
    return loss.item()


@pytest.mark.parametrize("name", ["lge", "release", *INTERACTIONS])
def test_one_step_lowers_the_loss_and_each_stream_depends_on_the_other(name):
    net = network(enhancement={"type": name})
    losses = [step(net), step(net), loss_of(net)[0].item()]
    assert losses[2] < losses[1] < losses[0]
    # Some start as the identity; after a step, the enhanced feature of one stream depends on the other.
    net.zero_grad()
    _, out = loss_of(net)
    out.appearance.supervised[..., 1:].square().sum().backward()
    assert any(parameter.grad.abs().sum() > 0 for parameter in net.gait.parameters())
    net.zero_grad()
    _, out = loss_of(net)
    out.gait.supervised[..., 1:].square().sum().backward()
    assert any(
        parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.appearance.parameters()
    )
    assert out.descriptor.shape == (4, 8, 6) and all(part.isfinite().all() for part in net.state_dict().values())


@pytest.mark.parametrize("maps", [1, 2])
def test_given_masks_of_one_or_several_maps_learn(maps):
    silhouette = {"type": "masks", "size": [16, 8], "channels": 8, "maps": maps}
    net = network(silhouette=silhouette)
    frames, masks = given(count=4, maps=maps)

    def loss():
        out = net(frames, MODALITY, masks)
        return F.cross_entropy(out.gait.logits, LABELS[:, None].expand(-1, out.gait.logits.shape[-1]))

    before = loss()
    before.backward()
    assert all(bool(parameter.grad.any()) for parameter in net.silhouette_generator.parameters())
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.grad is not None:
                parameter -= 0.01 * parameter.grad
    assert loss() < before


def test_sasg_learns_as_well():
    net = network(**SASG)
    assert step(net, masks=False) > loss_of(net, masks=False)[0].item()
