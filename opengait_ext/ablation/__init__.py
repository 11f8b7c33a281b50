"""Tables 3 to 9 and Figure 4 of the paper: plans of their runs, and tables of the results."""

from opengait_ext.ablation.jobs import DATA, Job, plan_jobs
from opengait_ext.ablation.results import MeasuredTable, measure
from opengait_ext.ablation.tables import Row, Table, read_tables
from opengait_ext.experiments.devices import Device, devices_of
from opengait_ext.experiments.launch import run_jobs

__all__ = [
    "DATA",
    "Device",
    "Job",
    "MeasuredTable",
    "Row",
    "Table",
    "devices_of",
    "measure",
    "plan_jobs",
    "read_tables",
    "run_jobs",
]
