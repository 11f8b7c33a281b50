"""One row of the comparison: numbers, and the conditions under which they were measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from opengait_ext.runs.results import DIRECTIONS

# {direction: {"queries": n, "gallery": n}}
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Conditions:
    """Conditions that two rows must share to be comparable.

    Attributes:
        dataset: name of the dataset.
        protocol: name of the protocol; None if it is unknown.
        deviations: deviations from the protocol, such as "camera rule off".
        population: name of the choice of queries and gallery.
        counts: numbers of queries and gallery tracklets in each direction; None if they are unknown.
        fingerprint: fingerprint of the data; None for published rows.
        trained_on: name of the dataset that the network was trained on, if that is known to be another; else None.
    """

    dataset: str
    protocol: str | None
    deviations: tuple[str, ...] = ()
    population: str = "full"
    counts: Counts | None = None
    fingerprint: str | None = None
    trained_on: str | None = None

    @property
    def key(self) -> tuple:
        """A value that is equal for comparable rows."""
        counts = None if self.counts is None else tuple((name, *self.counts[name].values()) for name in DIRECTIONS)
        rules = self.protocol, self.deviations, self.population, counts
        return self.dataset, self.trained_on, *rules, self.fingerprint

    @property
    def protocol_text(self) -> str:
        """The protocol with its population and deviations."""
        special = [*([self.population] if self.population != "full" else []), *self.deviations]
        return ", ".join([self.protocol or "unknown", *special])


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        method: name of the method.
        source: "measured here" or the publication.
        reference: venue and year, or the result file.
        kind: input of the method, image or video.
        frames: number of frames per tracklet and, if known, how they are sampled.
        numbers: {direction: {key: percent}}; None where nothing was reported.
        intervals: {direction: {key: (low, high)}} in percent; empty for published rows.
        notes: remarks on this row.
        measured: whether the numbers were measured here.
        training_data: fingerprint of the data that the network was trained on; None if it is unknown.
    """

    method: str
    source: str
    reference: str
    kind: str
    frames: str
    conditions: Conditions
    numbers: Mapping[str, Mapping[str, float | None]]
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    measured: bool = False
    training_data: str | None = None
