"""Measure time and memory of the release's PBMGE, written out and as this project computes it.

    python scripts/benchmarks/enhancement.py                   # batch 32, 256 channels, 2 CPU threads; and CUDA, if any
    python scripts/benchmarks/enhancement.py --batch 8 --repeats 5 --device cpu

Prints a Markdown table. Every row is measured in two separate processes, one for training steps and one for evaluation.
Peak memory is the maximum of the process minus what it held before its first pass: the resident set on the CPU,
allocated tensors on CUDA. Times are the median of the repeats. CPU threads sleep instead of spinning while they wait
for each other (OMP_WAIT_POLICY=passive, unless it is set): on a busy machine, spinning costs seconds. The paper's LGE
(Eq. 13-15) is another function; its row compares the cost of the two presets.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from opengait.command_line import count, exit_status
from opengait.errors import ConfigError, UserError

FORMS = {
    "direct": "release, C x C matrices",
    "sorted": "release, sorted stripes (ours)",
    "paper": "paper's LGE, (V . Q) K",
}
PRECISIONS = {"cpu": ("float32",), "cuda": ("float32", "float16", "bfloat16")}

# torch is imported where it is used: a process inherits the peak memory of its parent, which has to stay small.


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=count, default=32, metavar="N", help="tracklets (default: 32)")
    parser.add_argument("--channels", type=count, default=256, metavar="C", help="channels per part (default: 256)")
    parser.add_argument("--repeats", type=count, default=5, metavar="N", help="measured passes (default: 5)")
    parser.add_argument("--threads", type=count, default=2, metavar="N", help="CPU threads (default: 2)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: both, if there is a GPU")
    parser.add_argument("--worker", nargs=4, metavar=("DEVICE", "PRECISION", "FORM", "PHASE"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    args = arguments(argv)
    return exit_status(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Print the tables, or in a worker the result of one measurement.

    Raises:
        UserError: there is no GPU, or a measurement failed.
    """
    if args.worker:
        print(json.dumps(measure(args, *args.worker)))
        return 0
    devices = [args.device] if args.device else ["cpu", "cuda"]
    try:
        has_cuda = devices == ["cpu"] or run_worker(args, "cuda", "float32", "paper", "present")["cuda"]
        if devices == ["cuda"] and not has_cuda:
            raise ConfigError("--device cuda needs a GPU, but torch finds none.")
        for device in devices:
            if device == "cpu" or has_cuda:
                print_table(args, device)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or str(error)).splitlines()[-1]
        raise UserError(f"A measurement failed: {reason}") from error
    return 0


def print_table(args: argparse.Namespace, device: str) -> None:
    """Measure every form and precision on `device`; print the table and the agreement of the two forms."""
    agreement = run_worker(args, device, "float32", "sorted", "agree")
    machine = f"{args.threads} threads" if device == "cpu" else agreement["name"]
    print(
        f"\nBatch {args.batch}, {args.channels} channels, stripes 2, 4, 8, 16, on {device} ({machine}), "
        f"torch {agreement['torch']}.\n"
    )
    print("| Form | Precision | Forward + backward | Speed-up | Peak memory | Evaluation | Speed-up | Peak memory |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for precision in PRECISIONS[device]:
        direct = None
        for form, name in FORMS.items():
            result = [run_worker(args, device, precision, form, phase) for phase in ("train", "eval")]
            direct = direct or result
            cells = [f"{name} | {precision}"]
            for phase, reference in zip(result, direct, strict=True):
                gain = reference["seconds"] / phase["seconds"]
                cells += [f"{1000 * phase['seconds']:.1f} ms", f"{gain:.1f}", f"{phase['bytes'] / 2**20:.0f} MiB"]
            print(f"| {' | '.join(cells)} |", flush=True)
    print(
        f"\nSorted against direct, both in float32, relative to the largest value: outputs {agreement['outputs']:.1e}, "
        f"gradients of the inputs {agreement['gradients']:.1e}."
    )


def run_worker(args: argparse.Namespace, *task: str) -> dict[str, Any]:
    """Return the result of one measurement in a new process."""
    command = [sys.executable, __file__, "--worker", *task]
    for name in ("batch", "channels", "repeats", "threads"):
        command += [f"--{name}", str(getattr(args, name))]
    environment = {"OMP_WAIT_POLICY": "passive"} | os.environ
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return json.loads(output.splitlines()[-1])


def measure(args: argparse.Namespace, device: str, precision: str, form: str, phase: str) -> dict[str, Any]:
    """Measure time and peak memory of a form, or the agreement of the forms, or detect a GPU."""
    import torch

    if phase == "present":
        return {"cuda": torch.cuda.is_available()}
    torch.set_num_threads(args.threads)
    if phase == "agree":
        name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
        return agree(args, device) | {"torch": torch.__version__, "name": name}
    function, parts = build(args, device, form, phase == "train")
    dtype = getattr(torch, precision)

    def training_step() -> None:
        with torch.autocast(device, dtype=dtype, enabled=precision != "float32"):
            outputs = function(*parts)
        sum(output.float().square().mean() for output in outputs).backward()

    def evaluation() -> None:
        with torch.no_grad(), torch.autocast(device, dtype=dtype, enabled=precision != "float32"):
            function(*parts)

    step = training_step if phase == "train" else evaluation
    rest = peak_bytes(device)
    seconds = timed(step, args.repeats, device)
    return {"seconds": seconds, "bytes": peak_bytes(device) - rest}


def build(args: argparse.Namespace, device: str, form: str, training: bool) -> tuple[Callable, list[Any]]:
    """Return the form to measure and its input, which is the same for every form."""
    import torch

    from opengait_ext.models.dinogrl.enhancement import BidirectionalEnhancement
    from opengait_ext.models.dinogrl.release.enhancement import ReleaseEnhancement, direct_enhancement

    torch.manual_seed(0)
    module = BidirectionalEnhancement(args.channels) if form == "paper" else ReleaseEnhancement()
    for name, parameter in module.named_parameters():
        if ".1." in name:  # batch norms start at zero, where the update would vanish
            torch.nn.init.normal_(parameter, std=0.02)
    module.to(device).train(training)
    parts = [torch.randn(args.batch, args.channels, 31).to(device).requires_grad_(training) for _ in range(2)]
    if form == "direct":
        return lambda appearance, gait: direct_enhancement(module, appearance, gait), parts
    return module, parts


def agree(args: argparse.Namespace, device: str) -> dict[str, float]:
    """Return the largest differences of outputs and input gradients between the release's two forms."""
    results = []
    for form in ("direct", "sorted"):
        function, parts = build(args, device, form, training=True)
        outputs = function(*parts)
        sum(output.square().mean() for output in outputs).backward()
        results.append(([output.detach() for output in outputs], [part.grad for part in parts]))
    differences = [
        max(((ours - direct).abs().max() / direct.abs().max()).item() for direct, ours in zip(*pair, strict=True))
        for pair in zip(*results, strict=True)
    ]
    return {"outputs": differences[0], "gradients": differences[1]}


def timed(step: Callable[[], None], repeats: int, device: str) -> float:
    """Return the median seconds per step, after a warm-up step."""
    import torch

    seconds = []
    for _ in range(repeats + 1):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def peak_bytes(device: str) -> int:
    """Return the peak memory of this process so far."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    sys.exit(main())
