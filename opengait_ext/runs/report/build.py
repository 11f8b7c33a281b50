"""Assembly of the report page from a run folder."""

import logging
from collections.abc import Sequence
from pathlib import Path

from opengait.utils.files import check_writable, write_text
from opengait_ext.runs.report import frame_sections, number_sections
from opengait_ext.runs.report.html import note, page
from opengait_ext.runs.report.pictures import remove_unused, with_pictures_beside
from opengait_ext.runs.report.queries import queries_section
from opengait_ext.runs.report.subject import Subject
from opengait_ext.runs.report.summary import summary_section
from opengait_ext.runs.tested_run import open_runs

log = logging.getLogger("opengait")


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
    """Write `out`/index.html about the last test of a run, with `out`/pictures if it were too large otherwise.

    Args:
        run: a run folder, or a test's JSON file, with saved features.
        out: folder to write into.
        against: another run on the same tracklets to compare with.
        animations: number of people in the animations.
        queries: ranked lists per direction.
        worst: rows per direction in the table of the worst queries.
        overrides: changes to the run's configuration, such as where the data is now.
        seed: seed of the random queries.
        people: numbers of the people whose silhouettes are shown; None chooses them evenly spread.

    Returns:
        The path of the page.

    Raises:
        DataError: the test does not exist, it saved no features, the two runs are not comparable, or a person is
            not in the test.
    """
    file = Path(out) / "index.html"
    check_writable(file)
    subject = Subject(open_runs([run] + ([against] if against is not None else [])), tuple(overrides), seed)

    sections = [
        summary_section(subject),
        number_sections.results_section(subject),
        *number_sections.open_set_sections(subject),
        frame_sections.lists_section(subject, queries),
        queries_section(subject),
        number_sections.people_section(subject),
        frame_sections.worst_section(subject, worst),
        number_sections.distances_section(subject),
        *frame_sections.network_sections(subject, animations, people),
        number_sections.breakdown_section(subject),
        number_sections.map_section(subject),
        *number_sections.training_sections(subject),
        number_sections.card_section(subject),
    ]
    remarks = subject.all_remarks()
    for remark in remarks:
        log.warning(remark)
    first, *others = subject.runs
    about = [note(f"{first.name}: {first.file.name}."), *(note(f"Compared with: {other.name}.") for other in others)]
    about += [note(remark, "remark") for remark in remarks]
    title = f"{first.card.get('model') or first.name} on {first.content['dataset']}"
    text = page(title, sections, "".join(about), ("page.js", "queries.js"))
    text = with_pictures_beside(text, file.parent)
    write_text(file, text)
    remove_unused(text, file.parent)
    return file
