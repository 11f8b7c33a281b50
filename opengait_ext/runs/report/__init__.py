"""A self-contained HTML page about a tested run."""

from opengait_ext.runs.report.build import build_report

__all__ = ["build_report"]
