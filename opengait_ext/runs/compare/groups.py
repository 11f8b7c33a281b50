"""Rows that may stand in one ranking, and the sentence that says why the others may not."""

from collections.abc import Sequence
from dataclasses import dataclass

from opengait.data.fingerprint import LENGTH
from opengait_ext.runs.compare.published import remarks
from opengait_ext.runs.compare.rows import Conditions, Row
from opengait_ext.runs.results import DIRECTIONS


@dataclass(frozen=True)
class Group:
    """Rows of the same data, protocol and population.

    Attributes:
        title: data set and protocol.
        sentence: what the rows share, and what they must not be compared with.
        remarks: what concerns all published rows here.
    """

    title: str
    sentence: str
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    @property
    def conditions(self) -> Conditions:
        """Those of the measured rows, or else of the published ones."""
        return self.rows[-1].conditions


def group_rows(measured: Sequence[Row], published: Sequence[Row]) -> list[Group]:
    """Groups with measured rows first, in the order given, then the published rows that none of them joins.

    Measured rows share a group if data fingerprint, protocol, what deviates from it and population are the same.
    Published rows join a measured group if data set, protocol, population and the counts of queries and gallery are.
    """
    mine = _by_key(measured)
    theirs = _by_key(published)
    groups, joined = [], set()
    for rows in mine.values():
        beside = [key for key, others in theirs.items() if agree(rows[0].conditions, others[0].conditions)]
        joined.update(beside)
        printed = [row for key in beside for row in theirs[key]]
        groups.append(_measured_group(rows, printed, published, alone=len(mine) == 1))
    for key, rows in theirs.items():
        if key not in joined:
            groups.append(_published_group(rows, measured))
    return groups


def agree(measured: Conditions, published: Conditions) -> bool:
    """Whether a measurement is of the published rows' data set, protocol and population, counts included."""
    return (
        measured.dataset == published.dataset
        and measured.protocol == published.protocol
        and not measured.deviations
        and measured.population == published.population
        and published.counts is not None
        and measured.counts == published.counts
    )


def _by_key(rows: Sequence[Row]) -> dict[tuple, list[Row]]:
    found: dict[tuple, list[Row]] = {}
    for row in rows:
        found.setdefault(row.conditions.key, []).append(row)
    return found


def _measured_group(rows: list[Row], printed: list[Row], published: Sequence[Row], alone: bool) -> Group:
    of = rows[0].conditions
    if of.protocol is None:
        sentence = (
            f"{rows[0].reference} holds no protocol card, so that neither its protocol nor its data is known: these "
            f"numbers compare with no others. Test again to get a card."
        )
        return Group(f"{of.dataset}, protocol not told", sentence, tuple(rows))
    said = f"Measured here on data with the fingerprint {short(of)}, {_counted(of)}."
    if printed:
        said += (
            " The published rows are of the same protocol with the same counts of queries and gallery; that their data "
            "is the same to the tracklet cannot be told, since they have no fingerprint."
        )
    elif published:
        said += f" {_why_alone(of, published)}"
    if not alone:
        said += " Rows of other tables here are of other data or rules, and do not compare with these."
    said += _frames(printed + rows)
    notes = remarks(of.dataset) if printed else ()
    return Group(_title(of), said, (*printed, *rows), tuple(notes))


def _published_group(rows: list[Row], measured: Sequence[Row]) -> Group:
    of = rows[0].conditions
    said = f"Published numbers, {_counted(of)}; nothing measured here is of this data, protocol and population"
    said += ", so the other tables' rows do not compare with these." if measured else "."
    return Group(_title(of), said + _frames(rows), tuple(rows), tuple(remarks(of.dataset)))


def _why_alone(of: Conditions, published: Sequence[Row]) -> str:
    same = [row.conditions for row in published if row.conditions.dataset == of.dataset]
    if not same:
        return f"No published number is of {of.dataset}."
    if of.deviations:
        return f"The published numbers of {of.dataset} do not compare: here, {' and '.join(of.deviations)}."
    if not any(other.population == of.population and other.protocol == of.protocol for other in same):
        return f"No published number of {of.dataset} is of the protocol {of.protocol_text}."
    wanted = next(o for o in same if o.population == of.population and o.protocol == of.protocol)
    return (
        f"It is called {of.dataset}, but the published numbers are of other queries and galleries: {_counted(wanted)}."
    )


def _title(of: Conditions) -> str:
    return f"{of.dataset}, protocol {of.protocol_text}"


def _counted(of: Conditions) -> str:
    if of.counts is None:
        return "queries and gallery not told"
    pairs = (
        f"{name.replace('_', ' ')} {of.counts[name]['queries']:,} queries among {of.counts[name]['gallery']:,}"
        for name in DIRECTIONS
    )
    return ", ".join(pairs)


def _frames(rows: Sequence[Row]) -> str:
    found = list(dict.fromkeys(row.frames for row in rows))
    return f" Rows differ in their frames: {', '.join(found)}." if len(found) > 1 else ""


def short(of: Conditions) -> str:
    """The fingerprint as people read it."""
    if of.protocol is None or of.fingerprint is None:
        return "not told"
    return of.fingerprint[:LENGTH]
