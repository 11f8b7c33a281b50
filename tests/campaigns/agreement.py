"""Readers and checks of datasets must agree about what stops a reader."""

from collections.abc import Callable

from opengait.errors import UserError
from opengait_ext.data.check.report import Report


def agree(read: Callable[[], object], check: Callable[[Report], object], report: Report) -> None:
    """Read data and check it.

    Raises:
        UserError: the reader's error, which the check reported too.
        AssertionError: only one of the two found a fatal problem.
    """
    refused = None
    try:
        check(report)
        report.text()
    except UserError as error:
        refused = error
    fatal = [str(problem) for problem in report.problems if problem.fatal]
    try:
        read()
    except UserError as error:
        assert refused or fatal, f"the check says nothing of: {error}"
        raise
    assert not refused and not fatal, f"the reader says nothing of: {refused or fatal[0]}"
