"""The message manager: log lines and TensorBoard tags, which are read by plotting scripts."""

import logging
import re

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from opengait.utils import NoOp
from opengait.utils.messages import MessageManager
from opengait.utils.progress import Progress


@pytest.fixture
def manager(tmp_path):
    logger = logging.getLogger("opengait")
    before = logger.handlers, logger.level, logger.propagate
    logger.handlers = []
    manager = MessageManager()
    manager.init_manager(tmp_path / "run", log_to_file=True, log_iter=2, iteration=98)
    yield manager
    manager.close()
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.level, logger.propagate = before


def logged(tmp_path) -> list[str]:
    (file,) = (tmp_path / "run/logs").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.txt", file.name)
    return file.read_text().splitlines()


def test_the_log_line_is_that_of_opengait(manager, tmp_path):
    progress = Progress(200, bar=False)
    progress.stepped(99, torch.tensor([4.0, 6.0], requires_grad=True))
    progress.stepped(100, torch.tensor(2.0))
    manager.track_progress(progress)
    for loss in (1.0, 2.0):
        info = {
            "scalar/triplet/loss": torch.tensor([loss, loss + 1]),
            "scalar/triplet/loss_num": np.array([3, 5]),
            "scalar/softmax/accuracy": torch.tensor(loss / 4, requires_grad=True),
            "scalar/extra": loss,
            "image/not_a_number": torch.zeros(1, 1, 2, 2),
        }
        manager.train_step(info, {"scalar/learning_rate": 0.1})
    interval, fields = logged(tmp_path)
    time = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[INFO\]: "
    numbers = r"triplet_loss=2\.0000, triplet_loss_num=4\.0000, softmax_accuracy=0\.3750, extra=1\.5000"
    assert re.fullmatch(rf"{time}Iteration 00100, Cost \d+\.\d\ds, {numbers}", interval)
    numbers = r"loss=3\.5000, 100 of 200, memory=\d\.\d\dGB"
    assert re.fullmatch(rf"{time}lr=0\.1, data=\S+s, step=\S+s, {numbers}, left=\d+:\d\d:\d\d", fields)


def test_tensorboard_receives_the_latest_summary(manager, tmp_path):
    for value in (1.0, 2.0):
        summary = {
            "scalar/triplet/loss": torch.tensor([value, value + 2]),
            "scalar/learning_rate": 0.1,
            "image/sils": torch.rand(3, 1, 4, 4),
            "audio/steps": 1,
        }
        manager.train_step({"scalar/triplet/loss": value}, summary)
    events = EventAccumulator(str(tmp_path / "run/summary"))
    events.Reload()
    assert events.Tags()["scalars"] == ["triplet/loss", "learning_rate"] and events.Tags()["images"] == ["sils"]
    assert [(event.step, event.value) for event in events.Scalars("triplet/loss")] == [(100, 3.0)]
    assert "Not Expected --Summary-- type [audio/steps] appear!!!['image', 'scalar']" in logged(tmp_path)[-1]


def test_the_manager_of_other_ranks_accepts_every_call():
    silent = NoOp()
    assert silent and silent.log_info("x") is None and silent.train_step({}, {}) is None


def test_logging_and_saving_are_not_timed(monkeypatch):
    moments = iter([0, 1, 3, 100, 101, 103])
    monkeypatch.setattr("time.perf_counter", lambda: next(moments))
    progress = Progress(2, bar=False)
    progress.loaded()
    progress.stepped(1)
    progress.resumed()
    progress.loaded()
    progress.stepped(2)
    monkeypatch.setattr("time.perf_counter", lambda: 103)
    assert progress.fields().startswith("data=1.000s, step=2.000s")


def test_nothing_is_written_before_the_first_iteration(manager, tmp_path):
    manager.log_info("early")
    assert not (tmp_path / "run").exists()
    manager.on_begin(lambda: (tmp_path / "begun").touch())
    manager.begin()
    assert (tmp_path / "begun").exists()
    assert [line.rpartition(" ")[2] for line in logged(tmp_path)] == ["early"]
    (tmp_path / "begun").unlink()
    manager.train_step({}, {})
    assert not (tmp_path / "begun").exists()


def test_results_come_last_even_if_what_follows_them_fails(manager, tmp_path):
    manager.begin()
    with pytest.raises(OSError, match="full"), manager.results_last():
        with manager.evaluating():
            manager.log_info("table")
        manager.log_info("card")
        raise OSError("full")
    with manager.evaluating():
        manager.log_info("alone")
    assert [line.rpartition(" ")[2] for line in logged(tmp_path)] == ["card", "table", "alone"]


@pytest.mark.parametrize("failure", [BrokenPipeError(), OSError(28, "No space left on device"), ValueError("closed")])
def test_a_log_that_cannot_be_shown_does_not_end_the_run(manager, tmp_path, monkeypatch, failure):
    def write(*_, **__):
        raise failure

    manager.begin()
    monkeypatch.setattr("tqdm.tqdm.write", write)
    manager.log_info("still here")
    assert logged(tmp_path)[-1].endswith("still here")


def test_a_log_file_on_a_full_disk_is_given_up_with_a_warning(manager, capsys, monkeypatch):
    def flush():
        raise OSError(28, "No space left on device")

    manager.begin()
    (file,) = (handler for handler in manager.logger.handlers if isinstance(handler, logging.FileHandler))
    monkeypatch.setattr(file, "flush", flush)
    manager.log_info("one")
    manager.log_info("two")
    monkeypatch.undo()
    file.close()
    text = capsys.readouterr().err
    assert text.count("No space left") == 1 and "two" in text


def test_long_texts_are_whole_in_the_file_and_short_on_the_screen(manager, tmp_path, capsys):
    manager.log_summary("Card: short", "Protocol card:\nlong 100%")
    manager.begin()
    assert "\n".join(logged(tmp_path)).endswith("Protocol card:\nlong 100%")
    assert "short" in capsys.readouterr().err
