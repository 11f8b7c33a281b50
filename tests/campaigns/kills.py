"""Kill trainings at random moments, resume them, and compare the end with that of runs that nobody killed.

    python -m tests.campaigns.kills --count 50 --seed 0

Trains a tiny model on the CPU, alone and as two gloo ranks. Each start of a training is killed (SIGKILL) at a random
moment: as it starts, as it trains, or while it writes a checkpoint; of two ranks a random one is killed. After each
kill all checkpoints of before must be there, unchanged, and every checkpoint must load. The next start resumes from the
newest. At the end all checkpoints must equal those of an unkilled run, bit for bit.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from opengait.engine.checkpoint import checkpoints_of, load_checkpoint
from opengait.utils.files import sha256_of
from tests.opengait import tiny

TOTAL, INTERVAL = 40, 2
RUN = Path("CASIA-B/TinySil/tiny")
# Wide enough that writing a checkpoint takes some milliseconds.
OUTPUTS = 1024


def write_experiment(folder: Path) -> Path:
    """Write a data set and the configuration of the training; return the configuration."""
    tiny.write_dataset(folder / "data")
    trainer = {"total_iter": TOTAL, "save_iter": INTERVAL, "log_iter": INTERVAL}
    model = {
        "dropout": 0.3,
        "SeparateFCs": {"in_channels": 6, "out_channels": OUTPUTS, "parts_num": 16},
        "SeparateBNNecks": {"class_num": 4, "in_channels": OUTPUTS, "parts_num": 16},
    }
    return tiny.write_config(folder, trainer_cfg=trainer, model_cfg=model)


def start(config: Path, output: Path, world: int) -> list[BaseProcess]:
    """Start the ranks of a training, which resumes if it can; forked, so that a start takes no seconds of imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["opengait.main", "tests.opengait.tiny_parts"])
    arguments = ["--cfgs", str(config), "--phase", "train", "--set", f"trainer_cfg.output_root={output}"]
    if checkpoints_of(output / RUN):
        arguments.append("--resume")
    port = _free_port() if world > 1 else 0
    ranks = [
        context.Process(target=_train, args=(arguments, rank, world, port, output.with_suffix(f".{rank}.log")))
        for rank in range(world)
    ]
    for process in ranks:
        process.start()
    return ranks


def _train(arguments: Sequence[str], rank: int, world: int, port: int, log: Path) -> None:
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if world > 1:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="localhost", MASTER_PORT=str(port)
        )
    torch.set_num_threads(1)
    from opengait.main import main

    sys.exit(main(arguments))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port: int = probe.getsockname()[1]
    return port


def finish(config: Path, output: Path, world: int) -> None:
    """Train to the end."""
    ranks = start(config, output, world)
    for process in ranks:
        process.join()
    assert all(process.exitcode == 0 for process in ranks), output.with_suffix(".0.log").read_text()[-2000:]


@dataclass
class Campaign:
    """One training that is killed again and again.

    Attributes:
        longest: seconds within which a random kill comes.
        kills: numbers of kills by what they hit.
    """

    config: Path
    output: Path
    world: int
    rng: random.Random
    longest: float
    kills: Counter[str] = field(default_factory=Counter)

    def kill(self) -> None:
        """Start the training, kill a rank at a random moment, and check the folder; a finished run starts anew."""
        before = self.digests()
        if before and max(before) == TOTAL:
            self.restart()
            before = {}
        left = set(self.partials())
        ranks = start(self.config, self.output, self.world)
        victim = self.rng.randrange(self.world)
        aim = self.rng.choice(("start", "training", "writing"))
        if aim == "start":
            self.wait(ranks, self.rng.uniform(0, self.longest))
        else:
            self.wait_for_writing(ranks)
        if aim == "training":
            self.wait(ranks, self.rng.uniform(0, self.longest / 10))
        elif aim == "writing":
            # Rank 0 writes.
            victim = 0
        ranks[victim].kill()
        # The launcher would end the others.
        for process in ranks:
            process.kill()
            process.join()
        log = self.output.with_suffix(f".{victim}.log")
        assert ranks[victim].exitcode in (0, -signal.SIGKILL), log.read_text()[-2000:]
        self.check(before)
        if any(process.exitcode == 0 for process in ranks):
            # Too late.
            return
        moment = "elsewhere"
        if set(self.partials()) - left:
            moment = "in the writing of a checkpoint"
        elif max(self.digests(), default=0) == max(before, default=0):
            moment = "before a new checkpoint"
        self.kills[f"{f'of rank {victim} of {self.world}, ' if self.world > 1 else ''}{moment}"] += 1
        print(f"kill {self.kills.total()} of {self.world} rank(s), {moment}", file=sys.stderr, flush=True)

    def wait(self, ranks: Sequence[BaseProcess], seconds: float) -> None:
        """Wait, unless a rank ends."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and all(process.is_alive() for process in ranks):
            time.sleep(0.002)

    def restart(self) -> None:
        """Set the finished run aside."""
        done = len(list(self.output.parent.glob(f"{self.output.name}.done*")))
        self.output.rename(self.output.with_name(f"{self.output.name}.done{done}"))

    def partials(self) -> list[Path]:
        """Return the temporary files of checkpoints."""
        return list((self.output / RUN / "checkpoints").glob(".*.part*"))

    def wait_for_writing(self, ranks: Sequence[BaseProcess]) -> None:
        """Wait until a checkpoint is being written, after a random number of others."""
        seen = set(self.partials())
        for _ in range(self.rng.randint(1, 2)):
            new: set[Path] = set()
            while not new and all(process.is_alive() for process in ranks):
                time.sleep(0.0005)
                new = set(self.partials()) - seen
            seen |= new

    def digests(self) -> dict[int, str]:
        """Return the SHA-256 of each checkpoint."""
        return {iteration: sha256_of(path) for iteration, path in checkpoints_of(self.output / RUN).items()}

    def check(self, before: dict[int, str]) -> None:
        """Check that no checkpoint was lost or changed, and that every one loads."""
        after = self.digests()
        assert before.items() <= after.items(), f"checkpoints of before the kill changed: {before} {after}"
        for iteration, path in checkpoints_of(self.output / RUN).items():
            assert load_checkpoint(path)["iteration"] == iteration

    def compare(self, reference: Path) -> int:
        """Finish the training, compare all its checkpoints with those of an unkilled run, and return their number."""
        finish(self.config, self.output, self.world)
        assert not self.partials()
        expected, count = checkpoints_of(reference / RUN), 0
        for run in [self.output, *self.output.parent.glob(f"{self.output.name}.done*")]:
            checkpoints = checkpoints_of(run / RUN)
            assert checkpoints.keys() == expected.keys(), f"{sorted(checkpoints)} instead of {sorted(expected)}"
            for iteration, path in checkpoints.items():
                assert same(load_checkpoint(path), load_checkpoint(expected[iteration])), f"{path} differs"
                count += 1
        return count


def same(a: Any, b: Any) -> bool:
    """Return whether the contents of two checkpoints are equal bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else bool(a == b)


def run(count: int, seed: int, folder: Path, worlds: Sequence[int] = (1, 2)) -> Counter[str]:
    """Kill `count` times, shared among the numbers of ranks, and return what the kills hit.

    Raises:
        AssertionError: a checkpoint was lost or damaged, or the end differs from that of an unkilled run.
    """
    config = write_experiment(folder)
    kills: Counter[str] = Counter()
    for index, world in enumerate(worlds):
        reference = folder / f"reference{world}"
        began = time.monotonic()
        finish(config, reference, world)
        # A start of the training's own length may fall anywhere in it.
        campaign = Campaign(config, folder / f"killed{world}", world, random.Random(seed), time.monotonic() - began)
        share = count // len(worlds) + (index < count % len(worlds))
        while campaign.kills.total() < share:
            campaign.kill()
        compared = campaign.compare(reference)
        kills += campaign.kills
        print(f"{world} rank(s): {share} kills; {compared} checkpoints equal those of an unkilled run.", flush=True)
    return kills


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign and print the number of kills by kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="number of kills")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        kills = run(args.count, args.seed, Path(folder))
    for kind, number in sorted(kills.items()):
        print(f"{number:4d} {kind}")
    print(f"{kills.total()} kills: no checkpoint lost, every file loads, every end equals an unkilled run's.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
