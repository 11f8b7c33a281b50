"""Write the results of a test, with a card that describes how they were measured."""

from pathlib import Path
from typing import Any

from opengait import distributed
from opengait.data.fingerprint import facts_of
from opengait.engine.contract import EngineModel
from opengait.engine.precision import Precision
from opengait.engine.test import evaluated_name, evaluated_set, results_file
from opengait.engine.trained_run import trained_on
from opengait.utils.environment import core_versions
from opengait.utils.files import from_here, plain, sha256_of, write_json
from opengait.utils.yaml_text import write_yaml

# Entries of an evaluator's result that describe its metrics.
DESCRIPTIONS = ("card", "intervals")
# Keys of a sampler section that each way of counting frames reads.
_FRAME_COUNTS = {
    "fixed": ("frames_num_fixed",),
    "unfixed": ("frames_num_min", "frames_num_max"),
    "all": ("frames_all_limit",),
}


def write_results(model: EngineModel, result: dict[str, Any], checkpoint: Path | None = None) -> Path:
    """Write the results of a test to `results_file`, and log a summary of the card.

    The file contains `dataset`, `checkpoint`, `iteration`, the evaluator's metrics as `results`, its `intervals` (null
    if it returns none), the `card`, the names of the run's `capsule` and `features` files, or null, and `test_seconds`,
    the time of loading the tracklets and extracting their features.

    Args:
        model: the bare model that was tested.
        result: return value of its `run_test`: numbers, arrays, lists and dicts of these; an evaluator may add
            `intervals` and a dict `card` that describes the measurement.
        checkpoint: file with the tested weights; by default the one that the model was restored from.

    Returns:
        The file's path.
    """
    checkpoint = checkpoint or model.run_state.restored_from
    file = results_file(model, ".json", checkpoint)
    features = file.with_suffix(".npz") if model.cfgs["evaluator_cfg"].get("save_features") else None
    capsule = model.run_state.capsule
    card = plain(dict(result.get("card") or {}) | model.card() | engine_card(model, checkpoint))
    content = {
        "dataset": evaluated_name(model.cfgs),
        "checkpoint": None if checkpoint is None else from_here(checkpoint),
        "iteration": model.iteration,
        "results": numbers_of(result),
        "intervals": result.get("intervals"),
        "card": card,
        "capsule": None if capsule is None else capsule.name,
        "features": None if features is None else features.name,
        "test_seconds": model.run_state.test_seconds,
    }
    write_json(file, content)
    model.msg_mgr.log_summary(f"Card: {card_summary(card)}", f"Protocol card:\n{write_yaml(card)}")
    return file


def card_summary(card: dict[str, Any]) -> str:
    """Return the facts of a card that distinguish two tests of a run, on one line."""
    checkpoint, data, frames = card["checkpoint"], card["data"], dict(card["frames"])
    trained = card["trained_on"]
    rule = card.get("protocol")
    facts = [card["evaluator"], f"protocol {rule}{'' if card.get('protocol_followed') else ' (not followed)'}"]
    facts = facts if rule else facts[:1]
    facts.append(f"{data['name']} {str(data.get('fingerprint') or 'without fingerprint')[:8]}")
    if trained is not None and trained["name"] != data["name"]:
        facts.append(f"trained on {trained['name']} {str(trained['fingerprint'] or 'without fingerprint')[:8]}")
    facts.append(f"frames {frames.pop('sample_type')}" + "".join(f" {value}" for value in frames.values()))
    facts.append(card["precision"])
    if checkpoint["file"] is not None:
        facts.append(f"{checkpoint['file']} of iteration {checkpoint['iteration']} {str(checkpoint['sha256'])[:8]}")
    return ", ".join(facts)


def numbers_of(result: dict[str, Any]) -> dict[str, Any]:
    """Return an evaluator's result without its descriptions."""
    return {key: value for key, value in result.items() if key not in DESCRIPTIONS}


def engine_card(model: EngineModel, checkpoint: Path | None) -> dict[str, Any]:
    """Return the engine's description of a test: data, frames, precision, checkpoint, processes and versions.

    `trained_on` has the name and the fingerprint of the data that the checkpoint was trained on, or is None if they are
    unknown.
    """
    cfgs = model.cfgs
    dtype = Precision.of(cfgs, distributed.device(), training=False).dtype
    facts = facts_of(model.test_loader.dataset, evaluated_set(cfgs))
    return {
        "model": cfgs["model_cfg"].get("model"),
        "evaluator": cfgs["evaluator_cfg"]["eval_func"],
        "data": facts | {"name": evaluated_name(cfgs)},
        "trained_on": trained_on(checkpoint),
        "frames": frames_used(cfgs["evaluator_cfg"]["sampler"]),
        "precision": "float32" if dtype is None else f"mixed, {str(dtype).removeprefix('torch.')}",
        "checkpoint": {
            "file": None if checkpoint is None else checkpoint.name,
            # With a checkpoint given as a path, the model's iteration is 0.
            "iteration": model.iteration or model.run_state.restored_iteration,
            "sha256": None if checkpoint is None or not checkpoint.is_file() else sha256_of(checkpoint),
        },
        "seed": cfgs["trainer_cfg"].get("seed"),
        "device": str(distributed.device().type),
        "world_size": distributed.world_size(),
        "versions": core_versions(),
    }


def frames_used(sampler_cfg: dict[str, Any]) -> dict[str, Any]:
    """Return `sample_type` of a sampler section and the numbers of frames that this type reads."""
    sample_type = str(sampler_cfg.get("sample_type", "fixed_unordered"))
    counts = _FRAME_COUNTS.get(sample_type.partition("_")[0], ())
    return {"sample_type": sample_type} | {key: sampler_cfg[key] for key in counts if key in sampler_cfg}
