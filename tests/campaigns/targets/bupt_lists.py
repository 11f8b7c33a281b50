"""The lists of BUPTCampus, read and checked."""

import json
from pathlib import Path

from opengait_ext.data import BUPTCampus
from opengait_ext.data.bupt_campus.check import check_bupt_lists
from opengait_ext.data.check.report import Report
from tests.campaigns.agreement import agree


def samples(folder: Path) -> list[Path]:
    """Write the lists of six people, and the folders of their frames."""
    rows = {
        "train": ["1 RGB/IR LS3 1", "2 RGB/IR G25 1"],
        "train_auxiliary": ["3 RGB/IR W4 1"],
        "query": ["11 RGB LS3 1", "12 IR LS3 1"],
        "gallery": [f"{person} {code} G25 1" for person in (11, 12) for code in ("RGB", "IR")],
    }
    paths: dict = {}
    for name, lines in rows.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
        for person, codes, camera, track in map(str.split, lines):
            for code in codes.split("/"):
                place = f"{person}/{code}/{camera}"
                (folder / "DATA" / place).mkdir(parents=True, exist_ok=True)
                frames = [f"{place}/{person}_{code}_{camera}_{track}_{number}.jpg" for number in (3, 4, 12)]
                paths.setdefault(person, {}).setdefault(code, {}).setdefault(camera, {})[track] = frames
    (folder / "data_paths.json").write_text(json.dumps(paths))
    return [*sorted(folder.glob("*.txt")), folder / "data_paths.json"]


def read(path: Path) -> None:
    """Read the dataset that the list belongs to as a training does, and check it."""
    root = path.parent
    agree(
        lambda: BUPTCampus(root, auxiliary=True).summary(),
        lambda report: check_bupt_lists(root, report),
        Report("BUPTCampus", root),
    )
