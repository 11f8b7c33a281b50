"""Drawing the synthetic data of every seed that needs some."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from opengait.errors import DataError
from opengait_ext.ablation.jobs import DATA, PROJECT, Job

GENERATE = PROJECT / "datasets/synthetic_vvi/generate.py"


def draw_data(jobs: Iterable[Job], data: str) -> None:
    """Draw what the jobs that are not done read, as the demo does; what is there already is left as it is.

    Raises:
        DataError: the generator refuses.
    """
    if DATA[data].root is None:
        return
    seeds = {job.config["data_cfg"]["dataset_root"]: job.seed for job in jobs if not job.done}
    for root, seed in seeds.items():
        command = [sys.executable, str(GENERATE), "--demo", "--out", root, "--seed", str(seed)]
        done = subprocess.run([*command, "--workers", str(os.cpu_count() or 1)], stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise DataError(f"The synthetic data {Path(root)} could not be drawn; the reason stands above.")
