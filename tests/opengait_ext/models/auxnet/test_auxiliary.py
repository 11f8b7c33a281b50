"""Auxiliary tracklets pass first and by themselves, on any number of processes; and a resumed training is exact."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from opengait import distributed
from opengait.config import load_config
from opengait.engine.run_state import RunState
from opengait.engine.sync_batchnorm import convert_sync_batchnorm
from opengait.errors import ConfigError
from opengait.modeling.loss_aggregator import LossAggregator
from opengait.utils.tensors import get_ddp_module
from opengait_ext.models.auxnet.model import AuxNet
from opengait_ext.models.auxnet.network import AuxNetNet
from tests.golden.vvi import mini_bupt
from tests.opengait.ranks import on_worlds
from tests.opengait_ext.runs.stand_in_runs import engine
from tests.paths import ROOT

SMALL = {"backbone": "resnet10", "width": 4, "weights": None}
# Visible, then infrared tracklets of 2 auxiliary people at each of 2 cameras, then of 2 people at 2 cameras.
LABELS = [4, 5, 6, 7] * 2 + [0, 0, 1, 1] * 2
TYPES = (["visible"] * 4 + ["infrared"] * 4) * 2
VIEWS = ["c1-t00001-auxiliary"] * 8 + ["c1-t00001"] * 8


class Model(nn.Module):
    """The engine's model with a small network and nothing else."""

    described, requested, forward = AuxNet.described, AuxNet.requested, AuxNet.forward

    def __init__(self, iteration: int = 0) -> None:
        super().__init__()
        cfgs = load_config(ROOT / "configs/auxnet/bupt_auxiliary.yaml")
        torch.manual_seed(0)
        self.network = AuxNetNet.from_config({"num_classes": 4, "backbone": SMALL})
        self.loss_aggregator = LossAggregator(cfgs["loss_cfg"], RunState(iteration=iteration))
        self.double().train()


def batch(rows: Any = range(16)) -> tuple[Any, ...]:
    frames = torch.randn(16, 2, 3, 64, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    frames = frames * torch.tensor([1.0, 1.5, 2.0, 3.0]).repeat_interleave(4).view(-1, 1, 1, 1, 1)
    rows = list(rows)
    return [frames[rows]], torch.tensor(LABELS)[rows], [TYPES[r] for r in rows], [VIEWS[r] for r in rows], None


def slow_triplet(x: torch.Tensor, labels: list[int]) -> torch.Tensor:
    total = x.new_zeros(())
    for i, anchor in enumerate(x):
        distances = [((anchor - other) ** 2).sum().clamp(min=1e-12).sqrt() for other in x]
        positive = max(d for d, label in zip(distances, labels, strict=True) if label == labels[i])
        negative = min(d for d, label in zip(distances, labels, strict=True) if label != labels[i])
        total = total + (positive - negative + 0.6).clamp(min=0)
    return total / len(x)


@pytest.mark.parametrize(("epoch", "alpha"), [(0, 0.5), (50, 0.375), (100, 0.25)])
@pytest.mark.parametrize("order", [range(16), [15, 0, 3, 8, 9, 1, 2, 12, 14, 13, 4, 5, 10, 11, 7, 6]])
def test_the_loss_and_the_statistics_are_those_of_two_passes(order, epoch, alpha):
    model = Model(epoch * 223)
    reference = copy.deepcopy(model.network)
    inputs = batch(order)
    loss, _ = model.loss_aggregator(model(inputs)["training_feat"])

    apart = [position for position, row in enumerate(order) if row < 8]
    others = [position for position, row in enumerate(order) if row >= 8]
    modality = torch.tensor([int(kind == "infrared") for kind in inputs[2]])
    labels = inputs[1].tolist()
    first = reference(inputs[0][0][apart], modality[apart])
    second = reference(inputs[0][0][others], modality[others])
    identity = -second.logits.log_softmax(1)[range(8), inputs[1][others]].mean()
    expected = (1 - alpha) * (identity + slow_triplet(second.features, [labels[p] for p in others]))
    expected = expected + alpha * slow_triplet(first.features, [labels[p] for p in apart])
    torch.testing.assert_close(loss, expected)
    for name, buffer in model.network.named_buffers():
        torch.testing.assert_close(buffer, reference.get_buffer(name), msg=name)
    loss.backward()
    expected.backward()
    for name, parameter in model.network.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(parameter.grad, reference.get_parameter(name).grad, rtol=1e-6, atol=1e-9)


def test_a_batch_without_auxiliary_tracklets_is_named():
    with pytest.raises(ConfigError, match=r"data_cfg\.auxiliary: apart and trainer_cfg\.sampler\.auxiliary: true"):
        Model()(batch(range(8, 16)))
    model = Model().eval()
    views = model(batch(range(16)))["inference_feat"]["embeddings"]
    assert views.shape == (16, 32, 1)


def on_rank() -> dict[str, dict]:
    """Return the gradients and buffers after a step on this rank's share of the batch."""
    module = convert_sync_batchnorm(Model(100))
    model = get_ddp_module(module, False)
    loss, _ = module.loss_aggregator(
        model(batch(range(distributed.rank(), 16, distributed.world_size())))["training_feat"]
    )
    loss.backward()
    return {
        "gradients": {name: p.grad for name, p in module.named_parameters() if p.requires_grad},
        "buffers": dict(module.named_buffers()),
    }


@pytest.mark.slow
def test_gradients_and_statistics_do_not_depend_on_the_number_of_processes(tmp_path):
    results = on_worlds(on_rank, tmp_path, world_sizes=(1, 2, 4))
    (expected,) = results[1]
    scale = torch.stack([gradient.norm() for gradient in expected["gradients"].values()]).norm()
    for world in (2, 4):
        for rank in results[world]:
            for name, gradient in expected["gradients"].items():
                assert (rank["gradients"][name] - gradient).norm() < 1e-8 * scale, name
            for name, value in expected["buffers"].items():
                torch.testing.assert_close(rank["buffers"][name], value, msg=name)


def small(folder: Path, data: Path) -> Path:
    """Write a variant with batches of 2 people at a camera and 2 auxiliary people of a camera."""
    sampler = {"frames_num_fixed": 2}
    content = {
        "base": str(ROOT / "configs/auxnet/bupt_auxiliary.yaml"),
        "data_cfg": {"dataset_root": str(data), "frame_size": [64, 32], "num_workers": 0},
        "model_cfg": {"num_classes": len(mini_bupt.TRAIN), "backbone": SMALL},
        "trainer_cfg": {
            "steps_per_epoch": 2,
            "total_iter": 6,
            "save_iter": 1,
            "log_iter": 1,
            "sampler": {"batch_size": [2, 1], **sampler},
        },
        "evaluator_cfg": {"restore_hint": 6, "sampler": sampler},
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def checkpoint(folder: Path, iteration: int) -> SimpleNamespace:
    (path,) = folder.rglob(f"*-{iteration:05d}.pt")
    return SimpleNamespace(**torch.load(path, weights_only=True))


@pytest.mark.slow
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    config = small(tmp_path, mini_bupt.write(tmp_path / "bupt"))
    with engine(tmp_path / "whole") as run:
        assert run(config, "train") == 0
        assert run(config, "test", "evaluator_cfg.rerank=temporal") == 0
    (results,) = (tmp_path / "whole").rglob("test-*.json")
    assert json.loads(results.read_text())["card"]["re_ranking"].startswith("temporal, 0.8")
    whole = checkpoint(tmp_path / "whole", 6)
    for stop in (2, 3):
        with engine(tmp_path / f"parts-{stop}") as run:
            assert run(config, "train", "--set", f"trainer_cfg.total_iter={stop}") == 0
            assert run(config, "train", "--iter", str(stop)) == 0
        continued = checkpoint(tmp_path / f"parts-{stop}", 6)
        assert all(torch.equal(value, continued.model[name]) for name, value in whole.model.items())
        states = [content.optimizer["state"].values() for content in (whole, continued)]
        for one, two in zip(*states, strict=True):
            assert torch.equal(one["exp_avg"], two["exp_avg"]) and torch.equal(one["exp_avg_sq"], two["exp_avg_sq"])
    assert whole.model["network.neck.classifier.weight"].shape[0] == len(mini_bupt.TRAIN)
    logs = "".join(path.read_text() for path in (tmp_path / "whole").rglob("logs/*.txt"))
    assert logs.count("auxiliary_weight=0.5") == 2
