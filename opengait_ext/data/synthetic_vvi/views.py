"""From where cameras see a path, and how paths turn."""

from functools import lru_cache

import numpy as np

from opengait_ext.data.synthetic_vvi.settings import SyntheticConfig
from opengait_ext.data.synthetic_vvi.shapes import View

PATH_NOISE = 3.0  # degrees; paths past one camera are not quite parallel
TURN = (40.0, 110.0)  # degrees of a turning path
LOW_PITCH, HIGH_PITCH = (2.0, 14.0), (18.0, 30.0)  # degrees that cameras look down
RAISED = 0.3  # share of cameras that look down steeply


@lru_cache(maxsize=64)
def viewpoint(seed: int, cameras: int, spread: float, number: int) -> tuple[float, float]:
    """Return yaw and pitch of camera `number` (from 1) in degrees.

    The yaw is the angle from the side view, positive where walkers show their backs.
    """
    rng = np.random.default_rng([seed, 4])
    places = rng.permutation(np.linspace(-1, 1, cameras) if cameras > 1 else np.zeros(1))
    rng = np.random.default_rng([seed, 4, number])
    yaw = spread * np.clip(places[number - 1] + rng.uniform(-0.5, 0.5) / cameras, -1, 1)
    return float(yaw), float(rng.uniform(*(HIGH_PITCH if rng.random() < RAISED else LOW_PITCH)))


def draw_view(config: SyntheticConfig, number: int, length: int, rng: np.random.Generator) -> View:
    """Draw the heading of one walk past camera `number`, frame by frame."""
    yaw, pitch = viewpoint(config.seed, config.cameras, config.view_spread, number)
    heading = np.full(length, yaw + PATH_NOISE * rng.standard_normal())
    if rng.random() < config.opposite:
        heading += 180.0
    turn, middle = rng.choice((-1, 1)) * rng.uniform(*TURN), rng.uniform(0.3, 0.7) * length
    if rng.random() < config.turning:
        heading += turn / 2 * np.tanh(4 * (np.arange(length) - middle) / length)
    return View(np.deg2rad(heading), float(np.deg2rad(pitch)))
