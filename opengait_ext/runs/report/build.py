"""The page, from a run folder."""

from collections.abc import Sequence
from pathlib import Path

from opengait.utils.files import write_text
from opengait_ext.runs.report import numbers, pictures
from opengait_ext.runs.report.html import page
from opengait_ext.runs.report.subject import Subject
from opengait_ext.runs.tested_run import open_runs


def build_report(
    run: str | Path,
    out: str | Path,
    against: str | Path | None = None,
    animations: int = 4,
    queries: int = 4,
    worst: int = 12,
    overrides: Sequence[str] = (),
    seed: int = 0,
    people: Sequence[str] | None = None,
) -> Path:
    """Write `out`/index.html about a run's last test.

    Args:
        run: a run folder, or a test's JSON file, with saved features.
        out: folder to write into.
        against: another run on the same tracklets, drawn beside it.
        animations: how many people are shown moving.
        queries: ranked lists a direction.
        worst: rows a direction in the table of failures.
        overrides: changes to the run's configuration, such as where the data is now.
        seed: of the random queries.
        people: numbers of those who are shown moving and looked at by the network; None spreads them evenly.

    Raises:
        DataError: there is no such test, it kept no features, the two runs were not tested alike, or nobody has such a
            number.
    """
    subject = Subject(open_runs([run] + ([against] if against is not None else [])), tuple(overrides), seed)
    sections = [
        numbers.results_section(subject),
        pictures.lists_section(subject, queries),
        numbers.distances_section(subject),
        *pictures.network_sections(subject, animations, people),
        pictures.worst_section(subject, worst),
        numbers.breakdown_section(subject),
        numbers.map_section(subject),
        *numbers.training_sections(subject),
        numbers.card_section(subject),
    ]
    first, *others = subject.runs
    tested = f"iteration {first.content.get('iteration')}, {len(first.features):,} tracklets, {first.file.name}"
    about = [f"{first.name}: {tested}.", *(f"Beside it: {other.name}." for other in others), *subject.remarks]
    file = Path(out) / "index.html"
    write_text(file, page(f"{first.card.get('model') or first.name} on {first.content['dataset']}", about, sections))
    return file
