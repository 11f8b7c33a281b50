"""MITML's network, modality classifier and losses against their formulas, and the schedule of the configurations."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd.graph import saved_tensors_hooks

from opengait.config import load_config
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.errors import ConfigError
from opengait_ext.models.mitml.modality_classifier import ModalityClassifier, ModalityConfusionLoss, ModalityLoss
from opengait_ext.models.mitml.network import MITMLNet
from tests.paths import ROOT

SMALL = {"backbone": "resnet10", "width": 4}


def network(**changes) -> MITMLNet:
    torch.manual_seed(0)
    built = MITMLNet.from_config({"model": "MITML", "num_classes": 5, "positions": 3, "backbone": SMALL, **changes})
    # The two last stages start alike, so that one in place of the other would not be noticed.
    for parameter in built.temporal_stage.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return built.double()


def tracklets(modality: list[int], frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    values = torch.randn(len(modality), frames, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    return values.double(), torch.tensor(modality)


def lstm_written_out(net: MITMLNet, inputs: list[torch.Tensor]) -> torch.Tensor:
    """Return the top layer's output at the last step, of vectors (c), gate by gate."""
    state = dict(net.lstm.named_parameters())
    for layer in range(2):
        hidden = cell = torch.zeros_like(inputs[0])
        outputs = []
        for x in inputs:
            gates = sum(
                state[f"weight_{kind}_l{layer}"] @ value + state[f"bias_{kind}_l{layer}"]
                for kind, value in (("ih", x), ("hh", hidden))
            )
            entry, forget, content, exit_ = gates.chunk(4)
            cell = forget.sigmoid() * cell + entry.sigmoid() * content.tanh()
            hidden = exit_.sigmoid() * cell.tanh()
            outputs.append(hidden)
        inputs = outputs
    return inputs[-1]


@pytest.mark.parametrize("positions", [3, None])
def test_the_network_is_that_of_the_formulas(positions):
    net = network(positions=positions).eval()
    frames, modality = tracklets([1, 0, 1])
    output = net(frames, modality)
    stages = net.backbone.stages
    for number, (clip, kind) in enumerate(zip(frames, modality.tolist(), strict=True)):
        appearance, temporal = [], []
        for frame in clip:
            maps = stages.layer3(stages.layer2(stages.layer1(net.backbone.stems[kind](frame[None]))))
            appearance.append(stages.layer4(maps)[0].mean((1, 2)))
            temporal.append(net.temporal_stage(maps)[0].mean((1, 2)))
        memory = lstm_written_out(net, temporal)
        total = 0.0
        for k, (h, el) in enumerate(zip(appearance, temporal, strict=True)):
            part = net.refinements[k if positions else 0]
            t = part.transform.weight @ memory + part.transform.bias + el
            s = (part.gate[2].weight @ (part.gate[0].weight @ (t / 2)).relu()).sigmoid()
            total = total + h * (1 + s)
        x = total / 3
        torch.testing.assert_close(output.features[number], x)
        norm = net.neck.norm
        after = (x - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight
        torch.testing.assert_close(output.descriptor[number, :, 0], after / after.norm())


def test_tracklets_do_not_depend_on_each_other():
    net = network().eval()
    frames, modality = tracklets([1, 0, 0, 1])
    order = torch.tensor([2, 0, 3, 1])
    whole = net(frames, modality).descriptor
    torch.testing.assert_close(net(frames[order], modality[order]).descriptor, whole[order])
    torch.testing.assert_close(net(frames[:1], modality[:1]).descriptor, whole[:1])


def test_the_number_of_frames_is_that_of_the_positions():
    with pytest.raises(ConfigError, match="3 positions, got tracklets of 2"):
        network()(*tracklets([0, 1], frames=2))
    for frames in (1, 2, 7):
        assert network(positions=None)(*tracklets([0, 1], frames)).features.isfinite().all()


def test_parameters_of_the_published_sizes():
    with torch.device("meta"):
        net = MITMLNet.from_config({"num_classes": 500})
        critic = ModalityClassifier(2048)

    def millions(*parts: torch.nn.Module) -> float:
        return round(sum(p.numel() for part in parts for p in part.parameters()) / 1e6, 1)

    assert millions(net.lstm) == 67.1
    assert millions(*(part.transform for part in net.refinements)) == 25.2
    assert millions(*(part.gate for part in net.refinements)) == 3.1
    assert millions(net.backbone) == 23.5 and millions(net.temporal_stage) == 15.0
    assert millions(net) == 135.0
    assert [stage[0].out_channels for stage in critic.stages] == [1024, 512, 256, 128, 64, 32, 16, 8]
    # A copy of the last stage, and no layer shared with it.
    assert net.temporal_stage[0].conv1.weight is not net.backbone.stages.layer4[0].conv1.weight


def classifier_written_out(critic: ModalityClassifier, x: torch.Tensor) -> torch.Tensor:
    """Return the scores of rows of one modality; only the middle tap of each convolution counts."""
    for convolution, norm, _ in critic.stages:
        x = x @ convolution.weight[:, :, 1].T + convolution.bias
        x = ((x - x.mean(0)) / (x.var(0, unbiased=False) + norm.eps).sqrt() * norm.weight + norm.bias).relu()
    return x @ critic.head.weight.T + critic.head.bias


@pytest.mark.parametrize(("kind", "targets"), [(ModalityLoss, (1, 0)), (ModalityConfusionLoss, (2, 2))])
def test_losses_and_gradients_of_the_modality_classifier(kind, targets):
    torch.manual_seed(0)
    critic = ModalityClassifier(32).double()
    values = torch.randn(7, 32, dtype=torch.float64)
    modality = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    x, y = values.clone().requires_grad_(), values.clone().requires_grad_()
    loss, _ = kind()(critic, x, modality)
    expected = sum(
        -classifier_written_out(critic, y[modality == m]).log_softmax(1)[:, target].mean()
        for m, target in enumerate(targets)
    )
    torch.testing.assert_close(loss, expected)
    ours = torch.autograd.grad(loss, [x, *critic.parameters()])
    theirs = torch.autograd.grad(expected, [y, *critic.parameters()])
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)


def test_the_adversarial_gradient_moves_features_towards_neither():
    torch.manual_seed(0)
    critic = ModalityClassifier(32).double().requires_grad_(False)
    x = torch.randn(8, 32, dtype=torch.float64, requires_grad=True)
    modality = torch.tensor([0, 1] * 4)
    loss, _ = ModalityConfusionLoss()(critic, x, modality)
    (gradient,) = torch.autograd.grad(loss, [x])
    lower, _ = ModalityConfusionLoss()(critic, x - 1e-3 * gradient / gradient.norm(), modality)
    assert lower < loss and all(parameter.grad is None for parameter in critic.parameters())


@pytest.mark.parametrize("modality", [[0, 0, 0], [1, 1, 0], [0], [1, 0]])
def test_a_modality_without_statistics_adds_nothing(modality):
    torch.manual_seed(0)
    critic = ModalityClassifier(16).double()
    x = torch.randn(len(modality), 16, dtype=torch.float64, requires_grad=True)
    loss, _ = ModalityLoss()(critic, x, torch.tensor(modality))
    expected = 0.0
    for m, target in enumerate((1, 0)):
        rows = x[[kind == m for kind in modality]]
        if len(rows) > 1:
            scores = classifier_written_out(critic, rows)
            expected = expected + F.cross_entropy(scores, torch.full((len(rows),), target))
    assert loss.item() == pytest.approx(float(torch.as_tensor(expected).detach()))
    loss.backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(("name", "steps"), [("hitsz", 268), ("bupt", 223)])
def test_the_schedule_is_that_of_the_code(name, steps):
    cfgs = load_config(ROOT / f"configs/mitml/{name}.yaml")
    assert cfgs["trainer_cfg"]["total_iter"] == 200 * steps
    assert [entry.get("begin_iter", 0) for entry in cfgs["loss_cfg"]] == [0, 0, 0, 60 * steps]
    named = [(part, torch.nn.Parameter(torch.zeros(1))) for part in ("network.neck.norm.weight", "network.lstm.x")]
    optimiser = build_optimizer(named, cfgs["optimizer_cfg"])
    schedule = build_scheduler(optimiser, cfgs["scheduler_cfg"])
    for epoch in range(90):
        factor = (epoch + 1) / 10 if epoch < 10 else 1 if epoch < 35 else 0.1 if epoch < 80 else 0.01
        rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
        assert [rates[id(p)] for _, p in named] == pytest.approx([0.1 * factor, 0.01 * factor])
        for _ in range(steps):
            optimiser.step()
            schedule.step()


def test_a_backbone_that_is_no_table_is_named():
    with pytest.raises(ConfigError, match=r"model_cfg\.backbone.*resnet50"):
        MITMLNet.from_config({"backbone": "resnet50"})
    with pytest.raises(ConfigError, match=r"model_cfg\.backbone\.width"):
        MITMLNet.from_config({"backbone": {"width": "many"}})


def test_recompute_keeps_less_and_gives_the_same_gradients():
    def step(recompute):
        torch.manual_seed(0)
        network = MITMLNet.from_config({"backbone": {**SMALL, "recompute": recompute}, "positions": 2})
        kept = {}

        def keep(tensor):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with saved_tensors_hooks(keep, lambda tensor: tensor):
            features = network(torch.rand(4, 2, 3, 64, 32), torch.tensor([0, 1, 0, 1])).features
        features.square().sum().backward()
        return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}, sum(kept.values())

    (plain, all_kept), (ours, fewer_kept) = step(False), step(True)
    torch.testing.assert_close(ours, plain)
    assert fewer_kept < 0.8 * all_kept
