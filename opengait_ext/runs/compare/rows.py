"""One row of the comparison: what was measured or published, and on what."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from opengait_ext.runs.results import DIRECTIONS

# {direction: {"queries": n, "gallery": n}}
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Conditions:
    """What two rows must share to be compared.

    Attributes:
        dataset: name of the data set.
        protocol: name of the protocol; None where nothing tells.
        deviations: in what the measurement leaves the protocol, such as "camera rule off".
        population: which choice of queries and gallery.
        counts: of queries and gallery in each direction; None where they cannot be told.
        fingerprint: of the data; None for published rows.
    """

    dataset: str
    protocol: str | None
    deviations: tuple[str, ...] = ()
    population: str = "full"
    counts: Counts | None = None
    fingerprint: str | None = None

    @property
    def key(self) -> tuple:
        """Equal for rows that compare."""
        counts = None if self.counts is None else tuple((name, *self.counts[name].values()) for name in DIRECTIONS)
        return self.dataset, self.protocol, self.deviations, self.population, counts, self.fingerprint

    @property
    def protocol_text(self) -> str:
        """The protocol with what is special, in words."""
        special = [*([self.population] if self.population != "full" else []), *self.deviations]
        return ", ".join([self.protocol or "not told", *special])


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        method: what it is.
        source: "measured here" or where it was printed.
        reference: venue and year, or the run.
        frames: number of frames a tracklet and, where known, how they are picked.
        numbers: {direction: {key: percent}}; None where nothing was reported.
        intervals: {direction: {key: (low, high)}} in percent; empty for published rows.
        notes: remarks that concern this row.
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
