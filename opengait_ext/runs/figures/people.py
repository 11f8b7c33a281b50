"""Which people figures show, and what is shown of them."""

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
    """A tracklet that is shown: its place in the run, its person and its modality."""

    place: int
    label: str
    type: str

    @property
    def title(self) -> str:
        """Person and modality."""
        return f"{self.label}, {self.type}"


@dataclass(frozen=True)
class Seen:
    """A tracklet's frames and what the network makes of them.

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
    """The first tracklet of each modality, visible before infrared, of each chosen person.

    Args:
        run: the test.
        count: how many evenly spread people, where none are named.
        people: their numbers; leading zeros may be left out.

    Raises:
        DataError: nobody was tested under such a number.
    """
    labels, types = run.features.labels, run.features.types
    if people is None:
        both = [label for label in np.unique(labels) if len(set(types[labels == label])) > 1]
        names = [both[place] for place in uniform(len(both), min(count, len(both)))]
    else:
        known = {strip_zeros(label): label for label in np.unique(labels)}
        strange = [person for person in people if strip_zeros(person) not in known]
        if strange:
            first, last = min(known.values()), max(known.values())
            raise DataError(f"{run.file} tested no person {strange[0]}; its people are called {first} to {last}.")
        names = [known[strip_zeros(person)] for person in dict.fromkeys(people)]
    chosen = []
    for label in names:
        for kind in map(str, Modality):
            of = np.flatnonzero((labels == label) & (types == kind))
            chosen += [Shown(int(place), str(label), kind) for place in of[:1]]
    return chosen
