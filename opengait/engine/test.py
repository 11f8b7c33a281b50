"""The test loop: extract the features of every tracklet, then call the evaluator."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from opengait import distributed, registry
from opengait.data.fingerprint import fingerprint
from opengait.engine.contract import EngineModel, engine_model
from opengait.engine.precision import Precision
from opengait.evaluation.features import check_finite, save_features, tracklet_names
from opengait.utils.arguments import accepted_arguments
from opengait.utils.containers import Odict
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
    with torch.no_grad():
        info: dict[str, Any] = inner.inference(rank)
    result = None
    if rank == 0:
        dataset = inner.test_loader.dataset
        info.update(labels=dataset.label_list, types=dataset.types_list, views=dataset.views_list)
        evaluator_cfg = inner.cfgs["evaluator_cfg"]
        if "embeddings" in info:
            check_finite(info["embeddings"], tracklet_names(info), "The test")
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
        result = evaluate(info, evaluated_name(inner.cfgs), **arguments)
    distributed.barrier()
    return result


def results_file(model: EngineModel, suffix: str) -> Path:
    """Return `<run folder>/logs/test-<iteration><suffix>`, the path of a test's results or features."""
    return Path(model.save_path) / "logs" / f"test-{model.iteration:0>5}{suffix}"


def evaluated_name(cfgs: dict[str, Any]) -> str:
    """Return the name passed to the evaluator: `test_dataset_name` of the (first) dataset, or its `dataset_name`."""
    data_cfg = evaluated_set(cfgs)
    return data_cfg.get("test_dataset_name") or data_cfg["dataset_name"]


def evaluated_set(cfgs: dict[str, Any]) -> dict[str, Any]:
    """Return the `data_cfg` of the dataset that is tested: the first of several."""
    return cfgs["data_cfg"] if isinstance(cfgs["data_cfg"], dict) else cfgs["data_cfg"][0]
