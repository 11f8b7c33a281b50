"""Batch norm over ranks against ordinary batch norm on the concatenated batch."""

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from opengait import distributed
from opengait.engine.sync_batchnorm import (
    CrossRankBatchNorm,
    _CudaBatchNorm,
    convert_sync_batchnorm,
    masked_batch_norm,
)
from tests.opengait.ranks import on_ranks

# Rows of each rank, for an input of [rows, ...].
CASES = {
    "1d": (nn.BatchNorm1d, (5,), (3, 3)),
    "1d_sequence": (nn.BatchNorm1d, (5, 4), (2, 3)),
    "2d": (nn.BatchNorm2d, (5, 3, 2), (1, 4)),
    "2d_none_on_one_rank": (nn.BatchNorm2d, (5, 3, 2), (4, 0)),
    "2d_none_on_any_rank": (nn.BatchNorm2d, (5, 3, 2), (0, 0)),
    "3d": (nn.BatchNorm3d, (5, 2, 3, 2), (2, 1)),
    "1d_one_row_each": (nn.BatchNorm1d, (5,), (1, 1)),
}
OPTIONS = {
    "default": {},
    "average": {"momentum": None},
    "no_affine": {"affine": False},
    "no_tracking": {"track_running_stats": False},
}


def make_norm(kind: type[nn.Module], options: dict) -> nn.Module:
    torch.manual_seed(1)
    norm = kind(5, dtype=torch.float64, **options)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    return norm


def make_rows(shape: tuple[int, ...], rows: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    shape = (sum(rows), *shape)
    values = torch.randn(shape, generator=generator, dtype=torch.float64) * 3 + 1
    return values, torch.randn(shape, generator=generator, dtype=torch.float64)


def two_steps(norm: nn.Module, values: torch.Tensor, factors: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return outputs, gradients and buffers of two training steps whose loss weights every output by `factors`."""
    values = values.clone().requires_grad_()
    norm(values.detach() * 0.5 + 2)
    out = norm(values)
    (out * factors).sum().backward()
    result = {"output": out.detach(), "input_gradient": values.grad}
    result |= {f"{name}_gradient": parameter.grad for name, parameter in norm.named_parameters()}
    return result | dict(norm.named_buffers())


CHOSEN = torch.tensor([True, False, True, True, False, True, False])


def masked_steps(norm: nn.Module, rows: slice) -> dict[str, torch.Tensor]:
    """Return what `two_steps` returns for the chosen ones of these rows, with the norm reading all of them."""
    values, factors = (tensor[rows] for tensor in make_rows((5,), (7,)))
    chosen = CHOSEN[rows]

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = norm

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return masked_batch_norm(self.norm, values, chosen) * chosen[:, None]

    return two_steps(Masked(), values, factors)


def chosen_steps(options: dict) -> dict[str, torch.Tensor]:
    values, factors = (tensor[CHOSEN] for tensor in make_rows((5,), (7,)))
    return two_steps(make_norm(nn.BatchNorm1d, options), values, factors)


@pytest.mark.parametrize("tag", OPTIONS)
def test_masked_rows_do_not_count(tag: str) -> None:
    ours = masked_steps(make_norm(nn.BatchNorm1d, OPTIONS[tag]), slice(None))
    ours = {name.removeprefix("norm."): value for name, value in ours.items()}
    for name in ("output", "input_gradient"):
        assert not ours[name][~CHOSEN].any()
        ours[name] = ours[name][CHOSEN]
    torch.testing.assert_close(ours, chosen_steps(OPTIONS[tag]))


def on_rank() -> dict:
    """Return the values that the tests below compare, for one rank of two."""
    rank = distributed.rank()
    results = {}
    for tag, options in OPTIONS.items():
        for case, (kind, shape, rows) in CASES.items():
            values, factors = (tensor.split(rows)[rank] for tensor in make_rows(shape, rows))
            results[case, tag] = two_steps(convert_sync_batchnorm(make_norm(kind, options)), values, factors)
        norm = convert_sync_batchnorm(make_norm(nn.BatchNorm1d, OPTIONS[tag]))
        results["masked", tag] = masked_steps(norm, (slice(3), slice(3, 7))[rank])
    results["network"] = network_gradients(rank)
    try:
        convert_sync_batchnorm(nn.BatchNorm1d(2))(torch.ones(1 - rank, 2))
    except ValueError as error:
        results["too few"] = str(error)
    half = convert_sync_batchnorm(nn.BatchNorm1d(3))(make_rows((3,), (4, 4))[0].chunk(2)[rank].bfloat16())
    results["half"] = half.detach()
    return results


def make_network() -> nn.Module:
    torch.manual_seed(3)
    layers = [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5), nn.BatchNorm1d(5)]
    return nn.Sequential(*layers).double()


def network_gradients(rank: int | None) -> dict[str, torch.Tensor]:
    """Return the gradients of a mean loss over six images; with a rank, over its half, averaged by DDP."""
    images = torch.randn(6, 2, 4, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    factors = torch.randn(6, 5, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    network = make_network()
    if rank is not None:
        images, factors = images.chunk(2)[rank], factors.chunk(2)[rank]
        network = DistributedDataParallel(convert_sync_batchnorm(network))
    (network(images).sigmoid() * factors).mean().backward()
    return {name.removeprefix("module."): parameter.grad for name, parameter in network.named_parameters()}


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    return on_ranks(on_rank, tmp_path_factory.mktemp("ranks"))


@pytest.mark.slow
@pytest.mark.parametrize("tag", OPTIONS)
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_equal_one_process_on_the_whole_batch(case: str, tag: str, two_ranks: list[dict]) -> None:
    kind, shape, rows = CASES[case]
    expected = two_steps(make_norm(kind, OPTIONS[tag]), *make_rows(shape, rows))
    first, second = (ranks[case, tag] for ranks in two_ranks)
    assert set(first) == set(second) == set(expected)
    for name, value in expected.items():
        if name in ("output", "input_gradient"):
            ours = torch.cat([first[name], second[name]])
        elif name.endswith("gradient"):
            ours = first[name] + second[name]
        else:
            torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
            ours = first[name]
        torch.testing.assert_close(ours, value, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.slow
@pytest.mark.parametrize("tag", OPTIONS)
def test_masked_rows_of_two_ranks_do_not_count(tag: str, two_ranks: list[dict]) -> None:
    expected = chosen_steps(OPTIONS[tag])
    first, second = (ranks["masked", tag] for ranks in two_ranks)
    for name in ("output", "input_gradient"):
        torch.testing.assert_close(torch.cat([first[name], second[name]])[CHOSEN], expected[name])
    for name in ("running_mean", "running_var"):
        if name in expected:
            torch.testing.assert_close(first[f"norm.{name}"], expected[name])


@pytest.mark.slow
def test_network_under_ddp_has_the_gradients_of_one_process(two_ranks: list[dict]) -> None:
    expected = network_gradients(None)
    for rank in two_ranks:
        torch.testing.assert_close(rank["network"], expected)


@pytest.mark.slow
def test_a_single_value_over_all_ranks_is_rejected(two_ranks: list[dict]) -> None:
    assert all("two values per channel, got 1" in rank["too few"] for rank in two_ranks)


@pytest.mark.slow
def test_half_precision_is_computed_in_float32(two_ranks: list[dict]) -> None:
    rows = make_rows((3,), (4, 4))[0].bfloat16()
    expected = nn.BatchNorm1d(3)(rows.float()).bfloat16()
    torch.testing.assert_close(torch.cat([rank["half"] for rank in two_ranks]), expected)


@pytest.mark.parametrize("training", [True, False])
def test_one_process_uses_the_ordinary_batch_norm(training: bool) -> None:
    values, factors = make_rows((5, 3, 2), (2, 2))
    plain, synced = (make_norm(nn.BatchNorm2d, {}).train(training) for _ in range(2))
    synced = convert_sync_batchnorm(synced)
    assert isinstance(synced, CrossRankBatchNorm) and synced.training == training
    torch.testing.assert_close(two_steps(synced, values, factors), two_steps(plain, values, factors), rtol=0, atol=0)


def test_conversion_keeps_names_parameters_and_shared_children() -> None:
    network = nn.Module()
    network.first = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    network.again = network.first
    network.third = network.first[1]
    network.absent = None
    before = network.state_dict(keep_vars=True)
    after = convert_sync_batchnorm(network).state_dict(keep_vars=True)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert network.again[1] is network.first[1] is network.third
    assert "BatchNorm" in type(network.first[1]).__name__


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [0, 3])
def test_torchs_norm_exchanges_statistics_in_one_type(rows: int, dtype: torch.dtype, monkeypatch) -> None:
    """torch sends those of half-precision rows in float32, but those of no rows in the type of the input."""
    inputs: list[torch.Tensor] = []
    monkeypatch.setattr(nn.SyncBatchNorm, "forward", lambda self, input: inputs.append(input) or input)
    output = _CudaBatchNorm(2)(torch.zeros(rows, 2, dtype=dtype))
    assert output.dtype is dtype and output.shape == (rows, 2)
    statistics = inputs[0].dtype if rows == 0 or dtype is torch.float64 else torch.float32
    assert statistics is (torch.float64 if dtype is torch.float64 else torch.float32)


@pytest.mark.cuda
def test_cuda_uses_torchs_implementation() -> None:
    network = convert_sync_batchnorm(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).cuda())
    assert isinstance(network[1], nn.SyncBatchNorm)
