"""Trackers beside TensorBoard, with stand-ins for their packages."""

import sys
import types
from pathlib import Path

import pytest

from opengait import main
from opengait.config import load_config
from opengait.errors import ConfigError
from opengait.utils.messages import MessageManager
from opengait.utils.sinks import SINKS, Sink, check_sinks
from tests.opengait import tiny


@pytest.fixture(params=SINKS)
def tracker(request, monkeypatch):
    """Return a stand-in for a tracker, whose `calls` lists what it was given; it fails at the calls in `failing`."""
    module = types.ModuleType(request.param)
    module.calls, module.failing = [], []

    def called(name):
        def call(*arguments, **keywords):
            module.calls.append((name, *arguments, keywords))
            if name in module.failing:
                raise module.error
            return types.SimpleNamespace()

        return call

    module.error = ConnectionError("no network\nat all")
    for name in ("init", "log", "finish"):
        setattr(module, name, called(name))
    monkeypatch.setitem(sys.modules, request.param, module)
    return module


def names(tracker):
    return [call[0] for call in tracker.calls]


def test_a_tracker_gets_the_numbers_of_a_run(tracker):
    warnings = []
    sink = Sink(tracker.__name__, Path("out/HITSZ VCM/Net/first"), {"seed": 3}, warnings.append)
    sink.write({"loss": 0.5}, 100)
    sink.write({"map": 0.25}, 200)
    sink.close()
    sink.close()
    assert tracker.calls == [
        ("init", {"project": "HITSZ-VCM-Net", "name": "first", "config": {"seed": 3}}),
        ("log", {"loss": 0.5}, {"step": 100}),
        ("log", {"map": 0.25}, {"step": 200}),
        ("finish", {}),
    ]
    assert warnings == []


@pytest.mark.parametrize("error", [ConnectionError("no network\nat all"), SystemExit(1), KeyError("x")])
@pytest.mark.parametrize(
    ("failing", "calls"),
    [("init", ["init"]), ("log", ["init", "log"]), ("finish", ["init", "log", "log", "finish"])],
)
def test_a_tracker_that_fails_gets_no_more_and_causes_one_warning(tracker, failing, calls, error):
    warnings = []
    tracker.failing, tracker.error = [failing], error
    sink = Sink(tracker.__name__, Path("out/data/Net/first"), {}, warnings.append)
    for iteration in (1, 2):
        sink.write({"loss": 0.5}, iteration)
    sink.close()
    assert names(tracker) == calls
    (warning,) = warnings
    assert warning.startswith(f"{tracker.__name__} gets no more numbers of this run") and "\n" not in warning


def test_a_package_that_cannot_be_imported_causes_one_warning(tmp_path, monkeypatch):
    (tmp_path / "wandb.py").write_text("raise RuntimeError('broken installation')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    warnings = []
    check_sinks(["wandb"])
    Sink("wandb", Path("out/data/Net/first"), {}, warnings.append).write({"loss": 1.0}, 1)
    assert len(warnings) == 1 and "broken installation" in warnings[0]


@pytest.mark.parametrize("name", SINKS)
def test_a_missing_package_is_named_with_the_command(name, tmp_path, monkeypatch):
    """A folder of its name, as wandb writes into the working directory, is no package."""
    (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ConfigError, match=f"sinks names {name}, .*pip install {name}"):
        check_sinks([name])


def test_an_unknown_tracker(tmp_path):
    with pytest.raises(ConfigError, match="'mlflow'"):
        check_sinks(["mlflow"])
    (tmp_path / "some.yaml").write_text("trainer_cfg:\n  sinks: [mlflow]\n")
    with pytest.raises(ConfigError, match=r"trainer_cfg\.sinks: expected"):
        load_config(tmp_path / "some.yaml")


@pytest.fixture
def run_main(tmp_path, monkeypatch):
    tiny.write_dataset(tmp_path / "data")
    file = tiny.write_config(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run_main(*overrides):
        return main.main(["--cfgs", str(file), "--device", "cpu", "--set", *overrides])

    return run_main


def test_a_training_sends_what_tensorboard_gets(run_main, tracker, tmp_path):
    sinks = f"trainer_cfg.sinks=[{tracker.__name__}]"
    assert run_main(sinks, "trainer_cfg.total_iter=4", "trainer_cfg.with_test=true", "trainer_cfg.save_iter=9") == 0
    assert names(tracker) == ["init", "log", "log", "log", "finish"]
    (_, started), *logged, _ = tracker.calls
    assert (started["project"], started["name"]) == ("CASIA-B-TinySil", "tiny")
    assert started["config"]["trainer_cfg"]["total_iter"] == 4
    assert [keywords for *_, keywords in logged] == [{"step": 2}, {"step": 4}, {"step": 4}]
    losses, _, test = (numbers for _, numbers, _ in logged)
    assert {"triplet/loss", "learning_rate"} < set(losses) and "test_accuracy/all" in test
    assert all(type(value) is float for _, numbers, _ in logged for value in numbers.values())


def test_a_training_goes_on_without_its_tracker(run_main, tracker, tmp_path, capsys):
    tracker.failing = ["log"]
    assert run_main(f"trainer_cfg.sinks=[{tracker.__name__}]") == 0
    assert names(tracker) == ["init", "log"]
    text = capsys.readouterr().err
    assert text.count(f"{tracker.__name__} gets no more numbers") == 1 and "no network at all" in text
    assert len(list(tmp_path.rglob("tiny-00006.pt"))) == 1


def test_a_missing_package_is_named_before_anything_trains(run_main, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("opengait.utils.sinks._is_installed", lambda name: False)
    assert run_main("trainer_cfg.sinks=[wandb]") == 2
    assert "pip install wandb" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


def test_a_run_that_writes_nothing_opens_no_tracker(tracker, tmp_path):
    """Such as one that fails before its first iteration."""
    messages = MessageManager()
    messages.init_manager(tmp_path, False, 1)
    messages.use_sinks([tracker.__name__], tmp_path, {})
    messages.close()
    assert tracker.calls == []
