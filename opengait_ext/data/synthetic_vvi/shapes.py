"""Outlines of simple solids seen by a camera: the projection, tapered capsules and ellipses, for all frames at once."""

from dataclasses import dataclass
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
    """Viewpoint of the camera.

    Attributes:
        heading: (frames,) angle of the walk to the image plane: 0 to the right, a quarter turn away from the camera, pi
            to the left.
        pitch: how far the camera looks down.
    """

    heading: np.ndarray
    pitch: float

    @property
    def forward(self) -> np.ndarray:
        """Return how far a step ahead moves to the right in the image, (frames,)."""
        return np.cos(self.heading)

    @property
    def away(self) -> np.ndarray:
        """Return how far a step ahead moves away from the camera, (frames,); positive when the back shows."""
        return np.sin(self.heading)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points (frames, ..., 3) of the walker's frame to the image plane (frames, ..., 2), right and up."""
        forward, away = self._like(points)
        right = points[..., 0] * forward - points[..., 1] * away
        up = points[..., 2] * np.cos(self.pitch) + self.depth(points) * np.sin(self.pitch)
        return np.stack([right, up], axis=-1)

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Return how far points (frames, ..., 3) are from the camera along the ground, (frames, ...)."""
        forward, away = self._like(points)
        return points[..., 0] * away + points[..., 1] * forward

    def towards_camera(self) -> np.ndarray:
        """Return unit vectors from the walker to the camera, (frames, 3)."""
        level = np.cos(self.pitch)
        return np.stack([-level * self.away, -level * self.forward, np.full(len(self.heading), np.sin(self.pitch))], -1)

    def half_width(self, lateral: float, depth: float) -> np.ndarray:
        """Return half the visible width of an upright elliptic cylinder with these half axes, (frames,)."""
        return np.hypot(lateral * self.away, depth * self.forward)

    def _like(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shape = (-1,) + (1,) * (points.ndim - 2)
        return self.forward.reshape(shape), self.away.reshape(shape)


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
    depth: np.ndarray
    shade: np.ndarray
    label: int
    limb: str
    wearer: int = 0


def capsule(
    start: np.ndarray, end: np.ndarray, start_radius: float | np.ndarray, end_radius: float | np.ndarray
) -> np.ndarray:
    """Return a rod with round ends between points (frames, 2), as (frames, 2 * ARC_POINTS, 2).

    The radii are numbers or (frames,).
    """
    axis = end - start
    length = np.linalg.norm(axis, axis=-1)
    # Seen end on, the larger end shows all around the smaller one.
    first_radius = np.maximum(start_radius, end_radius - length)
    last_radius = np.maximum(end_radius, start_radius - length)
    angle = np.arctan2(axis[:, 1], axis[:, 0])[:, None]
    arc = np.linspace(-np.pi / 2, np.pi / 2, ARC_POINTS)[None]
    ends = []
    for centre, radius, turn in ((end, last_radius, 0.0), (start, first_radius, np.pi)):
        direction = angle + turn + arc
        ends.append(centre[:, None] + radius[:, None, None] * np.stack([np.cos(direction), np.sin(direction)], axis=-1))
    return np.concatenate(ends, axis=1)


def ellipse(centre: np.ndarray, half_width: float | np.ndarray, half_height: float | np.ndarray) -> np.ndarray:
    """Return an upright ellipse around points (frames, 2), as (frames, ELLIPSE_POINTS, 2)."""
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)
    across = np.broadcast_to(half_width, len(centre))[:, None] * np.cos(angle)
    above = np.broadcast_to(half_height, len(centre))[:, None] * np.sin(angle)
    return centre[:, None] + np.stack([across, above], axis=-1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (..., n) to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
