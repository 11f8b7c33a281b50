"""Checkpoints, as the engine restores them: weights, optimiser, schedule, counters and random states."""

import logging
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from opengait.engine import restore
from opengait.engine.checkpoint import random_state, save_checkpoint, set_random_state
from opengait.engine.optim import build_optimizer, build_scheduler
from opengait.engine.run_state import RunState

OPTIMIZER = {"solver": "Adam", "lr": 0.1}
SCHEDULER = {"scheduler": "MultiStepLR", "milestones": [2]}


class Model(nn.Sequential):
    """A network with the parts of an engine model that are saved and restored."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(3, 2), nn.BatchNorm1d(2))
        self.cfgs = {
            "trainer_cfg": {"sampler": {"batch_size": [2, 2]}, "seed": 0},
            "optimizer_cfg": OPTIMIZER,
            "scheduler_cfg": SCHEDULER,
        }
        self.engine_cfg = {
            "save_name": "x",
            "restore_ckpt_strict": True,
            "optimizer_reset": None,
            "scheduler_reset": None,
        }
        self.ignored_state_prefixes = ()
        self.critics = ()
        self.iteration = 3
        self.run_state = RunState()
        log = logging.getLogger("opengait.fuzz")
        self.msg_mgr = SimpleNamespace(log_info=log.debug, log_warning=log.debug)

        self.optimizer = build_optimizer(self.named_parameters(), OPTIMIZER)
        self.scheduler = build_scheduler(self.optimizer, SCHEDULER)

    def renamed_state(self, state):
        return state


def step(model: Any) -> None:
    """Train one step."""
    model.optimizer.zero_grad()
    model(torch.ones(4, 3)).sum().backward()
    model.optimizer.step()
    model.scheduler.step()


def samples(folder: Path) -> list[Path]:
    """Write checkpoints of the engine, of an older torch, without checksums, and bare and prefixed state dicts."""
    model: Any = Model()
    step(model)
    content = {
        "model": model.state_dict(),
        "optimizer": model.optimizer.state_dict(),
        "scheduler": model.scheduler.state_dict(),
        "iteration": 3,
        "batches_drawn": 3,
    }
    whole, old, bare, unchecked = (folder / f"{name}.pt" for name in ("whole", "old", "bare", "unchecked"))
    save_checkpoint(content | {"rank_states": [random_state()]}, whole)
    # Neither of these has checksums, so that the damage reaches the readers behind them.
    torch.save(content, old, _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(unchecked, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    torch.save({f"module.{name}": value for name, value in model.state_dict().items()}, bare)
    return [whole, old, bare, _without_checksums(unchecked)]


def _without_checksums(path: Path) -> Path:
    """Set all checksums of an archive to zero, as torch does with `set_crc32_options(False)`."""
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        at = data.find(magic)
        while at >= 0:
            data[at + offset : at + offset + 4] = bytes(4)
            at = data.find(magic, at + 4)
    path.write_bytes(data)
    return path


def read(path: Path) -> None:
    """Continue a run from the file, and train a step."""
    model: Any = Model()
    restore.load(model, path)
    for state in model.run_state.rank_states:
        set_random_state(state)
    step(model)
