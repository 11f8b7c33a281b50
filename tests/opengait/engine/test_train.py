"""The end of a training: the last checkpoint, nothing left to do, and a stop between two checkpoints."""

import os
import signal

import pytest
import torch

from opengait import registry
from opengait.config import load_config
from opengait.engine.checkpoint import checkpoints_of, load_checkpoint
from opengait.engine.stop import Stopped
from opengait.engine.train import run_train
from opengait.errors import ConfigError
from tests.campaigns.kills import same
from tests.opengait import tiny


@pytest.fixture
def build(folder, tmp_path):
    def build(*overrides, **changes):
        root = f"trainer_cfg.output_root={tmp_path}"
        cfgs = load_config(tiny.write_config(folder, **changes), [root, *overrides])
        torch.manual_seed(0)
        return registry.models.get("TinySil")(cfgs, True)

    return build


def saved(tmp_path):
    return list(checkpoints_of(tmp_path / "CASIA-B" / "TinySil" / "tiny"))


@pytest.mark.parametrize(
    ("total", "interval", "iterations"), [(2, 100, [2]), (4, 3, [3, 4]), (4, 2, [2, 4]), (1, 1, [1])]
)
def test_the_last_iteration_is_saved(build, tmp_path, total, interval, iterations):
    run_train(build(f"trainer_cfg.total_iter={total}", f"trainer_cfg.save_iter={interval}"))
    assert saved(tmp_path) == iterations


def test_the_last_iteration_is_evaluated(build, tmp_path):
    run_train(build("trainer_cfg.total_iter=2", "trainer_cfg.save_iter=100", "trainer_cfg.with_test=true"))
    assert (tmp_path / "CASIA-B" / "TinySil" / "tiny" / "logs" / "test-00002.json").is_file()


def test_a_finished_run_has_nothing_to_do(build, tmp_path, caplog):
    run_train(build("trainer_cfg.total_iter=2"))
    before = [file.stat().st_mtime_ns for file in tmp_path.rglob("*.pt")]
    with caplog.at_level("INFO", "opengait"):
        run_train(build("trainer_cfg.total_iter=2", "trainer_cfg.restore_hint=2"))
    assert "Already trained to iteration 2; nothing to do." in caplog.text
    assert [file.stat().st_mtime_ns for file in tmp_path.rglob("*.pt")] == before
    with pytest.raises(ConfigError, match="iteration 2, beyond trainer_cfg.total_iter 1"):
        run_train(build("trainer_cfg.total_iter=1", "trainer_cfg.restore_hint=2"))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_continues_as_if_it_had_not_stopped(build, tmp_path, signum):
    dropout = {"model_cfg": {"dropout": 0.3}}
    run_train(build(**dropout))
    (whole,) = (load_checkpoint(file) for file in tmp_path.rglob("*-00006.pt"))
    model = build("trainer_cfg.with_test=true", **dropout)
    step = model.train_step

    def stepped(loss):
        if model.iteration == 3:
            os.kill(os.getpid(), signum)
        return step(loss)

    model.train_step = stepped
    with pytest.raises(Stopped) as stopped:
        run_train(model)
    assert (stopped.value.iteration, stopped.value.status) == (4, 128 + signum)
    run_train(build("trainer_cfg.restore_hint=4", **dropout))
    (resumed,) = (load_checkpoint(file) for file in tmp_path.rglob("*-00006.pt"))
    assert same(resumed, whole)
