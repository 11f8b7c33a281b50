"""The evaluation protocol of each dataset: its queries, its gallery, and what is removed from a ranking.

Results under different protocols are not comparable. Both protocols average over the queries that have a match, use the
whole gallery and do not repeat the evaluation with random galleries.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opengait.errors import ConfigError, DataError
from opengait_ext.data.tracklet import Modality, Role, parse_view

FULL, OFFICIAL_CUT, BOTH = "full", "official_cut", "both"
# Batch size of the release's test sampler, which drops the visible tracklets of an incomplete batch.
CUT_BATCH = 64


@dataclass(frozen=True)
class Direction:
    """A direction of retrieval: modality of the queries and modality of the gallery, where None stands for both."""

    name: str
    query: Modality | None
    gallery: Modality | None

    @property
    def title(self) -> str:
        """The direction in words."""
        return f"{self.query or 'all'} to {self.gallery or 'all'}"


INFRARED_TO_VISIBLE = Direction("infrared_to_visible", Modality.INFRARED, Modality.VISIBLE)
VISIBLE_TO_INFRARED = Direction("visible_to_infrared", Modality.VISIBLE, Modality.INFRARED)
VISIBLE_TO_VISIBLE = Direction("visible_to_visible", Modality.VISIBLE, Modality.VISIBLE)
INFRARED_TO_INFRARED = Direction("infrared_to_infrared", Modality.INFRARED, Modality.INFRARED)
ALL_TO_ALL = Direction("all_to_all", None, None)
CROSS_MODAL = (INFRARED_TO_VISIBLE, VISIBLE_TO_INFRARED)


@dataclass(frozen=True)
class Protocol:
    """The evaluation protocol of a dataset.

    Attributes:
        name: its name in `evaluator_cfg.protocol`.
        camera_rule: whether gallery tracklets with the person and the camera number of the query are removed.
        separate_lists: whether queries and gallery are separate lists, marked by the role in a tracklet's view;
            otherwise all tracklets of one modality are queries and all of the other are the gallery.
        directions: the reported directions, in order.
        populations: the available choices of queries and gallery, the default first.
        frames: description of the frames that published numbers use; the reader and the sampler implement it.
    """

    name: str
    camera_rule: bool
    separate_lists: bool
    directions: tuple[Direction, ...]
    populations: tuple[str, ...]
    frames: str

    def select(
        self, direction: Direction, types: Sequence[str], views: Sequence[str], population: str = FULL
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ascending indices of the queries and of the gallery among tracklets of these types and views."""
        query, gallery = (_has_modality(types, modality) for modality in (direction.query, direction.gallery))
        if self.separate_lists:
            in_query_list, in_gallery_list = members(types, views, population)
            query, gallery = query & in_query_list, gallery & in_gallery_list
        return np.flatnonzero(query), np.flatnonzero(gallery)


# The camera rule also applies across modalities, because HITSZ-VCM numbers the cameras of both alike.
HITSZ_VCM = Protocol(
    "hitsz-vcm",
    camera_rule=True,
    separate_lists=False,
    directions=CROSS_MODAL,
    populations=(FULL,),
    frames="tracklets of fewer than 12 frames are dropped; 6 frames, the first of each of 6 segments",
)
BUPT_CAMPUS = Protocol(
    "bupt-campus",
    camera_rule=False,
    separate_lists=True,
    directions=(*CROSS_MODAL, VISIBLE_TO_VISIBLE, INFRARED_TO_INFRARED, ALL_TO_ALL),
    populations=(FULL, OFFICIAL_CUT),
    frames="no tracklet is dropped; 6 or 10 frames, evenly spread",
)
PROTOCOLS = {protocol.name: protocol for protocol in (HITSZ_VCM, BUPT_CAMPUS)}


def protocol_for(name: str | None, dataset: str, views: Sequence[str]) -> Protocol:
    """Return the protocol with this name, or without a name the protocol that fits the data.

    Args:
        name: `evaluator_cfg.protocol`, a protocol's name or a dataset's. None selects the protocol of the dataset, or
            for an unknown dataset the protocol that its views are made for.
        dataset: name of the dataset.
        views: view strings, which mark the queries of a separate list.

    Raises:
        ConfigError: an unknown protocol.
        DataError: the protocol does not fit the views.
    """
    queries = sum(view.endswith(f"-{Role.QUERY}") for view in views)
    protocol = _protocol_named(dataset if name is None else name)
    if protocol is None:
        if name is not None:
            raise ConfigError(f"evaluator_cfg.protocol: expected {' or '.join(PROTOCOLS)}, got {name!r}.")
        protocol = BUPT_CAMPUS if queries else HITSZ_VCM
    if protocol.separate_lists and not 0 < queries < len(views):
        raise DataError(
            f"Protocol {protocol.name} needs separate lists of queries and gallery, but {queries} of the {len(views)} "
            f"tracklets of {dataset} have the view of a query (c<camera>-t<row>-{Role.QUERY}); use "
            f"data_cfg.reader: BUPTCampusDataSet, or evaluator_cfg.protocol: {HITSZ_VCM.name}."
        )
    if queries and not protocol.separate_lists:
        raise DataError(
            f"{dataset} has a separate list of {queries} queries, which protocol {protocol.name} does not support; "
            f"set evaluator_cfg.protocol: {BUPT_CAMPUS.name}."
        )
    return protocol


def populations_of(protocol: Protocol, population: str) -> tuple[str, ...]:
    """Return the populations that `evaluator_cfg.population` selects, in order.

    Raises:
        ConfigError: the protocol has no such population.
    """
    known = (*protocol.populations, BOTH) if len(protocol.populations) > 1 else protocol.populations
    if population not in known:
        raise ConfigError(
            f"evaluator_cfg.population: protocol {protocol.name} has {', '.join(known)}, got {population!r}."
        )
    return protocol.populations if population == BOTH else (population,)


def members(types: Sequence[str], views: Sequence[str], population: str) -> tuple[np.ndarray, np.ndarray]:
    """Return bool masks `[tracklets]` of the members of the query list and of the gallery list."""
    query = np.array([parse_view(view).role is Role.QUERY for view in views], dtype=bool)
    lists = [query, ~query]
    if population == FULL:
        return lists[0], lists[1]
    kept = []
    for mask in lists:
        indices = np.flatnonzero(mask)
        mask = np.zeros_like(mask)
        mask[indices[official_cut(np.asarray(types)[indices])]] = True
        kept.append(mask)
    return kept[0], kept[1]


def official_cut(types: Sequence[str] | np.ndarray, batch_size: int = CUT_BATCH) -> np.ndarray:
    """Return the entries of a list that the test sampler of BUPTCampus's public code and its descendants keeps.

    The sampler uses visible tracklets in whole batches only: it slices off the last (count modulo batch size) of them,
    which loses 28 queries and 54 gallery tracklets of BUPTCampus. With a remainder of 0 the slice ends at "minus 0" and
    is empty. All infrared tracklets are kept.

    Args:
        types: modality of each line of the list, in file order.
        batch_size: batch size of the sampler.

    Returns:
        Indices into the list in the sampler's order, visible tracklets before infrared ones.
    """
    modalities = np.asarray(types)
    visible = np.flatnonzero(modalities == Modality.VISIBLE)
    kept = visible[: -(len(visible) % batch_size)] if len(visible) % batch_size else visible[:0]
    return np.concatenate([kept, np.flatnonzero(modalities == Modality.INFRARED)])


def _has_modality(types: Sequence[str], modality: Modality | None) -> np.ndarray:
    """Return a bool mask of the tracklets of a modality; None selects all."""
    return np.array([modality in (None, kind) for kind in types], dtype=bool)


def _protocol_named(name: str) -> Protocol | None:
    """Return the protocol of a dataset's name in any spelling: HITSZ-VCM, hitsz_vcm, BUPT, BUPTCampus."""
    letters = re.sub(r"[^a-z]", "", name.lower())
    starts = {"hitsz": HITSZ_VCM, "bupt": BUPT_CAMPUS}
    return next((protocol for start, protocol in starts.items() if letters.startswith(start)), None)
