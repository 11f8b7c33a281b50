"""Parallel runs of jobs as processes of the engine; finished jobs are skipped."""

import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from opengait_ext.ablation.devices import Device
from opengait_ext.ablation.jobs import Job

STOPS_WITHIN = 60  # seconds after which a process that has not saved its checkpoint and ended is killed


class RunFailed(Exception):
    """A run ended with an error, whose message this is."""


def run_jobs(jobs: Sequence[Job], devices: Sequence[Device], report: Callable[[str], None]) -> dict[Job, str]:
    """Train and test every unfinished job, one at a time per device.

    An interrupted training continues from its newest checkpoint.

    Args:
        report: called with a line about every run that starts or ends.

    Returns:
        The error message of each failed job; the other jobs continue.

    Raises:
        KeyboardInterrupt: raised again once the running processes have ended.
    """
    waiting = [job for job in jobs if not job.done]
    for job in waiting:
        job.write_config()
    runner = _Runner(len(jobs) - len(waiting), len(jobs), report)
    free: queue.SimpleQueue[Device] = queue.SimpleQueue()
    for device in devices:
        free.put(device)

    def work(job: Job) -> None:
        device = free.get()
        try:
            runner.run(job, device)
        finally:
            free.put(device)

    with ThreadPoolExecutor(len(devices)) as pool:
        futures = [pool.submit(work, job) for job in waiting]
        try:
            for future in futures:
                future.result()
        finally:
            # Processes are still running only if the wait was interrupted.
            pool.shutdown(wait=False, cancel_futures=True)
            runner.stop()
    return runner.failures


class _Runner:
    def __init__(self, done: int, total: int, report: Callable[[str], None]) -> None:
        self.done = done
        self.total = total
        self.report = report
        self.failures: dict[Job, str] = {}
        self.processes: list[subprocess.Popen] = []
        self.lock = threading.Lock()
        self.stopped = False

    def run(self, job: Job, device: Device) -> None:
        start = time.monotonic()
        self.report(f"{job.title}: starts on {device.title}")
        try:
            with job.log.open("a", encoding="utf-8") as log:
                newest = job.newest_checkpoint()
                if newest < job.total:
                    self.phase(job, device, log, "train", *(["--iter", str(newest)] if newest else []))
                self.phase(job, device, log, "test", "--iter", str(job.total))
        except RunFailed as error:
            self.failures[job] = str(error)
        with self.lock:
            self.done += 1
        if not self.stopped:
            ended = self.failures.get(job) or f"done in {time.monotonic() - start:.0f} s"
            self.report(f"[{self.done}/{self.total}] {job.title}: {ended}")

    def phase(self, job: Job, device: Device, log: IO[str], phase: str, *more: str) -> None:
        command = [*device.command, "--cfgs", str(job.config_file), "--phase", phase, *more]
        start = log.tell()
        with self.lock:
            if self.stopped:
                raise RunFailed("stopped")
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | device.environment
            )
            self.processes.append(process)
        status = process.wait()
        self.processes.remove(process)
        if status:
            raise RunFailed(_reason(job, start) or f"the {phase} ended with status {status}; see {job.log}")

    def stop(self) -> None:
        """End the running processes."""
        with self.lock:
            self.stopped = True
            running = list(self.processes)
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()


def _reason(job: Job, start: int) -> str | None:
    """Return the engine's last error message after position `start` of the log, if there is one."""
    with job.log.open(encoding="utf-8", errors="replace") as log:
        log.seek(start)
        errors = [line.removeprefix("error: ").strip() for line in log if line.startswith("error: ")]
    return errors[-1] if errors else None
