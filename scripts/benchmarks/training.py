"""Time and memory of a training step of DinoGRL, by precision; for the release also with its LGE written out.

    python scripts/benchmarks/training.py                                           # the release's step, 32 x 6 frames
    python scripts/benchmarks/training.py --cfgs configs/dinogrl/hitsz.yaml         # the paper's, 64 x 6 frames
    python scripts/benchmarks/training.py --batch 1 2 --frames 2 --device cpu       # something a laptop can do

A step is the frozen vision model, both streams, PBMGE, losses, backward pass and optimiser, on tensors of noise:
neither data nor weight files are needed, since times do not depend on their values. Dropout and dropped priors are
off, so that every row computes the same function; the loss is that of the first step, compared with float32's. Times
are medians. Memory is the peak of allocated tensors on CUDA, and on a CPU that of the process so far, whose later rows
cannot show less than earlier ones.
"""

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from opengait.command_line import count  # noqa: E402
from opengait.config import load_config  # noqa: E402
from opengait.engine.optim import build_optimizer  # noqa: E402
from opengait.engine.precision import Precision  # noqa: E402
from opengait.errors import ConfigError, UserError  # noqa: E402
from opengait.modeling.loss_aggregator import LossAggregator  # noqa: E402
from opengait.utils.memory import peak_memory  # noqa: E402
from opengait_ext.models import DinoGRLNet  # noqa: E402
from opengait_ext.models.dinogrl.model import loss_terms  # noqa: E402
from opengait_ext.models.dinogrl.release.enhancement import ReleaseEnhancement, direct_enhancement  # noqa: E402

PRECISIONS = {"float32": None, "float16": torch.float16, "bfloat16": torch.bfloat16}


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", default=str(PROJECT / "configs/dinogrl/hitsz_official.yaml"), metavar="FILE")
    parser.add_argument(
        "--batch", type=count, nargs=2, metavar=("P", "K"), help="people, and tracklets of each and modality"
    )
    parser.add_argument("--frames", type=count, metavar="N", help="of a tracklet; as in the configuration by default")
    parser.add_argument("--steps", type=count, default=10, metavar="N", help="measured steps; 10 by default")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="CUDA by default, if there is some")
    parser.add_argument("--precisions", nargs="+", choices=tuple(PRECISIONS), help="float32 alone on a CPU")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as model_cfg.dimension=64"
    )
    return parser.parse_args(argv)


def build(cfgs: dict[str, Any], direct: bool, device: torch.device) -> DinoGRLNet:
    """The network in training mode, with random weights and without random draws in its forward pass.

    Args:
        direct: with the release's LGE as its equations are written.

    Raises:
        ConfigError: the network has another LGE.
    """
    model_cfg = {key: dict(value) if isinstance(value, dict) else value for key, value in cfgs["model_cfg"].items()}
    for section in ("appearance", "gait", "vision_model"):
        if model_cfg.get(section):
            model_cfg[section]["weights"] = None
    if model_cfg.get("silhouette"):
        model_cfg["silhouette"] |= {"mask_weights": None, "mask_dropout": 0.0, "drop_prior": 0.0}
    torch.manual_seed(0)
    network = DinoGRLNet.from_config(model_cfg).train().to(device)
    if direct:
        if not isinstance(network.enhancement, ReleaseEnhancement):
            raise ConfigError("Only the release's LGE has a written-out form here; leave --direct out.")
        network.enhancement.forward = functools.partial(direct_enhancement, network.enhancement)
    return network


def noise(cfgs: dict[str, Any], people: int, tracklets: int, frames: int, device: torch.device) -> tuple[Tensor, ...]:
    """Frames, modalities and labels of a mini-batch: `tracklets` of each person in each modality."""
    total = 2 * people * tracklets
    torch.manual_seed(1)
    images = torch.randn(total, frames, 3, *cfgs["data_cfg"]["frame_size"]).to(device)
    modality = torch.arange(2).repeat_interleave(total // 2).to(device)
    return images, modality, torch.arange(people).repeat_interleave(tracklets).repeat(2).to(device)


def measure(
    cfgs: dict[str, Any], batch: tuple[Tensor, ...], precision: str, direct: bool, steps: int
) -> dict[str, Any]:
    """First loss, median seconds of a step and peak bytes of one form in one precision."""
    images, modality, labels = batch
    device = images.device
    network = build(cfgs, direct, device)
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


def wait(device: torch.device) -> None:
    """Until what was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def run(args: argparse.Namespace) -> None:
    """Measure every row and print the table."""
    device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda was asked for, but torch sees no GPU here.")
    cfgs = load_config(args.cfgs, args.set)
    sampler = cfgs["trainer_cfg"]["sampler"]
    people, tracklets = args.batch or sampler["batch_size"]
    batch = noise(cfgs, people, tracklets, args.frames or sampler["frames_num_fixed"], device)
    shape = batch[0].shape
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    print(f"\n{Path(args.cfgs).name}: {shape[0]} tracklets x {shape[1]} frames, {where}, torch {torch.__version__}.\n")
    enhancement = cfgs["model_cfg"].get("enhancement")
    both = isinstance(enhancement, dict) and enhancement.get("type") == "release"
    print("| Precision | LGE | Step | Frames a second | Peak memory | First loss | Off float32 |")
    print("|---|---|---:|---:|---:|---:|---:|", flush=True)
    exact = None
    for precision in args.precisions or (tuple(PRECISIONS) if device.type == "cuda" else ("float32",)):
        for direct in (False, True) if both else (False,):
            found = measure(cfgs, batch, precision, direct, args.steps)
            exact = found["loss"] if exact is None else exact
            form = "written out" if direct else ("sorted" if both else "paper's")
            cells = [
                precision,
                form,
                f"{1000 * found['seconds']:.0f} ms",
                f"{shape[0] * shape[1] / found['seconds']:.0f}",
            ]
            cells += [f"{found['bytes'] / 2**30:.2f} GiB", f"{found['loss']:.5f}", f"{found['loss'] / exact - 1:+.1e}"]
            print(f"| {' | '.join(cells)} |", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    args = arguments(argv)
    try:
        run(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
