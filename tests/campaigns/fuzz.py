"""Feed damaged files to the readers of the product, and accept nothing but the project's errors.

    python -m tests.campaigns.fuzz [--count 1000] [--seed 0] [--workers 1] [TARGET ...]
    python -m tests.campaigns.fuzz --case 17 pickle

`--count` files are made per target (`tests/campaigns/targets/`), from its valid files and a seed; `--case` repeats one
of them in this process, with its traceback. A finding is

- an exception other than a `UserError`, or a message of several lines;
- a reader that is not done within ten seconds, or whose process dies;
- more than one GiB of memory for one file;
- code run: payloads in the files create a canary file.

The exit status is 1 if there is a finding; the files are kept where the output says.
"""

import argparse
import importlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from opengait.errors import UserError
from tests.campaigns.mutate import mutated

TARGETS = Path(__file__).with_name("targets")
SECONDS, MEMORY = 10.0, 1 << 30
READ, REJECTED = "read", "rejected"


class Case(NamedTuple):
    """A damaged file: the number of a kind of damage under a seed, applied to one of a target's samples."""

    target: str
    number: int
    seed: int


class Finding(NamedTuple):
    """What a reader did with a damaged file, and where the file is kept."""

    case: Case
    what: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.case.target} --seed {self.case.seed} --case {self.case.number}: {self.what}  [{self.file}]"


@dataclass
class Tally:
    """The result of a campaign: how many files were read and rejected, and the findings."""

    counts: Counter = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        lines = []
        for target in sorted(
            {target for target, _ in self.counts} | {finding.case.target for finding in self.findings}
        ):
            read, rejected = self.counts[target, READ], self.counts[target, REJECTED]
            found = sum(finding.case.target == target for finding in self.findings)
            lines.append(
                f"{target:20} {read + rejected + found:7,} files: {read:6,} read, {rejected:6,} rejected, "
                f"{found:4,} findings"
            )
        return "\n".join([*lines, *map(str, self.findings)])


def target_names() -> list[str]:
    """Return the names of all targets."""
    return sorted(path.stem for path in TARGETS.glob("[a-z]*.py"))


def run(
    cases: Iterable[Case],
    folder: Path,
    workers: int = 1,
    package: str = "tests.campaigns.targets",
    seconds: float = SECONDS,
) -> Tally:
    """Read damaged files in worker processes.

    Args:
        cases: the files.
        folder: an empty folder for samples, and for the files of findings.
        workers: number of processes.
        package: the package of the targets.
        seconds: how long a reader may take.
    """
    cases = list(cases)
    tally = Tally()
    with ThreadPoolExecutor(workers) as pool:
        shares = pool.map(
            lambda worker: list(
                _read_all(cases[worker::workers], _Setup(folder / f"worker{worker}", package, seconds))
            ),
            range(workers),
        )
        for case, verdict, file in (result for share in shares for result in share):
            if verdict in (READ, REJECTED):
                tally.counts[case.target, verdict] += 1
            else:
                tally.findings.append(Finding(case, verdict, file))
    return tally


class _Setup(NamedTuple):
    """The folder of a worker process, the package of its targets, and how long a reader may take."""

    folder: Path
    package: str
    seconds: float


def _read_all(cases: Sequence[Case], setup: _Setup) -> Iterator[tuple[Case, str, str]]:
    """Yield each case with its verdict and, for a finding, its file."""
    process: Any = None
    for case in cases:
        if process is None:
            process = _Process(setup)
        verdict = process.verdict(case)
        file = ""
        if verdict not in (READ, REJECTED):
            kept = setup.folder / "findings" / f"{case.target}-{case.seed}-{case.number}"
            kept.parent.mkdir(exist_ok=True)
            if (setup.folder / "damaged").exists():
                shutil.copyfile(setup.folder / "damaged", kept)
            file = str(kept)
        yield case, verdict, file
        if not process.alive:
            process = None
    if process is not None:
        process.end()


class _Process:
    """A worker process, which reads one case after the other until one takes too long or kills it."""

    def __init__(self, setup: _Setup) -> None:
        self.seconds = setup.seconds
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        setup.folder.mkdir(parents=True, exist_ok=True)
        self.process = context.Process(target=_work, args=(other, setup.folder, setup.package), daemon=True)
        self.process.start()
        other.close()
        self.connection.recv()  # imports are done
        self.alive = True

    def verdict(self, case: Case) -> str:
        try:
            self.connection.send(case)
            self.connection.recv()  # the samples are written, the file is damaged
            if self.connection.poll(self.seconds):
                return self.connection.recv()
            verdict = f"not done after {self.seconds:g} s"
        except (EOFError, ConnectionError):
            self.process.join(5)
            verdict = f"the process died (exit status {self.process.exitcode})"
        self.end()
        return verdict

    def end(self) -> None:
        self.alive = False
        self.process.kill()
        self.process.join()
        self.connection.close()


def _work(connection: Connection, folder: Path, package: str) -> None:
    """Read the cases that arrive, in this process."""
    # The readers may print; the results travel through the connection.
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    importlib.import_module("opengait.data.frames")
    connection.send("ready")
    bench = Bench(folder, package)
    while True:
        try:
            case = connection.recv()
        except EOFError:
            return
        path = bench.damage(case)
        connection.send("go")
        connection.send(bench.verdict(case, path))


class Bench:
    """The samples of targets in a folder, one of which is damaged at a time."""

    def __init__(self, folder: Path, package: str = "tests.campaigns.targets") -> None:
        self.folder = folder
        self.package = package
        self.canary = folder / "canary"
        self.samples: dict[str, dict[Path, bytes]] = {}

    def damage(self, case: Case) -> Path:
        """Damage one of the samples, and return its path."""
        rng = random.Random(f"{case.target}/{case.seed}/{case.number}")
        samples = self._samples_of(case.target)
        path = list(samples)[case.number % len(samples)]
        data = mutated(samples[path], rng, list(samples.values()), self.canary)
        # A new file under the old name, since another reader may still map the old one.
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        (self.folder / "damaged").write_bytes(data)
        return path

    def verdict(self, case: Case, path: Path) -> str:
        """Read a damaged file, restore it, and return `READ`, `REJECTED` or the description of a finding."""
        read = self._module(case.target).read
        limit_memory(MEMORY)
        try:
            read(path)
            verdict = READ
        except UserError as error:
            verdict = _of_rejection(error)
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            verdict = f"{type(error).__name__}: {str(error)[:200]!r} at {place.filename}:{place.lineno}"
        finally:
            limit_memory(None)
            path.unlink(missing_ok=True)
            path.write_bytes(self.samples[case.target][path])
        if self.canary.exists():
            self.canary.unlink()
            verdict = f"code was run; then: {verdict}"
        return verdict

    def _module(self, target: str) -> Any:
        return importlib.import_module(f"{self.package}.{target}")

    def _samples_of(self, target: str) -> dict[Path, bytes]:
        """Write the samples of a target once, and read each of them, which must succeed."""
        if target not in self.samples:
            module, folder = self._module(target), self.folder / "samples" / target
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            paths = module.samples(folder)
            for path in paths:
                module.read(path)
            self.samples[target] = {path: path.read_bytes() for path in paths}
        return self.samples[target]


def _of_rejection(error: UserError) -> str:
    if "\n" in str(error).strip():
        return f"a message of several lines: {str(error)[:200]!r}"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return f"more than {MEMORY >> 20:,} MiB of memory, then: {str(error)[:200]}"
        cause = cause.__cause__ or cause.__context__
    return REJECTED


def limit_memory(more: int | None) -> None:
    """Limit the address space to its present size and `more` bytes; None removes the limit. Linux only."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = hard
    if more is not None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        soft = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: all of {', '.join(target_names())}")
    parser.add_argument("--count", type=int, default=1000, help="damaged files per target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--case", type=int, help="read only this file, in this process")
    options = parser.parse_args(arguments)
    targets = options.targets or target_names()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    if options.case is not None:
        bench = Bench(folder)
        for target in targets:
            path = bench.damage(Case(target, options.case, options.seed))
            print(f"{path} is damaged as {folder / 'damaged'}", flush=True)
            bench._module(target).read(path)
        return 0
    cases = [Case(target, number, options.seed) for number in range(options.count) for target in targets]
    tally = run(cases, folder, options.workers)
    print(tally)
    if tally.findings:
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
