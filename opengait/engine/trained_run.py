"""The run that a checkpoint comes from, and the data that it was trained on."""

import contextlib
from pathlib import Path
from typing import Any

from opengait.engine.capsule import newest_capsule
from opengait.engine.run_folder import checkpoints_of
from opengait.engine.test import evaluated_name
from opengait.errors import CheckpointError, DataError

CONFIG = "config.yaml"


def checkpoint_named(trained: Path) -> Path:
    """Return the last checkpoint of a run folder, or a checkpoint itself.

    Raises:
        CheckpointError: there is none.
    """
    if trained.is_file():
        return trained
    checkpoints = checkpoints_of(trained)
    if not checkpoints:
        reason = "has no checkpoints" if trained.is_dir() else "does not exist"
        raise CheckpointError(f"--checkpoint: expected a run folder or a checkpoint (.pt), but {trained} {reason}.")
    return checkpoints[max(checkpoints)]


def run_of(checkpoint: Path) -> Path | None:
    """Return the run folder that a checkpoint lies in; None for a checkpoint elsewhere."""
    run = checkpoint.parent.parent
    return run if checkpoint.parent.name == "checkpoints" and (run / CONFIG).is_file() else None


def trained_on(checkpoint: Path | None) -> dict[str, Any] | None:
    """Return `name` and `fingerprint` of the data that a checkpoint's run was trained on, or None if it is unknown.

    Those of several datasets are joined by ` + `.
    """
    run = None if checkpoint is None else run_of(checkpoint)
    if run is None:
        return None
    with contextlib.suppress(DataError, KeyError, TypeError, AttributeError):
        capsule = newest_capsule(run, "train")
        facts = [entry for entry in capsule["data"] if entry["phase"] == "train"]
        fingerprints = [str(entry["fingerprint"]) for entry in facts if entry.get("fingerprint")]
        return {
            "name": trained_name(capsule["config"]),
            "fingerprint": " + ".join(fingerprints) if 0 < len(facts) == len(fingerprints) else None,
        }
    return None


def trained_name(config: dict[str, Any]) -> str:
    """Return the name of the data of a training's configuration; those of several datasets are joined by ` + `."""
    sections = config["data_cfg"]
    sections = sections if isinstance(sections, list) else [sections]
    return " + ".join(evaluated_name({"data_cfg": section}) for section in sections)
