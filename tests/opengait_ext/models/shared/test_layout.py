"""The memory layout of the ResNets: another one changes nothing but rounding, and half precision keeps it."""

import pytest
import torch

from opengait_ext.models.shared import resnet, two_stems
from tests.equations.networks import tiny_batch, tiny_network


def channels_last(maps: torch.Tensor) -> torch.Tensor:
    return maps.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def gpu_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (two_stems, resnet):
        monkeypatch.setattr(module, "tensor_core_layout", channels_last)


def step() -> dict[str, torch.Tensor]:
    network = tiny_network().train()
    output = network(*tiny_batch())
    loss = output.appearance.logits.logsumexp(1).sum() + output.gait.logits.logsumexp(1).sum()
    loss.backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), "descriptor": output.descriptor.detach()} | gradients


def test_the_layout_of_gpus_gives_the_same_step(request: pytest.FixtureRequest) -> None:
    plain = step()
    request.getfixturevalue("gpu_layout")
    ours = step()
    torch.testing.assert_close(ours["descriptor"], plain["descriptor"], rtol=1e-3, atol=1e-4)
    norms = {name: value.norm() for name, value in plain.items()}
    assert all((ours[name] - value).norm() <= 0.05 * norms[name] + 1e-4 for name, value in plain.items())


def test_half_precision_reaches_the_stages_and_keeps_their_layout(gpu_layout: None) -> None:
    network = tiny_network().train()
    seen: list[torch.Tensor] = []
    for stages in (network.appearance.stages, network.gait.stages):
        stages.layer4[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.autocast("cpu", torch.bfloat16):
        output = network(*tiny_batch())
    assert [maps.dtype for maps in seen] == [torch.bfloat16] * 2
    assert all(maps.is_contiguous(memory_format=torch.channels_last) for maps in seen)
    assert output.silhouettes is not None and output.silhouettes.target.dtype is torch.float32


def test_on_a_cpu_the_layout_stays() -> None:
    maps = torch.zeros(2, 3, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert resnet.tensor_core_layout(maps) is maps
