"""Normalisation and augmentation of point clouds."""

import numpy as np

from opengait.errors import DataError
from opengait.utils.typed import Share

# OpenGait draws from numpy's global stream; a separate Generator would draw different numbers for the same seed.
_rand = np.random.rand  # noqa: NPY002
_randn = np.random.randn  # noqa: NPY002
_uniform = np.random.uniform  # noqa: NPY002

SHIFT = 0.1
JITTER, MAX_JITTER = 0.01, 0.05
SCALES = (0.8, 1.25)
MAX_DROPPED = 0.875


class PointCloudsTransform:
    """Centre every cloud and scale it to the unit ball, then augment it.

    In this order, each with its own probability: mirror in y; shift every point by U(-0.1, 0.1); jitter by N(0, 0.01),
    at most 0.05; scale by U(0.8, 1.25); replace a share U(0, 0.875) of the points with the cloud's first. Each step
    draws once per call from the global stream of `numpy.random` to decide, even with probability 0.

    Args:
        xyz_only: use only the first three columns of a point.
        scale_aware: append each point's height above the cloud's lowest point, measured before all changes.
        drop_prob, shift_prob, jit_prob, scale_prob, flip_prob: the probabilities.
    """

    def __init__(
        self,
        xyz_only: bool = True,
        scale_aware: bool = False,
        drop_prob: Share = 0,
        shift_prob: Share = 0,
        jit_prob: Share = 0,
        scale_prob: Share = 0,
        flip_prob: Share = 0,
    ) -> None:
        self.xyz_only = xyz_only
        self.scale_aware = scale_aware
        self.drop_prob = drop_prob
        self.shift_prob = shift_prob
        self.jit_prob = jit_prob
        self.scale_prob = scale_prob
        self.flip_prob = flip_prob

    def __call__(self, clouds: np.ndarray) -> np.ndarray:
        """`[T, N, c]` to `[T, N, 3]` (c without `xyz_only`), one column more with `scale_aware`; float64.

        Raises:
            DataError: the clouds have another shape.
        """
        if clouds.ndim != 3 or clouds.shape[1] < 1 or clouds.shape[2] < 3:
            raise DataError(
                f"PointCloudsTransform: expected clouds [frames, points, 3 or more], got a tracklet "
                f"{list(clouds.shape)}; set sampler.points_in_use where clouds differ in size."
            )
        points = np.array(clouds[..., :3] if self.xyz_only else clouds, dtype=np.float64)
        points[..., 2] -= points[..., 2].min(axis=1, keepdims=True)
        height = points[..., 2:3]
        points = _in_unit_ball(points)
        frames, number = points.shape[:2]
        if _rand() < self.flip_prob:
            points[..., 1] *= -1
        if _rand() < self.shift_prob:
            points[..., :3] += _uniform(-SHIFT, SHIFT, (frames, number, 3))
        if _rand() < self.jit_prob:
            points += np.clip(JITTER * _randn(*points.shape), -MAX_JITTER, MAX_JITTER)
        if _rand() < self.scale_prob:
            points *= np.asarray(_uniform(*SCALES, frames))[:, None, None]
        if _rand() < self.drop_prob:
            share = np.asarray(_rand(frames, 1)) * MAX_DROPPED
            dropped = _rand(frames, number) <= share
            points = np.where(dropped[..., None], points[:, :1], points)
        return np.concatenate([points, height], axis=-1) if self.scale_aware else points


def _in_unit_ball(points: np.ndarray) -> np.ndarray:
    """Subtract each cloud's mean from `[T, N, c]` and divide by the largest norm; a single point stays at 0."""
    points = points - points.mean(axis=1, keepdims=True)
    radius = np.linalg.norm(points, axis=-1).max(axis=1)[:, None, None]
    return points / np.where(radius > 0, radius, 1)
