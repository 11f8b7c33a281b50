"""Other people who pass between the camera and the person of a tracklet."""

from dataclasses import replace

import numpy as np

from opengait_ext.data.synthetic_vvi.figure import figure
from opengait_ext.data.synthetic_vvi.person import Person
from opengait_ext.data.synthetic_vvi.pose import Pose
from opengait_ext.data.synthetic_vvi.settings import LARGEST_PID
from opengait_ext.data.synthetic_vvi.shapes import Part, View

PASSERS = 4096  # people who only pass by, numbered after those of the dataset
NEAR = 10.0  # statures before everybody else
NEARER = (1.0, 1.2)  # scale compared with the person of the tracklet
LOWER = (0.0, 0.05)  # statures that they walk below, since the ground nearer to the camera is lower


def draw_passer(rng: np.random.Generator) -> int:
    """Draw the number of a passer-by."""
    return LARGEST_PID + 1 + int(rng.integers(PASSERS))


def passing_parts(
    person: Person, pitch: float, phase_rate: float, step: float, length: int, rng: np.random.Generator
) -> list[Part]:
    """Return a person who walks through the picture in the other direction, in statures of the tracklet's person.

    Args:
        pitch: of the camera, in radians.
        phase_rate: gait cycles per frame of the passer-by.
        step: statures per frame that the person of the tracklet walks to the right.
    """
    direction = -1.0 if step > 0 else 1.0
    heading = np.full(length, (0.0 if direction > 0 else np.pi) + np.deg2rad(12 * rng.standard_normal()))
    pose = Pose(person, View(heading, pitch), 2 * np.pi * (rng.uniform() + phase_rate * np.arange(length)))
    pace = 4 * person.body.leg * np.sin(person.gait.stride) * phase_rate + abs(step)
    across = direction * pace * (np.arange(length) - rng.uniform(0.25, 0.75) * length)
    scale, below = rng.uniform(*NEARER), rng.uniform(*LOWER)
    shift = np.stack([across, np.full(length, -below)], axis=-1)[:, None]
    return [
        replace(part, outline=scale * part.outline + shift, depth=part.depth - NEAR, wearer=1) for part in figure(pose)
    ]
