"""Activation checkpointing: the numbers of a plain step, from fewer kept tensors."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from opengait.config import load_config
from tests.equations.networks import tiny_batch, tiny_config, tiny_network
from tests.paths import ROOT

SECTIONS = ("appearance", "silhouette", "gait")


def step(recompute: bool) -> tuple[dict[str, torch.Tensor], int]:
    """Return the gradients and buffers of two steps, and the bytes kept between forward and backward pass."""
    sections = {name: tiny_config()[name] | {"recompute": recompute} for name in SECTIONS}
    network = tiny_network(**sections).train()
    frames, modality = tiny_batch()
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    for _ in range(2):
        kept.clear()
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            output = network(frames, modality)
        size = sum(kept.values())
        loss = output.descriptor.square().mean() + output.silhouettes.gait_prior.square().sum()
        loss = loss + output.gait.logits.logsumexp(1).sum() + output.appearance.logits.logsumexp(1).sum()
        loss.backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return gradients | dict(network.named_buffers()), size


def test_gradients_and_running_statistics_are_those_of_a_plain_step():
    (plain, all_kept), (ours, fewer_kept) = step(recompute=False), step(recompute=True)
    torch.testing.assert_close(ours, plain)
    assert fewer_kept < 0.6 * all_kept


@pytest.mark.parametrize("name", ["hitsz", "bupt", "hitsz_official", "bupt_official", "demo"])
def test_it_is_a_setting_of_the_shipped_configurations(name):
    overrides = [f"model_cfg.{section}.recompute=true" for section in SECTIONS]
    model_cfg = load_config(ROOT / f"configs/dinogrl/{name}.yaml", overrides)["model_cfg"]
    assert all(model_cfg[section]["recompute"] is True for section in SECTIONS)
