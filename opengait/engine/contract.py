"""The interface of a model that the loops use."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import torch
from torch import nn

from opengait.engine.run_state import RunState
from opengait.utils.tensors import bare


class Trained(Protocol):
    """What an optimiser trains: a model, or a critic of one; `cfgs` has `optimizer_cfg` and `scheduler_cfg`."""

    cfgs: dict[str, Any]
    optimizer: Any
    scheduler: Any


class EngineModel(Protocol):
    """The part of `opengait.modeling.base_model.BaseModel` that the engine uses; it is documented there.

    Loaders and optimisers are `Any`, since a model may provide its own; `Scaler` may be absent.
    """

    cfgs: dict[str, Any]
    engine_cfg: dict[str, Any]
    msg_mgr: Any
    save_path: str
    train_loader: Any
    test_loader: Any
    evaluator_trfs: Any
    transforms_itself: bool
    optimizer: Any
    scheduler: Any
    Scaler: Any
    loss_aggregator: Any
    critics: Sequence[Any]
    ignored_state_prefixes: tuple[str, ...]
    training: bool
    iteration: int

    @property
    def run_state(self) -> RunState: ...

    def __call__(self, inputs: tuple[Any, ...]) -> dict[str, Any]: ...

    def renamed_state(self, state: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]: ...

    def inputs_pretreament(self, inputs: list[Any]) -> tuple[Any, ...]: ...

    def train_step(self, loss_sum: torch.Tensor) -> bool: ...

    def info_to_log(self) -> dict[str, Any]: ...

    def card(self) -> dict[str, Any]: ...

    def save_ckpt(self, iteration: int) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def fix_BN(self) -> None: ...  # noqa: N802 (upstream's name)

    def train(self) -> Any: ...

    def eval(self) -> Any: ...

    def inference(self, rank: int) -> dict[str, Any]: ...

    def run_test(self, model: nn.Module) -> dict[str, Any] | None: ...


def engine_model(model: nn.Module) -> EngineModel:
    """Return the engine's model inside a DDP wrapper, or the model itself."""
    return cast(EngineModel, bare(model))
