"""Outlines of simple solids seen by a camera: the projection, tapered capsules and ellipses, for all frames at once."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

ARC_POINTS = 7
ELLIPSE_POINTS = 18


class Paint(IntEnum):
    """Material of a part of the figure."""

    NOTHING = 0
    SKIN = 1
    FACE = 2
    HAIR = 3
    HEADGEAR = 4
    UPPER = 5
    PATTERN = 6  # the second colour of the upper garment
    LOWER = 7
    SHOES = 8
    BAG = 9
    EYE = 10  # seen when the face looks at the camera
    STRIP = 11  # reflective strips


@dataclass(frozen=True)
class View:
    """Viewpoint of the camera: `heading` is the angle of the walk to the image plane, 0 to the right, pi to the left;
    `pitch` is how far the camera looks down."""

    heading: float
    pitch: float

    @property
    def forward(self) -> float:
        """Return how far a step ahead moves to the right in the image: the cosine of the heading."""
        return float(np.cos(self.heading))

    @property
    def away(self) -> float:
        """Return the sine of the heading, positive when the walker's back shows."""
        return float(np.sin(self.heading))

    @property
    def near_side(self) -> str:
        """Return the side of the body nearer to the camera."""
        return "right" if self.forward > 0 else "left"

    @property
    def far_side(self) -> str:
        """Return the side of the body farther from the camera."""
        return "left" if self.forward > 0 else "right"

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points (..., 3) of the walker's frame to the image plane (..., 2), x right, y up, in statures."""
        right = points[..., 0] * self.forward - points[..., 1] * self.away
        depth = points[..., 0] * self.away + points[..., 1] * self.forward
        up = points[..., 2] * np.cos(self.pitch) + depth * np.sin(self.pitch)
        return np.stack([right, up], axis=-1)

    def half_width(self, lateral: float, depth: float) -> float:
        """Return half the visible width of an upright elliptic cylinder with these half axes."""
        return float(np.hypot(lateral * self.away, depth * self.forward))


@dataclass(frozen=True)
class Part:
    """A piece of the figure: one polygon per frame, and what it is.

    Attributes:
        paint: the material.
        outline: (frames, points, 2), in statures on the image plane.
        depth: (frames,) distance from the camera in statures; the farthest part is painted first.
        shade: (frames,) brightness, 1 for most parts and less for limbs behind the body.
        label: class of the parsing map (LIP, datasets/MASKS.md); bags are 0.
        limb: `left_arm`, `right_leg`, ..., `trunk`, `head` or `bag`.
        wearer: index of the person: 0 is the one of the tracklet, 1 someone who passes in front.
    """

    paint: Paint
    outline: np.ndarray
    depth: np.ndarray = field(default_factory=lambda: np.zeros(0))
    shade: np.ndarray = field(default_factory=lambda: np.zeros(0))
    label: int = 0
    limb: str = ""
    wearer: int = 0


def capsule(start: np.ndarray, end: np.ndarray, start_radius: float, end_radius: float) -> np.ndarray:
    """Return a rod with round ends between points (frames, 2), as (frames, 2 * ARC_POINTS, 2)."""
    axis = end - start
    angle = np.arctan2(axis[:, 1], axis[:, 0])[:, None]
    arc = np.linspace(-np.pi / 2, np.pi / 2, ARC_POINTS)[None]
    ends = []
    for centre, radius, turn in ((end, end_radius, 0.0), (start, start_radius, np.pi)):
        direction = angle + turn + arc
        ends.append(centre[:, None] + radius * np.stack([np.cos(direction), np.sin(direction)], axis=-1))
    return np.concatenate(ends, axis=1)


def ellipse(
    centre: np.ndarray, up: np.ndarray, half_height: float, half_width: float, arc: tuple[float, float] = (0, 2 * np.pi)
) -> np.ndarray:
    """Return an ellipse, or the part of it between two angles, as (frames, ELLIPSE_POINTS, 2).

    Args:
        centre: (frames, 2).
        up: (frames, 2), unit vectors along the half axis `half_height`.
        half_height, half_width: half axes; a negative width mirrors the arc.
        arc: angles from the sideways axis (0) towards `up` (a quarter turn).
    """
    sideways = np.stack([up[:, 1], -up[:, 0]], axis=-1)
    angle = np.linspace(*arc, ELLIPSE_POINTS)[None, :, None]
    return centre[:, None] + np.cos(angle) * half_width * sideways[:, None] + np.sin(angle) * half_height * up[:, None]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (frames, 2) to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
