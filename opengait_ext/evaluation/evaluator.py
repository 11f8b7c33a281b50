"""The evaluator of visible-infrared retrieval, in every direction of a dataset's protocol."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np
import torch

from opengait import distributed
from opengait.data.halves import HALVES
from opengait.errors import ConfigError, DataError
from opengait.evaluation.distance import Metric, check_rerank, cuda_dist, distance_rows
from opengait.evaluation.ranking import Distance, RankMetrics
from opengait.evaluation.reranking import re_ranking
from opengait_ext.data.tracklet import Modality, parse_view
from opengait_ext.evaluation.bootstrap import LEVEL, RESAMPLES, Interval, intervals_of
from opengait_ext.evaluation.calibrate import calibrate, open_set_results
from opengait_ext.evaluation.calibration_file import Calibration, open_set_table
from opengait_ext.evaluation.card import population_facts, protocol_card
from opengait_ext.evaluation.metrics import chance_rank1, rank, summarise
from opengait_ext.evaluation.protocol import CROSS_MODAL, FULL, populations_of, protocol_for
from opengait_ext.evaluation.table import table_of_results
from opengait_ext.evaluation.temporal import temporal_re_ranking

log = logging.getLogger("opengait")

# Re-ranking takes about 20 bytes per pair of tracklets; above this many GiB a warning is logged first.
_RERANK_WARNING = 8
ResampleBy = Literal["query", "identity"]
# Some protocols define one population alone.
Population = Literal["full", "official_cut", "both"]


@dataclass(frozen=True)
class _Settings:
    metric: Metric
    camera_rule: bool
    rerank: bool | Literal["temporal"]
    resamples: int
    resample_by: str


@dataclass(frozen=True)
class _Tracklets:
    """Features `[n, c, p]`, people `[n]` and cameras `[n]`; and features of the halves, if they are compared."""

    features: torch.Tensor
    halves: tuple[torch.Tensor, ...]
    people: np.ndarray
    cameras: np.ndarray


def evaluate_cross_modal(
    data: Mapping[str, Any],
    dataset: str,
    metric: Metric = "euc",
    camera_rule: bool | None = None,
    protocol: str | None = None,
    population: Population = "full",
    rerank: bool | Literal["temporal"] = False,
    resamples: Annotated[int, "non-negative int"] = RESAMPLES,
    resample_by: ResampleBy = "query",
) -> dict[str, Any]:
    """Evaluate infrared-to-visible retrieval and the other directions of the dataset's protocol.

    Args:
        data: `embeddings` `[N, c, p]`, `labels`, `types` (visible or infrared) and `views` (c<camera>-t<row>, with the
            suffix -query for the queries of a separate list).
        dataset: name of the dataset.
        metric: "euc", the mean over parts of their Euclidean distances, "cos" or "dot".
        camera_rule: remove gallery tracklets with the query's person and camera number; None follows the protocol.
        protocol: hitsz-vcm or bupt-campus; None chooses by the dataset's name, or else by its views.
        population: full; protocols that define it also take official_cut (without the tracklets that the release's
            sampler loses) and both.
        rerank: k-reciprocal re-ranking, which no published number uses; or "temporal", AuxNet's, which reads
            `embeddings_first_half` and `embeddings_second_half` too.
        resamples: bootstrap samples for the 95% intervals; 0 for no intervals.
        resample_by: "query", or "identity" to draw all queries of a person together.

    Returns:
        For each direction, such as `infrared_to_visible`, the metrics of `cross_modal_metrics` and `chance_rank1`, the
        Rank-1 of a random ranking. `chance_rank1` is the mean over both cross-modal directions. With population both,
        `official_cut` holds the directions a second time. `intervals` has the same directions, each {key: (low, high)}
        or None. `card` describes the measurement. `open_set` holds the DET curves and `calibration` the content of a
        calibration file, except after re-ranking and with too few people.

    Raises:
        ConfigError: an unknown protocol, population, metric or value of `resample_by`, or `rerank` with "dot".
        DataError: the tracklets do not have both modalities, their views do not fit the protocol, or the features of
            their halves are missing.
    """
    if resample_by not in get_args(ResampleBy):
        raise ConfigError(f"evaluator_cfg.resample_by: expected query or identity, got {resample_by!r}.")
    if rerank:
        check_rerank(metric)
    _check_types(data["types"], dataset)
    rules = protocol_for(protocol, dataset, data["views"])
    names = populations_of(rules, population)
    rule = rules.camera_rule if camera_rule is None else camera_rule
    settings = _Settings(metric, rule, rerank, resamples, resample_by)
    tracklets = _tracklets(data, rerank == "temporal")

    results: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    facts: dict[str, dict[str, Any]] = {}
    for name in names:
        metrics: dict[str, dict[str, float | int]] = {}
        spread: dict[str, dict[str, Interval] | None] = {}
        facts[name] = {}
        for direction in rules.directions:
            query, gallery = rules.select(direction, data["types"], data["views"], name)
            metrics[direction.name], spread[direction.name], facts[name][direction.name] = _measure(
                tracklets, query, gallery, settings, direction.title
            )
        title = _title(dataset, rules.name, name, settings)
        log.info(table_of_results(title, rules.directions, metrics, spread))
        # The default population is at the top level of the results, a second one under its name.
        first = name == names[0]
        results |= metrics if first else {name: metrics}
        intervals |= spread if first else {name: spread}
    results["chance_rank1"] = sum(results[direction.name]["chance_rank1"] for direction in CROSS_MODAL) / 2
    _, channels, parts = tracklets.features.shape
    results["card"] = protocol_card(rules, rule, facts, metric, (channels, parts), rerank, _resampling(settings))
    results["intervals"] = intervals
    return results | (_open_set(tracklets, data["types"], dataset, settings) if not rerank else {})


def _open_set(tracklets: _Tracklets, types: Sequence[str], dataset: str, settings: _Settings) -> dict[str, Any]:
    """Return the DET curves and the calibration; nothing if there are too few people for either."""
    pairs, searches = calibrate(
        tracklets.features,
        tracklets.people,
        np.asarray(types),
        tracklets.cameras,
        settings.metric,
        settings.camera_rule,
    )
    if not pairs:
        return {}
    curves = open_set_results(searches)
    log.info(open_set_table(curves))
    source = f"test of {dataset}"
    return {"open_set": curves, "calibration": Calibration("", settings.metric, source, pairs).content()}


def _measure(
    tracklets: _Tracklets, query: np.ndarray, gallery: np.ndarray, settings: _Settings, title: str
) -> tuple[dict[str, float | int], dict[str, Interval] | None, dict[str, int]]:
    """Return the metrics, intervals and counts of one direction."""
    people = tracklets.people[query], tracklets.people[gallery]
    cameras = tracklets.cameras[query], tracklets.cameras[gallery]
    metrics = rank(_distance(tracklets, query, gallery, settings), *people, *cameras, settings.camera_rule)
    _warn_of_invalid(metrics, title, int((~np.isin(*people)).sum()))
    groups = people[0] if settings.resample_by == "identity" else None
    spread = intervals_of(metrics, groups, settings.resamples) if settings.resamples else None
    summary = summarise(metrics) | {"chance_rank1": chance_rank1(*people, *cameras, settings.camera_rule)}
    return summary, spread, population_facts(metrics, people, cameras, settings.camera_rule)


def _distance(tracklets: _Tracklets, query: np.ndarray, gallery: np.ndarray, settings: _Settings) -> Distance:
    """Return the distances `[queries, gallery]`, or a function that returns some of their rows."""
    parts = (tracklets.features, *tracklets.halves)
    queries, galleries = (tuple(part[torch.from_numpy(rows)] for part in parts) for rows in (query, gallery))
    if not settings.rerank:
        return distance_rows(queries[0], galleries[0], settings.metric)
    size = 20 * (len(query) + len(gallery)) ** 2 / 2**30
    if size > _RERANK_WARNING:
        log.warning("Re-ranking %d tracklets takes about %.0f GiB of memory.", len(query) + len(gallery), size)
    if not len(query) or not len(gallery):
        return torch.zeros(len(query), len(gallery))
    if settings.rerank == "temporal":
        return temporal_re_ranking(queries, galleries, settings.metric)
    both = torch.cat([queries[0], galleries[0]])
    return re_ranking(cuda_dist(both, both, settings.metric), len(query))


def _tracklets(data: Mapping[str, Any], with_halves: bool) -> _Tracklets:
    names = [f"embeddings_{half}" for half in HALVES] if with_halves else []
    if missing := [name for name in names if name not in data]:
        raise DataError(f"evaluator_cfg.rerank: temporal needs the features {' and '.join(missing)} of the test.")
    features, *halves = (
        torch.as_tensor(np.asarray(data[name], dtype=np.float32), device=distributed.device())
        for name in ("embeddings", *names)
    )
    cameras = np.array([_camera(view) for view in data["views"]])
    return _Tracklets(features, tuple(halves), np.asarray(data["labels"]), cameras)


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
    details = [f"distance {settings.metric}", f"camera rule {'on' if settings.camera_rule else 'off'}"]
    details += ["re-ranked"] * bool(settings.rerank) + ["with halves"] * (settings.rerank == "temporal")
    details += [f"protocol {protocol}"] + [population] * (population != FULL) + ["in percent"]
    if settings.resamples:
        drawn = "queries" if settings.resample_by == "query" else "identities"
        details.append(f"[{100 * LEVEL:.0f}% intervals over {drawn}]")
    return f"{dataset}: {', '.join(details)}"


def _check_types(types: Sequence[str], dataset: str) -> None:
    if set(types) != set(Modality):
        raise DataError(
            f"evaluate_cross_modal: expected {dataset} to have tracklets of the types visible and infrared, "
            f"got {', '.join(sorted(map(str, set(types)))) or 'none'}."
        )


def _camera(view: str) -> int:
    try:
        return parse_view(view).camera
    except ValueError as error:
        raise DataError(f"{error} evaluate_cross_modal reads a tracklet's camera there.") from error


def _warn_of_invalid(metrics: RankMetrics, title: str, absent: int) -> None:
    """Log how many queries are skipped: `absent` have no tracklet of their person in the gallery at all."""
    invalid = metrics.queries - metrics.valid_queries
    if not invalid:
        return
    removed = invalid - absent
    log.warning(
        "%s: %d of %d queries have no match in the gallery and are skipped%s%s.",
        title,
        invalid,
        metrics.queries,
        f" ({removed} since the camera rule removes every match, which has the query's camera)" if removed else "",
        "" if metrics.valid_queries else "; none is left, so all metrics are 0",
    )
