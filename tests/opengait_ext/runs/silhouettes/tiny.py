"""A dataset of ellipses and a network of a few thousand parameters."""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH, FRAMES = 96, 48, 3
SEED = 3
PEOPLE = {"train": (1,), "test": (501, 503)}
MODEL = {
    "model": "DinoGRL",
    "dimension": 8,
    "granularities": [2, 4],
    "num_classes": 2,
    "appearance": {"backbone": "resnet10", "width": 8},
    "vision_model": {
        "name": "vit_tiny_patch16_224",
        "layers": [0, 1],
        "image_size": [128, 64],
        "arguments": {"patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2},
    },
    "silhouette": {"size": [64, 32], "priors": 4, "channels": 6},
    "gait": {"backbone": "resnet10", "width": 8},
}


def ellipse(person: int, frame: int) -> np.ndarray:
    """Return an upright ellipse, bool (HEIGHT, WIDTH), which moves to the right from frame to frame."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    middle = WIDTH / 2 - 3 + 3 * frame
    return ((rows - 50) / 38) ** 2 + ((columns - middle) / (8 + person % 5)) ** 2 < 1


def write_data(root: Path) -> Path:
    """Write two test people and a training person in the layout of HITSZ-VCM, with their true silhouettes."""
    noise = np.random.default_rng(0)
    (root / "info").mkdir(parents=True)
    for split, people in PEOPLE.items():
        names, rows, queries = [], [], []
        for person in people:
            for code, sensor in ((2, "rgb"), (1, "ir")):
                for camera in (2, 5):
                    rows.append(f"{code} {len(names) + 1} {len(names) + FRAMES} {person:04d} {camera}")
                    if code == 1:
                        queries.append(str(len(rows)))
                    folder = Path(split.capitalize(), f"{person:04d}", sensor, f"D{camera}")
                    (root / folder).mkdir(parents=True)
                    (root / "silhouettes" / folder).mkdir(parents=True)
                    for frame in range(FRAMES):
                        number = 1 + 5 * frame
                        names.append(f"{person:04d}M{code}D{camera}T1F{number}.jpg")
                        shape = ellipse(person, frame)
                        picture = noise.integers(0, 90, (HEIGHT, WIDTH, 3 if code == 2 else 1))
                        picture = picture + shape[..., None] * 40 * np.arange(2, 2 + picture.shape[2])
                        picture = np.broadcast_to(picture, (HEIGHT, WIDTH, 3)).astype(np.uint8)
                        Image.fromarray(picture).save(root / folder / f"{number}.jpg")
                        Image.fromarray(shape).save(root / "silhouettes" / folder / f"{number}.png")
        (root / "info" / f"{split}_name.txt").write_text("\n".join(names) + "\n")
        (root / "info" / f"track_{split}_info.txt").write_text("\n".join(rows) + "\n")
        (root / "info" / "query_IDX.txt").write_text(" ".join(queries) + "\n")
    return root


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))
