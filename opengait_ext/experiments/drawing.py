"""Generation of the synthetic data that runs need."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate
from opengait_ext.experiments.jobs import Job


def draw_data(jobs: Iterable[Job], root: str | None, config: SyntheticConfig) -> None:
    """Generate the synthetic data of the seeds of all unfinished jobs; existing data is kept.

    Args:
        root: folder of each seed's data, with the placeholder {seed}; None if the data is not drawn.
        config: what is drawn, with another seed.

    Raises:
        SettingsError: a folder holds something else.
    """
    if root is None:
        return
    for seed in dict.fromkeys(job.seed for job in jobs if not job.done):
        folder = Path(root.format(seed=seed))
        generate(folder, replace(config, seed=seed), workers=os.cpu_count() or 1, progress=True)
