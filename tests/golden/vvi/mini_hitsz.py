"""A tiny tree in HITSZ-VCM's exact layout, a pure function of its seed, written with numpy and Pillow alone.

Same draws, names and colours as the generator that public readers were run on (see README.md here), so
`mini_hitsz_expected.json` says what they read from it. Nothing in it is real data. Every frame is one flat colour that
tells (person, camera, tracklet, frame): red 8 x person, green 20 x camera + 60 x tracklet, blue 10 x position in the
tracklet; infrared frames are grey, 8 x person + position. Test people count from 500 here.
"""

from pathlib import Path

import numpy as np
from PIL import Image

PEOPLE = {"train": range(1, 7), "test": range(501, 507)}
HEIGHT, WIDTH = 32, 16


def plan(seed: int) -> list[tuple[str, int, int, int, int, int]]:
    """Rows (split, modality code, person, camera, tracklet in its folder, frames) in file order."""
    rng = np.random.RandomState(seed)  # noqa: NPY002 - the expected numbers were made with this generator
    rows = []
    for split, people in PEOPLE.items():
        for person in people:
            cameras = sorted(rng.choice([2, 3, 4], size=2 + person % 2, replace=False).tolist())
            for modality in (2, 1):
                for place, camera in enumerate(cameras):
                    for tracklet in range(1, 2 + (person + place) % 2):
                        frames = int(rng.randint(14, 21))
                        kind = person + camera + tracklet + modality
                        if kind % 7 == 0:
                            frames = int(rng.randint(4, 12))  # below the 12-frame rule
                        if kind % 11 == 0:
                            frames = 12  # exactly at it
                        rows.append((split, modality, person, camera, tracklet, frames))
    return rows


def write(root: Path, flat: bool = False, seed: int = 7) -> Path:
    """Write the tree under `root`; `flat` leaves out Train/ and Test/, as the older layout does."""
    names: dict[str, list[str]] = {"train": [], "test": []}
    tracks: dict[str, list[str]] = {"train": [], "test": []}
    last_frame: dict[Path, int] = {}
    for split, modality, person, camera, tracklet, frames in plan(seed):
        top = root if flat else root / split.capitalize()
        folder = top / f"{person:04d}" / ("ir" if modality == 1 else "rgb") / f"D{camera}"
        folder.mkdir(parents=True, exist_ok=True)
        start = len(names[split]) + 1
        for position in range(frames):
            number = last_frame.get(folder, -4) + 5  # real frame numbers step by 5
            last_frame[folder] = number
            Image.new("RGB", (WIDTH, HEIGHT), colour(modality, person, camera, tracklet, position)).save(
                folder / f"{number}.jpg", quality=95
            )
            names[split].append(f"{person:04d}M{modality}D{camera}T{tracklet}F{number}.jpg")
        tracks[split].append(f"{modality} {start} {len(names[split])} {person:04d} {camera}")
    info = root / "info"
    info.mkdir(parents=True, exist_ok=True)
    for split in PEOPLE:
        (info / f"{split}_name.txt").write_text("\n".join(names[split]) + "\n")
        (info / f"track_{split}_info.txt").write_text("\n".join(tracks[split]) + "\n")
    query = [str(row) for row, line in enumerate(tracks["test"], start=1) if line.startswith("1 ")]
    (info / "query_IDX.txt").write_text(" ".join(query) + "\n")
    return root


def colour(modality: int, person: int, camera: int, tracklet: int, position: int) -> tuple[int, int, int]:
    """The flat RGB colour of a frame."""
    base = 8 * (person if person < 100 else person - 500)
    if modality == 1:
        grey = min(255, base + position)
        return grey, grey, grey
    return base, min(255, 20 * camera + 60 * tracklet), min(255, 10 * position)
