"""One page about a tested run, which opens from disk without a server or a network."""

from opengait_ext.runs.report.build import build_report

__all__ = ["build_report"]
