"""The partition file of OpenGait's layout, read and checked."""

import json
import pickle
from pathlib import Path

import numpy as np

from opengait_ext.data.check.report import Report
from tests.campaigns.agreement import agree

IDS = ("001", "002", "003", "004")


def samples(folder: Path) -> list[Path]:
    """Write a partition of four people, with and without probes, and their pickles."""
    for label in IDS:
        for kind in ("nm-01", "bg-01"):
            (folder / "data" / label / kind / "090").mkdir(parents=True)
            content = pickle.dumps(np.full((2, 8, 6), 255, np.uint8))
            (folder / "data" / label / kind / "090/090.pkl").write_bytes(content)
    plain = {"TRAIN_SET": IDS[:2], "TEST_SET": IDS[2:]}
    probes = plain | {"PROBE_SET": ["003-nm-01-090"], "GALLERY_SET": ["003-bg-01-090", "004-nm-01-090"]}
    paths = [folder / "plain.json", folder / "probes.json"]
    for path, content in zip(paths, (plain, probes), strict=True):
        path.write_text(json.dumps(content, indent=1))
    return paths


def read(path: Path) -> None:
    """Read both phases as a training with a test does, and check the dataset."""
    from opengait.data.dataset import DataSet
    from opengait_ext.data.opengait_layout.check import check_opengait

    root = path.parent / "data"
    data_cfg = {"dataset_name": "Toy", "dataset_root": str(root), "dataset_partition": str(path)}
    agree(
        lambda: [DataSet(data_cfg, training) for training in (True, False)],
        lambda report: check_opengait(root, path, report),
        Report("OpenGait's layout", root),
    )
