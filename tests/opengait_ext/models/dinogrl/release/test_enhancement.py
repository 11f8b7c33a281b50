"""The release's PBMGE: golden numbers, the direct form as oracle, and what the step can and cannot see."""

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


def assert_near(ours, golden, limit=2e-5):
    ours = ours.detach().numpy()
    assert ours.shape == golden.shape
    assert np.abs(ours - golden).max() <= limit * np.abs(golden).max()


def make(granularities=(2, 4), embedding=6, seed=0, **options):
    """A small float64 module whose norms are far from their start as zero."""
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
    """Outputs, gradients and buffers after one forward and backward pass."""
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
    ours = outcome(module, module, parts)
    assert set(ours) == set(expected)
    for name, value in expected.items():
        scale = value.abs().max().item()
        torch.testing.assert_close(ours[name], value, rtol=0, atol=1e-12 * max(scale, 1), msg=lambda m, n=name: n + m)


def test_golden_state_dict_has_the_release_s_names_and_shapes(module):
    manifest = recipe.read_json("manifest_best_model2.json")
    own = {key: list(value.shape) for key, value in module.state_dict().items()}
    assert own == {key: entry["shape"] for key, entry in manifest.items()}


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
    module = make(granularities).train(training)
    assert_equal_to_direct(module, make_parts(n, channels, 1 + sum(granularities)))


def test_equals_the_direct_form_with_one_frozen_net_and_other_momenta():
    module = make()
    module.enhance_app_net_3.eval()
    module.enhance_shape_net_3.W1[1].momentum = None
    module.enhance_shape_net_3.W2[1].momentum = 0.37
    parts = make_parts()
    assert_equal_to_direct(module, parts)
    assert_equal_to_direct(module, parts)


def test_equals_the_direct_form_without_running_statistics():
    module = make()
    for net in module.children():
        for head in (net.W1, net.W2):
            head[1] = nn.BatchNorm1d(1, track_running_stats=False).double()
    assert_equal_to_direct(module.eval(), make_parts())


def test_equals_the_direct_form_where_lines_have_no_slope_and_keys_are_equal():
    module = make()
    with torch.no_grad():
        for net in module.children():
            net.phi.weight.zero_()
    assert_equal_to_direct(module, [part.round() for part in make_parts()])


def test_stripes_of_zeros_and_dead_affinities_have_relu_s_derivative():
    module = make().eval()
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
    module = make((2, 1), embedding=2).train(training)
    parts = [part.requires_grad_() for part in make_parts(2, 4, 4)]
    names = [name for name, _ in module.named_parameters()]
    parameters = [parameter.detach().clone().requires_grad_() for parameter in module.parameters()]

    def function(appearance, gait, *values):
        # Fresh buffers in every call: the numerical derivative calls this many times.
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


def test_identity_at_the_start():
    module = ReleaseEnhancement((2, 4), 8)
    appearance, gait = (part.float() for part in make_parts())
    enhanced_appearance, enhanced_gait = module(appearance, gait)
    assert torch.equal(enhanced_appearance, appearance[..., :1].expand(-1, -1, 2))
    assert torch.equal(enhanced_gait, gait[..., :1].expand(-1, -1, 2))


@pytest.mark.parametrize("training", [True, False])
def test_the_order_of_a_stripe_s_channels_is_not_seen(training):
    module, (appearance, gait) = make().train(training), make_parts()
    expected = copy.deepcopy(module)(appearance, gait)[1]
    shuffled = appearance.clone()
    for part in range(1, 7):
        for row in range(3):
            shuffled[row, :, part] = appearance[row, torch.randperm(9), part]
    torch.testing.assert_close(module(shuffled, gait)[1], expected, rtol=1e-12, atol=1e-12)


def test_permuting_the_query_permutes_the_output():
    module, (appearance, gait) = make(), make_parts()
    expected = copy.deepcopy(module)(appearance, gait)[1]
    order, moved = torch.randperm(9), gait.clone()
    moved[..., 0] = gait[:, order, 0]
    torch.testing.assert_close(module(appearance, moved)[1], expected[:, order], rtol=1e-12, atol=1e-12)


def test_the_tracklets_of_a_batch_are_independent_in_evaluation():
    module, parts = make().eval(), make_parts(5)
    whole = module(*parts)
    alone = module(*(part[2:3] for part in parts))
    for together, single in zip(whole, alone, strict=True):
        torch.testing.assert_close(together[2:3], single, rtol=1e-13, atol=1e-13)


def test_each_chain_reads_its_own_stripes_and_the_original_global_features():
    module, (appearance, gait) = make().eval(), make_parts()
    before = module(appearance, gait)
    for part, changed_chains in ((0, []), (2, [0]), (5, [1])):
        changed = appearance.clone()
        changed[..., part] += 1
        after = module(changed, gait)
        different = [c for c in range(2) if not torch.allclose(after[1][..., c], before[1][..., c])]
        assert different == changed_chains


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_inputs_are_computed_in_full_precision(dtype):
    module = make((2, 4)).float()
    half = [part.to(dtype).requires_grad_() for part in make_parts()]
    expected = copy.deepcopy(module)(*(part.detach().float() for part in half))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = module(*half)
    for ours, full in zip(outputs, expected, strict=True):
        assert ours.dtype == dtype
        assert torch.equal(ours, full.to(dtype))
    sum(output.float().square().sum() for output in outputs).backward()
    assert all(part.grad.dtype == dtype and part.grad.isfinite().all() for part in half)
    assert all(parameter.grad.dtype == torch.float32 for parameter in module.parameters())


def test_streams_of_different_types_keep_their_types():
    appearance, gait = make_parts()
    outputs = make()(appearance.half(), gait)
    assert [output.dtype for output in outputs] == [torch.float16, torch.float64]


def test_strided_inputs():
    module, parts = make().eval(), make_parts()
    strided = [part.transpose(0, 2).contiguous().transpose(0, 2) for part in parts]
    assert all(torch.equal(a, b) for a, b in zip(module(*strided), module(*parts), strict=True))


def test_one_value_in_training_is_refused_as_by_torch():
    with pytest.raises(ValueError, match="at least two values"):
        make()(*make_parts(1, 1))


@pytest.mark.parametrize(("parts", "other"), [(6, 6), (8, 8), (7, 6)])
def test_other_parts_are_refused(parts, other):
    with pytest.raises(ConfigError, match="reads 7 parts of both streams"):
        make()(make_parts(parts=parts)[0], make_parts(parts=other)[1])


ROWS = (3, 1)


def on_rank(kinds):
    """This rank's rows of a batch, for every kind of synchronised norm."""
    rank = torch.distributed.get_rank()
    start = sum(ROWS[:rank])
    results = {}
    for kind in kinds:
        module = make()
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


@pytest.mark.parametrize("kind", ["engine", "torch", "frozen"])
def test_synchronised_norms_on_two_ranks_equal_the_whole_batch(two_ranks, kind):
    module = make()
    if kind == "frozen":
        module.enhance_app_net_3.eval()
    expected = outcome(module, lambda a, g: direct_enhancement(module, a, g), make_parts(4))
    first, second = (ranks[kind] for ranks in two_ranks)
    for name, value in expected.items():
        if name in ("appearance", "gait", "appearance_grad", "gait_grad"):
            ours = torch.cat([first[name], second[name]])
        elif name.endswith(".grad"):
            ours = first[name] + second[name]
        else:
            assert torch.equal(first[name], second[name])
            ours = first[name]
        torch.testing.assert_close(ours, value, rtol=0, atol=1e-12 * max(value.abs().max().item(), 1))


def test_converted_norms_in_one_process_are_ordinary_ones():
    module = nn.SyncBatchNorm.convert_sync_batchnorm(make())
    plain = make()
    expected = outcome(plain, plain, make_parts())
    for name, value in outcome(module, module, make_parts()).items():
        assert torch.equal(value, expected[name])


@pytest.mark.cuda
def test_cuda_equals_cpu():
    module, parts = make((2, 4, 8, 16)), make_parts(4, 33, 31)
    there = copy.deepcopy(module).cuda()
    expected = outcome(module, module, parts)
    parts = [part.cuda().requires_grad_() for part in parts]
    with torch.autocast("cuda", dtype=torch.float16):
        outputs = there(*parts)
    for ours, name in zip(outputs, ("appearance", "gait"), strict=True):
        torch.testing.assert_close(ours.cpu(), expected[name], rtol=1e-11, atol=1e-11)
    sum(output.square().sum() for output in outputs).backward()
    assert all(part.grad.isfinite().all() for part in parts)


def test_the_benchmark_prints_a_row_for_every_form(monkeypatch, capsys):
    threads = torch.get_num_threads()
    monkeypatch.setattr(benchmark_enhancement, "run_worker", benchmark_enhancement.measure)
    arguments = ["--batch", "2", "--channels", "8", "--repeats", "1", "--threads", str(threads), "--device", "cpu"]
    assert benchmark_enhancement.main(arguments) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[0].removeprefix("| ") for row in rows[1:]] == list(benchmark_enhancement.FORMS.values())
    assert rows[1][3] == rows[1][6] == "1.0"


def test_the_benchmark_refuses_an_empty_batch(capsys):
    assert benchmark_enhancement.main(["--batch", "0"]) == 2
    assert "must be 1 or more" in capsys.readouterr().err
