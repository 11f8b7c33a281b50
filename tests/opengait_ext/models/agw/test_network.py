"""AGW's network and CAJ's loss against their formulas, and the schedule of the configurations."""

import math

import pytest
import torch
import torch.nn.functional as F
import torchvision

from opengait.config import load_config
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.errors import ConfigError
from opengait_ext.models import load_network
from opengait_ext.models.agw.losses import SquaredDifferenceLoss
from opengait_ext.models.agw.network import AGWNet
from tests.paths import ROOT

SMALL = {"backbone": "resnet10", "width": 8}


def network(**changes) -> AGWNet:
    torch.manual_seed(0)
    built = AGWNet.from_config({"model": "AGW", "num_classes": 5, "backbone": SMALL, **changes})
    # Non-local blocks start as the identity, so that a wrong one would not be noticed.
    for name, parameter in built.named_parameters():
        if "norm" in name and "non_local" in name:
            torch.nn.init.normal_(parameter)
    return built.double()


def tracklets(modality: list[int], frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    values = torch.randn(len(modality), frames, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    return values.double(), torch.tensor(modality)


def test_a_tracklet_is_the_mean_of_its_frames():
    net = network().eval()
    frames, modality = tracklets([1, 0, 1])
    output = net(frames, modality)
    for number, (clip, kind) in enumerate(zip(frames, modality.tolist(), strict=True)):
        vectors = []
        for frame in clip:
            maps = net.backbone.stages(net.backbone.stems[kind](frame[None]))[0]
            vectors.append(((maps**3).mean((1, 2)) + 1e-12) ** (1 / 3))
        x = sum(vectors) / len(vectors)
        assert torch.allclose(output.features[number], x)
        norm = net.neck.norm
        after = (x - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight
        assert torch.allclose(output.descriptor[number, :, 0], after / after.norm())
    assert output.logits is None


def test_logits_are_those_of_the_neck_in_training():
    net = network().train()
    output = net(*tracklets([0, 1, 0, 1], 1))
    x = output.features
    after = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() * net.neck.norm.weight
    assert torch.allclose(output.logits, after @ net.neck.classifier.weight.T)


def test_the_order_of_batch_and_frames_does_not_matter():
    net = network().eval()
    frames, modality = tracklets([0, 1, 1, 0])
    order = torch.tensor([2, 0, 3, 1])
    expected = net(frames, modality).descriptor[order]
    assert torch.allclose(net(frames[order][:, [2, 0, 1]], modality[order]).descriptor, expected)


@pytest.mark.parametrize("modality", [[0, 0], [1, 1]])
def test_a_batch_of_one_modality_gives_every_parameter_a_gradient(modality):
    net = network().train()
    output = net(*tracklets(modality, 1))
    (output.features.square().sum() + output.logits.square().sum()).backward()
    assert all(parameter.grad is not None for parameter in net.parameters() if parameter.requires_grad)
    assert not net.neck.norm.bias.requires_grad


def test_variants():
    frames, modality = tracklets([0, 1])
    net = network().eval()
    average = network(pooling="average").eval()
    maps = net.backbone(frames[:, 0], modality)
    assert torch.allclose(average(frames[:, :1], modality).features, maps.mean((2, 3)))
    pooled = network(descriptor="pooled").eval()(frames, modality)
    assert torch.allclose(pooled.descriptor[..., 0], F.normalize(pooled.features))
    flipped = network(flipped=True).eval()(frames, modality).descriptor
    both = net(frames, modality).descriptor + net(frames.flip(-1), modality).descriptor
    assert torch.allclose(flipped, F.normalize(both))
    with pytest.raises(ConfigError, match=r"model_cfg\.pooling: .*'max'"):
        network(pooling="max")
    with pytest.raises(ConfigError, match=r"unknown key 'poling'"):
        network(poling="gem")


@pytest.mark.parametrize(("width", "blocks"), [(1, 7_174 + 21_513), (None, 2 * 526_592 + 3 * 2_101_760)])
def test_parameters_of_the_published_network(width, blocks):
    """ResNet-50 without its classifier, a second stem, non-local blocks of inner width 1 (C/2 in the paper), heads."""
    cfg = load_config(ROOT / "configs/agw/hitsz.yaml")["model_cfg"]
    cfg["backbone"] |= {"weights": None, "non_local_width": width}
    with torch.device("meta"):
        net = AGWNet.from_config(cfg)
    assert sum(p.numel() for p in net.parameters()) == 23_508_032 + 9_536 + blocks + 2 * 2_048 + 500 * 2_048
    x = net.backbone.stems[0](torch.empty(1, 3, 288, 144, device="meta"))
    assert x.shape == (1, 64, 72, 36)
    for stage, shape in ((1, (256, 72, 36)), (2, (512, 36, 18)), (3, (1024, 18, 9)), (4, (2048, 18, 9))):
        x = getattr(net.backbone.stages, f"layer{stage}")(x)
        assert x.shape == (1, *shape)


def test_imagenet_weights_reach_both_stems(tmp_path):
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "resnet18.pth")
    backbone = {"backbone": "resnet18", "weights": str(tmp_path / "resnet18.pth")}
    net = AGWNet.from_config({"backbone": backbone})
    assert torch.equal(net.backbone.stems[0].conv1.weight, net.backbone.stems[1].conv1.weight)
    # A trained network needs no ImageNet file.
    (tmp_path / "resnet18.pth").unlink()
    entries = {f"network.{name}": value for name, value in net.state_dict().items()}
    cfgs = {"model_cfg": {"model": "AGW", "num_classes": 7, "backbone": backbone}}
    loaded = load_network(cfgs, {"model": entries}, "cpu")
    assert torch.equal(loaded.neck.norm.weight, net.neck.norm.weight)


def test_the_squared_difference_is_its_formula():
    labels = [0, 0, 1, 2, 1, 0]
    x = torch.randn(6, 3, 1, generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    rows = x.detach()
    for scale, form in ((1.0, "exact"), (1.0, "release"), (9.0, "exact"), (9.0, "release")):
        losses = []
        for i, label in enumerate(labels):
            d = [max(float((scale * (rows[i] - rows[j])).norm()), 1e-6) for j in range(6)]
            far = [v for v, other in zip(d, labels, strict=True) if other == label]
            near = [v for v, other in zip(d, labels, strict=True) if other != label]
            extra, shift = (1e-6, 0.0) if form == "release" else (0.0, min(near))
            w_far = [math.exp(v - max(far)) for v in far]
            w_near = [math.exp(shift - v) for v in near]
            a = sum(w * v for w, v in zip(w_far, far, strict=True)) / (sum(w_far) + extra)
            b = sum(w * v for w, v in zip(w_near, near, strict=True)) / (sum(w_near) + extra)
            s, y = min((a - b) ** 2, 88.0), 1 if a <= b else -1
            losses.append(math.log(1 + math.exp(-y * s)))
        value, info = SquaredDifferenceLoss(form=form)(embeddings=scale * rows, labels=torch.tensor(labels))
        assert value.item() == pytest.approx(sum(losses) / 6, rel=1e-9)
        assert info["loss"].item() == value.item()
    targets = torch.tensor(labels)
    assert torch.autograd.gradcheck(lambda x: SquaredDifferenceLoss(0.5)(embeddings=x, labels=targets)[0], (x,))


def test_limits_of_the_squared_difference():
    x = torch.randn(4, 3, 1, generator=torch.Generator().manual_seed(0)).requires_grad_()
    value, _ = SquaredDifferenceLoss()(embeddings=x, labels=torch.zeros(4, dtype=torch.long))
    assert value.item() == 0
    # Positives 100 apart, negatives close: the square is cut at 88, so the loss stays finite and has no gradient.
    line = torch.tensor([0.0, 100.0, 1.0, 99.0]).view(4, 1, 1).requires_grad_()
    value, _ = SquaredDifferenceLoss()(embeddings=line, labels=torch.tensor([0, 0, 1, 1]))
    value.sum().backward()
    assert value.item() == pytest.approx(88) and not line.grad.any()
    with pytest.raises(ConfigError, match=r"SquaredDifferenceLoss\.form"):
        SquaredDifferenceLoss(form="soft")


@pytest.mark.parametrize(("name", "steps", "epochs"), [("agw/hitsz", 171, 81), ("caj/bupt", 112, 100)])
def test_the_published_schedule(name, steps, epochs):
    cfgs = load_config(ROOT / f"configs/{name}.yaml")
    names = ("backbone.stages.layer1.0.conv1.weight", "neck.norm.weight", "neck.classifier.weight")
    parameters = {f"network.{name}": torch.nn.Parameter(torch.zeros(1)) for name in names}
    optimiser = build_optimizer(parameters.items(), cfgs["optimizer_cfg"])
    necks, others = optimiser.param_groups
    assert len(necks["params"]) == 2 and necks["nesterov"] and others["momentum"] == 0.9
    scheduler = build_scheduler(optimiser, cfgs["scheduler_cfg"])
    rates = []
    for _ in range(51 * steps):
        rates.append(necks["lr"])
        assert others["lr"] == pytest.approx(necks["lr"] / 10)
        optimiser.step()
        scheduler.step()
    for epoch in range(51):
        factor = (epoch + 1) / 10 if epoch < 10 else 1 if epoch < 20 else 0.1 if epoch < 50 else 0.01
        within = rates[epoch * steps], rates[(epoch + 1) * steps - 1]
        assert within == pytest.approx((0.1 * factor, 0.1 * factor))
    assert cfgs["trainer_cfg"]["total_iter"] == epochs * steps == cfgs["evaluator_cfg"]["restore_hint"]
