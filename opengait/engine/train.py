"""The training loop."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from opengait import distributed
from opengait.engine.checkpoint import checkpoint_path, random_state, set_random_state
from opengait.engine.precision import Precision
from opengait.engine.results import numbers_of, write_results
from opengait.errors import ConfigError, UserError
from opengait.utils.progress import Progress
from opengait.utils.tensors import bare


def run_train(model: nn.Module) -> None:
    """Train to `trainer_cfg.total_iter`, logging, saving and, with `with_test`, evaluating on the way.

    Forward passes run in the chosen precision, losses outside of it. A step that mixed precision skips is not counted.

    Args:
        model: a `BaseModel` in training mode, wrapped in DDP or not.

    Raises:
        UserError: a loss is not finite.
        ConfigError: a classifier has fewer classes than the training set has identities.
    """
    inner = bare(model)
    engine_cfg, messages, state = inner.engine_cfg, inner.msg_mgr, inner.run_state
    precision = Precision.of(inner.cfgs, distributed.device(), training=True)
    batches = _batches(inner)
    _start_random_streams(inner)
    progress = Progress(engine_cfg["total_iter"], inner.iteration, bar=distributed.is_main())
    messages.track_progress(progress)
    messages.reset_time()
    try:
        while inner.iteration < engine_cfg["total_iter"]:
            inputs = inner.inputs_pretreament(next(batches))
            state.batches_drawn += 1
            progress.loaded()
            with precision.autocast():
                results = model(inputs)
            training_feat, summary = results["training_feat"], dict(results.get("visual_summary") or {})
            _check_classes(inner, training_feat, inputs)
            loss_sum, loss_info = inner.loss_aggregator(training_feat)
            _check_finite(inner, loss_sum, loss_info, inputs)
            learned = inner.train_step(loss_sum)
            progress.stepped(inner.iteration)
            if not learned:
                continue
            summary.update(loss_info)
            summary["scalar/learning_rate"] = inner.optimizer.param_groups[0]["lr"]
            messages.train_step(loss_info | inner.info_to_log(), summary)
            if inner.iteration % engine_cfg["save_iter"] == 0:
                state.rank_states = distributed.gather_objects(random_state())
                inner.save_ckpt(inner.iteration)
                if engine_cfg["with_test"]:
                    _evaluate(model)
            progress.resumed()
    finally:
        progress.close()
        messages.track_progress(None)


def _batches(inner: nn.Module) -> Iterator[Any]:
    """The loader's batches without end: one of the model's own may hold an epoch."""
    plan = getattr(inner.train_loader, "batch_sampler", None)
    state = inner.run_state
    if state.batches_drawn and hasattr(plan, "start_at"):
        plan.start_at(state.batches_drawn)
    while True:
        before = state.batches_drawn
        yield from inner.train_loader
        if state.batches_drawn == before:
            raise ConfigError(f"The train_loader of {type(inner).__name__} gives no batch.")


def _identities(inner: nn.Module) -> Sequence[str]:
    """Names of the classes; empty where a loader of the model's own does not tell them."""
    return getattr(getattr(inner.train_loader, "dataset", None), "label_set", ())


def _start_random_streams(inner: nn.Module) -> None:
    """Continue the streams of a resumed run; else give each rank streams of its own, for dropout and the like."""
    rank = distributed.rank()
    states = inner.run_state.rank_states
    if rank < len(states):
        set_random_state(states[rank])
    else:
        seed = inner.cfgs["trainer_cfg"].get("seed", 0)
        distributed.seed_everything(distributed.mix_seed(seed, "rank", rank, inner.iteration))


def _evaluate(model: nn.Module) -> None:
    """Evaluate with the model's own `run_test`, outside the training's random streams, and go back to training."""
    inner = bare(model)
    inner.msg_mgr.log_info("Running test...")
    inner.eval()
    state = random_state()
    result = type(inner).run_test(model)
    set_random_state(state)
    inner.train()
    if inner.engine_cfg["fix_BN"]:
        inner.fix_BN()
    if distributed.is_main() and isinstance(result, dict):
        inner.msg_mgr.write_to_tensorboard(_scalars(numbers_of(result)))
        write_results(inner, result, checkpoint_path(inner.save_path, inner.engine_cfg["save_name"], inner.iteration))
    inner.msg_mgr.reset_time()


def _scalars(result: dict[str, Any], prefix: str = "scalar") -> dict[str, float]:
    """An evaluator's numbers, nested or not, under `scalar/...` tags.

    Arrays under an upstream tag, as `evaluate_CCPG` returns, count with their mean; what else is no number is left out.
    """
    found: dict[str, float] = {}
    for key, value in result.items():
        tag = str(key) if str(key).startswith(f"{prefix}/") else f"{prefix}/{key}"
        if isinstance(value, dict):
            found.update(_scalars(value, tag))
        elif getattr(value, "ndim", 0) == 0 and not isinstance(value, str | list | tuple):
            found[tag] = float(value)
        elif tag == key and getattr(value, "ndim", 0) and len(value):
            found[tag] = float(value.mean())
    return found


def _check_classes(inner: nn.Module, training_feat: dict[str, Any], inputs: tuple) -> None:
    """Every identity has a class, also those that the batches so far did not show; shapes tell, nothing is computed."""
    identities = len(_identities(inner))
    for name, value in training_feat.items():
        # A model may classify something else than the identity (ScoNet does); then the labels are its own.
        if not isinstance(value, dict) or value.get("labels") is not inputs[1]:
            continue
        logits = value.get("logits")
        classes = logits.shape[1] if isinstance(logits, torch.Tensor) and logits.dim() > 1 else identities
        if classes < identities:
            raise ConfigError(
                f"The training set has {identities} identities, but {type(inner).__name__} gives {name!r} logits of "
                f"{classes} classes; set class_num in model_cfg (such as model_cfg.SeparateBNNecks.class_num) to "
                f"{identities}."
            )


def _check_finite(inner: nn.Module, loss_sum: torch.Tensor, loss_info: dict[str, Any], inputs: tuple) -> None:
    if math.isfinite(float(loss_sum.detach())):
        return
    terms = [name.removeprefix("scalar/") for name, value in loss_info.items() if not _finite(value)]
    _, labels, types, views, _ = inputs
    classes = _identities(inner)
    names = [classes[label] if label < len(classes) else label for label in labels.tolist()]
    where = [f"{label}/{kind}/{view}" for label, kind, view in zip(names, types, views, strict=True)]
    raise UserError(
        f"The loss of iteration {inner.iteration + 1} is not finite ({float(loss_sum.detach())}); the term is "
        f"{', '.join(terms) or 'unknown'}, the tracklets (label/type/view) are {', '.join(where)}. Look at these "
        f"tracklets, lower the learning rate, or turn enable_float16 off."
    )


def _finite(value: Any) -> bool:
    return bool(torch.isfinite(torch.as_tensor(value).float()).all())
