"""The check for non-finite losses, with immediate and with deferred reading of the values."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from opengait import distributed, registry
from opengait.config import load_config
from opengait.engine import train
from opengait.engine.finite import FiniteLossCheck, check_interval
from opengait.errors import UserError
from tests.opengait import tiny
from tests.opengait.ranks import on_ranks

NAN = float("nan")


def inputs(*views):
    return [], torch.tensor([0, 1]), ["nm", "bg"], list(views), None


def test_the_interval_depends_on_the_device():
    assert check_interval(torch.device("cpu"), 100) == 1
    assert check_interval(torch.device("cuda", 0), 100) == 100


def test_no_value_is_read_before_the_interval_ends():
    check = FiniteLossCheck(["a", "b"], 3)
    # A meta tensor has no value to read.
    loss = torch.tensor(1.0, device="meta")
    check.record(1, loss, {}, inputs("000", "090"))
    check.record(2, loss, {}, inputs("000", "090"))
    with pytest.raises(NotImplementedError):
        check.record(3, loss, {}, inputs("000", "090"))


def test_the_first_of_several_broken_steps_is_reported():
    check = FiniteLossCheck(["a", "b"], 4)
    for iteration, loss in enumerate((1.0, NAN, NAN), 5):
        info = {"scalar/triplet/loss": torch.tensor(1.0), "scalar/softmax/loss": torch.tensor([1.0, loss])}
        check.record(iteration, torch.tensor(loss), info, inputs(f"{iteration}00", f"{iteration}90"))
    with pytest.raises(UserError) as caught:
        check.record(8, torch.tensor(1.0), {}, inputs("000", "090"))
    message = str(caught.value)
    assert "loss of iteration 6 is not finite (nan); the term is softmax/loss," in message
    assert "a/nm/600, b/bg/690." in message


def test_a_check_clears_the_recorded_steps():
    check = FiniteLossCheck([], 9)
    check.record(1, torch.tensor(1.0), {}, inputs("000", "090"))
    check.check()
    check.check()
    check.record(2, torch.tensor(float("inf")), {"scalar/own": 1.0}, inputs("000", "090"))
    with pytest.raises(UserError, match=r"iteration 2 .*\(inf\).*unknown.*0/nm/000"):
        check.check()


def broken_on_rank_1():
    check = FiniteLossCheck([], 2)
    losses = (1.0, NAN) if distributed.rank() else (1.0, 1.0)
    try:
        for iteration, loss in enumerate(losses, 1):
            check.record(iteration, torch.tensor(loss), {}, inputs(f"rank{distributed.rank()}", "090"))
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.slow
def test_every_rank_stops_at_a_step_broken_on_one_rank(tmp_path):
    other, broken = on_ranks(broken_on_rank_1, tmp_path)
    assert broken.startswith("The loss of iteration 2 is not finite (nan)") and "rank1" in broken
    assert other == broken


@pytest.mark.parametrize("poisoned", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("deferred", [False, True])
def test_a_run_stops_without_saving_a_broken_step(tmp_path, monkeypatch, deferred, poisoned):
    """Loss `poisoned + 1` is the first that is not finite; checkpoints are due after iterations 2, 4 and 5."""
    tiny.write_dataset(tmp_path / "data")
    settings = [f"trainer_cfg.output_root={tmp_path}", "trainer_cfg.save_iter=2", "trainer_cfg.log_iter=3"]
    cfgs = load_config(tiny.write_config(tmp_path, model_cfg={"poison_at": poisoned}), settings)
    if deferred:
        monkeypatch.setattr(train, "check_interval", lambda device, log_iter: log_iter)
    model = registry.models.get("TinySil")(cfgs, True)
    steps = []
    monkeypatch.setattr(model.msg_mgr, "train_step", lambda info, summary: steps.append(info))
    with pytest.raises(UserError, match=rf"iteration {poisoned + 1} .*\(nan\).*softmax/loss"):
        train.run_train(model)
    saved = sorted(file.stem for file in tmp_path.rglob("*.pt"))
    assert saved == [f"tiny-{iteration:05d}" for iteration in (2, 4) if iteration <= poisoned]
    # The steps up to the end of the interval ran if and only if the check was deferred.
    ends = {0: 1, 1: 1, 2: 2, 3: 3, 4: 5}
    assert len(steps) == (ends[poisoned] if deferred else poisoned)


class ReadValues(TorchDispatchMode):
    """Counts how often Python reads the value of a tensor, for which a GPU would have to finish its work."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_a_step_reads_no_value_from_the_device(tmp_path, monkeypatch):
    tiny.write_dataset(tmp_path / "data")
    settings = [f"trainer_cfg.output_root={tmp_path}", "trainer_cfg.save_iter=9", "trainer_cfg.log_iter=3"]
    model = registry.models.get("TinySil")(load_config(tiny.write_config(tmp_path), settings), True)
    stream = iter(model.train_loader)
    model.train_loader = [next(stream), next(stream)]
    monkeypatch.setattr(train, "check_interval", lambda device, log_iter: log_iter)
    monkeypatch.setattr(model.msg_mgr, "train_step", lambda info, summary: None)
    with ReadValues() as values:
        float(torch.ones(()))
        train.run_train(model)
    assert model.iteration == 6 and values.count == 1
