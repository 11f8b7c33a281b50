"""Measure time and memory of a training step of DinoGRL per precision, for the release also with its LGE written out.

    python scripts/benchmarks/training.py                                           # the release's step, 32 x 6 frames
    python scripts/benchmarks/training.py --cfgs configs/dinogrl/hitsz.yaml         # the paper's, 64 x 6 frames
    python scripts/benchmarks/training.py --batch 1 2 --frames 2 --device cpu       # something a laptop can do

A step is the frozen vision model, both streams, PBMGE, losses, backward pass and optimiser, on random tensors. It needs
neither data nor weight files, since times do not depend on their values. Dropout and dropped priors are off, so every
row computes the same function; the loss is that of the first step, compared with float32's. Times are medians. Memory
is the peak of allocated tensors on CUDA. On a CPU it is the peak of the process so far, so later rows cannot show less
than earlier ones.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor, nn

from opengait.command_line import count, exit_status
from opengait.config import load_config
from opengait.engine.optim import build_optimizer
from opengait.engine.precision import Precision
from opengait.errors import ConfigError
from opengait.modeling.loss_aggregator import LossAggregator
from opengait.utils.memory import peak_memory
from opengait_ext.commands.options import add_overrides
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.model import loss_terms
from opengait_ext.models.dinogrl.release.enhancement import direct_enhancement
from scripts.benchmarks.step_worker import PRECISIONS, build, noise, wait


class WrittenOut(nn.Module):
    """The release's enhancement, computed one C x C step after the other as its equations are written."""

    def __init__(self, enhancement: nn.Module) -> None:
        super().__init__()
        self.enhancement = enhancement

    def forward(self, appearance: Tensor, gait: Tensor) -> tuple[Tensor, Tensor]:
        """Return the enhanced appearance and gait features."""
        return direct_enhancement(self.enhancement, appearance, gait)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", default="configs/dinogrl/hitsz_official.yaml", metavar="FILE")
    parser.add_argument(
        "--batch", type=count, nargs=2, metavar=("P", "K"), help="people, and tracklets per person and modality"
    )
    parser.add_argument(
        "--frames", type=count, metavar="N", help="frames per tracklet (default: as in the configuration)"
    )
    parser.add_argument("--steps", type=count, default=10, metavar="N", help="measured steps (default: 10)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: CUDA, if available")
    parser.add_argument("--precisions", nargs="+", choices=tuple(PRECISIONS), help="default on a CPU: float32 only")
    add_overrides(parser, "change settings, such as model_cfg.dimension=64")
    return parser.parse_args(argv)


def network_of(cfgs: dict[str, Any], direct: bool, device: torch.device) -> DinoGRLNet:
    """Return the network to measure; with `direct`, the release's LGE is computed as its equations are written."""
    network = build(cfgs, device)
    if direct:
        network.enhancement = WrittenOut(network.enhancement)
    return network


def measure(
    cfgs: dict[str, Any], batch: tuple[Tensor, ...], precision: str, direct: bool, steps: int
) -> dict[str, Any]:
    """Return the first loss, the median seconds per step and the peak bytes of one form in one precision."""
    images, modality, labels = batch
    device = images.device
    network = network_of(cfgs, direct, device)
    losses = LossAggregator(cfgs["loss_cfg"]).to(device)
    optimizer = build_optimizer(network.named_parameters(), cfgs["optimizer_cfg"])
    used = Precision(device, PRECISIONS[precision])
    scaler = used.scaler()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    first, seconds = None, []
    for _ in range(steps + 2):
        wait(device)
        start = time.perf_counter()
        optimizer.zero_grad()
        with used.autocast():
            output = network(images, modality)
        terms = {name: value for name, value in loss_terms(output, labels).items() if name in losses.losses}
        total, _ = losses(terms)
        scaler.scale(total).backward()
        scaler.step(optimizer)
        scaler.update()
        wait(device)
        seconds.append(time.perf_counter() - start)
        first = float(total.detach()) if first is None else first
    return {"loss": first, "seconds": statistics.median(seconds[2:]), "bytes": peak_memory(device)}


def run(args: argparse.Namespace) -> int:
    """Measure every row and print the table."""
    device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda needs a GPU, but torch finds none.")
    cfgs = load_config(args.cfgs, args.overrides)
    sampler = cfgs["trainer_cfg"]["sampler"]
    people, tracklets = args.batch or sampler["batch_size"]
    batch = noise(cfgs, people, tracklets, args.frames or sampler["frames_num_fixed"], device)
    shape = batch[0].shape
    machine = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    print(
        f"\n{Path(args.cfgs).name}: {shape[0]} tracklets x {shape[1]} frames, {machine}, torch {torch.__version__}.\n"
    )
    enhancement = cfgs["model_cfg"].get("enhancement")
    both = isinstance(enhancement, dict) and enhancement.get("type") == "release"
    print("| Precision | LGE | Step | Frames per second | Peak memory | First loss | Off float32 |")
    print("|---|---|---:|---:|---:|---:|---:|", flush=True)
    exact = None
    for precision in args.precisions or (tuple(PRECISIONS) if device.type == "cuda" else ("float32",)):
        for direct in (False, True) if both else (False,):
            result = measure(cfgs, batch, precision, direct, args.steps)
            exact = result["loss"] if exact is None else exact
            form = "written out" if direct else ("sorted" if both else "paper's")
            cells = [
                precision,
                form,
                f"{1000 * result['seconds']:.0f} ms",
                f"{shape[0] * shape[1] / result['seconds']:.0f}",
                f"{result['bytes'] / 2**30:.2f} GiB",
                f"{result['loss']:.5f}",
                f"{result['loss'] / exact - 1:+.1e}",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    args = arguments(argv)
    return exit_status(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
