"""Measure a training step of DinoGRL part by part, also beside that of another revision of this repository.

    python scripts/benchmarks/step.py                                          # the paper's step, on CUDA if available
    python scripts/benchmarks/step.py --cfgs configs/dinogrl/demo.yaml --device cpu --beside REVISION
    python scripts/benchmarks/step.py --phase test --batch 1 1 --device cpu    # the forward pass of a test

Prints a Markdown table of the parts' milliseconds (the fastest of the steps), work and reached rate. With `--beside`
both revisions run in processes of their own that take turns, step by step. The step needs neither data nor weight
files; dropout and dropped priors are off. "Copies" are those between layouts, types and devices, which are part of the
rows above; "waits" says how often a step waits for the device.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from opengait.command_line import count, exit_status
from opengait.errors import UserError
from opengait_ext.commands.options import add_overrides
from scripts.benchmarks.step_worker import PARTS, PRECISIONS

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("step_worker.py")
ROWS = (*PARTS, "losses", "backward", "optimiser", "rest")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", default="configs/dinogrl/hitsz.yaml", metavar="FILE")
    parser.add_argument("--beside", metavar="REVISION", help="a git revision to measure in turns with this code")
    parser.add_argument("--phase", choices=("train", "test"), default="train")
    parser.add_argument(
        "--batch", type=count, nargs=2, metavar=("P", "K"), help="people, and tracklets per person and modality"
    )
    parser.add_argument("--frames", type=count, metavar="N", help="frames per tracklet")
    parser.add_argument("--steps", type=count, default=10, metavar="N", help="measured steps (default: 10)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: CUDA, if available")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), help="default: float16 on CUDA, float32 on a CPU")
    add_overrides(parser, "change settings, such as model_cfg.dimension=64")
    return parser.parse_args(argv)


class Worker:
    """A process that measures steps with the packages under `root`.

    Raises:
        UserError: the process ended; the message is the last line of its error output.
    """

    def __init__(self, root: Path, options: Sequence[str], errors: Any) -> None:
        command = [sys.executable, str(WORKER), *options]
        # The folder of the script comes first in the worker's path, but holds no package of these names.
        environment = os.environ | {"PYTHONPATH": str(root)}
        self.errors = errors
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, cwd=root
        )
        try:
            self.about = self.answer()
        except UserError:
            self.close()
            raise

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command and return its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Return the next answer, passing over what libraries print."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        self.errors.seek(0)
        raise UserError(f"The measurement failed: {(self.errors.read().strip() or 'no message').splitlines()[-1]}")

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """Yield a folder with the repository at a revision, removed afterwards.

    Raises:
        UserError: git knows no such revision.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "code.tar"
        command = ["git", "-C", str(ROOT), "archive", "--output", str(archive), revision]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"--beside {revision}: {done.stderr.strip().splitlines()[-1]}")
        subprocess.run(["tar", "-xf", str(archive), "-C", folder], check=True)
        yield Path(folder)


def options(args: argparse.Namespace) -> list[str]:
    """Return the worker's options."""
    import torch

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    precision = args.precision or ("float16" if device == "cuda" else "float32")
    chosen = ["--cfgs", str(Path(args.cfgs).resolve()), "--device", device, "--precision", precision]
    chosen += ["--phase", args.phase]
    for name, value in zip(
        ("people", "tracklets", "frames"), (*(args.batch or (None, None)), args.frames), strict=True
    ):
        chosen += [f"--{name}", str(value)] if value else []
    return [*chosen, "--set", *args.overrides]


def fastest(steps: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the seconds of every part in its fastest step, and of the fastest step as `step`."""
    parts = {part: min(step.get(part, 0.0) for step in steps) for part in ROWS}
    return parts | {"step": min(sum(step.values()) for step in steps)}


def table(seconds: dict[str, float], facts: dict[str, Any], before: dict[str, float] | None, name: str) -> list[str]:
    """Return the rows of the table; with `before`, those of the revision `name`, with columns for it."""
    old = [f" {name} | Ratio |", "---:|---:|"] if before else ["", ""]
    lines = [f"| Part | ms | GFLOP | GFLOP/s |{old[0]}", f"|---|---:|---:|---:|{old[1]}"]
    work = facts["work"] | {"step": facts["work"]["all"]}
    for part in (*ROWS, "step"):
        if not seconds[part] and not (before and before[part]):
            continue
        flops = work.get(part, 0) / 1e9
        cells = [part, f"{1000 * seconds[part]:.1f}"]
        cells += [f"{flops:.1f}", f"{flops / seconds[part]:.0f}"] if flops and seconds[part] else ["", ""]
        if before:
            ratio = f"{before[part] / seconds[part]:.2f}" if seconds[part] else ""
            cells += [f"{1000 * before[part]:.1f}", ratio]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def report(workers: Sequence[Worker], steps: int, name: str | None) -> list[str]:
    """Measure the workers in turns and return the lines of the report; the first worker is this code."""
    measured: list[list[dict[str, float]]] = [[] for _ in workers]
    for index in range(steps + 1):
        for worker, results in zip(workers, measured, strict=True):
            answer = worker.ask("step")
            if index:
                results.append(answer)
    facts = [worker.ask("facts") for worker in workers]
    times = [fastest(results) for results in measured]
    lines = table(times[0], facts[0], times[1] if len(times) > 1 else None, name or "")
    lines.append("")
    for worker, fact, label in zip(workers, facts, ("this code", name), strict=False):
        waits = "" if fact["waits"] is None else f"{fact['waits']} waits, "
        loss = worker.about["loss"]
        lines.append(
            f"- {label}: {fact['copies']} copies in {1000 * fact['copied_seconds']:.1f} ms, {waits}peak memory "
            f"{fact['memory'] / 2**30:.2f} GiB{'' if loss is None else f', first loss {loss:.6f}'}; a matrix product "
            f"reaches {fact['rate'] / 1e9:.0f} GFLOP/s"
        )
    return lines


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    with ExitStack() as stack:
        roots = [ROOT]
        if args.beside:
            roots.append(stack.enter_context(checkout(args.beside)))
        workers = []
        for root in roots:
            errors = stack.enter_context(tempfile.TemporaryFile("w+"))
            workers.append(Worker(root, options(args), errors))
            stack.callback(workers[-1].close)
        about = workers[0].about
        print(
            f"\n{Path(args.cfgs).name}, {args.phase}: {about['shape'][0]} tracklets x {about['shape'][1]} frames, "
            f"{about['machine']}, torch {about['torch']}.\n"
        )
        print("\n".join(report(workers, args.steps, args.beside)))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    args = arguments(argv)
    return exit_status(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
