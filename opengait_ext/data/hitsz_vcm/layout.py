"""HITSZ-VCM on disk: its files, its folders, and its published counts."""

import re
from collections.abc import Iterable
from pathlib import Path

from opengait.data.packs.read import Pack
from opengait_ext.data.files import has_folder
from opengait_ext.data.summary import Count
from opengait_ext.data.tracklet import Modality

NAME = "HITSZ-VCM"
README = "datasets/HITSZ-VCM/README.md"
INFO_SOURCE = f"unpack the info archive of {NAME} beside the frames (see {README})"

# Tracklets with fewer frames are dropped in every published result.
MINIMUM_FRAMES = 12
# The info files' codes of the modalities, and the folders of the frames.
MODALITIES = {1: Modality.INFRARED, 2: Modality.VISIBLE}
SENSORS = {Modality.INFRARED: "ir", Modality.VISIBLE: "rgb"}
# 0503M1D12T2F31.jpg: person 0503, infrared, camera folder D12, tracklet 2, frame 31. Camera numbers have 1 or 2 digits.
FRAME_NAME = re.compile(r"(\d{4})M([12])(D\d+)T\d+F(\d+\.\w+)", re.ASCII)

# From the dataset's page and public code: rows of the info files, and those that the 12-frame rule keeps.
PUBLISHED: dict[tuple[str, str], Count] = {
    ("train", Modality.VISIBLE): Count(identities=500, listed=6142, kept=5460, frames=126_543),
    ("train", Modality.INFRARED): Count(identities=500, listed=4919, kept=4291, frames=98_214),
    ("test", Modality.VISIBLE): Count(identities=427, listed=5643, kept=5099, frames=118_137),
    ("test", Modality.INFRARED): Count(identities=427, listed=5159, kept=4584, frames=105_979),
}


def info_file(root: Path, name: str) -> Path:
    """Return a list, such as `train_name.txt`, `track_train_info.txt` or `query_IDX.txt`."""
    return root / "info" / name


def folder_of(person: str, modality: Modality, camera: str) -> str:
    """Return the folder of a person's frames by one camera, such as `0503/ir/D12`, relative to the split."""
    return f"{person}/{SENSORS[modality]}/{camera}"


def bases_of(root: Path, split: str) -> list[Path]:
    """Return the folders that may hold the people of a split: `Train` or `Test`, or in the older layout the root."""
    return [root / split.capitalize(), root]


def find_base(root: Path, split: str, folders: Iterable[str], pack: Pack | None) -> Path | None:
    """Return the folder that holds the people of a split, by the first of the folders of frames that exists."""
    bases = bases_of(root, split)
    return next((base for folder in folders for base in bases if has_folder(base / folder, pack)), None)
