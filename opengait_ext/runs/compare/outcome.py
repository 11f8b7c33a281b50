"""What came out of a run: the values that its training logged and the numbers of its test."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from opengait_ext.runs.results import last_test

Curve = tuple[np.ndarray, np.ndarray]


def read_curves(run: Path) -> dict[str, Curve]:
    """`{tag: (iterations, values)}` of the scalars under `summary/`; empty for a run that was not trained here."""
    folder = run / "summary"
    if not folder.is_dir():
        return {}
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    curves = {}
    for tag in sorted(events.Tags()["scalars"]):
        found = events.Scalars(tag)
        curves[tag] = np.array([e.step for e in found]), np.array([e.value for e in found])
    return curves


def first_logged_difference(first: Path, second: Path) -> dict[str, tuple[float, float]]:
    """`{"iteration <n>.<tag>": values}` of the earliest iteration at which what both runs logged is not the same."""
    curves = [read_curves(run) for run in (first, second)]
    apart: dict[int, dict[str, tuple[float, float]]] = {}
    for tag in sorted(set(curves[0]) & set(curves[1])):
        one, other = (dict(zip(*map(np.ndarray.tolist, found[tag]), strict=True)) for found in curves)
        places = [place for place in sorted(set(one) & set(other)) if one[place] != other[place]]
        if places:
            apart.setdefault(places[0], {})[tag] = one[places[0]], other[places[0]]
    earliest = min(apart, default=None)
    return {} if earliest is None else {f"iteration {earliest}.{tag}": pair for tag, pair in apart[earliest].items()}


def read_numbers(run: Path) -> dict[str, Any]:
    """`results` of the last test in a run folder; empty without one."""
    last = last_test(run / "logs")
    return {} if last is None else json.loads(last.read_text(encoding="utf-8")).get("results") or {}
