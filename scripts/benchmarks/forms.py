"""Train DinoGRL's literal equations and this project's choices side by side, at the paper's learning rates.

    python scripts/benchmarks/forms.py --out output/forms
    python scripts/benchmarks/forms.py --out output/forms --forms scaled literal --seeds 0 1

Draws the demo's data, trains and tests every form on it with every seed (forms.yaml), and prints a Markdown table. A
run whose results are there already is not repeated. Gradient norms are those of all parameters before each step.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from opengait import distributed
from opengait import main as engine
from opengait.command_line import count, exit_status
from opengait.data.text_files import read_json
from opengait.errors import UserError
from opengait.utils.files import write_json
from opengait_ext.data.synthetic_vvi import DEMO, generate
from opengait_ext.runs.compare.outcome import read_curves, read_numbers
from opengait_ext.runs.results import DIRECTIONS

CONFIG = Path(__file__).with_suffix(".yaml")
# Whether the features of Eq. 3 have unit length, and the arguments of LGE.
UNIT, RAW = True, False
SCALED = {"divide": True, "unit_stripes": True, "identity_query": True, "zero_value": False}
LITERAL = {"divide": False, "unit_stripes": False, "identity_query": False, "zero_value": False}
# The equations as written, with other starting values than those of any convolution.
FROM_ZERO = LITERAL | {"identity_query": True, "zero_value": True}
FORMS: dict[str, tuple[bool, dict[str, bool]]] = {
    "literal": (RAW, LITERAL),
    "literal_from_zero": (RAW, FROM_ZERO),
    "raw_triplet": (RAW, SCALED),
    "literal_lge": (UNIT, LITERAL),
    "undivided": (UNIT, SCALED | {"divide": False}),
    "raw_stripes": (UNIT, SCALED | {"unit_stripes": False}),
    "random_query": (UNIT, SCALED | {"identity_query": False}),
    "scaled": (UNIT, SCALED),
    "literal_lge_from_zero": (UNIT, FROM_ZERO),
}


def overrides(form: str) -> list[str]:
    """Return the settings of a form."""
    unit_features, lge = FORMS[form]
    return [
        *(f"loss_cfg.{stream}_triplet.normalise={str(unit_features).lower()}" for stream in ("appearance", "gait")),
        f"model_cfg.normalise={str(unit_features).lower()}",
        *(f"model_cfg.lge.{key}={str(value).lower()}" for key, value in lge.items()),
    ]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/forms"), metavar="FOLDER")
    parser.add_argument("--forms", nargs="+", choices=tuple(FORMS), default=list(FORMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    parser.add_argument("--workers", type=count, default=1, metavar="N", help="processes that draw (default: 1)")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="for every run")
    return parser.parse_args(argv)


@contextmanager
def gradient_norms() -> Iterator[list[float]]:
    """Collect the norm of the gradient before every optimiser step."""
    norms: list[float] = []

    def record(optimizer: Optimizer, *_: Any) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.nn.utils.get_total_norm(gradients)))

    handle = register_optimizer_step_pre_hook(record)
    try:
        yield norms
    finally:
        handle.remove()


def measure(form: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train and test one form with one seed, or read what an earlier call measured."""
    file = args.out / f"{form}-{seed}.json"
    if file.is_file():
        return read_json(file, "remove it to run it again")
    data = args.out / "data"
    generate(data, DEMO, workers=args.workers)
    root = args.out / "runs" / f"{form}-{seed}"
    settings = [f"data_cfg.dataset_root={data}", f"data_cfg.mask_root={data / 'silhouettes'}"]
    settings += [f"trainer_cfg.output_root={root}", f"trainer_cfg.seed={seed}", *overrides(form), *args.set]
    phase = ["--cfgs", str(CONFIG), "--set", *settings, "--phase"]
    with gradient_norms() as norms:
        finite = trained([*phase, "train", "--overwrite"])
    if finite:
        engine.run(engine.parse_arguments([*phase, "test", "--iter", "last"]))
    run = next(root.glob("*/*/*/"))
    losses = {tag: values.tolist() for tag, (_, values) in read_curves(run).items() if tag.endswith("/loss")}
    result = {"finite": finite, "norms": norms, "losses": losses, "results": read_numbers(run) if finite else {}}
    write_json(file, result)
    return result


def trained(command: list[str]) -> bool:
    """Train, and return whether all losses were finite."""
    try:
        engine.run(engine.parse_arguments(command))
    except UserError as error:
        if "is not finite" not in str(error):
            raise
        return False
    return True


def row(form: str, results: list[dict[str, Any]]) -> str:
    """Return a form's row of the table."""
    cells = [form, f"{sum(result['finite'] for result in results)} of {len(results)}"]
    norms = [norm for result in results for norm in result["norms"]]
    cells += [f"{statistics.median(norms):.2g}", f"{max(norms):.2g}"]
    last = [
        statistics.mean(result["losses"][f"{stream}_identity/loss"][-1] for stream in ("appearance", "gait"))
        for result in results
        if result["finite"]
    ]
    cells.append(f"{statistics.mean(last):.2f}" if last else "")
    for key in ("rank1", "map"):
        values = [
            100 * statistics.mean(result["results"][direction][key] for direction in DIRECTIONS)
            for result in results
            if result["finite"]
        ]
        cells.append(f"{statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})" if values else "")
    return f"| {' | '.join(cells)} |"


def run(args: argparse.Namespace) -> int:
    """Measure all forms, and print the table."""
    distributed.start("cpu")
    measured: dict[str, list[dict[str, Any]]] = {form: [] for form in args.forms}
    for seed in args.seeds:
        for form in args.forms:
            measured[form].append(measure(form, seed, args))
    distributed.stop()
    print("| Form | Finite | Gradient norm, median | Largest | Last identity loss | Rank-1 (range) | mAP (range) |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for form, results in measured.items():
        print(row(form, results))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and return its exit status."""
    args = arguments(argv)
    return exit_status(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
