"""Measure how many tracklets a second a network describes on the CPU: in PyTorch, as a pt2 file and as an ONNX file.

    python scripts/benchmarks/export.py                            # configs/dinogrl/hitsz.yaml, 4 tracklets of 6 frames
    python scripts/benchmarks/export.py --network dinogrl-hitsz    # a trained network
    python scripts/benchmarks/export.py --cfgs configs/agw/hitsz.yaml --tracklets 8 --frames 1 --fixed

A configuration is built with random weights. The ways take turns, and the table has each one's fastest round and its
largest deviation from PyTorch, as a share of a descriptor's norm. Files are for any numbers of tracklets and frames;
with --fixed, for those that are measured. How many tokens DinoGRL chooses, and with that PyTorch's time, depends on the
weights.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from opengait.command_line import count, exit_status
from opengait.config import load_config
from opengait_ext.data.augment import Normalise
from opengait_ext.export import FORMATS, FrameDescriber, frame_describer, trace
from opengait_ext.export.files import Runner
from opengait_ext.export.verify import deviations, random_tracklets
from opengait_ext.models.load import network_class_of
from opengait_ext.search import load_describer

CONFIG = Path(__file__).resolve().parents[2] / "configs/dinogrl/hitsz.yaml"


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", default=str(CONFIG), metavar="FILE", help="default: configs/dinogrl/hitsz.yaml")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--network", metavar="NAME", help="a trained network instead of --cfgs")
    parser.add_argument("--formats", nargs="+", choices=tuple(FORMATS), default=list(FORMATS), metavar="FORMAT")
    parser.add_argument("--tracklets", type=count, default=4, metavar="N", help="at once (default: 4)")
    parser.add_argument("--frames", type=count, default=6, metavar="N", help="of each (default: 6)")
    parser.add_argument("--fixed", action="store_true", help="export for these numbers alone")
    parser.add_argument("--rounds", type=count, default=5, metavar="N", help="measured rounds (default: 5)")
    parser.add_argument("--threads", type=count, default=torch.get_num_threads(), metavar="N", help="CPU threads")
    return parser.parse_args(argv)


def build(args: argparse.Namespace) -> FrameDescriber:
    """Return the module to export.

    Raises:
        UserError: there is no such network or configuration, or it is not one on frames.
    """
    if args.network:
        return frame_describer(load_describer(args.network, None, args.overrides, "cpu"))
    config = load_config(args.cfgs, args.overrides)
    network_class, _ = network_class_of(config["model_cfg"].get("model"))
    torch.manual_seed(0)
    network = network_class.from_config(network_class.without_weight_files(config["model_cfg"]))
    return FrameDescriber(network, Normalise(), tuple(config["data_cfg"]["frame_size"]))


def in_eager(module: FrameDescriber) -> Runner:
    """Return a function that runs the network in PyTorch, on arrays like the files."""

    def run(frames: np.ndarray, modality: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(frames), torch.from_numpy(modality)).numpy()

    return run


def seconds_of(action: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return how long an action takes, and its result."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def run(args: argparse.Namespace) -> int:
    """Export, measure, and print the table.

    Raises:
        UserError: the network cannot be exported, or a package is missing.
    """
    torch.set_num_threads(args.threads)
    module = build(args)
    program = trace(module, *((args.tracklets, args.frames) if args.fixed else (None, None)))
    inputs = random_tracklets(args.tracklets, args.frames, module.size)
    with tempfile.TemporaryDirectory() as folder:
        ways = {"PyTorch": in_eager(module)}
        for name in args.formats:
            write, read = FORMATS[name]
            write(program, Path(folder) / f"network.{name}")
            ways[name] = read(Path(folder) / f"network.{name}", args.threads)
        seconds = dict.fromkeys(ways, float("inf"))
        results: dict[str, np.ndarray] = {}
        # The first round warms up.
        for number in range(args.rounds + 1):
            for name, way in ways.items():
                taken, results[name] = seconds_of(lambda way=way: way(*inputs))
                seconds[name] = min(seconds[name], taken) if number else float("inf")
    numbers = "fixed" if args.fixed else "free"
    print(
        f"\n{type(module.network).__name__}, {args.tracklets} tracklets of {args.frames} frames ({numbers} numbers) of "
        f"{module.size[0]} x {module.size[1]}, {args.threads} CPU threads, torch {torch.__version__}.\n"
    )
    print("| Way | Tracklets a second | Against PyTorch | Largest deviation |")
    print("|---|---:|---:|---:|")
    for name, taken in seconds.items():
        deviation = max(deviations(results[name], results["PyTorch"]))
        rate, gain = args.tracklets / taken, seconds["PyTorch"] / taken
        print(f"| {name} | {rate:.2f} | {gain:.2f} | {deviation:.1e} |")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    args = arguments(argv)
    return exit_status(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
