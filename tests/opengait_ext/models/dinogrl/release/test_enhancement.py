"""The release's PBMGE: golden numbers, the direct form as reference, and invariances of the step."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from opengait.engine.sync_batchnorm import convert_sync_batchnorm
from opengait.errors import ConfigError
from opengait_ext.models.dinogrl.release.enhancement import ReleaseEnhancement, ReleaseLGE, direct_enhancement
from scripts.benchmarks import enhancement as benchmark_enhancement
from tests.golden.dinogrl_official import recipe
from tests.opengait.ranks import on_ranks

NOISE = ("W1.0.bias", "W2.0.bias")  # batch norm follows: their gradient is rounding noise


@pytest.fixture(scope="module")
def golden():
    return recipe.numbers("pbmge.npz")


@pytest.fixture
def module():
    module = ReleaseEnhancement()
    module.load_state_dict(recipe.weights("best_model2"))
    return module


def golden_parts():
    generator = np.random.default_rng(777)
    shape, appearance = (torch.from_numpy(np.float32(generator.standard_normal((8, 256, 31)))) for _ in range(2))
    return appearance.requires_grad_(), shape.requires_grad_()


def assert_near(output, golden, limit=2e-5):
    output = output.detach().numpy()
    assert output.shape == golden.shape
    assert np.abs(output - golden).max() <= limit * np.abs(golden).max()


def make_module(granularities=(2, 4), embedding=6, seed=0, **options):
    """Build a small float64 module whose norms are far from their initial zeros."""
    torch.manual_seed(seed)
    module = ReleaseEnhancement(granularities, embedding, **options).double()
    for net in module.children():
        for head in (net.W1, net.W2):
            nn.init.normal_(head[1].weight, 0.5, 0.1)
            nn.init.normal_(head[1].bias, std=0.3)
            head[1].running_mean.normal_()
            head[1].running_var.uniform_(0.5, 2)
    return module


def make_parts(n=3, channels=9, parts=7, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, channels, parts, generator=generator, dtype=torch.float64) for _ in range(2)]


def outcome(module, function, parts, factor_rows=slice(None)):
    """Return outputs, gradients and buffers after one forward and backward pass."""
    parts = [part.clone().requires_grad_() for part in parts]
    module.zero_grad()
    outputs = function(*parts)
    generator = torch.Generator().manual_seed(5)
    loss = 0
    for output in outputs:
        factors = torch.randn(64, *output.shape[1:], generator=generator, dtype=torch.float64)[factor_rows]
        loss = loss + (output * factors[: len(output)]).sum()
    loss.backward()
    result = {
        "appearance": outputs[0],
        "gait": outputs[1],
        "appearance_grad": parts[0].grad,
        "gait_grad": parts[1].grad,
    }
    result |= {f"{name}.grad": p.grad for name, p in module.named_parameters() if not name.endswith(NOISE)}
    return {name: value.detach().clone() for name, value in (result | dict(module.named_buffers())).items()}


def assert_equal_to_direct(module, parts):
    twin = copy.deepcopy(module)
    expected = outcome(twin, lambda a, g: direct_enhancement(twin, a, g), parts)
    output = outcome(module, module, parts)
    assert set(output) == set(expected)
    for name, value in expected.items():
        scale = value.abs().max().item()
        torch.testing.assert_close(output[name], value, rtol=0, atol=1e-12 * max(scale, 1), msg=lambda m, n=name: n + m)


def test_names_and_shapes_are_those_of_the_release(module):
    manifest = recipe.read_json("manifest_best_model2.json")
    shapes = {key: list(value.shape) for key, value in module.state_dict().items()}
    assert shapes == {key: entry["shape"] for key, entry in manifest.items()}


def test_golden_evaluation(module, golden):
    with torch.no_grad():
        appearance, shape = module.eval()(*golden_parts())
    assert_near(appearance, golden["eval_app_extra4"])
    assert_near(shape, golden["eval_shape_extra4"])


def test_golden_training_step(module, golden):
    inputs = golden_parts()
    appearance, shape = module.train()(*inputs)
    loss = sum(
        torch.cat([part, new], dim=-1).square().mean() for part, new in zip(inputs, (appearance, shape), strict=True)
    )
    loss.backward()
    assert_near(appearance, golden["train_app_extra4"])
    assert_near(shape, golden["train_shape_extra4"])
    assert loss.item() == pytest.approx(golden["train_loss"].item(), rel=1e-5)
    assert_near(inputs[0].grad, golden["grad_app_in"])
    assert_near(inputs[1].grad, golden["grad_shape_in"])
    for name, parameter in module.named_parameters():
        if name.endswith(NOISE):
            assert parameter.grad.abs().max() < 1e-6
        else:
            assert_near(parameter.grad, golden[f"grad/{name}"], 1e-4)
    buffers = {name: value for name, value in module.state_dict().items() if "num_batches" in name or "running" in name}
    assert {f"running_after/{name}" for name in buffers} == {name for name in golden if name.startswith("running")}
    for name, value in buffers.items():
        assert_near(value, golden[f"running_after/{name}"])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("granularities", "n", "channels"),
    [((2, 4, 8, 16), 4, 12), ((2, 4), 1, 9), ((4, 1, 4, 2), 2, 7), ((3,), 5, 2), ((2, 4), 2, 1)],
)
def test_equals_the_direct_form(granularities, n, channels, training):
    module = make_module(granularities).train(training)
    assert_equal_to_direct(module, make_parts(n, channels, 1 + sum(granularities)))


def test_equals_the_direct_form_with_one_frozen_net_and_other_momenta():
    module = make_module()
    module.enhance_app_net_3.eval()
    module.enhance_shape_net_3.W1[1].momentum = None
    module.enhance_shape_net_3.W2[1].momentum = 0.37
    parts = make_parts()
    assert_equal_to_direct(module, parts)
    assert_equal_to_direct(module, parts)


def test_equals_the_direct_form_without_running_statistics():
    module = make_module()
    for net in module.children():
        for head in (net.W1, net.W2):
            head[1] = nn.BatchNorm1d(1, track_running_stats=False).double()
    assert_equal_to_direct(module.eval(), make_parts())


def test_equals_the_direct_form_with_zero_slopes_and_equal_keys():
    module = make_module()
    with torch.no_grad():
        for net in module.children():
            net.phi.weight.zero_()
    assert_equal_to_direct(module, [part.round() for part in make_parts()])


def test_zero_stripes_and_affinities_have_the_derivative_of_relu():
    module = make_module().eval()
    with torch.no_grad():
        for net in module.children():
            net.theta.bias.zero_()
            net.phi.bias.zero_()
    parts = make_parts()
    parts[0][..., 1:3] = 0
    parts[1][:, ::2, 0] = 0
    assert_equal_to_direct(module, parts)


@pytest.mark.parametrize("training", [True, False])
def test_gradcheck(training):
    module = make_module((2, 1), embedding=2).train(training)
    parts = [part.requires_grad_() for part in make_parts(2, 4, 4)]
    names = [name for name, _ in module.named_parameters()]
    parameters = [parameter.detach().clone().requires_grad_() for parameter in module.parameters()]

    def function(appearance, gait, *values):
        # Fresh buffers in every call, since the numerical derivative calls this many times.
        twin = copy.deepcopy(module)
        return torch.func.functional_call(twin, dict(zip(names, values, strict=True)), (appearance, gait))

    assert torch.autograd.gradcheck(function, [*parts, *parameters], fast_mode=True)


def test_the_step_by_hand():
    net = ReleaseLGE(1).eval()
    with torch.no_grad():
        for layer, weight, bias in (
            (net.theta, 1, 0),
            (net.phi, 2, 1),
            (net.g[0], 3, 0),
            (net.W1[0], 1, 0),
            (net.W2[0], 1, 2),
        ):
            layer.weight.fill_(weight)
            layer.bias.fill_(bias)
        for head, weight in ((net.W1, 1), (net.W2, 10)):
            head[1].weight.fill_(weight)
            head[1].eps = 0.0
        out = net(torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0, -1.0]]))
    # f = [[3, -1], [-6, 2]] / 2 and g = [3, -3].
    assert out.tolist() == [[1 + 4.5 - 10 * (2 - 1.5), -2 - 3 - 10 * (2 + 9)]]


def test_a_new_module_is_the_identity():
    module = ReleaseEnhancement((2, 4), 8)
    appearance, gait = (part.float() for part in make_parts())
    enhanced_appearance, enhanced_gait = module(appearance, gait)
    assert torch.equal(enhanced_appearance, appearance[..., :1].expand(-1, -1, 2))
    assert torch.equal(enhanced_gait, gait[..., :1].expand(-1, -1, 2))


@pytest.mark.parametrize("training", [True, False])
def test_the_order_of_a_stripes_channels_does_not_matter(training):
    module, (appearance, gait) = make_module().train(training), make_parts()
    expected = copy.deepcopy(module)(appearance, gait)[1]
    shuffled = appearance.clone()
    for part in range(1, 7):
        for row in range(3):
            shuffled[row, :, part] = appearance[row, torch.randperm(9), part]
    torch.testing.assert_close(module(shuffled, gait)[1], expected, rtol=1e-12, atol=1e-12)


def test_permuting_the_query_permutes_the_output():
    module, (appearance, gait) = make_module(), make_parts()
    expected = copy.deepcopy(module)(appearance, gait)[1]
    order, moved = torch.randperm(9), gait.clone()
    moved[..., 0] = gait[:, order, 0]
    torch.testing.assert_close(module(appearance, moved)[1], expected[:, order], rtol=1e-12, atol=1e-12)


def test_tracklets_are_independent_in_evaluation_mode():
    module, parts = make_module().eval(), make_parts(5)
    whole = module(*parts)
    alone = module(*(part[2:3] for part in parts))
    for together, single in zip(whole, alone, strict=True):
        torch.testing.assert_close(together[2:3], single, rtol=1e-13, atol=1e-13)


def test_each_chain_reads_its_own_stripes_and_the_original_global_features():
    module, (appearance, gait) = make_module().eval(), make_parts()
    before = module(appearance, gait)
    for part, changed_chains in ((0, []), (2, [0]), (5, [1])):
        changed = appearance.clone()
        changed[..., part] += 1
        after = module(changed, gait)
        different = [c for c in range(2) if not torch.allclose(after[1][..., c], before[1][..., c])]
        assert different == changed_chains


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_computed_in_full_precision(dtype):
    module = make_module((2, 4)).float()
    half = [part.to(dtype).requires_grad_() for part in make_parts()]
    expected = copy.deepcopy(module)(*(part.detach().float() for part in half))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = module(*half)
    for output, full in zip(outputs, expected, strict=True):
        assert output.dtype == dtype
        assert torch.equal(output, full.to(dtype))
    sum(output.float().square().sum() for output in outputs).backward()
    assert all(part.grad.dtype == dtype and part.grad.isfinite().all() for part in half)
    assert all(parameter.grad.dtype == torch.float32 for parameter in module.parameters())


def test_streams_of_different_types_keep_their_types():
    appearance, gait = make_parts()
    outputs = make_module()(appearance.half(), gait)
    assert [output.dtype for output in outputs] == [torch.float16, torch.float64]


def test_strided_inputs():
    module, parts = make_module().eval(), make_parts()
    strided = [part.transpose(0, 2).contiguous().transpose(0, 2) for part in parts]
    assert all(torch.equal(a, b) for a, b in zip(module(*strided), module(*parts), strict=True))


def test_a_single_value_in_training_is_refused():
    with pytest.raises(ValueError, match="at least two values"):
        make_module()(*make_parts(1, 1))


@pytest.mark.parametrize(("parts", "other"), [(6, 6), (8, 8), (7, 6)])
def test_unexpected_numbers_of_parts_are_refused(parts, other):
    with pytest.raises(ConfigError, match="reads 7 parts of both streams"):
        make_module()(make_parts(parts=parts)[0], make_parts(parts=other)[1])


ROWS = (3, 1)


def on_rank(kinds):
    """Return the outcome on this rank's rows of a batch, for every kind of synchronised norm."""
    rank = torch.distributed.get_rank()
    start = sum(ROWS[:rank])
    results = {}
    for kind in kinds:
        module = make_module()
        convert = convert_sync_batchnorm if kind == "engine" else nn.SyncBatchNorm.convert_sync_batchnorm
        module = convert(module)
        if kind == "frozen":
            module.enhance_app_net_3.eval()
        rows = slice(start, start + ROWS[rank])
        results[kind] = outcome(module, module, [part[rows] for part in make_parts(4)], rows)
    return results


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    return on_ranks(on_rank, tmp_path_factory.mktemp("ranks"), ("engine", "torch", "frozen"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["engine", "torch", "frozen"])
def test_synchronised_norms_on_two_ranks_equal_the_whole_batch(two_ranks, kind):
    module = make_module()
    if kind == "frozen":
        module.enhance_app_net_3.eval()
    expected = outcome(module, lambda a, g: direct_enhancement(module, a, g), make_parts(4))
    first, second = (ranks[kind] for ranks in two_ranks)
    for name, value in expected.items():
        if name in ("appearance", "gait", "appearance_grad", "gait_grad"):
            output = torch.cat([first[name], second[name]])
        elif name.endswith(".grad"):
            output = first[name] + second[name]
        else:
            assert torch.equal(first[name], second[name])
            output = first[name]
        torch.testing.assert_close(output, value, rtol=0, atol=1e-12 * max(value.abs().max().item(), 1))


def test_converted_norms_in_one_process_act_like_plain_ones():
    module = nn.SyncBatchNorm.convert_sync_batchnorm(make_module())
    plain = make_module()
    expected = outcome(plain, plain, make_parts())
    for name, value in outcome(module, module, make_parts()).items():
        assert torch.equal(value, expected[name])


@pytest.mark.cuda
def test_cuda_equals_cpu():
    module, parts = make_module((2, 4, 8, 16)), make_parts(4, 33, 31)
    cuda_module = copy.deepcopy(module).cuda()
    expected = outcome(module, module, parts)
    parts = [part.cuda().requires_grad_() for part in parts]
    with torch.autocast("cuda", dtype=torch.float16):
        outputs = cuda_module(*parts)
    for output, name in zip(outputs, ("appearance", "gait"), strict=True):
        torch.testing.assert_close(output.cpu(), expected[name], rtol=1e-11, atol=1e-11)
    sum(output.square().sum() for output in outputs).backward()
    assert all(part.grad.isfinite().all() for part in parts)


def test_the_benchmark_prints_a_row_per_form(monkeypatch, capsys):
    threads = torch.get_num_threads()
    monkeypatch.setattr(benchmark_enhancement, "run_worker", benchmark_enhancement.measure)
    arguments = ["--batch", "2", "--channels", "8", "--repeats", "1", "--threads", str(threads), "--device", "cpu"]
    assert benchmark_enhancement.main(arguments) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[0].removeprefix("| ") for row in rows[1:]] == list(benchmark_enhancement.FORMS.values())
    assert rows[1][3] == rows[1][6] == "1.0"


def test_the_benchmark_refuses_an_empty_batch(capsys):
    with pytest.raises(SystemExit) as stop:
        benchmark_enhancement.main(["--batch", "0"])
    assert stop.value.code == 2 and "--batch: expected a positive integer" in capsys.readouterr().err
