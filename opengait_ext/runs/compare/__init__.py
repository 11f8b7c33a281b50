"""Comparison of runs with published numbers and of two runs with each other."""

from opengait_ext.runs.compare.diff import Difference, as_text, differences
from opengait_ext.runs.compare.groups import Group, group_rows, relevant
from opengait_ext.runs.compare.markdown import as_json, as_markdown
from opengait_ext.runs.compare.published import published_rows
from opengait_ext.runs.compare.rows_of_runs import measured_rows

__all__ = [
    "Difference",
    "Group",
    "as_json",
    "as_markdown",
    "as_text",
    "differences",
    "group_rows",
    "measured_rows",
    "published_rows",
    "relevant",
]
