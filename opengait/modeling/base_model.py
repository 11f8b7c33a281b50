"""The model contract: what every model of the engine is, and what it may override (upstream `BaseModel`).

A model overrides `build_network` and `forward`. The rest (losses, optimiser, loaders, checkpoints, the train and test
loops) follows the configuration, and each step is a method that a model may replace. Misspelt names are upstream's.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from opengait import distributed, registry
from opengait.data.loader import build_loader
from opengait.data.transform import get_transform
from opengait.engine import test as test_loop
from opengait.engine import train as train_loop
from opengait.engine.checkpoint import checkpoint_path, load_checkpoint, load_weights, save_checkpoint
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.engine.precision import Precision
from opengait.errors import ConfigError, UserError
from opengait.modeling.loss_aggregator import LossAggregator
from opengait.utils.arguments import accepted_arguments
from opengait.utils.messages import get_msg_mgr


def output_path(cfgs: dict[str, Any], training: bool) -> Path:
    """`<output_root>/<dataset_name>/<model>/<save_name>`; the names of several data sets are joined by `_`."""
    data_cfg = cfgs["data_cfg"]
    names = [data_cfg["dataset_name"]] if isinstance(data_cfg, dict) else [entry["dataset_name"] for entry in data_cfg]
    engine_cfg = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
    root = Path(cfgs["trainer_cfg"].get("output_root", "output"))
    return root / "_".join(names) / cfgs["model_cfg"]["model"] / engine_cfg["save_name"]


class MetaModel(metaclass=ABCMeta):
    """The methods that the loops rely on."""

    # How a class of a model folder is told from a part that its file imported for itself.
    is_engine_model = True

    @abstractmethod
    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Make the modules and set them as attributes."""

    @abstractmethod
    def init_parameters(self) -> None:
        """Give the parameters their first values."""

    @abstractmethod
    def forward(self, inputs: tuple) -> dict[str, Any]:
        """What the model makes of `(ipts, labels, types, views, seqL)`; see `BaseModel`."""

    @abstractmethod
    def get_loader(self, data_cfg: dict[str, Any], train: bool = True) -> Any:
        """The loader of a phase, with its data set as `.dataset`."""

    @abstractmethod
    def get_optimizer(self, optimizer_cfg: dict[str, Any]) -> torch.optim.Optimizer:
        """The optimiser of the model's parameters."""

    @abstractmethod
    def get_scheduler(self, scheduler_cfg: dict[str, Any]) -> Any:
        """The learning-rate schedule of `self.optimizer`."""


class BaseModel(MetaModel, nn.Module):
    """A model with its data, losses and optimiser, made from a configuration. It needs no process group.

    `forward((ipts, labels, types, views, seqL))` returns a dict of

    - `training_feat`: {log_prefix: the arguments of that loss | name: a loss, already weighted};
    - `visual_summary`: {"image/...": [n, c, h, w], "scalar/...": numbers} for TensorBoard;
    - `inference_feat`: {name: [n, ...]}, of which evaluators read `embeddings` [n, c, p].

    A part that the phase does not use may be None.

    Args:
        cfgs: the whole configuration (`opengait.config.load_config`).
        training: make the training's parts too, and start in training mode.

    Attributes:
        msg_mgr, cfgs, engine_cfg, save_path, iteration: set before `build_network`.
        train_loader, loss_aggregator, optimizer, scheduler, Scaler: in training.
        test_loader: in testing, and in training with `with_test`.
        ignored_state_prefixes: a model may name prefixes of state entries that are neither saved nor required on
            loading, such as a frozen backbone that has a weight file of its own.
        restored_from: the checkpoint that was read, or None; restored_iteration: the iteration that it tells.
        capsule: the file that tells what this run was made of (`opengait.engine.capsule`), or None.
    """

    ignored_state_prefixes: tuple[str, ...] = ()
    # Of the class, so that a model with a constructor of its own has them too.
    batches_drawn = 0
    rank_states: Sequence[dict[str, Any]] = ()
    restored_from: Path | None = None
    restored_iteration: int | None = None
    capsule: Path | None = None

    def __init__(self, cfgs: dict[str, Any], training: bool) -> None:
        super().__init__()
        self.phase: Literal["train", "test"] = "train" if training else "test"
        self.msg_mgr = get_msg_mgr()
        self.cfgs = cfgs
        self.iteration = 0
        self.engine_cfg = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
        self.device = distributed.device()
        self.save_path = str(output_path(cfgs, training))
        if training and self.engine_cfg["enable_float16"]:
            precision = Precision.of(cfgs, self.device, training=True)
            self.Scaler = precision.scaler()
            if precision.dtype is None:
                self.msg_mgr.log_info("enable_float16: the CPU computes in float32 instead.")

        self.build_network(cfgs["model_cfg"])
        self.init_parameters()
        self.trainer_trfs = _as_list(get_transform(cfgs["trainer_cfg"]["transform"]))
        if training:
            self.train_loader = self.get_loader(cfgs["data_cfg"], train=True)
        if not training or self.engine_cfg["with_test"]:
            self.evaluator_trfs = _as_list(get_transform(cfgs["evaluator_cfg"]["transform"]))
            self.test_loader = self.get_loader(cfgs["data_cfg"], train=False)
        self.to(self.device)
        if training:
            self.loss_aggregator = LossAggregator(_section(cfgs, "loss_cfg")).to(self.device)
            self.optimizer = self.get_optimizer(_section(cfgs, "optimizer_cfg"))
            self.scheduler = self.get_scheduler(_section(cfgs, "scheduler_cfg"))
        self.train(training)
        if self.engine_cfg["restore_hint"] != 0:
            self.resume_ckpt(self.engine_cfg["restore_hint"])

    # What a model is made of.

    def get_backbone(self, backbone_cfg: dict[str, Any] | list[dict[str, Any]]) -> nn.Module:
        """The backbone that a dict names by `type`, with its arguments; a list gives a `ModuleList`.

        Raises:
            ConfigError: no or an unknown type, or neither a dict nor a list.
        """
        if isinstance(backbone_cfg, dict):
            if "type" not in backbone_cfg:
                raise ConfigError("A backbone_cfg has no `type`; name the class of the backbone.")
            kind = registry.backbones.get(backbone_cfg["type"])
            return kind(**accepted_arguments(kind, backbone_cfg, ["type"]))
        if isinstance(backbone_cfg, list):
            return nn.ModuleList([self.get_backbone(entry) for entry in backbone_cfg])
        raise ConfigError(f"backbone_cfg is {backbone_cfg!r}; wanted is a dict with a `type`, or a list of such dicts.")

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Make `self.Backbone` from `backbone_cfg`, if there is one; models override this."""
        if "backbone_cfg" in model_cfg:
            self.Backbone = self.get_backbone(model_cfg["backbone_cfg"])

    def init_parameters(self) -> None:
        """Xavier-uniform weights and zero biases for convolutions and linear layers; N(1, 0.02) for batch norms."""
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
                nn.init.xavier_uniform_(module.weight.data)
                if module.bias is not None:
                    nn.init.constant_(module.bias.data, 0.0)
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and module.affine:
                nn.init.normal_(module.weight.data, 1.0, 0.02)
                nn.init.constant_(module.bias.data, 0.0)

    def get_loader(self, data_cfg: dict[str, Any], train: bool = True) -> Any:
        """The loader over the data set that `data_cfg.reader` names."""
        if isinstance(data_cfg, list):
            raise ConfigError("data_cfg is a list; this model trains on one data set, so give it one dict.")
        engine_cfg = self.cfgs["trainer_cfg"] if train else self.cfgs["evaluator_cfg"]
        dataset = registry.datasets.get(data_cfg.get("reader", "DataSet"))(data_cfg, train)
        return build_loader(
            dataset,
            engine_cfg["sampler"],
            self.trainer_trfs if train else self.evaluator_trfs,
            training=train,
            seed=self.cfgs["trainer_cfg"].get("seed", 0),
            num_workers=data_cfg.get("num_workers", 1),
            wants_raw=type(self).inputs_pretreament is not BaseModel.inputs_pretreament,
        )

    def get_optimizer(self, optimizer_cfg: dict[str, Any]) -> torch.optim.Optimizer:
        """The optimiser over the parameters that require a gradient."""
        return build_optimizer(self.named_parameters(), optimizer_cfg)

    def get_scheduler(self, scheduler_cfg: dict[str, Any]) -> Any:
        """The learning-rate schedule."""
        return build_scheduler(self.optimizer, scheduler_cfg)

    # Checkpoints.

    def save_ckpt(self, iteration: int) -> None:
        """Write the checkpoint of `iteration`, on rank 0: all that going on as if there had been no stop needs."""
        if not distributed.is_main():
            return
        weights = {name: t for name, t in self.state_dict().items() if not name.startswith(self.ignored_state_prefixes)}
        content = {
            "model": weights,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "iteration": iteration,
            "scaler": self.Scaler.state_dict() if hasattr(self, "Scaler") else {},
            "batches_drawn": self.batches_drawn,
            "rank_states": list(self.rank_states),
        }
        save_checkpoint(content, checkpoint_path(self.save_path, self.engine_cfg["save_name"], iteration))

    def resume_ckpt(self, restore_hint: int | str) -> None:
        """Continue from iteration `restore_hint` of this run, or start at 0 with the weights of a file.

        Raises:
            CheckpointError: the file is missing, damaged or of another model.
            ConfigError: `restore_hint` is neither a number nor a path.
        """
        if isinstance(restore_hint, int) and not isinstance(restore_hint, bool):
            self.iteration = restore_hint
            path = checkpoint_path(self.save_path, self.engine_cfg["save_name"], restore_hint)
        elif isinstance(restore_hint, str):
            path = Path(restore_hint)
        else:
            raise ConfigError(f"restore_hint is {restore_hint!r}; wanted is an iteration of this run, or a path.")
        self._load_ckpt(path)

    def _load_ckpt(self, path: str | Path) -> None:
        """Read a checkpoint; the optimiser's and the schedule's state too in training, unless reset or absent."""
        content = load_checkpoint(path)
        # Trainable losses are saved with the model, but are made in training only.
        free = self.ignored_state_prefixes if self.training else (*self.ignored_state_prefixes, "loss_aggregator.")
        strict = self.engine_cfg["restore_ckpt_strict"]
        kept = load_weights(self, content.get("model", {}), path, strict=strict, free=free)
        if kept:
            self.msg_mgr.log_warning(f"{path} has no fitting value for {len(kept)} entries, such as {kept[0]}.")
        self.restored_from, self.restored_iteration = Path(path), content.get("iteration")
        if self.training:
            self._restore("Optimizer", "optimizer", content, path)
            self._restore("Scheduler", "scheduler", content, path)
            if self.iteration:
                self._continue_run(content)
        self.msg_mgr.log_info(f"Restore Parameters from {path} !!!")

    def _restore(self, title: str, part: str, content: dict[str, Any], path: str | Path) -> None:
        if self.engine_cfg[f"{part}_reset"] or part not in content:
            self.msg_mgr.log_warning(f"Restore NO {title} from {path} !!!")
            return
        try:
            getattr(self, part).load_state_dict(content[part])
        except (ValueError, KeyError) as error:
            raise ConfigError(
                f"The {part} in {path} does not fit {part}_cfg ({error}); set trainer_cfg.{part}_reset: true to start "
                f"with a fresh one."
            ) from error

    def _continue_run(self, content: dict[str, Any]) -> None:
        if hasattr(self, "Scaler") and content.get("scaler"):
            self.Scaler.load_state_dict(content["scaler"])
        self.batches_drawn = content.get("batches_drawn", self.iteration)
        self.rank_states = content.get("rank_states", [])

    def fix_BN(self) -> None:  # noqa: N802 (upstream's name)
        """Put every batch norm in evaluation mode."""
        for module in self.modules():
            if "BatchNorm" in type(module).__name__:
                module.eval()

    # One step.

    def inputs_pretreament(self, inputs: list) -> tuple:
        """A loader's batch on the device: `(ipts, labs, typs, vies, seqL)`.

        Args:
            inputs: `[seqs, labels, types, views, seqL]`; `seqs` holds one entry a feature, either a float32 tensor
                that the workers transformed, or a list of arrays that is transformed here.

        Returns:
            ipts, float32 tensors [n, s, ...], or [1, S, ...] where tracklets are packed; labs, int64 [n]; types and
            views, lists of str; seqL, int32 [1, n] or None.

        Raises:
            UserError: there are not as many transforms as features.
        """
        seqs, labels, types, views, lengths = inputs
        transforms = self.trainer_trfs if self.training else self.evaluator_trfs
        if len(seqs) != len(transforms):
            raise UserError(f"A tracklet has {len(seqs)} features, but `transform` has {len(transforms)} entries.")
        ipts = [self._to_input(feature, transform) for feature, transform in zip(seqs, transforms, strict=True)]
        labs = torch.as_tensor(np.asarray(labels), dtype=torch.int64).to(distributed.device())
        if lengths is not None:
            lengths = torch.as_tensor(np.asarray(lengths), dtype=torch.int32).to(distributed.device())
            frames = int(lengths.sum())
            ipts = [feature[:, :frames] for feature in ipts]
        return ipts, labs, list(types), list(views), lengths

    def _to_input(self, feature: torch.Tensor | list, transform: Callable) -> torch.Tensor:
        if not isinstance(feature, torch.Tensor):
            feature = torch.from_numpy(np.asarray([transform(sequence) for sequence in feature], dtype=np.float32))
        # Not `self.device`, which a model with a constructor of its own may set to a number, as OpenGait does.
        return feature.to(distributed.device(), torch.float32, non_blocking=True)

    def train_step(self, loss_sum: torch.Tensor) -> bool:
        """Learn from a loss. False if mixed precision made the optimiser skip the step; then nothing is counted."""
        self.optimizer.zero_grad()
        if loss_sum.detach() <= 1e-9:
            self.msg_mgr.log_warning(f"The loss is {float(loss_sum)}, below 1e-9; the training goes on.")
        if hasattr(self, "Scaler"):
            self.Scaler.scale(loss_sum).backward()
            self.Scaler.step(self.optimizer)
            scale = self.Scaler.get_scale()
            self.Scaler.update()
            if self.Scaler.get_scale() < scale:
                self.msg_mgr.log_debug("Training step skipped: the gradients overflowed in mixed precision.")
                return False
        else:
            loss_sum.backward()
            self.optimizer.step()
        self.iteration += 1
        self.scheduler.step()
        return True

    def info_to_log(self) -> dict[str, Any]:
        """More `scalar/...` values for the log line of a step, behind those of the losses."""
        return {}

    # The loops; a model may replace them.

    def inference(self, rank: int) -> dict[str, np.ndarray]:
        """`inference_feat` of every test tracklet, in the data set's order; empty on ranks other than 0."""
        return test_loop.inference(self, rank)

    @staticmethod
    def run_train(model: nn.Module) -> None:
        """Train `model` (wrapped in DDP or not) to `total_iter`."""
        train_loop.run_train(model)

    @staticmethod
    def run_test(model: nn.Module) -> dict[str, Any] | None:
        """Evaluate `model`; the evaluator's numbers on rank 0, None elsewhere."""
        return test_loop.run_test(model)


def _as_list(transforms: Any) -> list:
    return transforms if isinstance(transforms, list) else [transforms]


def _section(cfgs: dict[str, Any], name: str) -> Any:
    if not cfgs.get(name):
        raise ConfigError(f"The configuration has no {name}, which training needs.")
    return cfgs[name]
