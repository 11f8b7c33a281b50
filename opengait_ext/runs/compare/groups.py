"""Groups of comparable rows, each with a sentence that says what its rows share."""

from collections.abc import Sequence
from dataclasses import dataclass

from opengait.data.fingerprint import LENGTH
from opengait_ext.runs.compare.published import remarks
from opengait_ext.runs.compare.rows import Conditions, Row
from opengait_ext.runs.results import DIRECTIONS


@dataclass(frozen=True)
class Group:
    """Rows of the same data, protocol and population, of networks that were trained on the same dataset.

    Attributes:
        title: dataset and protocol.
        sentence: what the rows share, and which rows they must not be compared with.
        remarks: remarks on all published rows of the group.
    """

    title: str
    sentence: str
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    @property
    def conditions(self) -> Conditions:
        """The conditions of the measured rows, or of the published rows if there are no measured ones."""
        return self.rows[-1].conditions


def group_rows(measured: Sequence[Row], published: Sequence[Row]) -> list[Group]:
    """Return the groups with measured rows, in the order of the rows, then those of the remaining published rows.

    Measured rows share a group if their data fingerprint, protocol, deviations from it, population and the dataset they
    were trained on agree. Published rows join a measured group that was trained on the tested dataset, if dataset,
    protocol, population and the counts of queries and gallery agree.
    """
    measured_by_key, published_by_key = _by_key(measured), _by_key(published)
    groups, joined = [], set()
    for rows in measured_by_key.values():
        matching = [key for key, others in published_by_key.items() if agree(rows[0].conditions, others[0].conditions)]
        joined.update(matching)
        comparable = [row for key in matching for row in published_by_key[key]]
        groups.append(_measured_group(rows, comparable, published, alone=len(measured_by_key) == 1))
    for key, rows in published_by_key.items():
        if key not in joined:
            groups.append(_published_group(rows, measured))
    return groups


def relevant(groups: Sequence[Group], matching_only: bool) -> list[Group]:
    """Return the groups with measured rows and, unless `matching_only`, the published ones of datasets without a match.

    Published tables of a dataset whose measured rows already stand beside comparable published ones would repeat them.
    """
    measured = [group for group in groups if any(row.measured for row in group.rows)]
    datasets = {group.conditions.dataset for group in measured}
    datasets -= {group.conditions.dataset for group in measured if not all(row.measured for row in group.rows)}
    others = [group for group in groups if group not in measured and group.conditions.dataset in datasets]
    return measured if matching_only else measured + others


def agree(measured: Conditions, published: Conditions) -> bool:
    """Return whether a measurement has the dataset, protocol, population and counts of the published rows."""
    return (
        measured.dataset == published.dataset
        and measured.protocol == published.protocol
        and not measured.deviations
        and measured.trained_on is None
        and measured.population == published.population
        and published.counts is not None
        and measured.counts == published.counts
    )


def _by_key(rows: Sequence[Row]) -> dict[tuple, list[Row]]:
    by_key: dict[tuple, list[Row]] = {}
    for row in rows:
        by_key.setdefault(row.conditions.key, []).append(row)
    return by_key


def _measured_group(rows: list[Row], comparable: list[Row], published: Sequence[Row], alone: bool) -> Group:
    conditions = rows[0].conditions
    if conditions.protocol is None:
        sentence = (
            f"{rows[0].reference} has no protocol card, so neither its protocol nor its data is known and its numbers "
            f"are comparable with no others. Test again to get a card."
        )
        return Group(f"{conditions.dataset}, unknown protocol", sentence, tuple(rows))
    sentence = f"Measured here on data with the fingerprint {short(conditions)}, {_counted(conditions)}."
    if comparable:
        sentence += (
            " The published rows use the same protocol with the same counts of queries and gallery; whether they use "
            "exactly the same tracklets is unknown, since they have no fingerprint."
        )
    elif published:
        sentence += f" {_why_alone(conditions, published)}"
    if not alone:
        sentence += " The other tables are of other data, rules or training and are not comparable with this one."
    sentence += _frames(comparable + rows) + _training_data(rows)
    notes = remarks(conditions.dataset) if comparable else ()
    return Group(_title(conditions), sentence, (*comparable, *rows), tuple(notes))


def _published_group(rows: list[Row], measured: Sequence[Row]) -> Group:
    conditions = rows[0].conditions
    sentence = f"Published numbers, {_counted(conditions)}; no run here measured this data, protocol and population"
    sentence += ", so the other tables are not comparable with this one." if measured else "."
    return Group(_title(conditions), sentence + _frames(rows), tuple(rows), tuple(remarks(conditions.dataset)))


def _why_alone(conditions: Conditions, published: Sequence[Row]) -> str:
    dataset = conditions.dataset
    same_data = [row.conditions for row in published if row.conditions.dataset == dataset]
    if not same_data:
        return f"There are no published numbers for {dataset}."
    if conditions.trained_on is not None:
        return (
            f"The published numbers of {dataset} are not comparable: their networks were trained on {dataset}, "
            f"and this one on {conditions.trained_on}."
        )
    if conditions.deviations:
        return f"The published numbers of {dataset} are not comparable: here, {' and '.join(conditions.deviations)}."
    rules = conditions.population, conditions.protocol
    same_rules = next((other for other in same_data if (other.population, other.protocol) == rules), None)
    if same_rules is None:
        return f"There are no published numbers for {dataset} with the protocol {conditions.protocol_text}."
    return (
        f"The dataset is named {dataset}, but the published numbers have other queries and galleries: "
        f"{_counted(same_rules)}."
    )


def _title(conditions: Conditions) -> str:
    trained = "" if conditions.trained_on is None else f", trained on {conditions.trained_on}"
    return f"{conditions.dataset}, protocol {conditions.protocol_text}{trained}"


def _counted(conditions: Conditions) -> str:
    counts = conditions.counts
    if counts is None:
        return "unknown numbers of queries and gallery tracklets"
    pairs = (
        f"{name.replace('_', ' ')} {counts[name]['queries']:,} queries among {counts[name]['gallery']:,}"
        for name in DIRECTIONS
    )
    return ", ".join(pairs)


def _frames(rows: Sequence[Row]) -> str:
    frames = list(dict.fromkeys(row.frames for row in rows))
    return f" Rows differ in their frames: {', '.join(frames)}." if len(frames) > 1 else ""


def _training_data(rows: Sequence[Row]) -> str:
    data = list(dict.fromkeys(row.training_data for row in rows if row.training_data is not None))
    if len(data) < 2:
        return ""
    prints = ", ".join(fingerprint[:LENGTH] for fingerprint in data)
    return f" Rows differ in the data that they were trained on, with the fingerprints {prints}."


def short(conditions: Conditions) -> str:
    """Return the first digits of the fingerprint."""
    if conditions.protocol is None or conditions.fingerprint is None:
        return "unknown"
    return conditions.fingerprint[:LENGTH]
