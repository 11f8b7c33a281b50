"""Generation of the synthetic data that runs need."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from opengait_ext.ablation.jobs import DATA, Job
from opengait_ext.data.synthetic_vvi import DEMO, generate


def draw_data(jobs: Iterable[Job], data: str) -> None:
    """Generate the synthetic data of all unfinished jobs, as the demo does; existing data is kept.

    Raises:
        SettingsError: a folder holds something else.
    """
    if DATA[data].root is None:
        return
    seeds = {job.config["data_cfg"]["dataset_root"]: job.seed for job in jobs if not job.done}
    for root, seed in seeds.items():
        generate(Path(root), replace(DEMO, seed=seed), workers=os.cpu_count() or 1, progress=True)
