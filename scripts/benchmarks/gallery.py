"""Search a gallery of synthetic descriptors exactly and by its index, in one run: queries a second, recall, memory.

    python scripts/benchmarks/gallery.py --tracklets 1000000 --out FOLDER

People are points of a normal distribution of 32 dimensions, mapped at random to those of a descriptor, and their 16
tracklets lie around them, so that neighbours exist to be found. Among independent points no index finds any.
Prints the time of adding and indexing, queries a second of both, recall@10 of the index against the exact search, and
the largest resident memory of the process, which includes the pages of the files that it has mapped.
"""

import argparse
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from opengait_ext.search import Descriptors, create_gallery, open_gallery
from opengait_ext.search.index import build_index

SHAPE, LATENT, PER_PERSON, CHUNK = (64, 8), 32, 16, 48_000


def main() -> None:
    """Build, search, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracklets", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--spread", type=float, default=0.4, help="of the tracklets around their person")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="folder for the gallery, replaced")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    import faiss

    faiss.omp_set_num_threads(args.threads)
    shutil.rmtree(args.out, ignore_errors=True)
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    gallery = None
    queries = []
    for first in range(0, args.tracklets, CHUNK):
        part, seen = draw(rng, first, min(CHUNK, args.tracklets - first), args.spread)
        gallery = gallery or create_gallery(args.out, part)
        gallery.add(part)
        queries.append(seen[: 1 + args.queries * CHUNK // args.tracklets])
    report("added", start, f"{args.tracklets:,} tracklets of {SHAPE[0]} x {SHAPE[1]}")
    start = time.perf_counter()
    index = build_index(args.out, "visible", gallery.stored("visible"), "euc")
    report("indexed", start, f"{index.probes} probes, recall@10 {index.recall:.4f} on a sample of the gallery")
    points = np.concatenate(queries)[: args.queries]
    indexed, exact = open_gallery(args.out), open_gallery(args.out)
    exact.__dict__["indices"] = dict.fromkeys(indexed.indices)
    times: dict[str, list[float]] = {"exact": [], "index": []}
    near = {}
    for _ in range(2):
        for name, searched in (("exact", exact), ("index", indexed)):
            start = time.perf_counter()
            near[name] = searched.nearest(points, "visible", 10, "euc")
            times[name].append(time.perf_counter() - start)
    for name, seconds in times.items():
        print(f"{name:8} {len(points) / min(seconds):10.1f} queries a second, all {len(points)} at once")
    shares = [len(np.intersect1d(a, b)) / 10 for a, b in zip(near["index"].places, near["exact"].places, strict=True)]
    print(f"recall@10 of the index against the exact search: {np.mean(shares):.4f}")
    print(f"largest resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def draw(rng: np.random.Generator, first: int, count: int, spread: float) -> tuple[Descriptors, np.ndarray]:
    """Return descriptors, with parts of unit norm, and other tracklets of the same people."""
    people = rng.standard_normal((-(-count // PER_PERSON), 1, LATENT), dtype=np.float32)
    around = people + spread * rng.standard_normal((len(people), PER_PERSON + 1, LATENT), dtype=np.float32)
    mixed = np.random.default_rng(1).standard_normal((LATENT, SHAPE[0] * SHAPE[1]), dtype=np.float32)
    points = (around.reshape(-1, LATENT) @ mixed).reshape(len(people), PER_PERSON + 1, *SHAPE)
    points /= np.linalg.norm(points, axis=2, keepdims=True)
    gallery = points[:, :PER_PERSON].reshape(-1, *SHAPE)[:count]
    names = np.array([f"t{number}" for number in range(first, first + count)])
    types = np.array(["visible"] * count)
    return Descriptors(gallery, names, types, names, "c", "p", "0" * 64, 6), points[:, PER_PERSON]


def report(what: str, start: float, detail: str) -> None:
    """Print a step with its time."""
    print(f"{what:8} {time.perf_counter() - start:10.1f} s, {detail}", flush=True)


if __name__ == "__main__":
    main()
