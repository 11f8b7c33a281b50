"""One walk past one camera: random draws, frames and silhouettes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from opengait_ext.data.synthetic_vvi.crowd import draw_passer, passing_parts
from opengait_ext.data.synthetic_vvi.drawing import Placement
from opengait_ext.data.synthetic_vvi.figure import figure
from opengait_ext.data.synthetic_vvi.painter import Backdrop, Painter
from opengait_ext.data.synthetic_vvi.person import Person, draw_person, on_another_day
from opengait_ext.data.synthetic_vvi.pose import Pose
from opengait_ext.data.synthetic_vvi.scene import camera
from opengait_ext.data.synthetic_vvi.settings import SyntheticConfig
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part
from opengait_ext.data.synthetic_vvi.truth import Joints, parsing_map
from opengait_ext.data.synthetic_vvi.views import draw_view
from opengait_ext.data.synthetic_vvi.wardrobe import Wardrobe, draw_wardrobe

FRAMES_PER_SECOND = 12.0
RECESSION = 0.12  # change of scale for each stature that a person walks away, about eight statures from the camera
LARGEST_RECESSION = (0.88, 1.12)  # beyond which the panorama would end
SHORTEST = 12  # shorter tracklets are dropped by the benchmark


@dataclass(frozen=True, order=True)
class TrackletKey:
    """Key of a tracklet, from which, with the seed, all draws come, so order and workers do not matter."""

    pid: int
    modality: int
    camera: int
    track: int


def stream(config: SyntheticConfig, key: TrackletKey) -> np.random.Generator:
    """Return the tracklet's random generator."""
    return np.random.default_rng([config.seed, 2, key.pid, key.modality, key.camera, key.track])


def crowd_stream(config: SyntheticConfig, key: TrackletKey) -> np.random.Generator:
    """Return the random generator of who passes in front, apart, so that `crowd` changes nothing else."""
    return np.random.default_rng([config.seed, 5, key.pid, key.modality, key.camera, key.track])


def draw_length(config: SyntheticConfig, rng: np.random.Generator) -> int:
    """Draw the length of a tracklet, the first draw of its stream."""
    length = round(config.frames * rng.uniform(0.75, 1.25))
    return max(length, SHORTEST) if config.frames >= SHORTEST else max(length, 1)


def tracklet_length(config: SyntheticConfig, key: TrackletKey) -> int:
    """Return the length of a tracklet without drawing it."""
    return draw_length(config, stream(config, key))


def who(config: SyntheticConfig, pid: int) -> tuple[Person, Wardrobe]:
    """Return the person `pid` and their clothes, the same in all tracklets."""
    person = draw_person(np.random.default_rng([config.seed, 0, pid]), config.outline_variety)
    return person, draw_wardrobe(np.random.default_rng([config.seed, 1, pid]), config.appearance_link)


class Drawn(NamedTuple):
    """One frame and what is true of it.

    Attributes:
        frame: uint8 (height, width, 3), blue green red, or (height, width, 1) in infrared.
        silhouette: uint8 (height, width) of 0 and 255, the visible parts of the person and their baggage.
        parsing: uint8 (height, width), LIP's classes of the silhouette; bags are 0.
        joints: (17, 3), x, y in pixels and visibility of COCO's joints (`truth.JOINTS`).
    """

    frame: np.ndarray
    silhouette: np.ndarray
    parsing: np.ndarray
    joints: np.ndarray


def render(config: SyntheticConfig, key: TrackletKey) -> Iterator[Drawn]:
    """Draw one tracklet, frame by frame."""
    rng = stream(config, key)
    length = draw_length(config, rng)
    person, wardrobe = who(config, key.pid)
    person = on_another_day(person, rng)
    cam = camera(config.seed, key.camera, config.size)
    sensor = cam.sensor(key.modality, config.infrared)
    view = draw_view(config, key.camera, length, rng)
    rate = person.gait.cadence / FRAMES_PER_SECOND
    pose = Pose(person, view, 2 * np.pi * (rng.uniform() + rate * np.arange(length)))
    parts = figure(pose)
    anchor = next(part for part in parts if part.paint == Paint.UPPER and part.limb == "trunk").outline.mean(axis=1)
    placement, jitter = place_figure(parts, cam.fill, config.size, rng)
    pace = 4 * person.body.leg * np.sin(person.gait.stride) * rate  # statures per frame
    steps = pace * view.forward * placement.scale.mean()
    scroll = rng.uniform(0, sensor.panorama.shape[1]) + np.cumsum(steps)
    behind = jitter * np.stack([np.ones(length), np.ones(length), recession(pace * view.away)], axis=1)
    backgrounds = Backdrop(sensor.panorama, config.size, scroll, behind)
    ground = float(placement.centre[:, 1].mean() + 0.005 * config.size[0])  # the soles are at height 0
    others = crowd_stream(config, key)
    wardrobes = [wardrobe]
    if others.random() < config.crowd:
        other, clothes = who(config, draw_passer(others))
        wardrobes.append(clothes)
        rate = other.gait.cadence / FRAMES_PER_SECOND
        parts += passing_parts(other, view.pitch, rate, float(pace * view.forward.mean()), length, others)
    painter = Painter(config, key.modality, rng, sensor, wardrobes, backgrounds, float(steps.mean()), ground)
    joints = Joints(pose, placement, parts)
    for number, (frame, silhouette, canvas) in enumerate(painter.frames(parts, placement, anchor)):
        yield Drawn(frame, silhouette, parsing_map(canvas, parts, silhouette), joints.at(number, canvas, silhouette))


def recession(away: np.ndarray) -> np.ndarray:
    """Return how much larger the background looks around a person who walks away, (frames,).

    The box follows the person, so that what stands still grows when they recede, and shrinks when they approach.

    Args:
        away: (frames,), statures walked away from the camera in each frame.
    """
    walked = np.cumsum(away)
    return np.clip(1 + RECESSION * (walked - walked.mean()), *LARGEST_RECESSION)


def smooth_noise(rng: np.random.Generator, length: int) -> np.ndarray:
    """Return a slow random walk around 0 of unit variance, (length,)."""
    noise = rng.standard_normal(length)
    for index in range(1, length):
        noise[index] = 0.8 * noise[index - 1] + 0.6 * noise[index]
    return noise


def place_figure(
    parts: list[Part], fill: float, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Placement, np.ndarray]:
    """Fit the figure into the frame as a detector would, a few per cent off.

    Returns:
        The placement, and the box's jitter (frames, 3): shift right, shift down and scale, which also move the
        background.
    """
    height, width = size
    low = np.min([part.outline.min(axis=1) for part in parts], axis=0)
    high = np.max([part.outline.max(axis=1) for part in parts], axis=0)
    length = len(low)
    stature = fill * rng.uniform(0.96, 1.03) * height / np.median(high[:, 1] - low[:, 1])
    middle = (low + high) / 2
    middle[:, 0] = 0.5 * middle[:, 0].mean()  # half way between the pelvis and the middle of the box
    middle[:, 1] = middle[:, 1].mean()
    jitter = np.stack(
        [
            width * (0.02 * rng.normal() + 0.012 * smooth_noise(rng, length)),
            height * (0.008 * rng.normal() + 0.006 * smooth_noise(rng, length)),
            1 + 0.012 * smooth_noise(rng, length),
        ],
        axis=1,
    )
    scale = stature * jitter[:, 2]
    centre = np.array([width / 2, height / 2]) + jitter[:, :2] + scale[:, None] * middle * np.array([-1.0, 1.0])
    return Placement(centre, scale), jitter
