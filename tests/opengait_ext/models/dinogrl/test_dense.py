"""SASG without shapes that depend on values: the numbers of the form that picks tokens, and no wait for a GPU."""

import copy

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from opengait.config import load_config
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models.dinogrl.model import loss_terms
from opengait_ext.models.dinogrl.silhouette import SilhouetteGenerator
from opengait_ext.models.shared.vision_model import VisionFeatures
from tests.equations.networks import tiny_network
from tests.paths import ROOT

RELEASE = {"enlarge_tokens": True, "foreground": "border", "soft_mask": False}


def features(frames: int = 6) -> VisionFeatures:
    generator = torch.Generator().manual_seed(0)
    last, layers = (torch.randn(frames, 32, width, generator=generator, dtype=torch.float64) for width in (6, 12))
    return VisionFeatures(last, layers, (8, 4))


def step(module: SilhouetteGenerator, dense: bool) -> dict[str, torch.Tensor]:
    """Return the outputs, gradients and buffers of a forward and backward pass."""
    module = copy.deepcopy(module)
    module.dense = lambda device: dense
    maps = module(features())
    weights = torch.linspace(-1, 1, maps.enriched.numel(), dtype=torch.float64).view_as(maps.enriched)
    loss = (maps.enriched * weights).sum() + maps.gait_prior.square().sum() + maps.decoded.square().mean()
    loss.backward()
    results = {"enriched": maps.enriched, "gait": maps.gait_prior, "appearance": maps.appearance_prior}
    results |= {name: parameter.grad for name, parameter in module.named_parameters()}
    return results | dict(module.named_buffers())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, RELEASE], ids=["paper", "release"])
def test_reading_all_tokens_gives_the_numbers_of_the_selected_ones(options: dict, training: bool) -> None:
    torch.manual_seed(0)
    module = SilhouetteGenerator(6, layers=2, size=(16, 8), priors=4, channels=4, **options).double().train(training)
    chosen = module(features()).gait_prior.sum(dim=1) > 0
    assert 0 < chosen.double().mean() < 1, "the choice must matter"
    torch.testing.assert_close(step(module, dense=True), step(module, dense=False))


def as_if_on_a_gpu(module: nn.Module) -> None:
    """Replace the values of a module by shapes on a device whose values nobody can read."""
    for child in module.modules():
        for name, parameter in child._parameters.items():
            if parameter is not None:
                empty = torch.empty(parameter.shape, dtype=parameter.dtype, device="cuda")
                child._parameters[name] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
        for name, buffer in child._buffers.items():
            if buffer is not None:
                child._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device="cuda")


def test_a_forward_pass_asks_the_device_for_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake tensors raise when a value is read or a shape depends on one."""
    losses = LossAggregator(load_config(ROOT / "configs/dinogrl/hitsz.yaml", [])["loss_cfg"])
    network = tiny_network().train()
    # The modality is on the CPU, where it may be read.
    monkeypatch.setattr(network.appearance, "enter", lambda frames, modality: network.appearance.stems[0](frames))
    with FakeTensorMode():
        as_if_on_a_gpu(network)
        labels = torch.empty(4, dtype=torch.long, device="cuda")
        output = network(torch.empty(4, 3, 3, 128, 64, device="cuda"), torch.zeros(4, dtype=torch.long))
        terms = loss_terms(output, labels)
        assert set(terms) == set(losses.losses)
        # Fake tensors cannot fill the diagonal of the triplet loss, which has a test of its own.
        losses({name: arguments for name, arguments in terms.items() if "triplet" not in name})


def test_an_exported_network_describes_as_the_network_itself() -> None:
    network = tiny_network().eval()
    frames, modality = torch.randn(2, 2, 3, 128, 64), torch.tensor([0, 1])
    with torch.no_grad():
        exported = torch.export.export(Descriptor(network), (frames, modality)).module()
        torch.testing.assert_close(exported(frames, modality), network(frames, modality).descriptor)


class Descriptor(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: torch.Tensor, modality: torch.Tensor) -> torch.Tensor:
        return self.network(frames, modality).descriptor
