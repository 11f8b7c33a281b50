"""Tests on the way through a training, and trainings that they end early."""

import os
import signal
from pathlib import Path

import pytest
import torch

from opengait import distributed, registry
from opengait.config import load_config
from opengait.engine.checkpoint import checkpoints_of, load_checkpoint
from opengait.engine.stop import Stopped
from opengait.engine.train import run_train
from opengait.errors import CheckpointError, ConfigError
from opengait.utils.tensors import get_ddp_module
from tests.campaigns.kills import same
from tests.opengait import tiny
from tests.opengait.ranks import on_ranks

RUN = "CASIA-B/TinySil/tiny"
STOP = ["trainer_cfg.with_test=true", "trainer_cfg.early_stop={metric: a/map, patience: 2}"]


def built(folder, root, *overrides):
    cfgs = load_config(folder / "tiny.yaml", [f"trainer_cfg.output_root={root}", *overrides])
    torch.manual_seed(0)
    return registry.models.get("TinySil")(cfgs, True)


def train(folder, root, *overrides, scores=None):
    """Train; a test of iteration i has the number `scores[i - 1]`, or is the configured one without scores."""
    model = built(folder, root, *overrides)
    if scores is not None:

        def run_test(_):
            # As a test that draws at random.
            torch.rand(3)
            assert not model.training
            return {"a": {"map": scores[model.iteration - 1], "rank1": 0.0}} if distributed.is_main() else None

        model.run_test = run_test
    run_train(get_ddp_module(model, False))
    return model


@pytest.fixture(scope="module")
def folder(folder):
    tiny.write_config(folder, model_cfg={"dropout": 0.3}, trainer_cfg={"save_iter": 2})
    return folder


def saved(root):
    return list(checkpoints_of(Path(root) / RUN))


def with_results(root):
    return [int(file.stem[5:]) for file in sorted((Path(root) / RUN / "logs").glob("test-*.json"))]


@pytest.mark.parametrize(
    ("interval", "checkpoints", "tests"),
    [("null", [2, 4, 5], [2, 4, 5]), ("3", [2, 3, 4, 5], [3, 5]), ("4", [2, 4, 5], [4, 5]), ("99", [2, 4, 5], [5])],
)
def test_tests_have_an_interval_and_a_checkpoint(folder, tmp_path, interval, checkpoints, tests):
    train(folder, tmp_path, *STOP[:1], "trainer_cfg.total_iter=5", f"trainer_cfg.test_iter={interval}")
    assert (saved(tmp_path), with_results(tmp_path)) == (checkpoints, tests)


def test_an_interval_alone_tests_nothing(folder, tmp_path, caplog):
    train(folder, tmp_path, "trainer_cfg.total_iter=2", "trainer_cfg.test_iter=1")
    assert with_results(tmp_path) == [] and saved(tmp_path) == [2]
    assert "test_iter has no effect without trainer_cfg.with_test" in caplog.text


def test_tests_do_not_change_the_training(folder, tmp_path):
    train(folder, tmp_path / "a")
    train(folder, tmp_path / "b", *STOP, "trainer_cfg.test_iter=3", scores=[1.0] * 6)
    whole, with_tests = (load_checkpoint(tmp_path / x / RUN / "checkpoints/tiny-00006.pt") for x in "ab")
    assert with_tests.pop("early_stop") == {"metric": ["a/map"], "tests": [[3, 1.0]]}
    assert same(whole, with_tests)


SCORES = [0.0, 0.3, 0.0, 0.5, 0.0, 0.5, 0.0, 0.1, 0.0, 0.9]


def test_a_training_ends_early(folder, tmp_path, caplog):
    with caplog.at_level("INFO", "opengait"):
        model = train(folder, tmp_path, *STOP, "trainer_cfg.total_iter=10", scores=SCORES)
    assert model.iteration == 8 and saved(tmp_path) == [2, 4, 6, 8] == with_results(tmp_path)
    assert caplog.text.count("Early stop: a/map is 0.5000, the best so far.") == 1
    assert "Stopped early at iteration 8 of 10; the best checkpoint is" in caplog.text
    assert "tiny-00004.pt." in caplog.text and model.training


def test_a_training_that_improves_goes_on(folder, tmp_path, caplog):
    with caplog.at_level("INFO", "opengait"):
        assert train(folder, tmp_path, *STOP, scores=[0.0, 0.5, 0.0, 0.4, 0.0, 0.3]).iteration == 6
    # It ended at its last iteration anyway.
    assert "Stopped early" not in caplog.text


@pytest.mark.parametrize("left", [3, 6])
def test_a_continued_training_ends_where_an_unbroken_one_does(folder, tmp_path, left):
    """Also if its first part ended before the test of its last checkpoint."""
    setting = [*STOP, "trainer_cfg.total_iter=10"]
    train(folder, tmp_path / "a", *setting, scores=SCORES)
    model = built(folder, tmp_path / "b", *setting)
    step = model.train_step

    def stepped(loss):
        if model.iteration == left - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(loss)

    model.train_step = stepped
    model.run_test = lambda _: {"a": {"map": SCORES[model.iteration - 1]}}
    with pytest.raises(Stopped):
        run_train(model)
    assert left not in with_results(tmp_path / "b")
    resumed = train(folder, tmp_path / "b", *setting, f"trainer_cfg.restore_hint={left}", scores=SCORES)
    assert resumed.iteration == 8 and with_results(tmp_path / "b") == [2, 4, 6, 8]
    whole, parts = (load_checkpoint(tmp_path / x / RUN / "checkpoints/tiny-00008.pt") for x in "ab")
    assert parts["early_stop"]["tests"] == [[2, 0.3], [4, 0.5], [6, 0.5]] and same(whole, parts)


def test_a_training_that_ended_early_has_nothing_to_do(folder, tmp_path, caplog):
    setting = [*STOP, "trainer_cfg.total_iter=10"]
    train(folder, tmp_path, *setting, scores=SCORES)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.pt")}
    caplog.clear()
    with caplog.at_level("INFO", "opengait"):
        assert train(folder, tmp_path, *setting, "trainer_cfg.restore_hint=8", scores=SCORES).iteration == 8
    assert caplog.text.count("Stopped early at iteration 8 of 10") == 1
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.pt")} == before
    # With more patience it goes on.
    more = "trainer_cfg.early_stop.patience=9"
    assert train(folder, tmp_path, *setting, more, "trainer_cfg.restore_hint=8", scores=SCORES).iteration == 10


def test_the_patience_of_a_continued_training_may_be_over(folder, tmp_path, caplog):
    setting = [*STOP, "trainer_cfg.total_iter=10", "trainer_cfg.early_stop.patience=9"]
    train(folder, tmp_path, *setting, "trainer_cfg.save_iter=3", "trainer_cfg.test_iter=2", scores=SCORES)
    caplog.clear()
    less = "trainer_cfg.early_stop.patience=1"
    resume = ["trainer_cfg.restore_hint=9", "trainer_cfg.test_iter=2"]
    with caplog.at_level("INFO", "opengait"):
        assert train(folder, tmp_path, *setting, less, *resume, scores=SCORES).iteration == 9
    assert "Stopped early at iteration 9 of 10" in caplog.text and "Running test" not in caplog.text


def test_another_metric_starts_anew(folder, tmp_path, caplog):
    train(folder, tmp_path, *STOP, "trainer_cfg.total_iter=4", scores=SCORES)
    other = "trainer_cfg.early_stop={metric: [a/rank1, a/map], patience: 1}"
    resume = ["trainer_cfg.restore_hint=4", "trainer_cfg.total_iter=10"]
    assert train(folder, tmp_path, *STOP, other, *resume, scores=SCORES).iteration == 6
    assert "metric is a/rank1 and a/map, but the tests so far were compared by a/map; they do not count" in caplog.text


def test_what_an_early_stop_needs(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"early_stop needs tests; set trainer_cfg\.with_test: true"):
        train(folder, tmp_path, STOP[1])
    with pytest.raises(ConfigError, match=r"metric: the test has no 'a/map'.*checksum.*test_accuracy/all"):
        train(folder, tmp_path, *STOP)
    # What was learned until the test is saved.
    assert saved(tmp_path) == [2]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{metric: a/map}", "early_stop: expected `patience`"),
        ("{patience: 3}", "early_stop: expected `metric`"),
        ("{metric: a/map, patience: 0}", r"early_stop\.patience: expected a positive integer"),
        ("{metric: a/map, patience: 3, mode: max}", r"unknown key trainer_cfg\.early_stop\.mode"),
        ("a/map", "early_stop: expected keys"),
    ],
)
def test_the_keys_of_an_early_stop(section, message, tmp_path):
    (tmp_path / "some.yaml").write_text(f"trainer_cfg:\n  early_stop: {section}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "some.yaml")


@pytest.mark.parametrize(
    "entry",
    [
        [],
        {"metric": "a/map", "tests": []},
        {"metric": ["a/map"], "tests": [[1, "x"]]},
        {"metric": ["a/map"], "tests": [[-1, 0.5]]},
        {"metric": [3], "tests": []},
        {"metric": ["a/map"]},
    ],
)
def test_a_damaged_state_is_named(entry, tmp_path):
    torch.save({"model": {"w": torch.zeros(1)}, "early_stop": entry}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt .* `early_stop`"):
        load_checkpoint(tmp_path / "a.pt")


def early_stop_on_a_rank(folder, root):
    model = train(folder, root, *STOP, "trainer_cfg.total_iter=10", scores=SCORES)
    with pytest.raises(ConfigError) as error:
        train(folder, root, *STOP[:1], "trainer_cfg.early_stop={metric: b, patience: 2}", scores=SCORES)
    return model.iteration, model.run_state.early_stop["tests"], str(error.value)


@pytest.mark.slow
def test_all_ranks_end_at_the_same_test(folder, tmp_path):
    (tmp_path / "ranks").mkdir()
    first, second = on_ranks(early_stop_on_a_rank, tmp_path / "ranks", folder, tmp_path)
    assert first == second
    assert first[:2] == (8, [[2, 0.3], [4, 0.5], [6, 0.5], [8, 0.1]])
    assert "the test has no 'b'" in first[2]
