"""Train and test on several numbers of processes, and expect the metrics and the gradients of one.

    python -m tests.campaigns.worlds [--count 1] [--seed 0] [--worlds 1 2 3 4]
    python -m tests.campaigns.worlds --gradients [CONFIG ...] [--worlds 1 2 4 8 16]

Each of `--count` seeds draws data, trains two small models on each number of gloo processes and tests them; the
checkpoint of one process is also tested on each. Metrics must agree to 1e-6, and the momenta of the trainings to
rounding. `--gradients` takes one step of a small
network of each configuration below `configs/`, with several ways to cut its batch, instead.

The exit status is 1 if anything differs; data and runs are then kept where the output says.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from opengait import distributed, main
from opengait.config import load_config
from tests.opengait import tiny
from tests.opengait.ranks import on_worlds
from tests.opengait_ext.models import shares
from tests.opengait_ext.world import draw_world, write_config
from tests.paths import ROOT

TOLERANCE = 1e-6
# How far the momenta of a training, which are sums of its gradients, may be from those of one process, as a share of
# their norm. Rounding gives up to 0.0022 and 0.00003; gradients of the triplet losses a tenth off give 0.036 and 0.002.
MOMENTA = {"DinoGRL": 0.01, "TinySil": 0.0005}
# The few people of its test are about equally far from each other, and norms of few frames amplify rounding, so whose
# rank is better depends on the processor.
NEAR_TIES = "DinoGRL trained"
WORLDS = (1, 2, 3, 4)
# Batches of 12 tracklets, which all of `WORLDS` divide.
DINOGRL = {"total_iter": 2, "save_iter": 2, "sampler": {"batch_size": [6, 1], "frames_num_fixed": 2}}
SILHOUETTES = {"total_iter": 3, "sampler": {"batch_size": [3, 4], "sample_type": "fixed_unordered"}}
CUTS = ("of_the_sampler", "every_nth", "of_one_modality", "mixed")


def prepare(folder: Path, seed: int) -> dict[str, Path]:
    """Draw data and return a configuration for each model, by the model's name."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_world(folder)
    tiny.write_dataset(folder / "silhouettes" / "data")
    return {
        "DinoGRL": write_config(folder, folder, **DINOGRL, seed=seed),
        "TinySil": tiny.write_config(folder / "silhouettes", trainer_cfg={**SILHOUETTES, "seed": seed}),
    }


def train_and_test(paths: dict[str, Path], output: str) -> dict[str, dict[str, float]]:
    """Run both phases of each configuration below `output`, and return the metrics; on rank 0 only."""
    logging.disable(logging.INFO)
    world = distributed.world_size()
    metrics = {}
    for name, path in paths.items():
        last = load_config(path)["trainer_cfg"]["total_iter"]
        own, shared = Path(output) / f"{name}-{world}", Path(output) / f"{name}-{world}-of-one"
        run(path, "train", own, last)
        (first,) = (Path(output) / f"{name}-1").rglob(f"*-{last:05d}.pt")
        for kind, folder, hint in (("trained", own, last), ("tested", shared, str(first))):
            run(path, "test", folder, hint)
            metrics[f"{name} {kind}"] = results_below(folder) if distributed.is_main() else {}
    return metrics


def run(path: Path, phase: str, output: Path, hint: int | str) -> None:
    """Run one phase of a configuration as the command line does, on this process's rank."""
    changes = [f"trainer_cfg.output_root={output}", f"evaluator_cfg.restore_hint={hint}"]
    changes.append("optimizer_cfg.lr=0.001")
    if phase == "test":
        changes.append(f"evaluator_cfg.sampler.batch_size={distributed.world_size()}")
    overwrite = ["--overwrite"] * (phase == "train")
    main.run(main.parse_arguments(["--cfgs", str(path), "--phase", phase, *overwrite, "--set", *changes]))
    # Separate processes would start the next phase only after rank 0 has written its files.
    distributed.barrier()


def momenta(folder: Path) -> torch.Tensor:
    """Return the momenta of all parameters in the only checkpoint below a folder, as one vector."""
    (file,) = folder.rglob("*.pt")
    state = torch.load(file, weights_only=True)["optimizer"]["state"]
    return torch.cat([entry["momentum_buffer"].flatten() for entry in state.values()])


def results_below(folder: Path) -> dict[str, float]:
    (file,) = folder.rglob("test-*.json")
    results = json.loads(file.read_text())["results"]
    # The sum of all embeddings, by which other tests compare models, is no metric: training moves its last digits.
    results.pop("checksum", None)
    return dict(numbers(results))


def numbers(results: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of nested results."""
    if isinstance(results, dict):
        for key, value in results.items():
            yield from numbers(value, f"{name}/{key}")
    elif isinstance(results, list):
        yield from numbers(dict(enumerate(results)), name)
    elif isinstance(results, int | float):
        yield name, float(results)


def compare_metrics(folder: Path, seed: int = 0, worlds: Sequence[int] = WORLDS) -> tuple[int, list[str]]:
    """Return the number of metrics compared and a sentence for each that differs from that of one process."""
    paths = prepare(folder, seed)
    ranks = folder / "ranks"
    ranks.mkdir()
    results = on_worlds(train_and_test, ranks, paths, str(folder / "runs"), world_sizes=[1, *worlds])
    (expected,) = results[1]
    count, differences = 0, []
    for world in worlds:
        for name, limit in MOMENTA.items():
            one, other = (momenta(folder / "runs" / f"{name}-{number}") for number in (1, world))
            error = float((one - other).norm() / one.norm())
            count += 1
            if not error <= limit:
                differences.append(f"{name} trained on {world}: its momenta are {error:.4f} off, more than {limit}.")
        for run_name, metrics in results[world][0].items():
            assert metrics.keys() == expected[run_name].keys()
            for name, value in metrics.items() if run_name != NEAR_TIES else ():
                count += 1
                # The reference is the checkpoint that one process trained, however many processes test it.
                if not abs(value - expected[run_name][name]) <= TOLERANCE:
                    differences.append(f"{run_name} on {world}: {name} is {value}, not {expected[run_name][name]}.")
    return count, differences


def batch_size_of(cfgs: dict[str, Any]) -> tuple[int, int]:
    people, tracklets = cfgs["trainer_cfg"]["sampler"]["batch_size"]
    return people, tracklets


def steps(configs: Sequence[str]) -> dict[str, dict]:
    """Take a step of each configuration with each way to cut its batch."""
    torch.set_num_threads(1)
    return {
        f"{config} {cut}": shares.step(
            config, batch_size_of(load_config(ROOT / "configs" / config)), getattr(shares, cut)
        )
        for config in configs
        for cut in CUTS
    }


def compare_gradients(folder: Path, configs: Sequence[str], worlds: Sequence[int]) -> tuple[int, list[str]]:
    """Return the number of steps compared and a sentence for each whose gradients differ from those of one process."""
    results = on_worlds(steps, folder, configs, world_sizes=[1, *(world for world in worlds if world > 1)])
    (expected,) = results[1]
    count, differences = 0, []
    for world, ranks in results.items():
        for name, step in expected.items():
            count += 1
            difference = shares.difference(step, [rank[name] for rank in ranks])
            if not difference < 1:
                differences.append(f"{name} on {world}: the gradients differ by {difference:.3g} tolerances.")
    return count, differences


def cross_modal_configs() -> list[str]:
    """Return the names of all configurations of a sampler and a method that `shares.step` knows."""
    names = []
    for path in sorted(set((ROOT / "configs").rglob("*.yaml")) - {ROOT / "configs/benchmark/common.yaml"}):
        cfgs = load_config(path)
        known = cfgs["model_cfg"]["model"] in shares.METHODS
        if known and cfgs["trainer_cfg"]["sampler"]["type"] == "CrossModalSampler":
            names.append(str(path.relative_to(ROOT / "configs")))
    return names


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.worlds", description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="*", metavar="CONFIG", help="with --gradients: names below configs/")
    parser.add_argument("--count", type=int, default=1, help="seeds to train with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worlds", type=int, nargs="+", default=WORLDS, help="numbers of processes")
    parser.add_argument("--gradients", action="store_true", help="compare the gradients of one step instead")
    return parser.parse_args(arguments)


def campaign(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign, and return the exit status."""
    options = parse_arguments(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    folder = Path(tempfile.mkdtemp(prefix="worlds-"))
    total, findings = 0, []
    if options.gradients:
        parts = [lambda: compare_gradients(folder, options.configs or cross_modal_configs(), options.worlds)]
    else:
        seeds = range(options.seed, options.seed + options.count)
        parts = [lambda seed=seed: compare_metrics(folder / str(seed), seed, options.worlds) for seed in seeds]
    for part in parts:
        count, differences = part()
        total, findings = total + count, findings + differences
    print(*findings, sep="\n", end="\n" if findings else "")
    print(f"{total} {'steps' if options.gradients else 'metrics'} compared, {len(findings)} differ.")
    if findings:
        print(f"See {folder}.")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(campaign())
