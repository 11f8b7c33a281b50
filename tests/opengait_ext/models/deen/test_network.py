"""DEEN's network against its formulas, element by element, and the sizes of the published one."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from opengait.config import load_config
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.errors import ConfigError
from opengait_ext.models import load_network
from opengait_ext.models.deen.aggregation import ChannelBlock, FeatureAggregation, PositionBlock
from opengait_ext.models.deen.expansion import EmbeddingExpansion
from opengait_ext.models.deen.network import DEENNet
from tests.paths import ROOT

SMALL = {"backbone": "resnet10", "width": 4}


def stirred(module: torch.nn.Module) -> torch.nn.Module:
    """Give norms random weights and statistics: MFA starts as the identity, so that a wrong one would go unnoticed."""
    generator = torch.Generator().manual_seed(5)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            for values in (part.weight, part.bias, part.running_mean):
                values.data.normal_(generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
    return module.double()


def network(**changes) -> DEENNet:
    torch.manual_seed(0)
    return stirred(DEENNet.from_config({"model": "DEEN", "num_classes": 5, "backbone": SMALL, **changes}))


def tracklets(modality: list[int], frames: int = 3) -> tuple[Tensor, Tensor]:
    values = torch.randn(len(modality), frames, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    return values.double(), torch.tensor(modality)


def maps(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(layer: torch.nn.Conv2d, x: Tensor, stride: int = 1) -> Tensor:
    """Apply a 1x1 convolution to one map (c, h, w) as a matrix, at every `stride`th position."""
    x = x[:, ::stride, ::stride]
    return torch.einsum("oc,chw->ohw", layer.weight[:, :, 0, 0], x) + layer.bias[:, None, None]


def normalised(norm: torch.nn.BatchNorm2d, x: Tensor) -> Tensor:
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (x - norm.running_mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]


def channel_written_out(block: ChannelBlock, high: Tensor, low: Tensor, stride: int) -> Tensor:
    theta, phi, g = linear(block.query, high), linear(block.key, low, stride), linear(block.value, low)
    width = len(low)
    y = torch.zeros_like(g)
    for i in range(width):
        for j in range(width):
            y[i] += (theta[i] * phi[j]).sum() / width * g[j]
    return normalised(block.norm, linear(block.out, y, stride)) + high


def position_written_out(block: PositionBlock, high: Tensor, low: Tensor) -> Tensor:
    """Compare every two tokens; the folded token p holds channel c at p and at p + half as its 2c and 2c + 1."""
    theta, phi, g = (
        x.flatten(1) for x in (linear(block.query, high), linear(block.key, low), linear(block.value, low))
    )

    def token(x: Tensor, p: int) -> Tensor:
        if not block.folded:
            return x[:, p]
        half = x.shape[1] // 2
        return torch.stack([x[c, p + part * half] for c in range(len(x)) for part in range(2)])

    count_high, count_low = (x.shape[1] // (2 if block.folded else 1) for x in (theta, phi))
    y = torch.zeros_like(theta)
    for p in range(count_high):
        out = sum(token(theta, p) @ token(phi, q) / count_low * token(g, q) for q in range(count_low))
        if block.folded:
            y[:, p], y[:, p + count_high] = out[0::2], out[1::2]
        else:
            y[:, p] = out
    return normalised(block.norm, linear(block.out, y.view(-1, *high.shape[1:]))) + high


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize(("stride", "high_size"), [(1, (6, 4)), (2, (3, 2))])
def test_feature_aggregation_is_that_of_the_formulas(folded, stride, high_size):
    torch.manual_seed(0)
    module = stirred(FeatureAggregation(6, 4, stride, folded)).eval()
    high, low = maps(2, 6, *high_size), maps(2, 4, 6, 4, seed=3)
    result = module(high, low)
    for number in range(2):
        middle = channel_written_out(module.channel, high[number], low[number], stride)
        expected = position_written_out(module.position, middle, low[number])
        torch.testing.assert_close(result[number], expected)
    assert torch.autograd.gradcheck(module, (high[:1].requires_grad_(), low[:1].requires_grad_()))


def test_new_aggregation_returns_the_high_level_map_and_learns():
    module = FeatureAggregation(12, 8, 2).double()
    high = maps(2, 12, 3, 2)
    result = module(high, maps(2, 8, 6, 4))
    assert torch.equal(result, high)
    result.square().sum().backward()
    assert module.position.norm.weight.grad.any() and module.channel.norm.weight.grad.any()


def test_maps_with_an_odd_number_of_positions_cannot_be_folded():
    high, low = maps(1, 12, 3, 3), maps(1, 8, 6, 6)
    with pytest.raises(ConfigError, match=r"Maps of 3 x 3 .*model_cfg\.folded"):
        FeatureAggregation(12, 8, 2).double()(high, low)
    assert FeatureAggregation(12, 8, 2, folded=False).double()(high, low).shape == high.shape
    with pytest.raises(ConfigError, match="data_cfg.frame_size"):
        network().eval()(torch.zeros(1, 1, 3, 48, 48).double(), torch.tensor([0]))


def test_expansion_is_that_of_the_formulas():
    torch.manual_seed(0)
    module = EmbeddingExpansion(8).double().eval()
    x = maps(2, 8, 5, 4)
    result = module(x)
    assert torch.equal(result[:2], x)
    for number, branch in enumerate(module.branches, start=1):
        for image in range(2):
            inner = torch.zeros(2, 5, 4, dtype=torch.float64)
            for rate, layer in zip((1, 2, 3), branch.dilated, strict=True):
                for row in range(5):
                    for column in range(4):
                        for i in (-1, 0, 1):
                            for j in (-1, 0, 1):
                                r, c = row + i * rate, column + j * rate
                                if 0 <= r < 5 and 0 <= c < 4:
                                    inner[:, row, column] += layer.weight[:, :, i + 1, j + 1] @ x[image, :, r, c] / 3
            torch.testing.assert_close(result[2 * number + image], linear(branch.project, inner.clamp(min=0)))


def test_expansion_drops_a_hundredth_in_training_and_starts_by_kaimings_rule():
    torch.manual_seed(0)
    module = EmbeddingExpansion(64).train()
    result = module(torch.ones(20, 64, 8, 8))
    assert result.shape == (60, 64, 8, 8)
    assert float((result == 0).float().mean()) == pytest.approx(0.01, abs=0.001)
    assert float(module.branches[1].dilated[2].weight.detach().std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)
    assert float(module.branches[0].project.weight.detach().std()) == pytest.approx((2 / 16) ** 0.5, rel=0.1)


def written_out(net: DEENNet, frame: Tensor, kind: int) -> list[Tensor]:
    """Return the three pooled vectors of an image (3, h, w)."""
    stages = net.backbone.stages
    u0 = net.backbone.stems[kind](frame[None])
    mfa = net.aggregations
    u1 = mfa[0](stages.layer1(u0), u0)
    u2 = mfa[1](stages.layer2(u1), u1)
    u3 = mfa[2](stages.layer3(u2), u2)
    versions = [u3, *(branch(u3) for branch in net.expansion.branches)]
    return [stages.layer4(version)[0].mean((1, 2)) for version in versions]


def test_a_tracklet_is_the_mean_of_its_frames_in_each_version():
    net = network().eval()
    frames, modality = tracklets([1, 0, 1])
    output = net(frames, modality)
    norm = net.neck.norm
    descriptors = []
    for number, (clip, kind) in enumerate(zip(frames, modality.tolist(), strict=True)):
        images = [written_out(net, frame, kind) for frame in clip]
        pooled, behind = [], []
        for version in range(3):
            x = sum(image[version] for image in images) / 3
            torch.testing.assert_close(output.features[number, :, version], x)
            after = (x - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
            pooled.append(x / x.norm())
            behind.append(after / after.norm())
        descriptors.append(pooled + behind)
    # The similarity of the published test is the sum of six products, here their mean.
    for i in range(3):
        for j in range(3):
            six = [a @ b for a, b in zip(descriptors[i], descriptors[j], strict=True)]
            product = output.descriptor[i, :, 0] @ output.descriptor[j, :, 0]
            torch.testing.assert_close(product, sum(six) / 6)
            lighter = network(pooled_share=0.1).eval()(frames, modality).descriptor[..., 0]
            torch.testing.assert_close(
                lighter[i] @ lighter[j], sum(0.1 * p + 0.9 * b for p, b in zip(six[:3], six[3:], strict=True)) / 3
            )
    assert output.logits is None and output.descriptor.shape == (3, 6 * 32, 1)


def test_logits_are_those_of_the_neck_on_all_versions():
    net = network(dropout=0.0).train()
    output = net(*tracklets([0, 1, 0, 1], 1))
    x = output.features.permute(2, 0, 1).flatten(0, 1)
    after = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() * net.neck.norm.weight + net.neck.norm.bias
    expected = (after @ net.neck.classifier.weight.T).view(3, 4, 5)
    for version in range(3):
        torch.testing.assert_close(output.logits[:, :, version], expected[version])


def test_tracklets_do_not_depend_on_each_other():
    net = network().eval()
    frames, modality = tracklets([0, 1, 1, 0])
    order = torch.tensor([2, 0, 3, 1])
    whole = net(frames, modality).descriptor
    torch.testing.assert_close(net(frames[order][:, [2, 0, 1]], modality[order]).descriptor, whole[order])
    torch.testing.assert_close(net(frames[:1], modality[:1]).descriptor, whole[:1])


@pytest.mark.parametrize("modality", [[0, 0], [1, 1], [1]])
def test_few_tracklets_of_one_modality_give_every_parameter_a_gradient(modality):
    net = network().train()
    output = net(*tracklets(modality, 1))
    (output.features.square().sum() + output.logits.square().sum()).backward()
    assert all(parameter.grad is not None for parameter in net.parameters() if parameter.requires_grad)
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters() if parameter.requires_grad)
    assert not net.neck.norm.bias.requires_grad


def test_variants():
    frames, modality = tracklets([0, 1])
    plain, mirrored = (network().eval()(x, modality).descriptor for x in (frames, frames.flip(-1)))
    flipped = network(flipped=True).eval()(frames, modality).descriptor
    for vector in range(6):
        part = slice(32 * vector, 32 * (vector + 1))
        expected = F.normalize(plain[:, part] + mirrored[:, part]) / 6**0.5
        torch.testing.assert_close(flipped[:, part], expected)
    # Keeping only the blocks' inputs changes no number.
    saved, kept = (network(dropout=0.0, backbone={**SMALL, "recompute": value}).train() for value in (True, False))
    torch.testing.assert_close(saved(frames, modality).features, kept(frames, modality).features)
    with pytest.raises(ConfigError, match=r"model_cfg\.pooled_share: .*1\.5"):
        network(pooled_share=1.5)
    with pytest.raises(ConfigError, match=r"unknown key 'fold'"):
        network(fold=True)


def test_sizes_of_the_published_network():
    def aggregation(high: int, low: int) -> int:
        def layers(inner: int) -> int:
            return 2 * (low * inner + inner) + high * inner + inner + inner * high + high + 2 * high

        return layers(low) + layers(low // 2)

    branch = 3 * 9 * 1024 * 256 + 256 * 1024 + 1024
    cfg = load_config(ROOT / "configs/deen/hitsz.yaml")["model_cfg"]
    cfg["backbone"]["weights"] = None
    with torch.device("meta"):
        net = DEENNet.from_config(cfg)
    added = sum(aggregation(high, low) for high, low in ((256, 64), (512, 256), (1024, 512))) + 2 * branch
    assert sum(p.numel() for p in net.aggregations.parameters()) == added - 2 * branch
    assert (
        sum(p.numel() for p in net.parameters()) == 23_508_032 + 9_536 + added + 2 * 2_048 + 500 * 2_048 == 42_252_832
    )


@torch.no_grad()
def test_shapes_are_the_published_ones():
    """With an eighth of the channels, since values are needed."""
    net = DEENNet.from_config({"backbone": {"width": 8}}).eval()
    for size, stem in (((384, 144), (96, 36)), ((288, 144), (72, 36)), ((256, 128), (64, 32))):
        u = net.backbone.stems[0](torch.zeros(1, 3, *size))
        assert u.shape == (1, 8, *stem)
        for stage, (channels, factor) in enumerate(((256, 1), (512, 2), (1024, 4)), start=1):
            u = net.aggregations[stage - 1](net.backbone.stages.apply_stage(stage, u), u)
            assert u.shape == (1, channels // 8, stem[0] // factor, stem[1] // factor)
        last = net.backbone.stages.apply_stage(4, net.expansion(u))
        assert last.shape == (3, 256, stem[0] // 4, stem[1] // 4)


def test_a_trained_network_loads():
    net = network()
    cfgs = {"model_cfg": {"model": "DEEN", "num_classes": 5, "backbone": SMALL}}
    entries = {f"network.{name}": value.float() for name, value in net.state_dict().items()}
    loaded = load_network(cfgs, {"model": entries}, "cpu")
    frames, modality = tracklets([0, 1])
    expected = net.float().eval()(frames.float(), modality).descriptor
    torch.testing.assert_close(loaded(frames.float(), modality).descriptor, expected)


@pytest.mark.parametrize(("name", "steps"), [("hitsz", 228), ("bupt", 149)])
def test_the_published_schedule(name, steps):
    cfgs = load_config(ROOT / f"configs/deen/{name}.yaml", ["trainer_cfg.steps_per_epoch=2"])
    with torch.device("meta"):
        net = DEENNet.from_config({"num_classes": 5, "backbone": SMALL})
    optimiser = build_optimizer([(f"network.{n}", p) for n, p in net.named_parameters()], cfgs["optimizer_cfg"])
    necks, others = optimiser.param_groups
    assert {id(p) for p in necks["params"]} == {id(net.neck.norm.weight), id(net.neck.classifier.weight)}
    assert necks["nesterov"] and others["momentum"] == 0.9 and others["weight_decay"] == 5e-4
    scheduler = build_scheduler(optimiser, cfgs["scheduler_cfg"])
    for epoch in range(125):
        factor = (epoch + 1) / 10 if epoch < 10 else 1 if epoch < 20 else 0.1 if epoch < 80 else 0.01
        for _ in range(2):
            assert (necks["lr"], others["lr"]) == pytest.approx((0.1 * factor, 0.01 * factor))
            optimiser.step()
            scheduler.step()
    cfgs = load_config(ROOT / f"configs/deen/{name}.yaml")
    assert cfgs["trainer_cfg"]["total_iter"] == 151 * steps == cfgs["evaluator_cfg"]["restore_hint"]
    assert cfgs["trainer_cfg"]["sampler"]["batch_size"] == [6, 4] and cfgs["trainer_cfg"]["seed"] == 0
