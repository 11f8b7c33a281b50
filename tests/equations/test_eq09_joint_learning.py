"""Eq. 9 and 10: the gait losses train SASG's encoders only with joint learning (Table 6)."""

import pytest

from tests.equations.networks import tiny_batch, tiny_network


def has_gradient(network, encoder: str) -> bool:
    parameters = getattr(network.silhouette_generator, encoder).down_sampling.parameters()
    return any(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters)


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("encoder", ["mask_encoder", "gait_encoder", "appearance_encoder"])
def test_gait_gradient_in_sasg(joint, encoder):
    network = tiny_network(joint_learning=joint).train()
    output = network(*tiny_batch())
    (output.gait.logits.square().sum() + output.gait.supervised.square().sum()).backward()
    assert has_gradient(network, encoder) is joint
    for layer in (network.gait.stages.layer4[-1].conv2, network.silhouette_generator.fusion.pre_part.conv1):
        assert layer.weight.grad.abs().sum() > 0, "E_gait and the fusion before it always learn"


def test_the_vision_model_stays_frozen_and_in_evaluation_mode():
    network = tiny_network().train()
    network(*tiny_batch()).descriptor.sum().backward()
    assert not network.vision_model.training
    assert not network.vision_model.transformer.blocks[0].training
    assert all(p.grad is None and not p.requires_grad for p in network.vision_model.parameters())
