"""Who asks, who is found and what is removed: one object a data set.

Numbers of different protocols do not compare. Sections 1 and 2 of the data set facts; both data sets average over the
queries that have a match, without trials and without random galleries.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opengait.errors import ConfigError, DataError
from opengait_ext.data.tracklet import Modality, Role, parse_view

FULL, OFFICIAL_CUT, BOTH = "full", "official_cut", "both"
# Batch size of the release's test sampler, whose remainder of visible tracklets is lost.
CUT_BATCH = 64


@dataclass(frozen=True)
class Direction:
    """One direction of retrieval: tracklets of modality `asks` look for tracklets of modality `found`; None is both."""

    name: str
    asks: Modality | None
    found: Modality | None

    @property
    def title(self) -> str:
        """The direction in words."""
        return f"{self.asks or 'all'} to {self.found or 'all'}"


INFRARED_TO_VISIBLE = Direction("infrared_to_visible", Modality.INFRARED, Modality.VISIBLE)
VISIBLE_TO_INFRARED = Direction("visible_to_infrared", Modality.VISIBLE, Modality.INFRARED)
VISIBLE_TO_VISIBLE = Direction("visible_to_visible", Modality.VISIBLE, Modality.VISIBLE)
INFRARED_TO_INFRARED = Direction("infrared_to_infrared", Modality.INFRARED, Modality.INFRARED)
ALL_TO_ALL = Direction("all_to_all", None, None)
CROSS_MODAL = (INFRARED_TO_VISIBLE, VISIBLE_TO_INFRARED)


@dataclass(frozen=True)
class Protocol:
    """How a data set is evaluated.

    Attributes:
        name: what `evaluator_cfg.protocol` calls it.
        camera_rule: whether gallery tracklets of the query's person and camera number are removed.
        separate_lists: queries and gallery are lists of their own, told apart by the role in a tracklet's view;
            otherwise all tracklets of one modality ask for all of the other.
        directions: the directions that are reported, in order.
        populations: which choices of queries and gallery there are; the first is the default.
        frames: which frames the published numbers use; the reader and the sampler see to it.
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
        """Positions of the queries and of the gallery, ascending, among tracklets of these types and views."""
        asks, found = (_of(modality, types) for modality in (direction.asks, direction.found))
        if self.separate_lists:
            query, gallery = members(types, views, population)
            asks, found = asks & query, found & gallery
        return np.flatnonzero(asks), np.flatnonzero(found)


# The rule spans modalities, because HITSZ-VCM numbers the cameras of both alike.
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
    """The protocol of that name, or else the one that fits the data.

    Args:
        name: `evaluator_cfg.protocol`; a data set's name does as well. None: the data set's own protocol if `dataset`
            names one, or else the one that the views are made for.
        dataset: name of the data set.
        views: view strings, which tell whether queries are a list of their own.

    Raises:
        ConfigError: no protocol has this name.
        DataError: the protocol does not fit the views.
    """
    listed = sum(view.endswith(f"-{Role.QUERY}") for view in views)
    if name is None:
        protocol = _named(dataset) or (BUPT_CAMPUS if listed else HITSZ_VCM)
    else:
        protocol = _named(name)
        if protocol is None:
            raise ConfigError(f"evaluator_cfg.protocol is {name!r}; known are {' and '.join(PROTOCOLS)}.")
    if protocol.separate_lists and not 0 < listed < len(views):
        raise DataError(
            f"Protocol {protocol.name} wants queries and gallery as lists of their own, but {listed} of the "
            f"{len(views)} tracklets of {dataset} are queries by their view (c<camera>-t<row>-{Role.QUERY}); use "
            f"data_cfg.reader: BUPTCampusDataSet, or evaluator_cfg.protocol: {HITSZ_VCM.name}."
        )
    if listed and not protocol.separate_lists:
        raise DataError(
            f"{dataset} lists {listed} queries apart from the gallery, which protocol {protocol.name} would mix up; "
            f"set evaluator_cfg.protocol: {BUPT_CAMPUS.name}."
        )
    return protocol


def populations_of(protocol: Protocol, asked: str) -> tuple[str, ...]:
    """The populations that `evaluator_cfg.population` asks for, in order.

    Raises:
        ConfigError: the protocol has no such population.
    """
    known = (*protocol.populations, BOTH) if len(protocol.populations) > 1 else protocol.populations
    if asked not in known:
        raise ConfigError(f"evaluator_cfg.population is {asked!r}; protocol {protocol.name} has {', '.join(known)}.")
    return protocol.populations if asked == BOTH else (asked,)


def members(types: Sequence[str], views: Sequence[str], population: str) -> tuple[np.ndarray, np.ndarray]:
    """Which tracklets ask and which are found, where these are two lists: two bool arrays `[tracklets]`."""
    query = np.array([parse_view(view).role is Role.QUERY for view in views], dtype=bool)
    lists = [query, ~query]
    if population == FULL:
        return lists[0], lists[1]
    kept = []
    for mask in lists:
        places = np.flatnonzero(mask)
        mask = np.zeros_like(mask)
        mask[places[official_cut(np.asarray(types)[places])]] = True
        kept.append(mask)
    return kept[0], kept[1]


def official_cut(types: Sequence[str] | np.ndarray, batch_size: int = CUT_BATCH) -> np.ndarray:
    """What the test sampler of BUPTCampus and its descendants keeps of a list.

    The sampler deals the visible tracklets in whole batches: it slices off the last (count modulo batch size) of them,
    which loses 28 queries and 54 gallery tracklets of BUPTCampus. With a remainder of 0 the slice ends at "minus 0"
    and nothing is left. Infrared tracklets are all kept.

    Args:
        types: modalities of the list's lines, in file order.

    Returns:
        Positions in the list, in the sampler's order: visible ones, then infrared ones.
    """
    modalities = np.asarray(types)
    visible = np.flatnonzero(modalities == Modality.VISIBLE)
    kept = visible[: -(len(visible) % batch_size)] if len(visible) % batch_size else visible[:0]
    return np.concatenate([kept, np.flatnonzero(modalities == Modality.INFRARED)])


def _of(modality: Modality | None, types: Sequence[str]) -> np.ndarray:
    """Bool mask of the tracklets of a modality."""
    types = np.asarray(types)
    return np.ones(len(types), dtype=bool) if modality is None else types == modality


def _named(name: str) -> Protocol | None:
    """The protocol whose name begins like this one: HITSZ-VCM, hitsz_vcm, BUPT and BUPTCampus all mean one."""
    letters = re.sub(r"[^a-z]", "", name.lower())
    starts = {"hitsz": HITSZ_VCM, "bupt": BUPT_CAMPUS}
    return next((protocol for start, protocol in starts.items() if letters.startswith(start)), None)
