"""The people that figures show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opengait.data.frame_picker import uniform
from opengait.errors import DataError
from opengait_ext.data import Modality
from opengait_ext.data.choose import strip_zeros
from opengait_ext.runs.tested_run import TestedRun


@dataclass(frozen=True)
class Shown:
    """A tracklet to show: its index in the run, its person and its modality."""

    place: int
    label: str
    type: str

    @property
    def title(self) -> str:
        """Person and modality."""
        return f"{self.label}, {self.type}"


@dataclass(frozen=True)
class Seen:
    """Frames of a tracklet and the silhouettes that the network generates from them.

    Attributes:
        shown: the tracklet.
        frames: uint8 (k, h, w, 3).
        masks: S of Eq. 4, uint8 (k, h, w).
        enriched: M of Eq. 6 in colours, uint8 (k, h, w, 3).
    """

    shown: Shown
    frames: np.ndarray
    masks: np.ndarray
    enriched: np.ndarray


def choose_people(run: TestedRun, count: int, people: Sequence[str] | None = None) -> list[Shown]:
    """Return the first tracklet of each modality, visible before infrared, of each chosen person.

    Args:
        run: the test.
        count: number of evenly spread people, if `people` is None.
        people: numbers of the people; leading zeros may be omitted.

    Raises:
        DataError: the test has no person of such a number.
    """
    labels, types = run.features.labels, run.features.types
    if people is None:
        both = [label for label in np.unique(labels) if len(set(types[labels == label])) > 1]
        names = [both[index] for index in uniform(len(both), min(count, len(both)))]
    else:
        known = {strip_zeros(label): label for label in np.unique(labels)}
        unknown = [person for person in people if strip_zeros(person) not in known]
        if unknown:
            first, last = min(known.values()), max(known.values())
            raise DataError(f"{run.file} has no person {unknown[0]}; its people are numbered {first} to {last}.")
        names = [known[strip_zeros(person)] for person in dict.fromkeys(people)]
    chosen = []
    for label in names:
        for kind in map(str, Modality):
            tracklets = np.flatnonzero((labels == label) & (types == kind))
            chosen += [Shown(int(tracklet), str(label), kind) for tracklet in tracklets[:1]]
    return chosen
