"""The outcome of a run: the values that its training logged and the numbers of its last test."""

from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from opengait_ext.runs.results import last_test, read_any_test

Curve = tuple[np.ndarray, np.ndarray]


def read_curves(run: Path) -> dict[str, Curve]:
    """Return `{tag: (iterations, values)}` of the scalars under `summary/` that have values."""
    folder = run / "summary"
    if not folder.is_dir():
        return {}
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    curves = {}
    for tag in sorted(accumulator.Tags()["scalars"]):
        # A later event file that starts again from an earlier iteration empties the tags of a former one.
        if not (events := accumulator.Scalars(tag)):
            continue
        curves[tag] = np.array([e.step for e in events]), np.array([e.value for e in events])
    return curves


def first_logged_difference(first: Path, second: Path) -> dict[str, tuple[float, float]]:
    """Return `{"iteration <n>.<tag>": values}` of the earliest iteration at which the logs of two runs differ."""
    curves = [read_curves(run) for run in (first, second)]
    differing: dict[int, dict[str, tuple[float, float]]] = {}
    for tag in sorted(set(curves[0]) & set(curves[1])):
        a, b = (dict(zip(*map(np.ndarray.tolist, curve[tag]), strict=True)) for curve in curves)
        iteration = min((i for i in a if i in b and a[i] != b[i]), default=None)
        if iteration is not None:
            differing.setdefault(iteration, {})[tag] = a[iteration], b[iteration]
    if not differing:
        return {}
    earliest = min(differing)
    return {f"iteration {earliest}.{tag}": values for tag, values in differing[earliest].items()}


def read_numbers(run: Path) -> dict[str, Any]:
    """Return `results` of the last test in a run folder; empty without one."""
    file = last_test(run / "logs")
    return {} if file is None else read_any_test(file)["results"]
