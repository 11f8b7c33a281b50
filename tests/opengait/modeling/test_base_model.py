"""The base model, the loss aggregator, optimisers and schedules, and one training step."""

import numpy as np
import pytest
import torch
from torch import nn

from opengait import registry
from opengait.config import load_config
from opengait.engine.checkpoint import load_checkpoint
from opengait.engine.interim import scalars
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.engine.precision import Precision
from opengait.errors import CheckpointError, ConfigError, UserError
from opengait.modeling.base_model import BaseModel
from opengait.modeling.initialisation import xavier_init
from opengait.modeling.loss_aggregator import LossAggregator
from opengait.utils import Ntuple, Odict, clones, get_attr_from, get_valid_args
from opengait.utils.arguments import accepted_arguments
from tests.opengait import tiny


def build(folder, training=True, overrides=(), **changes) -> BaseModel:
    cfgs = load_config(tiny.write_config(folder, **changes), ["evaluator_cfg.restore_hint=0", *overrides])
    torch.manual_seed(0)
    return registry.models.get("TinySil")(cfgs, training)


def test_a_model_needs_no_process_group(folder):
    model = build(folder)
    assert model.training and model.iteration == 0
    assert set(model.optimizer.param_groups[0]["params"]) == set(model.parameters())
    batch = next(iter(model.train_loader))
    ipts, labels, types, views, lengths = model.inputs_pretreament(batch)
    assert ipts[0].shape == (4, 3, 64, 44) and ipts[0].dtype == torch.float32 and not ipts[0].requires_grad
    assert labels.dtype == torch.int64 and labels.shape == (4,) and lengths is None
    assert all(kind in tiny.TYPES for kind in types) and all(view in tiny.VIEWS for view in views)


def test_raw_and_transformed_batches_give_the_same_inputs(folder):
    model = build(folder, training=False)
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 255, (3, 64, 64), dtype=np.uint8) for _ in range(2)]
    ready = torch.from_numpy(np.stack([model.evaluator_trfs[0](clip) for clip in clips])).float()
    rest = [[0, 1], ["nm-01", "nm-02"], ["000", "000"], None]
    raw = model.inputs_pretreament([[clips], *rest])[0][0]
    assert torch.equal(raw, model.inputs_pretreament([[ready], *rest])[0][0])
    with pytest.raises(UserError, match="2 features, .*`transform` has 1"):
        model.inputs_pretreament([[clips, clips], *rest])


def test_packed_batches(folder):
    model = build(folder, training=False)
    ipts, _, _, _, lengths = model.inputs_pretreament(next(iter(model.test_loader)))
    assert ipts[0].shape[0] == 1 and lengths.dtype == torch.int32
    assert ipts[0].shape[1] == int(lengths.sum())


def test_initial_values():
    linear, conv, norm = nn.Linear(30, 50), nn.Conv2d(4, 8, 3), nn.BatchNorm1d(4000)
    xavier_init(nn.Sequential(linear, conv, norm, nn.BatchNorm1d(3, affine=False)))
    assert linear.weight.abs().max() <= (6 / 80) ** 0.5 and linear.weight.std() > 0.1
    assert (linear.bias == 0).all() and (conv.bias == 0).all() and (norm.bias == 0).all()
    assert abs(norm.weight.mean() - 1) < 0.005 and abs(norm.weight.std() - 0.02) < 0.005


def test_the_phase_is_stated(folder):
    assert build(folder).phase == "train"
    assert build(folder, training=False).phase == "test"


def test_class_attributes_follow_from_overridden_methods():
    class OwnInputs:
        def inputs_pretreament(self, inputs):
            return inputs

    class FromMixin(OwnInputs, BaseModel):
        pass

    class OwnTest(FromMixin):
        @staticmethod
        def run_test(model):
            return None

    class OwnTestChild(OwnTest):
        pass

    tiny_sil = registry.models.get("TinySil")
    assert (tiny_sil.transforms_itself, tiny_sil.own_loops) == (False, frozenset())
    assert (FromMixin.transforms_itself, FromMixin.own_loops) == (True, frozenset())
    assert (OwnTestChild.transforms_itself, OwnTestChild.own_loops) == (True, {"test"})


def test_backbones(folder):
    model = build(folder, training=False)
    cfg = {"type": "Plain", "layers_cfg": ["BC-4", "M"], "in_channels": 1, "unread": 1}
    assert model.get_backbone(cfg)(torch.zeros(1, 1, 8, 8)).shape == (1, 4, 4, 4)
    assert isinstance(model.get_backbone([cfg, cfg]), nn.ModuleList)
    with pytest.raises(ConfigError, match="no `type`"):
        model.get_backbone({})
    with pytest.raises(ConfigError, match="backbone_cfg.*got 3"):
        model.get_backbone(3)


class Scaled(nn.Module):
    def __init__(self, factor: float, loss_term_weight: float = 1.0) -> None:
        super().__init__()
        self.factor, self.loss_term_weight = factor, loss_term_weight

    def forward(self, x):
        return x * self.factor, {"loss": x.detach().mean(), "size": len(x)}


def test_losses_are_summed(temporarily):
    temporarily(registry.losses, Scaled)
    aggregate = LossAggregator(
        [
            {"type": "Scaled", "log_prefix": "a", "factor": 3.0, "loss_term_weight": 0.5, "gather_and_scale": True},
            {"type": "Scaled", "log_prefix": "b", "factor": 1.0},
        ]
    )
    loss, info = aggregate(
        {"a": {"x": torch.tensor([1.0, 3.0])}, "b": {"x": torch.tensor([5.0])}, "own": torch.ones(2)}
    )
    assert loss.item() == 3.0 * 2.0 * 0.5 + 5.0 + 1.0
    assert list(info) == ["scalar/a/loss", "scalar/a/size", "scalar/b/loss", "scalar/b/size", "scalar/own"]
    for error in (ValueError, ConfigError):
        with pytest.raises(error, match="'c', .*log_prefix a, b"):
            aggregate({"c": {"x": 1}})
    with pytest.raises(ConfigError, match="loss_cfg.0: Scaled rejects"):
        LossAggregator({"type": "Scaled", "log_prefix": "a"})
    with pytest.raises(ConfigError, match="loss_cfg.0 has no `log_prefix`"):
        LossAggregator({"type": "Scaled"})


def test_warm_up_followed_by_decay():
    weight = nn.Parameter(torch.zeros(1))
    frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
    optimizer = build_optimizer([("weight", weight), ("frozen", frozen)], {"solver": "SGD", "lr": 1.0, "scheduler": 3})
    assert optimizer.param_groups[0]["params"] == [weight]
    parts = [
        {"scheduler": "LinearLR", "start_factor": 0.5, "total_iters": 2},
        {"scheduler": "MultiStepLR", "milestones": [2], "gamma": 0.1},
    ]
    scheduler = build_scheduler(optimizer, {"scheduler": "SequentialLR", "milestones": [3], "schedulers": parts})
    rates = []
    for _ in range(6):
        rates.append(round(optimizer.param_groups[0]["lr"], 6))
        optimizer.step()
        scheduler.step()
    assert rates == [0.5, 0.75, 1.0, 1.0, 1.0, 0.1]
    chained = build_scheduler(optimizer, {"scheduler": "ChainedScheduler", "schedulers": parts})
    chained.step()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({}, "solver is missing"),
        ({"solver": "SGD", "lr": -1}, "optimizer_cfg: SGD rejects"),
        ({"solver": "Optim"}, "Optim"),
    ],
)
def test_invalid_optimisers_are_rejected(section, message):
    with pytest.raises(ConfigError, match=message):
        build_optimizer([("weight", nn.Parameter(torch.zeros(1)))], section)


def test_a_model_without_trainable_parameters_is_rejected():
    with pytest.raises(ConfigError, match="nothing to train"):
        build_optimizer([("w", nn.Parameter(torch.zeros(1), requires_grad=False))], {"solver": "SGD", "lr": 1.0})


def test_training_lowers_the_loss_and_counts_iterations(folder):
    model = build(folder, overrides=["trainer_cfg.total_iter=30", "optimizer_cfg.lr=0.1"])
    batch = model.inputs_pretreament(next(iter(model.train_loader)))
    losses = []
    for _ in range(10):
        loss, _ = model.loss_aggregator(model(batch)["training_feat"])
        assert model.train_step(loss) is True
        losses.append(loss.item())
    assert model.iteration == 10
    assert losses[-1] < losses[0]
    assert model.optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_a_finite_loader_is_repeated(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    model = build(folder, overrides=["trainer_cfg.total_iter=5", "trainer_cfg.save_iter=9"])
    stream = iter(model.train_loader)
    model.train_loader = [next(stream), next(stream)]
    type(model).run_train(model)
    assert model.iteration == 5
    model.iteration, model.train_loader = 0, []
    with pytest.raises(ConfigError, match="train_loader of TinySil"):
        type(model).run_train(model)


def test_a_step_that_mixed_precision_skips_is_not_counted(folder):
    model = build(folder, overrides=["trainer_cfg.enable_float16=true"])

    class Overflowing:
        scales = [4.0, 2.0]

        def scale(self, loss):
            return loss

        def step(self, optimizer):
            pass

        def update(self):
            self.scales = self.scales[1:]

        def get_scale(self):
            return self.scales[0]

    model.Scaler = Overflowing()
    before = model.scheduler.last_epoch
    assert model.train_step((model.conv.weight**2).sum()) is False
    assert (model.iteration, model.scheduler.last_epoch) == (0, before)


def test_precision_by_device(folder, caplog, monkeypatch):
    cpu = torch.device("cpu")
    cfgs = {
        "trainer_cfg": {"enable_float16": True, "amp_dtype": "float16"},
        "evaluator_cfg": {"enable_float16": False},
    }
    assert Precision.of(cfgs, cpu, training=True).dtype is None
    with caplog.at_level("INFO", "opengait"):
        build(folder, overrides=["trainer_cfg.enable_float16=true"])
    assert caplog.text.count("computes in float32 instead") == 1
    cfgs["trainer_cfg"]["amp_dtype"] = "bfloat16"
    precision = Precision.of(cfgs, cpu, training=True)
    with precision.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16
    assert not precision.scaler().is_enabled()
    with Precision.of(cfgs, cpu, training=False).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32
    assert Precision(torch.device("cuda"), torch.float16).dtype is torch.float16
    cfgs["trainer_cfg"]["amp_dtype"] = "auto"
    assert Precision.of(cfgs, cpu, training=True).dtype is None
    cuda = torch.device("cuda")
    for capability, dtype in (((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((12, 0), torch.bfloat16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, value=capability: value)
        assert Precision.of(cfgs, cuda, training=True).dtype is dtype
    cfgs["trainer_cfg"]["amp_dtype"] = "half"
    with pytest.raises(ConfigError, match="amp_dtype is 'half'"):
        Precision.of(cfgs, cpu, training=True)


def test_half_precision_features_are_evaluated_in_float32(folder):
    sampler = "{type: InferenceSampler, batch_size: 24, sample_type: fixed_unordered, frames_num_fixed: 3}"
    precision = ["trainer_cfg.amp_dtype=bfloat16", "evaluator_cfg.enable_float16=true"]
    model = build(folder, training=False, overrides=[f"evaluator_cfg.sampler={sampler}", *precision])
    with torch.no_grad():
        info = model.inference(0)
    assert info["embeddings"].dtype == np.float32
    assert info["embeddings"].shape == (3 * len(tiny.TYPES) * len(tiny.VIEWS) - 1, 5, 16)
    assert model.inference(1) == {}


def test_ignored_prefixes_are_neither_saved_nor_required(folder, tmp_path):
    root = [f"trainer_cfg.output_root={tmp_path}"]
    model = build(folder, overrides=root)
    model.ignored_state_prefixes = ("conv.", "bn.")
    model.save_ckpt(1)
    file = tmp_path / "CASIA-B" / "TinySil" / "tiny" / "checkpoints" / "tiny-00001.pt"
    assert not [name for name in load_checkpoint(file)["model"] if name.startswith(("conv.", "bn."))]
    kept = model.conv.weight.clone()
    model.resume_ckpt(1)
    assert torch.equal(model.conv.weight, kept)
    model.ignored_state_prefixes = ()
    with pytest.raises(CheckpointError, match="lacks conv.weight"):
        model.resume_ckpt(1)


def test_a_hint_is_an_iteration_or_a_path(folder):
    with pytest.raises(ConfigError, match=r"restore_hint.*got 1\.5"):
        build(folder).resume_ckpt(1.5)


def test_an_opengait_checkpoint_resumes(folder, tmp_path):
    model = build(folder, overrides=[f"trainer_cfg.output_root={tmp_path}"])
    model.save_ckpt(4)
    file = tmp_path / "CASIA-B" / "TinySil" / "tiny" / "checkpoints" / "tiny-00004.pt"
    content = load_checkpoint(file)
    torch.save({key: content[key] for key in ("model", "optimizer", "scheduler", "iteration")}, file)
    restored = build(folder, overrides=[f"trainer_cfg.output_root={tmp_path}", "trainer_cfg.restore_hint=4"])
    assert (restored.iteration, restored.run_state.batches_drawn) == (4, 4)


def test_fix_bn(folder):
    model = build(folder)
    model.fix_BN()
    assert not model.bn.training and model.conv.training


def test_nested_numbers_become_tensorboard_tags():
    result = {"scalar/test_accuracy/NM": 1.5, "a": {"b": np.float32(2), "c": np.zeros(3)}, "text": "x"}
    assert scalars(result) == {"scalar/test_accuracy/NM": 1.5, "scalar/a/b": 2.0}
    # Upstream writes the mean of a matrix over views, or of one number per item.
    arrays = {
        "scalar/test_accuracy/CL": np.array([[90.0, 80.0], [70.0, 100.0]]),
        "scalar/test_accuracy/none": np.zeros(0),
    }
    assert scalars(arrays | {"scalar/test_accuracy/mIOU": torch.tensor([0.25, 0.75])}) == {
        "scalar/test_accuracy/CL": 85.0,
        "scalar/test_accuracy/mIOU": 0.5,
    }


def test_helpers():
    def function(a, b=1, *, c=2):
        return a, b, c

    # Upstream's helper ignores keyword-only arguments; the engine's accepts them.
    assert get_valid_args(function, {"a": 1, "c": 3, "d": 4, "type": 5}, ["type"]) == {"a": 1}
    assert accepted_arguments(function, {"a": 1, "c": 3, "d": 4, "type": 5}, ["type"]) == {"a": 1, "c": 3}
    assert get_valid_args(Scaled, {"factor": 2, "self": 3}) == {"factor": 2}
    with pytest.raises(ValueError, match="class or a function"):
        get_valid_args(3, {})
    assert get_attr_from([np, torch], "manual_seed") is torch.manual_seed
    with pytest.raises(AttributeError, match="None of numpy, torch has 'nothing'"):
        get_attr_from([np, torch], "nothing")
    combined = Odict()
    combined.append({"a": 1, "b": [2]})
    combined.append({"a": [3, 4], "b": 5})
    assert combined == {"a": [1, 3, 4], "b": [2, 5]}
    assert Ntuple("P", ["x", "y"], (1, 2)).y == 2 and Ntuple("P", "x", (1, 2)).x == (1, 2)
    twins = clones(nn.Linear(1, 1), 2)
    assert twins[0].weight is not twins[1].weight and torch.equal(twins[0].weight, twins[1].weight)
