"""The engine's evaluator for visible-infrared retrieval, in both directions."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from opengait import distributed
from opengait.errors import DataError
from opengait.evaluation.distance import cuda_dist
from opengait_ext.data.tracklet import Modality, camera_of
from opengait_ext.evaluation.metrics import RANKS, chance_rank1, cross_modal_metrics
from opengait_ext.evaluation.protocol import HITSZ_VCM, Direction, Protocol

log = logging.getLogger("opengait")


def evaluate_cross_modal(
    data: Mapping[str, Any], dataset: str, metric: str = "euc", camera_rule: bool = HITSZ_VCM.camera_rule
) -> dict[str, Any]:
    """Infrared tracklets look for visible ones, and the reverse, by the protocol of HITSZ-VCM.

    Args:
        data: `embeddings` `[N, c, p]`, `labels`, `types` (visible or infrared) and `views` (c<camera>-t<row>).
        dataset: name of the data set, for the table.
        metric: "euc", the mean over parts of their Euclidean distances, or "cos".
        camera_rule: remove gallery tracklets of the query's person and camera number.

    Returns:
        `infrared_to_visible` and `visible_to_infrared`, each what `cross_modal_metrics` returns and `chance_rank1`,
        the Rank-1 that guessing would give there; and `chance_rank1`, the mean of the two.

    Raises:
        DataError: the tracklets are not of two modalities, or a view tells no camera.
    """
    protocol = replace(HITSZ_VCM, name=dataset, camera_rule=camera_rule)
    _check_types(data["types"], dataset)
    features = torch.as_tensor(np.asarray(data["embeddings"], dtype=np.float32), device=distributed.device())
    people = np.asarray(data["labels"])
    cameras = np.array([_camera(view) for view in data["views"]])
    results: dict[str, Any] = {}
    for direction in protocol.directions:
        query, gallery = protocol.select(direction, data["types"])
        results[direction.name] = _evaluate_direction(features, people, cameras, query, gallery, metric, camera_rule)
    chances = [results[direction.name]["chance_rank1"] for direction in protocol.directions]
    log.info(table_of_results(results, protocol, metric))
    for direction in protocol.directions:
        _warn_of_invalid(results[direction.name], direction)
    return results | {"chance_rank1": sum(chances) / len(chances)}


def table_of_results(results: Mapping[str, Mapping[str, float]], protocol: Protocol, metric: str) -> str:
    """One line a direction, percentages with two decimals; queries are those that have a match."""
    columns = [*(f"rank{rank}" for rank in RANKS), "map", "minp"]
    heads = [*(f"Rank-{rank}" for rank in RANKS), "mAP", "mINP", "queries", "gallery", "chance Rank-1"]
    lines = [
        f"{protocol.name}: distance {metric}, camera rule {'on' if protocol.camera_rule else 'off'}, in percent",
        f"{'':<20}" + "".join(f"{head:>{max(9, len(head) + 2)}}" for head in heads),
    ]
    for direction in protocol.directions:
        found = results[direction.name]
        cells = [f"{100 * found[column]:.2f}" for column in columns]
        cells += [f"{found['valid_queries']:,}", f"{found['gallery']:,}", f"{100 * found['chance_rank1']:.2f}"]
        label = f"{direction.asks} to {direction.found}"
        lines.append(
            f"{label:<20}"
            + "".join(f"{cell:>{max(9, len(head) + 2)}}" for cell, head in zip(cells, heads, strict=True))
        )
    return "\n".join(lines)


def _evaluate_direction(
    features: torch.Tensor,
    people: np.ndarray,
    cameras: np.ndarray,
    query: np.ndarray,
    gallery: np.ndarray,
    metric: str,
    camera_rule: bool,
) -> dict[str, float | int]:
    asking, found = features[torch.from_numpy(query)], features[torch.from_numpy(gallery)]
    who = people[query], people[gallery], cameras[query], cameras[gallery], camera_rule
    numbers = cross_modal_metrics(lambda start, stop: cuda_dist(asking[start:stop], found, metric), *who)
    return numbers | {"chance_rank1": chance_rank1(*who)}


def _check_types(types: Sequence[str], dataset: str) -> None:
    found = set(types)
    if found != set(Modality):
        raise DataError(
            f"{dataset} has tracklets of the types {', '.join(sorted(map(str, found))) or 'none'}; "
            f"evaluate_cross_modal wants visible and infrared ones."
        )


def _camera(view: str) -> int:
    try:
        return camera_of(view)
    except ValueError as error:
        raise DataError(f"{error} evaluate_cross_modal reads a tracklet's camera there.") from error


def _warn_of_invalid(found: Mapping[str, float], direction: Direction) -> None:
    invalid = found["queries"] - found["valid_queries"]
    if invalid:
        log.warning(
            "%s to %s: %d of %d queries have no match in the gallery and count in no number%s.",
            direction.asks,
            direction.found,
            invalid,
            found["queries"],
            "" if found["valid_queries"] else ", so that all numbers are 0",
        )
