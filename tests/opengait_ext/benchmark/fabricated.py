"""Result files that no run has written, with numbers that can be computed by hand."""

import json
from collections.abc import Iterable

import numpy as np

from opengait.engine.times import record_time
from opengait.evaluation.features import save_features
from opengait_ext.evaluation.metrics import RANKS
from opengait_ext.experiments.jobs import Run

PEOPLE = ("A", "B", "C")
POSITIONS = dict(zip(PEOPLE, (0.0, 10.0, 20.0), strict=True))


def fabricate(run: Run, wrong: Iterable[str] = (), without: Iterable[str] = (), protocol: str = "hitsz-vcm") -> None:
    """Write a test in which everybody is seen by two cameras in both modalities.

    Everybody has a place of one's own, except that in infrared, `wrong` people are where the next one is. `without`
    people lack their infrared tracklet of camera 1. The camera rule leaves each query one match among five tracklets.
    """
    rows = [
        (person, kind, f"c{camera}-t1")
        for person in PEOPLE
        for kind in ("visible", "infrared")
        for camera in (1, 2)
        if not (person in without and (kind, camera) == ("infrared", 1))
    ]
    shifted = {person: PEOPLE[(number + 1) % 3] for number, person in enumerate(PEOPLE) if person in wrong}
    places = [POSITIONS[shifted.get(person, person) if kind == "infrared" else person] for person, kind, _ in rows]
    labels, types, views = map(list, zip(*rows, strict=True))
    data = {"embeddings": np.array(places)[:, None, None], "labels": labels, "types": types, "views": views}
    run.result_file.parent.mkdir(parents=True)
    save_features(run.result_file.with_suffix(".npz"), data, "Synthetic-VVI", "", run.total)
    numbers = dict.fromkeys([*(f"rank{rank}" for rank in RANKS), "map", "minp"], 0.5)
    content = {
        "results": {"infrared_to_visible": numbers, "visible_to_infrared": numbers},
        "card": {
            "protocol": protocol,
            "camera_rule": True,
            "populations": {"full": {}},
            "distance": {"metric": "euc"},
            "data": {"tracklets": len(rows)},
        },
        "test_seconds": 2.0,
    }
    run.result_file.write_text(json.dumps(content))
    record_time(run.run_folder, 0, run.total, 30.0 + run.seed)
