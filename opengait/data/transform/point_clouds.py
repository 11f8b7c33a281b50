"""Point clouds: scaled to the unit ball, with random changes."""

import numpy as np

from opengait.errors import DataError

# OpenGait draws from numpy's global stream; a Generator of our own would give other numbers for the same seed.
_rand = np.random.rand  # noqa: NPY002
_randn = np.random.randn  # noqa: NPY002
_uniform = np.random.uniform  # noqa: NPY002

SHIFT = 0.1
JITTER, MOST_JITTER = 0.01, 0.05
SCALES = (0.8, 1.25)
MOST_DROPPED = 0.875


class PointCloudsTransform:
    """Every cloud about its centre and scaled to the unit ball; then, each with its probability, in this order:

    mirrored in y; every point shifted by U(-0.1, 0.1); jittered by N(0, 0.01), at most 0.05; scaled by U(0.8, 1.25);
    a share of U(0, 0.875) of the points replaced by the cloud's first. The gates draw once a call, from the global
    stream of `numpy.random`, whatever the probabilities are.

    Args:
        xyz_only: use the first three columns, whatever else a point has.
        scale_aware: append the height above the cloud's lowest point, as it was before all changes.
        drop_prob, shift_prob, jit_prob, scale_prob, flip_prob: the probabilities.
    """

    def __init__(
        self,
        xyz_only: bool = True,
        scale_aware: bool = False,
        drop_prob: float = 0,
        shift_prob: float = 0,
        jit_prob: float = 0,
        scale_prob: float = 0,
        flip_prob: float = 0,
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
            DataError: there are no such clouds.
        """
        if clouds.ndim != 3 or clouds.shape[1] < 1 or clouds.shape[2] < 3:
            raise DataError(
                f"PointCloudsTransform wants clouds [frames, points, 3 or more], but a tracklet is "
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
            points += np.clip(JITTER * _randn(*points.shape), -MOST_JITTER, MOST_JITTER)
        if _rand() < self.scale_prob:
            points *= _uniform(*SCALES, frames)[:, None, None]
        if _rand() < self.drop_prob:
            share = _rand(frames, 1) * MOST_DROPPED
            dropped = _rand(frames, number) <= share
            points = np.where(dropped[..., None], points[:, :1], points)
        return np.concatenate([points, height], axis=-1) if self.scale_aware else points


def _in_unit_ball(points: np.ndarray) -> np.ndarray:
    """`[T, N, c]` minus each cloud's mean, divided by the largest norm of its points; a single point stays at 0."""
    points = points - points.mean(axis=1, keepdims=True)
    radius = np.linalg.norm(points, axis=-1).max(axis=1)[:, None, None]
    return points / np.where(radius > 0, radius, 1)
