"""A tiny tree in BUPTCampus's exact layout, a pure function of its seed, written with numpy and Pillow alone.

Same draws, names and colours as the generator that public readers were run on (see README.md here), so
`mini_bupt_expected.json` says what they read from it. Nothing in it is real data. Every frame is one flat colour: red
10 x (person mod 20), green 20 x camera + 30 x track, blue 8 x position in the tracklet; infrared frames are grey,
10 x (person mod 20) + position, and frames of FakeIR are that grey turned round. The lists are shuffled.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

CAMERAS = ["LS3", "G25", "CQ1", "W4", "TSG1", "TSG2"]
TRAIN = [3, 10, 27, 101, 1746, 2000]
AUXILIARY = [2830, 2831, 2832, 2833]
TEST = [1901, 1902, 1905, 1911, 1913, 1920, 1933, 1940, 1955, 1960]
HEIGHT, WIDTH = 32, 16
LISTS = ("train", "train_auxiliary", "query", "gallery")


class Plan:
    """What is in the tree: `tracklets` (person, camera, track, first frame number, frames) and `rows` of each list."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.RandomState(seed)  # noqa: NPY002 - the expected numbers were made with this generator
        self.tracklets: list[tuple[int, str, int, int, int]] = []
        self.rows: dict[str, list[str]] = {name: [] for name in LISTS}
        for person in TRAIN:
            for camera in self.some_cameras(lambda: int(self.rng.randint(2, 4))):
                for track in range(1, 2 + len(self.tracklets) % 2):
                    self.add(person, camera, track)
                    self.rows["train"].append(f"{person} RGB/IR {camera} {track}")
        for person in AUXILIARY:
            camera = CAMERAS[int(self.rng.randint(6))]
            self.add(person, camera, 1)
            self.rows["train_auxiliary"].append(f"{person} RGB/IR {camera} 1")
        for place, person in enumerate(TEST):
            self.test_person(place, person)
        for name, rows in self.rows.items():
            self.rows[name] = [rows[k] for k in self.rng.permutation(len(rows))]

    def test_person(self, place: int, person: int) -> None:
        """One query at the first camera; all tracklets of the others are gallery, in both modalities."""
        modality = ("RGB", "IR")[place % 2]
        for number, camera in enumerate(self.some_cameras(lambda: 2 + place % 3)):
            for track in range(1, 2 + (len(self.tracklets) % 3 == 0)):
                self.add(person, camera, track)
                if number > 0:
                    self.rows["gallery"] += [f"{person} {code} {camera} {track}" for code in ("RGB", "IR")]
                elif track == 1:
                    self.rows["query"].append(f"{person} {modality} {camera} 1")

    def some_cameras(self, count) -> list[str]:
        shuffled = self.rng.permutation(CAMERAS)
        return [str(camera) for camera in shuffled[: count()]]

    def add(self, person: int, camera: str, track: int) -> None:
        number = len(self.tracklets)
        if number % 13 == 5:
            frames = 1
        elif number % 5 == 0:
            frames = int(self.rng.randint(3, 9))
        else:
            frames = int(self.rng.randint(8, 17))
        self.tracklets.append((person, camera, track, int(self.rng.randint(1, 9000)), frames))


def write(root: Path, seed: int = 11, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """Write the tree under `root`; `size` is (height, width) of the frames."""
    plan = Plan(seed)
    paths: dict = {}
    for person, camera, track, first, frames in plan.tracklets:
        for code in ("IR", "RGB"):
            names = [
                f"{person}/{code}/{camera}/{person}_{code}_{camera}_{track}_{first + k}.jpg" for k in range(frames)
            ]
            paths.setdefault(str(person), {}).setdefault(code, {}).setdefault(camera, {})[str(track)] = names
            for position, name in enumerate(names):
                save(root / "DATA" / name, colour(code, person, camera, track, position), size)
                if code == "RGB":
                    fake = name.replace("/RGB/", "/FakeIR/")
                    save(root / "DATA" / fake, colour("FakeIR", person, camera, track, position), size)
    for name, rows in plan.rows.items():
        (root / f"{name}.txt").write_text("\n".join(rows) + "\n")
    (root / "data_paths.json").write_text(json.dumps(paths, sort_keys=True))
    return root


def save(path: Path, content: tuple[int, int, int], size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], content).save(path, quality=95)


def colour(code: str, person: int, camera: str, track: int, position: int) -> tuple[int, int, int]:
    """The flat RGB colour of a frame."""
    grey = ((person % 20) * 10 + min(position, 20)) % 256
    if code == "IR":
        return grey, grey, grey
    if code == "FakeIR":
        return (255 - grey,) * 3
    red, green, blue = (person % 20) * 10, 20 * CAMERAS.index(camera) + 30 * track, min(255, 8 * position)
    return red, green % 256, blue
