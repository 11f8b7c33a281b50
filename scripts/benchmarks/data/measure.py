"""The measurement: all ways over the same tracklets in one run, in turns, medians of several rounds."""

import gc
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from opengait.data.packs.write import write_pack
from opengait.errors import DataError
from opengait_ext.data import HITSZVCM
from scripts.benchmarks.data.ways import NAMES, ours, pickled, plain, write_pickles

# Float64 arithmetic in (c) and its rounding to float32: a few units in the last place of numbers up to 2.7.
TOLERANCE = 2e-6

Start = Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes:
        frames: picked of each tracklet.
        frame_size: (height, width) of the batches.
        batch: tracklets a batch.
        workers: loading processes.
        augment: training's augmentation instead of test's normalisation.
        cold: drop the files from the system's page cache before each round; in this process only, without workers.
        rounds: how often each way is measured.
        least: tracklets a round at least; a smaller data set is gone through several times, but not when cold.
    """

    frames: int = 6
    frame_size: tuple[int, int] = (256, 128)
    batch: int = 16
    workers: int = 0
    augment: bool = False
    cold: bool = False
    rounds: int = 5
    least: int = 256

    def picking(self) -> dict[str, Any]:
        """The sampler section's keys about frames."""
        pick = "segment_random" if self.augment else "segment_first"
        return {"sample_type": f"fixed_{pick}", "frames_num_fixed": self.frames}

    def repeated(self, tracklets: list) -> list:
        """Whole batches of `tracklets`; where there are fewer than `least`, again and again."""
        if self.cold:
            return tracklets[: max(1, len(tracklets) // self.batch) * self.batch]
        batches = max(1, -(-max(self.least, len(tracklets)) // self.batch))
        return [tracklets[place % len(tracklets)] for place in range(batches * self.batch)]


class Taken(NamedTuple):
    """Seconds of a round on the clock, and of computing in the main process and in its workers."""

    clock: float
    main: float
    workers: float


@dataclass(frozen=True)
class Speed:
    """What was measured of one way with some settings; `tracklets` is how many a round has."""

    way: str
    settings: Settings
    rounds: tuple[Taken, ...]
    tracklets: int

    def seconds(self, what: str) -> float:
        """Seconds a tracklet, the median of the rounds; `what` is `clock`, `main` or `workers`."""
        return statistics.median(getattr(taken, what) for taken in self.rounds) / self.tracklets


class Bench:
    """The four ways over one data set.

    Args:
        root: the data set, in HITSZ-VCM's layout.
        work: a folder for the pack and the pickles, which are made if they are not there.
        settings: what is measured.
        tracklets: how many of the training tracklets at most; None for all.
        progress: show bars.
    """

    def __init__(
        self, root: Path, work: Path, settings: Settings, tracklets: int | None = None, progress: bool = False
    ) -> None:
        self.settings = settings
        self.raw = HITSZVCM(root)
        write_pack(root, work / "pack", progress=progress)
        self.pack = HITSZVCM(work / "pack")
        self.once = self.raw.train[:tracklets]
        self.of_pack = self.pack.train[:tracklets]
        self.pickles = write_pickles(self.once, work / "pickles", settings.frame_size, progress)

    def ways(self, settings: Settings) -> dict[str, Start]:
        """Each way as a function that starts a round: an iterator over the batches."""
        once, of_pack, pickles = (settings.repeated(part) for part in (self.once, self.of_pack, self.pickles))
        return {
            "raw": ours(self.raw, once, settings),
            "pack": ours(self.pack, of_pack, settings),
            "pickle": pickled(pickles, once, settings),
            "plain": plain(once, settings),
        }

    def files(self) -> dict[str, list[Path]]:
        """What each way reads."""
        frames = [frame for tracklet in self.once for frame in tracklet.frames]
        assert self.pack.pack is not None
        return {"raw": frames, "pack": self.pack.pack.shards, "pickle": self.pickles, "plain": frames}

    def bytes_read(self) -> dict[str, float]:
        """Mean bytes of the files (or parts of the pack) that each way reads for a tracklet."""
        frames = sum(frame.stat().st_size for tracklet in self.once for frame in tracklet.frames)
        mean = frames / sum(len(tracklet.frames) for tracklet in self.once) * self.settings.frames
        whole = sum(path.stat().st_size for path in self.pickles) / len(self.pickles)
        return {"raw": mean, "pack": mean, "pickle": whole, "plain": mean}

    def check(self) -> dict[str, float]:
        """The largest difference of each way from (a) in test mode.

        Raises:
            DataError: one gives other numbers, so that times could not be compared.
        """
        settings = replace(self.settings, workers=0, augment=False, cold=False, least=1)
        largest = dict.fromkeys(NAMES, 0.0)
        rounds = {name: start() for name, start in self.ways(settings).items()}
        for batches in zip(*rounds.values(), strict=True):
            for name, batch in zip(rounds, batches, strict=True):
                largest[name] = max(largest[name], float((batch - batches[0]).abs().max()))
        for name, difference in largest.items():
            if difference > TOLERANCE:
                raise DataError(f"{NAMES[name]} gives other frames than (a): they differ by {difference:.2g}.")
        return largest

    def measure(self, settings: Settings, bar: tqdm) -> list[Speed]:
        """Time all ways with these settings, one round of each after the other."""
        starts = self.ways(settings)
        files = self.files()
        rounds: dict[str, list[Taken]] = {name: [] for name in starts}
        tracklets = len(settings.repeated(self.once))
        for number in range(settings.rounds + 1):
            for name, start in starts.items():
                if settings.cold:
                    # What a process has mapped stays in memory.
                    self.pack.pack.close()
                    gc.collect()
                    forget(files[name])
                taken = run(start, tracklets)
                bar.update()
                # The first round starts the workers and fills the page cache.
                if number:
                    rounds[name].append(taken)
        return [Speed(name, settings, tuple(taken), tracklets) for name, taken in rounds.items()]


def measure_all(
    bench: Bench, workers: Sequence[int], phases: Sequence[bool], cold: bool = False, progress: bool = False
) -> list[Speed]:
    """Measure every number of workers in test (False) and training (True), and with `cold` reading from the disk."""
    chosen = [replace(bench.settings, workers=count, augment=phase) for phase in phases for count in workers]
    if cold:
        chosen += [replace(bench.settings, workers=0, augment=phase, cold=True) for phase in phases]
    total = len(chosen) * (bench.settings.rounds + 1) * len(NAMES)
    with tqdm(total=total, desc="measuring", unit="round", disable=not progress) as bar:
        return [speed for settings in chosen for speed in bench.measure(settings, bar)]


def run(start: Start, tracklets: int) -> Taken:
    """Go through one round of batches."""
    before = clocks()
    seen = sum(len(batch) for batch in start())
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    assert seen == tracklets
    return Taken(*(now - then for now, then in zip(clocks(), before, strict=True)))


def clocks() -> tuple[float, float, float]:
    """The time, the processor time of this process, and that of its living children where the system tells it."""
    ticks = 0
    for child in multiprocessing.active_children():
        status = Path(f"/proc/{child.pid}/stat")
        if status.exists():
            # After the name in brackets; user and system time are the 14th and 15th field of the line.
            ticks += sum(map(int, status.read_text().rpartition(")")[2].split()[11:13]))
    others = ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0
    return time.perf_counter(), time.process_time(), others


def forget(files: Iterable[Path]) -> None:
    """Drop files from the page cache, so that they are read from the disk again.

    Raises:
        DataError: the system has no call for it.
    """
    if not hasattr(os, "posix_fadvise"):
        raise DataError("This system cannot forget what it read from the disk; leave out --cold.")
    for path in dict.fromkeys(files):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
