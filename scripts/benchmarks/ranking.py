"""Measure how long the ranking of a test takes, beside a numpy loop over the queries and an older revision.

    python scripts/benchmarks/ranking.py                               # HITSZ-VCM's 4,584 x 5,099 tracklets
    python scripts/benchmarks/ranking.py --before v1.0                 # also the ranking of that git revision
    python scripts/benchmarks/ranking.py --large                       # 10,000 queries, gallery of 100,000; memory

Both directions, with the camera rule, on random distances. The rows take turns, and the table has each row's fastest
round. The loop orders the gallery with numpy's stable argsort, which keeps ties in gallery order as the metrics demand.
`--large` ranks distances that are computed from descriptors block by block, and prints the peak memory of the process.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from opengait.command_line import count, exit_status
from opengait.errors import ConfigError
from opengait.evaluation import ranking
from opengait.evaluation.distance import distance_rows
from opengait.utils.memory import peak_memory

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "opengait/evaluation/ranking.py"
PEOPLE, CAMERAS = 427, 12
NAMES = ("rank1", "map", "minp")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=count, nargs=2, default=(4584, 5099), metavar="N", help="tracklets by modality")
    parser.add_argument("--before", metavar="REVISION", help="also measure the ranking of a git revision")
    parser.add_argument("--rounds", type=count, default=5, metavar="N", help="measured rounds (default: 5)")
    parser.add_argument("--device", default="cpu", help="where the distances lie (default: cpu)")
    parser.add_argument("--large", action="store_true", help="rank 10,000 queries in a gallery of 100,000 instead")
    return parser.parse_args(argv)


def by_loop(
    distance: torch.Tensor,
    query_ids: np.ndarray,
    gallery_ids: np.ndarray,
    query_cameras: np.ndarray,
    gallery_cameras: np.ndarray,
) -> dict[str, float]:
    """Return Rank-1, mAP and mINP from one argsort per query."""
    hits, precisions, penalties = [], [], []
    for row, person, camera in zip(distance.cpu().numpy(), query_ids, query_cameras, strict=True):
        order = np.argsort(row, kind="stable")
        match = gallery_ids[order] == person
        ranks = np.flatnonzero(match[~(match & (gallery_cameras[order] == camera))]) + 1
        if len(ranks):
            hits.append(ranks[0] == 1)
            precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
            penalties.append(len(ranks) / ranks[-1])
    return dict(zip(NAMES, (float(np.mean(values)) for values in (hits, precisions, penalties)), strict=True))


def of_module(module: ModuleType) -> Callable[..., dict[str, float]]:
    """Return a function that ranks with `rank_metrics` of a module."""

    def rank(*arrays: Any) -> dict[str, float]:
        metrics = module.rank_metrics(*arrays, drop_same_camera=True)
        return dict(zip(NAMES, (float(metrics.cmc[0]), metrics.mean_ap, metrics.mean_inp), strict=True))

    return rank


def at_revision(revision: str) -> ModuleType:
    """Return the ranking module of a git revision.

    Raises:
        ConfigError: git does not know it.
    """
    shown = subprocess.run(["git", "show", f"{revision}:{SOURCE}"], cwd=ROOT, capture_output=True, text=True)
    if shown.returncode:
        raise ConfigError(f"--before {revision}: {shown.stderr.strip() or 'git failed'}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ranking_before.py"
        file.write_text(shown.stdout, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        spec.loader.exec_module(module)
    return module


def both_directions(sizes: Sequence[int], device: str) -> list[tuple[Any, ...]]:
    """Return distances, people and cameras of both directions."""
    rng = np.random.default_rng(0)
    people = [rng.integers(0, PEOPLE, size) for size in sizes]
    cameras = [rng.integers(0, CAMERAS, size) for size in sizes]
    distance = torch.from_numpy(rng.random(tuple(sizes), dtype=np.float32)).to(device)
    return [(distance, *people, *cameras), (distance.T.contiguous(), *people[::-1], *cameras[::-1])]


def seconds_of(action: Callable[[], Any], device: str) -> tuple[float, Any]:
    """Return how long an action takes, and its result."""
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    result = action()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start, result


def compare(args: argparse.Namespace) -> None:
    """Print a table of the ways to rank."""
    ways = {"numpy loop, stable argsort": by_loop}
    if args.before:
        ways[f"rank_metrics at {args.before}"] = of_module(at_revision(args.before))
    ways["rank_metrics"] = of_module(ranking)
    directions = both_directions(args.sizes, args.device)
    seconds = dict.fromkeys(ways, float("inf"))
    results: dict[str, list[dict[str, float]]] = {}
    for _ in range(args.rounds):
        for name, way in ways.items():
            taken, results[name] = seconds_of(lambda way=way: [way(*arrays) for arrays in directions], args.device)
            seconds[name] = min(seconds[name], taken)
    print(
        f"\n{args.sizes[0]} x {args.sizes[1]} tracklets, both directions, {args.device}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, numpy {np.__version__}.\n"
    )
    print("| Ranking | Seconds | Speed-up | Rank-1 | mAP | mINP |")
    print("|---|---:|---:|---:|---:|---:|")
    loop = next(iter(seconds.values()))
    for name, taken in seconds.items():
        values = " | ".join(f"{np.mean([result[key] for result in results[name]]):.15f}" for key in NAMES)
        print(f"| {name} | {taken:.3f} | {loop / taken:.1f} | {values} |")


def rank_many(device: str, queries: int = 10_000, gallery: int = 100_000) -> None:
    """Print time and peak memory of a ranking whose distances would not fit in a small memory."""
    torch.manual_seed(0)
    features = [torch.randn(size, 64, 4, device=device) for size in (queries, gallery)]
    people = [torch.randint(0, 20 * PEOPLE, (size,)) for size in (queries, gallery)]
    before = peak_memory(torch.device(device))
    taken, _ = seconds_of(lambda: ranking.rank_metrics(distance_rows(*features), *people), device)
    print(
        f"{queries} queries, gallery of {gallery}, 64 x 4 channels, {device}: {taken:.1f} s with the distances, "
        f"peak memory {before / 2**30:.2f} GiB before and {peak_memory(torch.device(device)) / 2**30:.2f} GiB after; "
        f"the matrix alone has {4 * queries * gallery / 2**30:.2f} GiB."
    )


def run(args: argparse.Namespace) -> int:
    """Print what was asked for.

    Raises:
        ConfigError: there is no GPU.
    """
    if args.device != "cpu" and not torch.cuda.is_available():
        raise ConfigError(f"--device {args.device} needs a GPU, but torch finds none.")
    if args.large:
        rank_many(args.device)
    else:
        compare(args)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    args = arguments(argv)
    return exit_status(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
