"""Parallel runs of jobs as processes; finished jobs are skipped, and a job waits for those that it needs."""

import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import IO

from opengait.shipped import PACKAGES
from opengait_ext.experiments.devices import Device
from opengait_ext.experiments.jobs import Job, Step

STOPS_WITHIN = 60  # seconds after which a process that has not saved its checkpoint and ended is killed


class RunFailed(Exception):
    """A run ended with an error, whose message this is."""


def run_jobs(jobs: Sequence[Job], devices: Sequence[Device], report: Callable[[str], None]) -> dict[Job, str]:
    """Do every unfinished job, one at a time per device, those that it needs first.

    An interrupted training continues from its newest checkpoint.

    Args:
        jobs: with every job, those that it needs.
        report: called with a line about every job that starts or ends.

    Returns:
        The error message of each failed job. Jobs that need it fail too; the others continue.

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

    running: dict[Future[None], Job] = {}
    with ThreadPoolExecutor(len(devices)) as pool:
        try:
            while waiting or running:
                # One job per device at a time, so that one that has waited for another still comes in its place.
                while len(running) < len(devices) and (ready := _first_ready(waiting, running.values())) is not None:
                    waiting.remove(ready)
                    failed = next((need for need in ready.needs if need in runner.failures), None)
                    if failed is None:
                        running[pool.submit(work, ready)] = ready
                    else:
                        runner.end(ready, f"needs {failed.title}, which failed.")
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    future.result()
        finally:
            # Processes are still running only if the wait was interrupted.
            pool.shutdown(wait=False, cancel_futures=True)
            runner.stop()
    return runner.failures


def _first_ready(waiting: Sequence[Job], running: Iterable[Job]) -> Job | None:
    """Return the first waiting job whose needs have all ended, or None."""
    unfinished = {*waiting, *running}
    return next((job for job in waiting if unfinished.isdisjoint(job.needs)), None)


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
        failure = None
        try:
            with job.log.open("a", encoding="utf-8") as log:
                for step in job.steps():
                    self.step(job, step, device, log)
        except RunFailed as error:
            failure = str(error)
        self.end(job, failure, time.monotonic() - start)

    def end(self, job: Job, failure: str | None, seconds: float = 0) -> None:
        """Record how a job ended, and report it."""
        if failure is not None:
            self.failures[job] = failure
        with self.lock:
            self.done += 1
        if not self.stopped:
            self.report(f"[{self.done}/{self.total}] {job.title}: {failure or f'done in {seconds:.0f} s'}")

    def step(self, job: Job, step: Step, device: Device, log: IO[str]) -> None:
        command = [*device.command(step.module), *step.arguments]
        # Modules are those of this process, from any working directory.
        paths = os.pathsep.join(filter(None, (str(PACKAGES), os.environ.get("PYTHONPATH"))))
        environment = os.environ | {"PYTHONPATH": paths} | device.environment
        start = log.tell()
        with self.lock:
            if self.stopped:
                raise RunFailed("stopped")
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
            self.processes.append(process)
        status = process.wait()
        self.processes.remove(process)
        if status:
            raise RunFailed(_reason(job, start) or f"the {step.name} ended with status {status}; see {job.log}")

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
    """Return the last error message after position `start` of the log, if there is one."""
    with job.log.open(encoding="utf-8", errors="replace") as log:
        log.seek(start)
        errors = [line.removeprefix("error: ").strip() for line in log if line.startswith("error: ")]
    return errors[-1] if errors else None
