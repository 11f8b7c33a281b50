"""The people that figures show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opengait.data.frame_picker import uniform
from opengait.errors import DataError
from opengait_ext.data import Modality
from opengait_ext.data.choose import strip_zeros
from opengait_ext.runs.silhouettes.panels import PANELS, panels
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
    """Frames of a tracklet and the silhouettes that the network makes of them.

    Attributes:
        shown: the tracklet.
        frames: uint8 (k, h, w, 3).
        masks: uint8 (k, h, w); None if the frames themselves are silhouettes.
        enriched: enriched silhouettes in colours, uint8 (k, h, w, 3); None likewise.
    """

    shown: Shown
    frames: np.ndarray
    masks: np.ndarray | None = None
    enriched: np.ndarray | None = None

    @property
    def rows(self) -> dict[str, np.ndarray]:
        """What there is to show, uint8 (k, h, w, 3) by name."""
        if self.masks is None or self.enriched is None:
            return {"silhouette": self.frames}
        return dict(zip(PANELS, panels(self.frames, self.masks, self.enriched), strict=True))

    def fewer(self, count: int) -> "Seen":
        """Return the tracklet with `count` evenly spread frames."""
        step = max(1, len(self.frames) // count)
        kept = slice(0, step * count, step)
        masks, enriched = (None if part is None else part[kept] for part in (self.masks, self.enriched))
        return Seen(self.shown, self.frames[kept], masks, enriched)


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
