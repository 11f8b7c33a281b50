"""Methods trained on the same tracklets and compared: plans of their runs, and tables of what differs for real."""

from opengait_ext.benchmark.methods import Method, Methods, read_methods
from opengait_ext.benchmark.page import as_html, as_json, as_markdown
from opengait_ext.benchmark.plan import DATA, Plan, plan_benchmark
from opengait_ext.benchmark.results import Benchmark, measure
from opengait_ext.benchmark.tuning import outcome, plan_tuning, tuning_table

__all__ = [
    "DATA",
    "Benchmark",
    "Method",
    "Methods",
    "Plan",
    "as_html",
    "as_json",
    "as_markdown",
    "measure",
    "outcome",
    "plan_benchmark",
    "plan_tuning",
    "read_methods",
    "tuning_table",
]
