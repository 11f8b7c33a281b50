"""The test loop: extract the features of every tracklet, then call the evaluator."""

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from opengait import distributed, registry
from opengait.data.fingerprint import fingerprint
from opengait.data.halves import HALVES, HalfTracklets
from opengait.data.loader import build_loader
from opengait.engine.contract import EngineModel, engine_model
from opengait.engine.precision import Precision
from opengait.evaluation.features import check_finite, save_features, tracklet_names
from opengait.utils.arguments import accepted_arguments
from opengait.utils.containers import Odict
from opengait.utils.files import sha256_of
from opengait.utils.tensors import ddp_all_gather, ts2np


def inference(model: EngineModel, rank: int, loader: Any = None) -> dict[str, np.ndarray]:
    """Return `inference_feat` of every test tracklet, as arrays [len(dataset), ...] in the dataset's order.

    Each rank computes its share, and the shares of a step are gathered in rank order. Loaders repeat tracklets so that
    all ranks take the same number of steps; the repeats are cut off.

    Args:
        model: the bare model, in evaluation mode.
        rank: rank of this process; only rank 0 keeps the arrays, other ranks return an empty dict.
        loader: batches of other tracklets than the model's test set.
    """
    loader = model.test_loader if loader is None else loader
    total = len(loader.dataset)
    precision = Precision.of(model.cfgs, distributed.device(), training=False)
    features = Odict()
    quiet = rank != 0 or not sys.stderr.isatty()
    with tqdm(total=total, desc="Transforming", disable=quiet) as bar:
        for batch in loader:
            inputs = model.inputs_pretreament(batch)
            with precision.autocast():
                outputs = model(inputs)["inference_feat"]
            gathered = {key: ddp_all_gather(value, requires_grad=False) for key, value in outputs.items()}
            if rank == 0:
                features.append({key: ts2np(value) for key, value in gathered.items()})
            bar.update(min(len(next(iter(gathered.values()))), total - bar.n))
    return {key: np.concatenate(value)[:total] for key, value in features.items()}


def run_test(model: nn.Module) -> dict[str, Any] | None:
    """Evaluate with `evaluator_cfg.eval_func`; the result does not depend on the number of processes.

    Returns:
        The evaluator's results on rank 0, None on the other ranks.
    """
    inner = engine_model(model)
    rank = distributed.rank()
    start = time.perf_counter()
    evaluator_cfg = inner.cfgs["evaluator_cfg"]
    with torch.no_grad():
        info: dict[str, Any] = inner.inference(rank)
        if evaluator_cfg.get("rerank") == "temporal":
            info |= inference_of_halves(inner, rank)
    inner.run_state.test_seconds = time.perf_counter() - start
    result = None
    if rank == 0:
        dataset = inner.test_loader.dataset
        info.update(labels=dataset.label_list, types=dataset.types_list, views=dataset.views_list)
        _check_features(info)
        inner.msg_mgr.begin()
        if evaluator_cfg.get("save_features"):
            digest = fingerprint(dataset.seqs_info) if hasattr(dataset, "seqs_info") else ""
            save_features(results_file(inner, ".npz"), info, evaluated_name(inner.cfgs), digest, inner.iteration)
        evaluate = registry.evaluators.get(evaluator_cfg["eval_func"])
        if not evaluated_set(inner.cfgs).get("test_dataset_name"):
            # OpenGait would evaluate as CASIA-B.
            name = evaluated_name(inner.cfgs)
            inner.msg_mgr.log_info(f"data_cfg.test_dataset_name is not set; evaluating as {name}.")
        # The probes are listed in the test set's partition file, unless evaluator_cfg names another.
        settings = {"dataset_partition": evaluated_set(inner.cfgs).get("dataset_partition"), **evaluator_cfg}
        arguments = accepted_arguments(evaluate, settings, ["metric"])
        with inner.msg_mgr.evaluating():
            result = evaluate(info, evaluated_name(inner.cfgs), **arguments)
    distributed.barrier()
    return result


def inference_of_halves(model: EngineModel, rank: int) -> dict[str, np.ndarray]:
    """Return the embeddings of the halves of every test tracklet, `embeddings_first_half` and `..._second_half`."""
    features: dict[str, np.ndarray] = {}
    for half in HALVES:
        loader = build_loader(
            HalfTracklets(model.test_loader.dataset, half),
            model.cfgs["evaluator_cfg"]["sampler"],
            model.evaluator_trfs,
            training=False,
            seed=model.cfgs["trainer_cfg"].get("seed", 0),
            num_workers=evaluated_set(model.cfgs).get("num_workers", 1),
            wants_raw=model.transforms_itself,
        )
        features |= {f"{name}_{half}": value for name, value in inference(model, rank, loader).items()}
    return features


def _check_features(info: dict[str, Any]) -> None:
    """Check that the features of every test tracklet are numbers; `info` holds arrays [n, ...] by name, and lists."""
    names = tracklet_names(info)
    for name, values in info.items():
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and len(values) == len(names):
            check_finite(values, names, f"{name} of the test")


def results_file(model: EngineModel, suffix: str, checkpoint: Path | None = None) -> Path:
    """Return the path of a test's results or features in `<run folder>/logs`.

    It is `test-<iteration><suffix>` for an iteration of this run, `test-<checkpoint's stem><suffix>` for a checkpoint
    named by its path, with part of its SHA-256 appended if that file holds the results of another checkpoint.
    """
    logs = Path(model.save_path) / "logs"
    checkpoint = checkpoint or model.run_state.restored_from
    if model.iteration or checkpoint is None:
        return logs / f"test-{model.iteration:0>5}{suffix}"
    stem = checkpoint.stem
    mine = checkpoint.parent.resolve() == (logs.parent / "checkpoints").resolve()
    number = stem.rpartition("-")[2]
    if mine and stem == f"{model.engine_cfg['save_name']}-{number}" and number.isdecimal():
        return logs / f"test-{number}{suffix}"
    # A name of digits alone would pass for an iteration of this run.
    stem = f"checkpoint-{stem}" if stem.isdecimal() else stem
    file, digest = logs / f"test-{stem}.json", sha256_of(checkpoint)
    if file.exists() and _tested_checkpoint(file) != digest:
        stem = f"{stem}-{digest[:8]}"
    return logs / f"test-{stem}{suffix}"


def _tested_checkpoint(file: Path) -> str | None:
    """Return the SHA-256 of the checkpoint that a results file is about, or None if it does not say."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        digest = json.loads(file.read_text(encoding="utf-8"))["card"]["checkpoint"]["sha256"]
        return str(digest)
    return None


def evaluated_name(cfgs: dict[str, Any]) -> str:
    """Return the name passed to the evaluator: `test_dataset_name` of the (first) dataset, or its `dataset_name`."""
    data_cfg = evaluated_set(cfgs)
    return data_cfg.get("test_dataset_name") or data_cfg["dataset_name"]


def evaluated_set(cfgs: dict[str, Any]) -> dict[str, Any]:
    """Return the `data_cfg` of the dataset that is tested: the first of several."""
    return cfgs["data_cfg"] if isinstance(cfgs["data_cfg"], dict) else cfgs["data_cfg"][0]
