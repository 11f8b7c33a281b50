"""Critics: the steps of a second optimiser, losses that begin later, checkpoints, and the messages about both."""

import copy

import pytest
import torch
import torch.nn.functional as F

from opengait import distributed, dry_run, registry
from opengait.config import load_config
from opengait.engine.checkpoint import load_checkpoint
from opengait.engine.critics import Critic
from opengait.engine.train import run_train
from opengait.errors import CheckpointError, ConfigError, UserError
from tests.opengait import tiny
from tests.opengait.ranks import on_ranks

SGD = {"solver": "SGD", "lr": 0.5, "momentum": 0.9}
CRITIC = {
    "module": "critic",
    "optimizer_cfg": SGD,
    "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [3], "gamma": 0.1},
}
LOSSES = [
    {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
    {"type": "CrossEntropyLoss", "log_prefix": "softmax"},
    {"type": "GuessLoss", "log_prefix": "guess", "loss_term_weight": 2.0, "trains": "critic"},
    {"type": "DeceiveLoss", "log_prefix": "deceive", "loss_term_weight": 0.5, "begin_iter": 2},
]


def load(folder, *overrides, **changes):
    sections = {"model_cfg": {"model": "TinyCritic"}, "loss_cfg": LOSSES, "critic_cfg": CRITIC} | changes
    content = {name: section for name, section in sections.items() if section is not None}
    return load_config(
        tiny.write_config(folder, "critic.yaml", **content), ["evaluator_cfg.restore_hint=0", *overrides]
    )


def build(folder, *overrides, training=True, **changes):
    cfgs = load(folder, *overrides, **changes)
    torch.manual_seed(0)
    return registry.models.get("TinyCritic")(cfgs, training)


def checkpoint(folder, iteration, name="tiny"):
    return folder / f"output/CASIA-B/TinyCritic/{name}/checkpoints/{name}-{iteration:05d}.pt"


def test_the_steps_are_those_of_two_optimisers_written_out(folder):
    """The critic first, on features without gradient; then the model, through the updated critic, from iteration 2."""
    model = build(folder, "trainer_cfg.total_iter=5", "trainer_cfg.save_iter=9")
    # The log belongs to the process, whose earlier tests may have left files open in it.
    copied = copy.deepcopy(model, {id(model.msg_mgr): model.msg_mgr})
    batches = [model.inputs_pretreament(batch) for batch, _ in zip(model.train_loader, range(5), strict=False)]
    model.train_loader = [[[ipts[0]], labels.numpy(), *rest] for ipts, labels, *rest in batches]
    run_train(model)

    critic = copied.critic.requires_grad_(True)
    body = [value for name, value in copied.named_parameters() if not name.startswith("critic.")]
    optimiser = torch.optim.SGD(body, lr=0.02, momentum=0.9, weight_decay=5e-4)
    second = torch.optim.SGD(critic.parameters(), lr=0.5, momentum=0.9)
    triplet, softmax = (copied.loss_aggregator.losses[name] for name in ("triplet", "softmax"))
    for iteration, inputs in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = 0.02 if iteration < 4 else 0.002
        for group in second.param_groups:
            group["lr"] = 0.5 if iteration < 3 else 0.05
        feat = copied(inputs)["training_feat"]
        features, labels = feat["guess"]["features"], inputs[1]
        second.zero_grad()
        (2.0 * F.cross_entropy(critic(features.detach()), labels % 2)).backward()
        second.step()
        loss = triplet(**feat["triplet"])[0].mean() + softmax(**feat["softmax"])[0]
        if iteration >= 2:
            loss = loss + 0.5 * F.cross_entropy(critic(features), torch.full_like(labels, 2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    expected = dict(copied.named_parameters())
    for name, value in model.named_parameters():
        torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-7, msg=name)


def test_the_critic_belongs_to_its_own_optimiser_alone(folder):
    model = build(folder)
    (critic,) = model.critics
    of_the_model = {id(p) for group in model.optimizer.param_groups for p in group["params"]}
    assert of_the_model.isdisjoint(map(id, critic.parameters)) and len(critic.parameters) == 4
    assert not any(parameter.requires_grad for parameter in model.critic.parameters())
    with critic.learning():
        assert all(parameter.requires_grad for parameter in model.critic.parameters())
    assert not any(parameter.requires_grad for parameter in model.critic.parameters())


def test_a_resumed_run_continues_exactly(folder):
    name = ["trainer_cfg.save_name=whole", "trainer_cfg.total_iter=5", "trainer_cfg.save_iter=5"]
    run_train(build(folder, *name))
    run_train(build(folder, "trainer_cfg.total_iter=2", "trainer_cfg.save_iter=2"))
    run_train(build(folder, "trainer_cfg.total_iter=5", "trainer_cfg.save_iter=5", "trainer_cfg.restore_hint=2"))
    whole, resumed = (load_checkpoint(checkpoint(folder, 5, name)) for name in ("whole", "tiny"))
    assert whole["critics"]["critic"]["scheduler"]["last_epoch"] == 5
    for part in (whole["model"], whole["critics"]["critic"]["optimizer"]["state"]):
        assert part
    assert all(torch.equal(resumed["model"][key], value) for key, value in whole["model"].items())
    states = [content["critics"]["critic"]["optimizer"] for content in (whole, resumed)]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    for key, state in states[0]["state"].items():
        assert torch.equal(state["momentum_buffer"], states[1]["state"][key]["momentum_buffer"])


@pytest.fixture(scope="module")
def trained(folder):
    """Return the checkpoint of two iterations."""
    run_train(build(folder, "trainer_cfg.total_iter=2", "trainer_cfg.save_name=two"))
    return checkpoint(folder, 2, "two")


def resume(folder, tmp_path, content, *overrides, **changes):
    file = checkpoint(tmp_path, 2)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, file)
    root = f"trainer_cfg.output_root={tmp_path / 'output'}"
    return build(folder, root, "trainer_cfg.restore_hint=2", *overrides, **changes)


def test_a_test_needs_no_critic(folder, trained):
    model = build(folder, f"evaluator_cfg.restore_hint={trained}", training=False)
    assert not hasattr(model, "critic") and model.run_state.restored_iteration == 2


def test_a_checkpoint_without_critics_resumes_with_a_warning(folder, trained, tmp_path, caplog):
    content = load_checkpoint(trained)
    del content["critics"]
    model = resume(folder, tmp_path, content)
    assert not model.critics[0].optimizer.state and model.optimizer.state
    assert "Critic critic: Restore NO Optimizer" in caplog.text


def test_other_settings_of_a_critic_are_named(folder, trained, tmp_path, caplog):
    resume(folder, tmp_path, load_checkpoint(trained), "critic_cfg.optimizer_cfg.lr=0.1")
    assert "Critic critic: optimizer_cfg.lr is 0.1, but tiny-00002.pt was trained with 0.5" in caplog.text
    adam = {**CRITIC, "optimizer_cfg": {"solver": "Adam", "lr": 0.1}}
    with pytest.raises(ConfigError, match="Critic critic: The optimizer .*SGD"):
        resume(folder, tmp_path, load_checkpoint(trained), critic_cfg=adam)


def test_damaged_entries_are_refused(folder, trained, tmp_path):
    for damage in ([1], {"critic": 3}, {"critic": {"optimizer": {"state": 1}}}, {"critic": {"more": {}}}):
        content = load_checkpoint(trained) | {"critics": damage}
        with pytest.raises(CheckpointError, match="its `critics` is"):
            resume(folder, tmp_path, content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"critic_cfg": None}, "'guess' trains 'critic', but critic_cfg has no"),
        ({"critic_cfg": [CRITIC, CRITIC | {"module": "conv"}]}, "No loss of loss_cfg trains the critic 'conv'"),
        ({"critic_cfg": CRITIC | {"module": "judge"}}, r"critic_cfg.0.module: TinyCritic has no part 'judge'"),
        ({"critic_cfg": {"module": "critic"}}, "critic_cfg: expected `optimizer_cfg`"),
        ({"critic_cfg": CRITIC | {"optimizer_cfg": SGD | {"lr": -1}}}, "SGD rejects"),
        ({"critic_cfg": CRITIC | {"scheduler_cfg": {"scheduler": "Steps"}}}, "critic_cfg.scheduler_cfg.scheduler"),
        ({"loss_cfg": [entry | {"begin_iter": -1} for entry in LOSSES]}, "loss_cfg.0.begin_iter"),
    ],
)
def test_errors_name_the_key(folder, changes, message):
    with pytest.raises(ConfigError, match=message):
        build(folder, **changes)


def test_unknown_keys_are_named(folder, caplog):
    """By a warning, since the model is a file for OpenGait, which may read them."""
    load(folder, critic_cfg=CRITIC | {"lr": 1, "optimizer_cfg": SGD | {"momentun": 1}})
    assert "unknown key critic_cfg.lr" in caplog.text
    assert "critic_cfg.optimizer_cfg.momentun; TinyCritic" in caplog.text


def test_epochs_of_losses_and_critics_become_iterations(folder):
    schedule = {"scheduler": "MultiStepLR", "milestones": ["2 epochs"]}
    cfgs = load(
        folder,
        "trainer_cfg.steps_per_epoch=7",
        "loss_cfg.deceive.begin_iter=60 epochs",
        critic_cfg=[CRITIC | {"scheduler_cfg": schedule}],
    )
    assert cfgs["loss_cfg"][3]["begin_iter"] == 420
    assert cfgs["critic_cfg"][0]["scheduler_cfg"]["milestones"] == [14]


def test_losses_that_never_train_the_model_are_an_error(folder):
    losses = [entry | {"begin_iter": 1} if "trains" not in entry else entry for entry in LOSSES]
    with pytest.raises(ConfigError, match="no loss that trains it at 0"):
        run_train(build(folder, loss_cfg=losses))


def test_a_loss_of_a_critic_that_is_not_finite_stops_the_run(folder):
    model = build(folder, "trainer_cfg.save_name=broken")
    with torch.no_grad():
        model.critic[0].weight.fill_(float("nan"))
    with pytest.raises(UserError, match="the term is guess/loss"):
        run_train(model)


def test_a_dry_run_tries_every_loss(folder):
    cfgs = load(folder)
    report = dry_run.check(cfgs)
    assert {"guess/loss", "deceive/loss"} <= report.losses.keys() and not report.without_gradient
    assert report.trainable == report.parameters


def steps_of_a_critic():
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2, dtype=torch.float64)
    critic = Critic(module, CRITIC)
    rows = torch.randn(4, 3, dtype=torch.float64).chunk(distributed.world_size())[distributed.rank()]
    for _ in range(2):
        with critic.learning():
            critic.step(module(rows).square().sum(1).mean())
    return module.weight.detach()


@pytest.mark.slow
def test_ranks_take_the_same_steps(tmp_path):
    expected = steps_of_a_critic()
    for weight in on_ranks(steps_of_a_critic, tmp_path):
        torch.testing.assert_close(weight, expected, rtol=1e-12, atol=1e-12)
