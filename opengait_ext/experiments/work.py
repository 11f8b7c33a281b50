"""What the commands of experiments do with a plan: check it, list it or carry it out, and say how it goes."""

import sys
from collections.abc import Sequence

from opengait_ext.data.synthetic_vvi import SyntheticConfig
from opengait_ext.experiments.devices import devices_of
from opengait_ext.experiments.drawing import draw_data
from opengait_ext.experiments.jobs import Job
from opengait_ext.experiments.launch import run_jobs


def work(
    jobs: Sequence[Job], devices: Sequence[str], root: str | None, config: SyntheticConfig, dry_run: bool = False
) -> dict[Job, str] | None:
    """Do the unfinished jobs, after drawing their data.

    Args:
        devices: see `devices_of`.
        root: folder of each seed's synthetic data, with the placeholder {seed}, or None.
        config: what is drawn there.
        dry_run: list the jobs and their state only.

    Returns:
        The error message of each failed job; None after a dry run.

    Raises:
        ConfigError: a device cannot be used, or a folder holds a run with other settings.
    """
    chosen = devices_of(devices)
    for job in jobs:
        job.check()
    left = sum(not job.done for job in jobs)
    log(f"{len(jobs)} runs, {len(jobs) - left} done; on {', '.join(device.title for device in chosen)}")
    if dry_run:
        for job in jobs:
            log(f"{'done' if job.done else 'to do':<6} {job.title:<40} {job.folder}")
        return None
    draw_data(jobs, root, config)
    return run_jobs(jobs, chosen, log)


def log(text: str) -> None:
    """Print progress to standard error; standard output holds the tables only."""
    print(text, file=sys.stderr, flush=True)
