"""What a comparison must hold equal: frames and tracklets, as the configurations say."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from opengait.engine.results import frames_used


def facts_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return what a configuration says about frames, batches and the length of the training, in words."""
    trainer, sampler = config["trainer_cfg"], config["trainer_cfg"]["sampler"]
    size = batch_of(sampler)
    return {
        "frames of a tracklet in training": _frames(sampler),
        "frames of a tracklet in the test": _frames(config["evaluator_cfg"]["sampler"]),
        "tracklets of a batch": str(size),
        "tracklets seen in training": f"{size * trainer['total_iter']:,}",
    }


def batch_of(sampler: Mapping[str, Any]) -> int:
    """Return the number of tracklets in a training batch."""
    size = sampler["batch_size"]
    # [people, tracklets of each modality], and of each person in OpenGait's sampler.
    modalities = 2 if sampler.get("type") == "CrossModalSampler" else 1
    return modalities * prod(size) if isinstance(size, Sequence) else int(size)


def sentences(facts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return a sentence per fact: its value, or the rows of each value where rows differ.

    Args:
        facts: the facts by title of a row.
    """
    lines = []
    for name in next(iter(facts.values()), {}):
        rows: dict[str, list[str]] = {}
        for title, row in facts.items():
            rows.setdefault(row[name], []).append(title)
        if len(rows) == 1:
            lines.append(f"All rows have equal {name}: {next(iter(rows))}.")
        else:
            parts = "; ".join(f"{value} for {', '.join(titles)}" for value, titles in rows.items())
            lines.append(f"Rows differ in {name}: {parts}.")
    return lines


def _frames(sampler: Mapping[str, Any]) -> str:
    used = frames_used(dict(sampler))
    kind = str(used.pop("sample_type"))
    return " ".join([*map(str, used.values()), f"({kind})"])
