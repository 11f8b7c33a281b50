"""Fused optimisers, which take the same steps as others, and continue each other's checkpoints."""

import pytest
import torch

from opengait import registry
from opengait.config import load_config
from opengait.engine.fused import fused, with_implementation_of
from opengait.engine.optim import build_optimizer, optimizer_class
from opengait.engine.train import run_train
from tests.opengait import tiny

SOLVERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    "SGD, nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    "SGD, no momentum": {"lr": 0.1},
    "Adam": {"lr": 0.1, "amsgrad": True},
    "AdamW": {"lr": 0.1, "weight_decay": 0.1},
}
solvers = pytest.mark.parametrize("solver", SOLVERS)


@pytest.mark.parametrize(
    ("solver", "arguments", "groups", "expected"),
    [
        ("AdamW", {"lr": 0.1}, [], {"fused": True}),
        ("SGD", {"lr": 0.1, "foreach": None}, [{"lr": 0.2}], {"fused": True}),
        ("SGD", {"lr": 0.1, "fused": False}, [], {}),
        ("SGD", {"lr": 0.1, "foreach": True}, [], {}),
        ("SGD", {"lr": 0.1}, [{"lr": 0.2}, {"fused": False}], {}),
        ("SGD", {"lr": 0.1}, [{"foreach": True}], {}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.1}, [], {}),
        ("Adam", {"lr": 0.1, "differentiable": True}, [], {}),
        ("Adagrad", {"lr": 0.1}, [], {}),
        ("Rprop", {"lr": 0.1}, [], {}),
    ],
)
def test_optimisers_on_cuda_are_fused_unless_the_configuration_chooses(solver, arguments, groups, expected):
    assert fused(optimizer_class(solver), arguments, groups) == expected


def built(solver: str, **flags) -> tuple[list[torch.nn.Parameter], torch.optim.Optimizer]:
    parameters = [torch.nn.Parameter(torch.linspace(-1, 1, 5)), torch.nn.Parameter(torch.ones(3))]
    cfg = {"solver": solver.partition(",")[0], **SOLVERS[solver], **flags}
    return parameters, build_optimizer(zip("ab", parameters, strict=True), cfg)


def stepped(parameters, optimizer, gradients, scaler=None) -> list[torch.Tensor]:
    """Return the parameters after a step with each of `gradients`; the second parameter has none where it is None."""
    scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
    for first, second in gradients:
        scaler.scale(torch.ones(()))
        scale = scaler.get_scale()
        parameters[0].grad = torch.full((5,), first * scale)
        parameters[1].grad = None if second is None else torch.full((3,), second * scale)
        scaler.step(optimizer)
        if scaler.is_enabled():
            scaler.update()
    return [parameter.detach().clone() for parameter in parameters]


def scaler() -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", init_scale=8.0)


# The second parameter has its first gradient later, as with a loss that begins in mid-training.
GRADIENTS = [(0.5, None), (-0.3, 0.2), (0.1, None), (0.7, -0.4)]
OVERFLOW = (float("inf"), 0.1)


@solvers
@pytest.mark.parametrize("gradients", [GRADIENTS, [OVERFLOW, *GRADIENTS], [*GRADIENTS, OVERFLOW, *GRADIENTS]])
def test_fused_steps_are_those_of_one_parameter_after_the_other(solver, gradients):
    """An overflow in the first step must leave no trace, and no gradient yet must be no error."""
    expected = stepped(*built(solver, foreach=False), [pair for pair in gradients if pair is not OVERFLOW])
    # What uninitialised memory would hold.
    torch.full((1000,), 7.7)
    actual = stepped(*built(solver, fused=True), gradients, scaler())
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@solvers
@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False), (True, True)])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_state_continues_in_the_other_implementation(solver, before, after, scaled, tmp_path):
    """With scaled gradients, torch alone fails or forgets the scale where the saved flag differs from the built one."""
    expected = stepped(*built(solver, foreach=False), GRADIENTS + GRADIENTS)
    parameters, first = built(solver, fused=before)
    stepped(parameters, first, GRADIENTS, scaler() if scaled else None)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    continued, second = built(solver, fused=after)
    with torch.no_grad():
        for ours, theirs in zip(continued, parameters, strict=True):
            ours.copy_(theirs)
    second.load_state_dict(with_implementation_of(second, saved))
    assert [bool(group["fused"]) for group in second.param_groups] == [after]
    for ours, theirs in zip(stepped(continued, second, GRADIENTS, scaler() if scaled else None), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_state_without_flags_takes_the_configured_ones_and_keeps_its_settings():
    """Older versions of torch do not store them."""
    _, optimizer = built("SGD", fused=True)
    saved = optimizer.state_dict()
    del saved["param_groups"][0]["fused"], saved["param_groups"][0]["foreach"]
    saved["param_groups"][0].update(lr=0.7, maximize=True)
    group = with_implementation_of(optimizer, saved)["param_groups"][0]
    assert (group["fused"], group["foreach"], group["lr"], group["maximize"]) == (True, None, 0.7, True)
    assert "fused" not in saved["param_groups"][0]


def weights(folder, *overrides):
    cfgs = load_config(tiny.write_config(folder), ["evaluator_cfg.restore_hint=0", *overrides])
    torch.manual_seed(0)
    model = registry.models.get("TinySil")(cfgs, True)
    run_train(model)
    return {name: value.clone() for name, value in model.state_dict().items()}, model.optimizer


@pytest.mark.parametrize(("before", "after"), [("false", "true"), ("true", "false")])
def test_a_run_continues_with_the_configured_implementation(folder, before, after, caplog):
    name = f"trainer_cfg.save_name=from_{before}"
    whole, _ = weights(folder, "trainer_cfg.save_name=whole", "optimizer_cfg.fused=false")
    weights(folder, name, f"optimizer_cfg.fused={before}", "trainer_cfg.total_iter=3")
    resumed, optimizer = weights(folder, name, f"optimizer_cfg.fused={after}", "trainer_cfg.restore_hint=3")
    assert optimizer.param_groups[0]["fused"] is (after == "true")
    assert "optimizer_cfg.fused is" in caplog.text and "the configured value applies" in caplog.text
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value, rtol=0, atol=3e-4, msg=lambda text, key=key: f"{key}: {text}")
