"""Measurement of all ways on the same tracklets in one run, in turns, as medians of several rounds."""

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

# (c) calculates in float64 and rounds to float32: a few units in the last place of numbers up to 2.7.
TOLERANCE = 2e-6

Start = Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class Settings:
    """Settings of a measurement.

    Attributes:
        frames: frames picked per tracklet.
        frame_size: (height, width) of the batches.
        batch: tracklets per batch.
        workers: loading processes.
        augment: use the training augmentation instead of the normalisation of a test.
        cold: drop the files from the system's page cache before each round; only without workers.
        rounds: number of rounds per way.
        least: minimum of tracklets per round; a smaller dataset is repeated unless `cold`.
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
        """Return the frame keys of the sampler section."""
        pick = "segment_random" if self.augment else "segment_first"
        return {"sample_type": f"fixed_{pick}", "frames_num_fixed": self.frames}

    def repeated(self, tracklets: list) -> list:
        """Return whole batches of `tracklets`, repeated up to at least `least`."""
        if self.cold:
            return tracklets[: max(1, len(tracklets) // self.batch) * self.batch]
        batches = max(1, -(-max(self.least, len(tracklets)) // self.batch))
        return [tracklets[index % len(tracklets)] for index in range(batches * self.batch)]


class RoundTime(NamedTuple):
    """Seconds of a round: on the clock, and of processor time in the main process and in its workers."""

    clock: float
    main: float
    workers: float


@dataclass(frozen=True)
class Speed:
    """Result of one way with some settings; `tracklets` is the number per round."""

    way: str
    settings: Settings
    rounds: tuple[RoundTime, ...]
    tracklets: int

    def seconds(self, kind: str) -> float:
        """Return the median seconds per tracklet; `kind` is `clock`, `main` or `workers`."""
        return statistics.median(getattr(times, kind) for times in self.rounds) / self.tracklets


class Bench:
    """The four ways of loading one dataset.

    Args:
        root: the dataset, in HITSZ-VCM's layout.
        work: a folder for the pack and the pickles, which are written if they do not exist.
        settings: settings of the measurement.
        tracklets: maximum number of training tracklets; None for all.
        progress: show progress bars.
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
        """Return a function for each way that starts a round and returns an iterator over its batches."""
        once, of_pack, pickles = (settings.repeated(part) for part in (self.once, self.of_pack, self.pickles))
        return {
            "raw": ours(self.raw, once, settings),
            "pack": ours(self.pack, of_pack, settings),
            "pickle": pickled(pickles, once, settings),
            "plain": plain(once, settings),
        }

    def files(self) -> dict[str, list[Path]]:
        """Return the files that each way reads."""
        frames = [frame for tracklet in self.once for frame in tracklet.frames]
        assert self.pack.pack is not None
        return {"raw": frames, "pack": self.pack.pack.shards, "pickle": self.pickles, "plain": frames}

    def bytes_read(self) -> dict[str, float]:
        """Return the mean number of bytes that each way reads per tracklet."""
        frames = sum(frame.stat().st_size for tracklet in self.once for frame in tracklet.frames)
        mean = frames / sum(len(tracklet.frames) for tracklet in self.once) * self.settings.frames
        whole = sum(path.stat().st_size for path in self.pickles) / len(self.pickles)
        return {"raw": mean, "pack": mean, "pickle": whole, "plain": mean}

    def check(self) -> dict[str, float]:
        """Return the largest difference of each way from (a) in test mode.

        Raises:
            DataError: a way returns different frames, so times would not be comparable.
        """
        settings = replace(self.settings, workers=0, augment=False, cold=False, least=1)
        largest = dict.fromkeys(NAMES, 0.0)
        rounds = {name: start() for name, start in self.ways(settings).items()}
        for batches in zip(*rounds.values(), strict=True):
            for name, batch in zip(rounds, batches, strict=True):
                largest[name] = max(largest[name], float((batch - batches[0]).abs().max()))
        for name, difference in largest.items():
            if difference > TOLERANCE:
                raise DataError(f"{NAMES[name]} returns other frames than (a), by up to {difference:.2g}.")
        return largest

    def measure(self, settings: Settings, bar: tqdm) -> list[Speed]:
        """Time all ways with these settings, alternating between them."""
        starts = self.ways(settings)
        files = self.files()
        rounds: dict[str, list[RoundTime]] = {name: [] for name in starts}
        tracklets = len(settings.repeated(self.once))
        for number in range(settings.rounds + 1):
            for name, start in starts.items():
                if settings.cold:
                    # Mapped files would stay in memory.
                    self.pack.pack.close()
                    gc.collect()
                    forget(files[name])
                times = run(start, tracklets)
                bar.update()
                # The first round starts the workers and fills the page cache.
                if number:
                    rounds[name].append(times)
        return [Speed(name, settings, tuple(times), tracklets) for name, times in rounds.items()]


def measure_all(
    bench: Bench, workers: Sequence[int], phases: Sequence[bool], cold: bool = False, progress: bool = False
) -> list[Speed]:
    """Measure every number of workers in test (False) and training (True), and with `cold` also uncached reads."""
    chosen = [replace(bench.settings, workers=count, augment=phase) for phase in phases for count in workers]
    if cold:
        chosen += [replace(bench.settings, workers=0, augment=phase, cold=True) for phase in phases]
    total = len(chosen) * (bench.settings.rounds + 1) * len(NAMES)
    with tqdm(total=total, desc="measuring", unit="round", disable=not progress) as bar:
        return [speed for settings in chosen for speed in bench.measure(settings, bar)]


def run(start: Start, tracklets: int) -> RoundTime:
    """Time one round of batches."""
    before = clocks()
    seen = sum(len(batch) for batch in start())
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    assert seen == tracklets
    return RoundTime(*(now - then for now, then in zip(clocks(), before, strict=True)))


def clocks() -> tuple[float, float, float]:
    """Return the time, the processor time of this process, and that of its running children if available."""
    ticks = 0
    for child in multiprocessing.active_children():
        status = Path(f"/proc/{child.pid}/stat")
        if status.exists():
            # After the name in brackets; user and system time are the 14th and 15th field of the line.
            ticks += sum(map(int, status.read_text().rpartition(")")[2].split()[11:13]))
    others = ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0
    return time.perf_counter(), time.process_time(), others


def forget(files: Iterable[Path]) -> None:
    """Drop files from the page cache, so that they are read from disk again.

    Raises:
        DataError: the system does not support it.
    """
    if not hasattr(os, "posix_fadvise"):
        raise DataError("This system cannot drop files from its page cache; omit --cold.")
    for path in dict.fromkeys(files):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
