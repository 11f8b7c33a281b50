"""Generation of the synthetic data that runs need."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from opengait.errors import DataError
from opengait_ext.ablation.jobs import DATA, PROJECT, Job

GENERATE = PROJECT / "datasets/synthetic_vvi/generate.py"


def draw_data(jobs: Iterable[Job], data: str) -> None:
    """Generate the synthetic data of all unfinished jobs, as the demo does; existing data is kept.

    Raises:
        DataError: the generator fails.
    """
    if DATA[data].root is None:
        return
    seeds = {job.config["data_cfg"]["dataset_root"]: job.seed for job in jobs if not job.done}
    for root, seed in seeds.items():
        command = [sys.executable, str(GENERATE), "--demo", "--out", root, "--seed", str(seed)]
        command += ["--workers", str(os.cpu_count() or 1)]
        process = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if process.returncode:
            raise DataError(f"The synthetic data {Path(root)} could not be generated; see the error above.")
