"""Base class of the engine's models (upstream `BaseModel`).

A model overrides `build_network` and `forward`. Everything else (losses, optimiser, loaders, checkpoints, training and
test loops) follows the configuration, in methods that a model may override. Misspelt names are upstream's.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from opengait import distributed, registry
from opengait.data.loader import build_loader
from opengait.data.transform import get_transform
from opengait.engine import restore
from opengait.engine import test as test_loop
from opengait.engine import train as train_loop
from opengait.engine.critics import Critic, build_critics, check_losses
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.engine.precision import Precision
from opengait.engine.run_folder import output_path
from opengait.engine.run_state import RunState
from opengait.errors import ConfigError, UserError
from opengait.modeling.initialisation import xavier_init
from opengait.modeling.loss_aggregator import LossAggregator
from opengait.utils.arguments import accepted_arguments
from opengait.utils.messages import get_msg_mgr
from opengait.utils.typed import checked_arguments


class MetaModel(metaclass=ABCMeta):
    """The method that every model must define; `BaseModel` provides defaults for all others."""

    # Distinguishes the models of a model folder from other classes that its files import.
    is_engine_model = True

    @abstractmethod
    def forward(self, inputs: tuple[Any, ...]) -> dict[str, Any]:
        """Return the model's outputs for `(ipts, labels, types, views, seqL)`; see `BaseModel`."""


class BaseModel(MetaModel, nn.Module):
    """A model with its data, losses and optimiser, built from a configuration; no process group is required.

    `forward((ipts, labels, types, views, seqL))` returns a dict of

    - `training_feat`: {log_prefix: arguments of that loss, or name: a loss, already weighted};
    - `visual_summary`: {"image/...": [n, c, h, w], "scalar/...": numbers} for TensorBoard;
    - `inference_feat`: {name: [n, ...]}; evaluators read `embeddings` [n, c, p].

    An entry that the phase does not use may be None.

    Args:
        cfgs: the whole configuration (`opengait.config.load_config`).
        training: also build the parts for training, and start in training mode.

    Attributes:
        msg_mgr, cfgs, phase, engine_cfg, save_path: set before `build_network`.
        run_state: counters and origin of the run (`opengait.engine.run_state`); `iteration` is the first of them.
        train_loader, loss_aggregator, optimizer, scheduler, Scaler: in training.
        critics: parts that optimisers of their own train (`opengait.engine.critics`); in training.
        test_loader: in testing, and in training with `with_test`.
        ignored_state_prefixes: prefixes of state entries that are neither saved nor required on loading, such as those
            of a frozen backbone with its own weight file.
    """

    ignored_state_prefixes: tuple[str, ...] = ()
    critics: Sequence[Critic] = ()
    # Derived by `__init_subclass__`, so that OpenGait's model files need not state them.
    transforms_itself = False
    own_loops: frozenset[str] = frozenset()
    phase: Literal["train", "test"]

    def __init_subclass__(cls, **options: Any) -> None:
        """Derive how the engine must treat a class from the methods that it overrides.

        `transforms_itself`: the class overrides `inputs_pretreament`, so it expects untransformed batches.
        `own_loops`: the phases whose loop the class overrides; such a loop may expect OpenGait's DDP wrapper.
        """
        super().__init_subclass__(**options)
        overridden = {name for base in cls.__mro__[: cls.__mro__.index(BaseModel)] for name in vars(base)}
        cls.transforms_itself = "inputs_pretreament" in overridden
        cls.own_loops = frozenset(phase for phase in ("train", "test") if f"run_{phase}" in overridden)

    def __init__(self, cfgs: dict[str, Any], training: bool) -> None:
        super().__init__()
        self.msg_mgr = get_msg_mgr()
        self.cfgs = cfgs
        self.phase = "train" if training else "test"
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
            self.loss_aggregator = LossAggregator(_section(cfgs, "loss_cfg"), self.run_state).to(self.device)
            # Before the optimiser, which trains the rest.
            self.critics = build_critics(self, cfgs.get("critic_cfg"))
            check_losses(self.critics, {name: use.trains for name, use in self.loss_aggregator.uses.items()})
            self.optimizer = self.get_optimizer(_section(cfgs, "optimizer_cfg"))
            self.scheduler = self.get_scheduler(_section(cfgs, "scheduler_cfg"))
        self.train(training)
        if self.engine_cfg["restore_hint"] != 0:
            self.resume_ckpt(self.engine_cfg["restore_hint"])

    @property
    def run_state(self) -> RunState:
        """Counters and origin of the run, created on first use, since a model's constructor might not call this one."""
        state: RunState = self.__dict__.setdefault("_run_state", RunState())
        return state

    @property
    def iteration(self) -> int:
        """Completed training iterations."""
        return self.run_state.iteration

    @iteration.setter
    def iteration(self, iteration: int) -> None:
        self.run_state.iteration = iteration

    # Parts of a model.

    def get_backbone(self, backbone_cfg: dict[str, Any] | list[dict[str, Any]]) -> nn.Module:
        """Build the backbone that a dict names by `type`, with its arguments; a list gives a `ModuleList`.

        Raises:
            ConfigError: the type is missing or unknown, or the section is neither a dict nor a list.
        """
        if isinstance(backbone_cfg, dict):
            if "type" not in backbone_cfg:
                raise ConfigError("backbone_cfg has no `type`; set it to the class of the backbone.")
            kind = registry.backbones.get(backbone_cfg["type"])
            arguments = accepted_arguments(kind, backbone_cfg, ["type"])
            backbone: nn.Module = kind(**checked_arguments(kind, arguments, "model_cfg.backbone_cfg"))
            return backbone
        if isinstance(backbone_cfg, list):
            return nn.ModuleList([self.get_backbone(entry) for entry in backbone_cfg])
        raise ConfigError(f"backbone_cfg: expected a dict with a `type` or a list of such dicts, got {backbone_cfg!r}.")

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Build `self.Backbone` from `backbone_cfg`, if given; models override this."""
        if "backbone_cfg" in model_cfg:
            self.Backbone = self.get_backbone(model_cfg["backbone_cfg"])

    def init_parameters(self) -> None:
        """Initialise every parameter with `xavier_init`; models override this."""
        xavier_init(self)

    def get_loader(self, data_cfg: Any, train: bool = True) -> Any:
        """Build the loader of the dataset that `data_cfg.reader` names."""
        if isinstance(data_cfg, list):
            raise ConfigError("data_cfg: expected a dict, got a list; this model trains on one dataset.")
        engine_cfg = self.cfgs["trainer_cfg"] if train else self.cfgs["evaluator_cfg"]
        dataset = registry.datasets.get(data_cfg.get("reader", "DataSet"))(data_cfg, train)
        return build_loader(
            dataset,
            engine_cfg["sampler"],
            self.trainer_trfs if train else self.evaluator_trfs,
            training=train,
            seed=self.cfgs["trainer_cfg"].get("seed", 0),
            num_workers=data_cfg.get("num_workers", 1),
            wants_raw=self.transforms_itself,
        )

    def get_optimizer(self, optimizer_cfg: dict[str, Any]) -> torch.optim.Optimizer:
        """Build the optimiser over the parameters that require a gradient."""
        return build_optimizer(self.named_parameters(), optimizer_cfg)

    def get_scheduler(self, scheduler_cfg: dict[str, Any]) -> Any:
        """Build the learning-rate schedule."""
        return build_scheduler(self.optimizer, scheduler_cfg)

    # Checkpoints.

    def save_ckpt(self, iteration: int) -> None:
        """Write the checkpoint of `iteration` on rank 0, with everything needed to resume exactly."""
        restore.save(self, iteration)

    def renamed_state(self, state: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return a checkpoint's entries under this model's names, where other programs name them differently."""
        return state

    def resume_ckpt(self, restore_hint: int | str) -> None:
        """Continue from iteration `restore_hint` of this run, or start at 0 with the weights of a file.

        Raises:
            CheckpointError: the file is missing or damaged, or belongs to another model.
            ConfigError: `restore_hint` is neither a number nor a path, or another optimiser or schedule is configured.
        """
        path = restore.hinted_path(self, restore_hint)
        if isinstance(restore_hint, int):
            self.iteration = restore_hint
        self._load_ckpt(path)

    def _load_ckpt(self, path: str | Path) -> None:
        restore.load(self, Path(path))

    def fix_BN(self) -> None:  # noqa: N802 (upstream's name)
        """Switch every batch norm to evaluation mode."""
        for module in self.modules():
            if "BatchNorm" in type(module).__name__:
                module.eval()

    # One step.

    def inputs_pretreament(self, inputs: list[Any]) -> tuple[Any, ...]:
        """Move a loader's batch to the device: `(ipts, labs, typs, vies, seqL)`.

        Args:
            inputs: `[seqs, labels, types, views, seqL]`; `seqs` holds one entry per feature, either a float32 tensor
                that the workers transformed, or a list of arrays that is transformed here.

        Returns:
            ipts, float32 tensors [n, s, ...], or [1, S, ...] if tracklets are packed; labs, int64 [n]; types and
            views, lists of str; seqL, int32 [1, n] or None.

        Raises:
            UserError: the numbers of transforms and features differ.
        """
        seqs, labels, types, views, lengths = inputs
        transforms = self.trainer_trfs if self.training else self.evaluator_trfs
        if len(seqs) != len(transforms):
            raise UserError(
                f"A tracklet has {len(seqs)} features, but `transform` has {len(transforms)} entries; provide one per "
                f"feature."
            )
        ipts = [self._to_input(feature, transform) for feature, transform in zip(seqs, transforms, strict=True)]
        # Non-blocking, since a blocking copy waits for all pending work on the device.
        labs = torch.as_tensor(np.asarray(labels), dtype=torch.int64).to(distributed.device(), non_blocking=True)
        if lengths is not None:
            frames = int(np.sum(lengths))
            ipts = [feature[:, :frames] for feature in ipts]
            lengths = torch.as_tensor(np.asarray(lengths), dtype=torch.int32)
            lengths = lengths.to(distributed.device(), non_blocking=True)
        return ipts, labs, list(types), list(views), lengths

    def _to_input(self, feature: torch.Tensor | list[Any], transform: Callable[..., Any]) -> torch.Tensor:
        if not isinstance(feature, torch.Tensor):
            feature = torch.from_numpy(np.asarray([transform(sequence) for sequence in feature], dtype=np.float32))
        # Not `self.device`, which a model with its own constructor may set to a number, as OpenGait does.
        return feature.to(distributed.device(), torch.float32, non_blocking=True)

    def train_step(self, loss_sum: torch.Tensor) -> bool:
        """Take an optimiser step; return False, without counting it, if mixed precision made the optimiser skip it."""
        self.optimizer.zero_grad()
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
        """Return additional `scalar/...` values for the log line of a step; they follow the losses."""
        return {}

    def card(self) -> dict[str, Any]:
        """Return facts about the method that readers of its results must know, for the card of a test."""
        return {}

    # The loops, which a model may override.

    def inference(self, rank: int) -> dict[str, np.ndarray]:
        """Return `inference_feat` of every test tracklet, in the dataset's order; empty on ranks other than 0."""
        return test_loop.inference(self, rank)

    @staticmethod
    def run_train(model: nn.Module) -> None:
        """Train `model` (wrapped in DDP or not) to `total_iter`."""
        train_loop.run_train(model)

    @staticmethod
    def run_test(model: nn.Module) -> dict[str, Any] | None:
        """Evaluate `model`; return the evaluator's results on rank 0, None on other ranks."""
        return test_loop.run_test(model)


def _as_list(transforms: Any) -> list[Any]:
    return transforms if isinstance(transforms, list) else [transforms]


def _section(cfgs: dict[str, Any], name: str) -> Any:
    if not cfgs.get(name):
        raise ConfigError(f"The configuration has no {name}, which training requires.")
    return cfgs[name]
