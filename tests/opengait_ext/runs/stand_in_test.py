"""A tested run of planted descriptors: measured by the real evaluator and written in the real files."""

import json
from pathlib import Path

import numpy as np

from opengait.evaluation.features import save_features
from opengait.utils.files import plain
from opengait_ext.evaluation import evaluate_cross_modal


def planted(people: int = 6, cameras: int = 2, seed: int = 0, noise: float = 0.1) -> dict:
    """Return descriptors (n, 4, 3) of one tracklet per person, modality and camera, near a point of the person."""
    draws = np.random.default_rng(seed)
    centres = draws.standard_normal((people, 4, 3))
    data = {"embeddings": [], "labels": [], "types": [], "views": []}
    row = 0
    for kind in ("infrared", "visible"):
        for person in range(people):
            for camera in range(1, cameras + 1):
                row += 1
                data["embeddings"].append(centres[person] + noise * draws.standard_normal((4, 3)))
                data["labels"].append(f"{person:04d}")
                data["types"].append(kind)
                data["views"].append(f"c{camera}-t{row:05d}")
    data["embeddings"] = np.asarray(data["embeddings"], dtype=np.float32)
    return data


def write_run(folder: Path, data: dict, iteration: int = 7, dataset: str = "Synthetic-VVI", **settings) -> Path:
    """Write the files that a test of `data` leaves in a run folder; `settings` go to the evaluator."""
    result = evaluate_cross_modal(data, dataset, resamples=20, **settings)
    card = result.pop("card") | {"model": "DinoGRL", "data": {"fingerprint": "planted"}, "frames": {}}
    content = {
        "dataset": dataset,
        "checkpoint": None,
        "iteration": iteration,
        **{name: result.pop(name) for name in ("intervals", "open_set", "calibration") if name in result},
        "results": result,
        "card": card,
        "capsule": None,
        "features": f"test-{iteration:05d}.npz",
    }
    file = folder / "logs" / f"test-{iteration:05d}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(plain(content)))
    save_features(file.with_suffix(".npz"), data, dataset, "planted", iteration)
    return folder
