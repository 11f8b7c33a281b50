"""Tables 3 to 9 and Figure 4 of the paper: plans of their runs, and tables of the results."""

from opengait_ext.ablation.jobs import DATA, plan_jobs
from opengait_ext.ablation.results import MeasuredTable, measure
from opengait_ext.ablation.tables import Row, Table, read_tables

__all__ = [
    "DATA",
    "MeasuredTable",
    "Row",
    "Table",
    "measure",
    "plan_jobs",
    "read_tables",
]
