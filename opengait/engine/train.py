"""The training loop."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from opengait import distributed
from opengait.engine.checkpoint import random_state, set_random_state
from opengait.engine.contract import EngineModel, engine_model
from opengait.engine.critics import train_critics
from opengait.engine.finite import FiniteLossCheck, check_interval
from opengait.engine.interim import InterimTests
from opengait.engine.precision import Precision
from opengait.engine.stop import Stopped, StopRequest
from opengait.engine.times import record_time
from opengait.errors import ConfigError
from opengait.utils.progress import Progress
from opengait.utils.recompute import recompute_parts
from opengait.utils.tensors import class_advice


def run_train(model: nn.Module) -> None:
    """Train to `trainer_cfg.total_iter`, logging, saving and, with `with_test`, evaluating on the way and at the end.

    Forward passes run in the configured precision, losses outside autocast. Steps that mixed precision skips do not
    count. Ctrl-C and SIGTERM end the training after a step, with a checkpoint, and `early_stop` ends it after a test.

    Args:
        model: a `BaseModel` in training mode, wrapped in DDP or not.

    Raises:
        UserError: a loss is not finite; nothing computed from it has been saved.
        ConfigError: a classifier has fewer classes than the training set has identities, the run is already beyond
            `total_iter`, the model lacks a part of `recompute`, or a test lacks the metric of `early_stop`.
        Stopped: a signal ended the training.
    """
    inner = engine_model(model)
    engine_cfg, messages, state = inner.engine_cfg, inner.msg_mgr, inner.run_state
    if _is_finished(inner):
        return
    recompute_parts(cast(nn.Module, inner), engine_cfg["recompute"] or [])
    precision = Precision.of(inner.cfgs, distributed.device(), training=True)
    batches = _batches(inner)
    _start_random_streams(inner)
    tests = InterimTests(model)
    tests.catch_up()
    finite = FiniteLossCheck(_identities(inner), check_interval(distributed.device(), engine_cfg["log_iter"]))
    progress = Progress(engine_cfg["total_iter"], inner.iteration, bar=distributed.is_main())
    messages.track_progress(progress)
    messages.reset_time()
    classes_checked = begun = False
    try:
        with StopRequest() as stop:
            while inner.iteration < engine_cfg["total_iter"] and not tests.over:
                inputs = inner.inputs_pretreament(next(batches))
                state.batches_drawn += 1
                progress.loaded()
                with precision.autocast():
                    results = model(inputs)
                training_feat, summary = results["training_feat"], dict(results.get("visual_summary") or {})
                if not classes_checked:
                    check_classes(inner, training_feat, inputs)
                    classes_checked = True
                critic_loss, critic_info = train_critics(inner, training_feat)
                loss_sum, loss_info = inner.loss_aggregator(training_feat)
                loss_info.update(critic_info)
                finite.record(inner.iteration + 1, loss_sum + critic_loss, loss_info, inputs)
                if _ends_interval(inner.iteration + 1, engine_cfg) or tests.due(inner.iteration + 1):
                    finite.check()
                learned = inner.train_step(loss_sum)
                progress.stepped(inner.iteration, loss_sum)
                if not learned:
                    continue
                for critic in inner.critics:
                    critic.scheduler.step()
                if not begun and finite.settled:
                    # Only now may the run replace what its folder holds.
                    distributed.on_main(messages.begin)
                    begun = True
                summary.update(loss_info)
                summary["scalar/learning_rate"] = inner.optimizer.param_groups[0]["lr"]
                messages.train_step(loss_info | inner.info_to_log(), summary)
                _save_where_due(inner, tests, stop, finite, progress)
                progress.resumed()
    finally:
        progress.close()
        messages.track_progress(None)


def _save_where_due(
    inner: EngineModel, tests: InterimTests, stop: StopRequest, finite: FiniteLossCheck, progress: Progress
) -> None:
    """Save every `save_iter` iterations, before a test, at the end and before a requested stop; test unless stopping.

    Raises:
        Stopped: a stop was requested.
    """
    iteration, engine_cfg = inner.iteration, inner.engine_cfg
    last = iteration == engine_cfg["total_iter"]
    stopping = not last and stop.requested(iteration)
    if stopping:
        finite.check()
    if last or stopping or iteration % engine_cfg["save_iter"] == 0 or tests.due(iteration):
        distributed.on_main(inner.msg_mgr.begin)
        inner.run_state.rank_states = distributed.gather_objects(random_state())
        inner.save_ckpt(iteration)
        if distributed.is_main():
            record_time(Path(inner.save_path), progress.first, iteration, progress.seconds)
        if tests.due(iteration) and not stopping:
            tests.run()
    if stopping:
        raise Stopped(stop.signum, iteration)


def _is_finished(inner: EngineModel) -> bool:
    """Return whether a resumed run has nothing left to do, which is logged.

    Raises:
        ConfigError: it is beyond the end.
    """
    iteration, total = inner.iteration, inner.engine_cfg["total_iter"]
    if iteration > total:
        raise ConfigError(
            f"The run is at iteration {iteration}, beyond trainer_cfg.total_iter {total}; raise total_iter to train "
            f"on, or continue from an earlier iteration."
        )
    if iteration == total:
        inner.msg_mgr.log_info(f"Already trained to iteration {iteration}; nothing to do.")
    return bool(iteration == total)


def _ends_interval(iteration: int, engine_cfg: dict[str, Any]) -> bool:
    """Return whether something is logged or saved after `iteration`, or the run ends there."""
    intervals = (engine_cfg["log_iter"], engine_cfg["save_iter"], engine_cfg["total_iter"])
    return any(iteration % interval == 0 for interval in intervals)


def _batches(inner: EngineModel) -> Iterator[Any]:
    """Yield the loader's batches without end, since a model's own loader may end after an epoch."""
    plan = getattr(inner.train_loader, "batch_sampler", None)
    state = inner.run_state
    if state.batches_drawn and plan is not None and hasattr(plan, "start_at"):
        plan.start_at(state.batches_drawn)
    while True:
        before = state.batches_drawn
        yield from inner.train_loader
        if state.batches_drawn == before:
            raise ConfigError(f"The train_loader of {type(inner).__name__} yields no batch.")


def _identities(inner: EngineModel) -> Sequence[str]:
    """Return the names of the classes; empty if a model's own loader does not provide them."""
    return getattr(getattr(inner.train_loader, "dataset", None), "label_set", ())


def _start_random_streams(inner: EngineModel) -> None:
    """Continue the streams of a resumed run, or seed each rank differently, for dropout and the like."""
    rank, states = distributed.rank(), inner.run_state.rank_states
    if rank < len(states):
        set_random_state(states[rank])
    else:
        seed = inner.cfgs["trainer_cfg"].get("seed", 0)
        distributed.seed_everything(distributed.mix_seed(seed, "rank", rank, inner.iteration))


def check_classes(inner: EngineModel, training_feat: dict[str, Any], inputs: tuple[Any, ...]) -> None:
    """Check by shape that the identity classifiers have a class for every training identity.

    Raises:
        ConfigError: a classifier has fewer.
    """
    identities = len(_identities(inner))
    for name, value in training_feat.items():
        # A model may classify something other than the identity, as ScoNet does, with its own labels.
        if not isinstance(value, dict) or value.get("labels") is not inputs[1]:
            continue
        logits = value.get("logits")
        if isinstance(logits, torch.Tensor) and logits.dim() > 1 and logits.shape[1] < identities:
            raise ConfigError(
                f"The training set has {identities} identities, but {type(inner).__name__} gives {name!r} logits of "
                f"{logits.shape[1]} classes; {class_advice(logits, identities)}."
            )
