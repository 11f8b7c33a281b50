"""The lists of HITSZ-VCM, read and checked."""

from pathlib import Path

from opengait_ext.data import HITSZVCM
from opengait_ext.data.check.report import Report
from opengait_ext.data.hitsz_vcm.check import check_hitsz_lists
from tests.campaigns.agreement import agree

MINIMUM = 2


def samples(folder: Path) -> list[Path]:
    """Write the lists of four people, and the folders of their frames, and a list of frames to discard."""
    info = folder / "info"
    info.mkdir()
    for split, people in (("train", (1, 2)), ("test", (501, 502))):
        names, rows = [], []
        for person in people:
            for code, sensor in ((2, "rgb"), (1, "ir")):
                (folder / split.capitalize() / f"{person:04d}" / sensor / "D2").mkdir(parents=True)
                rows.append(f"{code} {len(names) + 1} {len(names) + 4} {person:04d} 2")
                names += [f"{person:04d}M{code}D2T1F{number}.jpg" for number in (1, 6, 11, 16)]
        (info / f"{split}_name.txt").write_text("\n".join(names) + "\n")
        (info / f"track_{split}_info.txt").write_text("\n".join(rows) + "\n")
    (info / "query_IDX.txt").write_text("2 4\n")
    (folder / "discard.txt").write_text("0001M2D2T1F6.jpg\n0501M1D2T1F16.jpg\n")
    return [*sorted(info.iterdir()), folder / "discard.txt"]


def read(path: Path) -> None:
    """Read the dataset that the list belongs to as a training does, and check it."""
    root = path.parent if path.name == "discard.txt" else path.parent.parent
    lists = [root / "discard.txt"]
    agree(
        lambda: HITSZVCM(root, MINIMUM, lists).summary(),
        lambda report: check_hitsz_lists(root, report, MINIMUM, lists),
        Report("HITSZ-VCM", root),
    )
