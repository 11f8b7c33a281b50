"""The engine's evaluator for visible-infrared retrieval, in the directions of a data set's protocol."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from opengait import distributed
from opengait.errors import ConfigError, DataError
from opengait.evaluation.distance import cuda_dist
from opengait.evaluation.reranking import re_ranking
from opengait_ext.data.tracklet import Modality, parse_view
from opengait_ext.evaluation.bootstrap import LEVEL, RESAMPLES, Interval, intervals_of
from opengait_ext.evaluation.card import population_facts, protocol_card
from opengait_ext.evaluation.metrics import Distance, chance_rank1, numbers_of, rank
from opengait_ext.evaluation.protocol import CROSS_MODAL, FULL, Direction, populations_of, protocol_for
from opengait_ext.evaluation.table import table_of_results

log = logging.getLogger("opengait")

# Re-ranking holds about 20 bytes for every pair of tracklets; above this many GiB it says so first.
_RERANK_WARNS = 8
_RESAMPLED = ("query", "identity")


@dataclass(frozen=True)
class _Settings:
    metric: str
    camera_rule: bool
    rerank: bool
    resamples: int
    resample_by: str


@dataclass(frozen=True)
class _Tracklets:
    """Features `[n, c, p]`, people `[n]` and cameras `[n]`."""

    features: torch.Tensor
    people: np.ndarray
    cameras: np.ndarray


def evaluate_cross_modal(
    data: Mapping[str, Any],
    dataset: str,
    metric: str = "euc",
    camera_rule: bool | None = None,
    protocol: str | None = None,
    population: str = FULL,
    rerank: bool = False,
    resamples: int = RESAMPLES,
    resample_by: str = "query",
) -> dict[str, Any]:
    """Infrared tracklets look for visible ones, and the reverse, by the protocol of the data set.

    Args:
        data: `embeddings` `[N, c, p]`, `labels`, `types` (visible or infrared) and `views` (c<camera>-t<row>, with
            -query behind where queries are a list of their own).
        dataset: name of the data set.
        metric: "euc", the mean over parts of their Euclidean distances, or "cos".
        camera_rule: remove gallery tracklets of the query's person and camera number; None: as the protocol has it.
        protocol: hitsz-vcm or bupt-campus; None: by the data set's name, or else by its views.
        population: full, or where the protocol has it official_cut (the release's sampler loses tracklets) or both.
        rerank: k-reciprocal re-ranking, which no published number uses.
        resamples: bootstrap samples for the 95% intervals; 0 for none.
        resample_by: "query", or "identity" to draw all queries of a person together.

    Returns:
        Of each direction, such as `infrared_to_visible`, what `cross_modal_metrics` returns and `chance_rank1`, the
        Rank-1 that guessing would give there; `chance_rank1`, its mean over both cross-modal directions; with
        population both, `official_cut` holds the directions once more. `intervals` has the same directions, each
        {key: (low, high)} or None; `card` says how all this was measured.

    Raises:
        ConfigError: an unknown protocol, population, metric or way to resample.
        DataError: the tracklets are not of two modalities, or their views do not fit the protocol.
    """
    if resample_by not in _RESAMPLED:
        raise ConfigError(f"evaluator_cfg.resample_by is {resample_by!r}; wanted is {' or '.join(_RESAMPLED)}.")
    _check_types(data["types"], dataset)
    rules = protocol_for(protocol, dataset, data["views"])
    names = populations_of(rules, population)
    rule = rules.camera_rule if camera_rule is None else camera_rule
    settings = _Settings(metric, rule, rerank, resamples, resample_by)
    tracklets = _tracklets(data)

    results: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    facts: dict[str, dict[str, Any]] = {}
    for name in names:
        numbers, spread, facts[name] = {}, {}, {}
        for direction in rules.directions:
            query, gallery = rules.select(direction, data["types"], data["views"], name)
            numbers[direction.name], spread[direction.name], facts[name][direction.name] = _measure(
                tracklets, query, gallery, settings
            )
        title = _title(dataset, rules.name, name, settings)
        log.info(table_of_results(title, rules.directions, numbers, spread))
        for direction in rules.directions:
            _warn_of_invalid(numbers[direction.name], direction)
        # The first population is what the file's readers look for; a second one stands below its name.
        first = name == names[0]
        results |= numbers if first else {name: numbers}
        intervals |= spread if first else {name: spread}
    results["chance_rank1"] = sum(results[direction.name]["chance_rank1"] for direction in CROSS_MODAL) / 2
    shape = tuple(tracklets.features.shape[1:])
    results["card"] = protocol_card(rules, rule, facts, metric, shape, rerank, _resampling(settings))
    results["intervals"] = intervals
    return results


def _measure(
    tracklets: _Tracklets, query: np.ndarray, gallery: np.ndarray, settings: _Settings
) -> tuple[dict[str, float | int], dict[str, Interval] | None, dict[str, int]]:
    """Numbers, intervals and counts of one direction."""
    people = tracklets.people[query], tracklets.people[gallery]
    cameras = tracklets.cameras[query], tracklets.cameras[gallery]
    who = *people, *cameras, settings.camera_rule
    found = rank(_distance(tracklets.features, query, gallery, settings), *who)
    groups = people[0] if settings.resample_by == "identity" else None
    spread = intervals_of(found, groups, settings.resamples) if settings.resamples else None
    numbers = numbers_of(found) | {"chance_rank1": chance_rank1(*who)}
    return numbers, spread, population_facts(found, people, cameras, settings.camera_rule)


def _distance(features: torch.Tensor, query: np.ndarray, gallery: np.ndarray, settings: _Settings) -> Distance:
    """Distances `[queries, gallery]`, or a function that gives some of their rows."""
    asking, found = features[torch.from_numpy(query)], features[torch.from_numpy(gallery)]
    if not settings.rerank:
        # In memory part by part, which is how distances read it; else every block of rows would copy the gallery.
        found = found.permute(2, 0, 1).contiguous().permute(1, 2, 0)
        return lambda start, stop: cuda_dist(asking[start:stop], found, settings.metric)
    size = 20 * (len(query) + len(gallery)) ** 2 / 2**30
    if size > _RERANK_WARNS:
        log.warning("Re-ranking %d tracklets takes about %.0f GiB of memory.", len(query) + len(gallery), size)
    if not len(query) or not len(gallery):
        return torch.zeros(len(query), len(gallery))
    both = torch.cat([asking, found])
    return re_ranking(cuda_dist(both, both, settings.metric), len(query))


def _tracklets(data: Mapping[str, Any]) -> _Tracklets:
    features = torch.as_tensor(np.asarray(data["embeddings"], dtype=np.float32), device=distributed.device())
    cameras = np.array([_camera(view) for view in data["views"]])
    return _Tracklets(features, np.asarray(data["labels"]), cameras)


def _resampling(settings: _Settings) -> dict[str, Any]:
    if not settings.resamples:
        return {"level": None, "note": "no intervals were asked for"}
    drawn = "queries" if settings.resample_by == "query" else "identities, each with all its queries"
    return {
        "level": LEVEL,
        "resamples": settings.resamples,
        "resampled": drawn,
        "seed": 0,
        "note": f"percentile bootstrap over {drawn}; gallery, model and training run stay the same",
    }


def _title(dataset: str, protocol: str, population: str, settings: _Settings) -> str:
    said = [f"distance {settings.metric}", f"camera rule {'on' if settings.camera_rule else 'off'}"]
    said += ["re-ranked"] * settings.rerank
    said += [f"protocol {protocol}"] + [population] * (population != FULL) + ["in percent"]
    if settings.resamples:
        drawn = "queries" if settings.resample_by == "query" else "identities"
        said.append(f"[{100 * LEVEL:.0f}% intervals over {drawn}]")
    return f"{dataset}: {', '.join(said)}"


def _check_types(types: Sequence[str], dataset: str) -> None:
    found = set(types)
    if found != set(Modality):
        raise DataError(
            f"{dataset} has tracklets of the types {', '.join(sorted(map(str, found))) or 'none'}; "
            f"evaluate_cross_modal wants visible and infrared ones."
        )


def _camera(view: str) -> int:
    try:
        return parse_view(view).camera
    except ValueError as error:
        raise DataError(f"{error} evaluate_cross_modal reads a tracklet's camera there.") from error


def _warn_of_invalid(found: Mapping[str, float], direction: Direction) -> None:
    invalid = found["queries"] - found["valid_queries"]
    if invalid:
        log.warning(
            "%s: %d of %d queries have no match in the gallery and count in no number%s.",
            direction.title,
            invalid,
            found["queries"],
            "" if found["valid_queries"] else ", so that all numbers are 0",
        )
