"""Which frames of a tracklet are used: one small function a frame pick, and the reading of `sample_type`.

Every pick gives 0-based indices into the tracklet. Draws come from the global streams of `random` and `numpy.random`,
in OpenGait's order, so that a seed set outside gives OpenGait's frames.
"""

import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from opengait.errors import ConfigError

log = logging.getLogger("opengait")

# What a sampler section says about frames, beside the sampler's own arguments.
FRAME_KEYS = (
    "type",
    "sample_type",
    "frames_num_fixed",
    "frames_num_min",
    "frames_num_max",
    "frames_skip_num",
    "frames_all_limit",
    "points_in_use",
)

# OpenGait draws from numpy's global stream; a Generator of our own would give other frames for the same seed.
_choice = np.random.choice  # noqa: NPY002


def unordered(length: int, count: int) -> list[int]:
    """`count` frames in random order, with replacement only when the tracklet is shorter."""
    return _choice(length, count, replace=length < count).tolist()


def ordered(length: int, count: int, skip: int) -> list[int]:
    """`count` sorted frames out of a random window of `count + skip`; a tracklet shorter than that is repeated."""
    window = count + skip
    rounds = math.ceil(window / length) if length < window else 1
    frames = list(range(length)) * rounds
    start = random.choice(list(range(len(frames) - window + 1)))
    places = sorted(_choice(window, count, replace=False).tolist())
    return [frames[start + place] for place in places]


def sorted_random(length: int, count: int) -> list[int]:
    """`count` sorted frames drawn without replacement, or with it when the tracklet is shorter."""
    return sorted(unordered(length, count))


def segment_random(length: int, count: int) -> list[int]:
    """One frame drawn from each of `count` segments of ceil(length / count) frames.

    The last frame is repeated where the tracklet does not fill the segments.
    """
    size = max(1, math.ceil(length / count))
    return [min(random.randrange(s * size, (s + 1) * size), length - 1) for s in range(count)]


def segment_first(length: int, count: int) -> list[int]:
    """The first frame of each of the segments that `segment_random` draws from."""
    size = max(1, math.ceil(length / count))
    return [min(s * size, length - 1) for s in range(count)]


def uniform(length: int, count: int) -> list[int]:
    """Frames floor(s * length / count), evenly spread over the tracklet."""
    return [s * length // count for s in range(count)]


_PICKS: dict[str, Callable[..., list[int]]] = {
    "unordered": unordered,
    "ordered": ordered,
    # As upstream behaves, whatever the name promises: configurations in use were tuned with it.
    "allordered": unordered,
    "sorted_random": sorted_random,
    "segment_random": segment_random,
    "segment_first": segment_first,
    "uniform": uniform,
}
_COUNTS = ("fixed", "unfixed", "all")


@dataclass(frozen=True)
class FramePicker:
    """`sample_type`, `<fixed|unfixed|all>_<pick>`, with the numbers it needs.

    fixed: `frames_num_fixed` frames. unfixed: between `frames_num_min` and `frames_num_max`. all: every frame in
    order, at most `frames_all_limit` of them. The picks are the functions of this module.
    """

    counting: str
    pick: str
    fixed: int = 0
    least: int = 0
    most: int = 0
    skip: int = 0
    limit: int | None = None

    @classmethod
    def from_config(cls, sampler_cfg: dict[str, Any]) -> "FramePicker":
        """Read the `sampler` section of a configuration.

        Raises:
            ConfigError: an unknown `sample_type`, or a number that it needs is missing or not positive.
        """
        sample_type = str(sampler_cfg.get("sample_type", "fixed_unordered"))
        counting, _, pick = sample_type.partition("_")
        if counting not in _COUNTS or pick not in _PICKS:
            raise ConfigError(
                f"sampler.sample_type is {sample_type!r}; wanted is one of {', '.join(_COUNTS)}, then _ and one of "
                f"{', '.join(_PICKS)}."
            )
        numbers: dict[str, int | None] = {}
        if counting == "fixed":
            numbers["fixed"] = _number(sampler_cfg, "frames_num_fixed", sample_type, least=1)
        elif counting == "unfixed":
            numbers["least"] = _number(sampler_cfg, "frames_num_min", sample_type, least=1)
            numbers["most"] = _number(sampler_cfg, "frames_num_max", sample_type, least=numbers["least"])
        elif sampler_cfg.get("frames_all_limit") not in (None, -1):  # OpenGait's own -1 means no limit
            numbers["limit"] = _number(sampler_cfg, "frames_all_limit", sample_type, least=1)
        if counting != "all" and pick == "ordered":
            numbers["skip"] = _number(sampler_cfg, "frames_skip_num", sample_type, least=0)
        if counting != "all" and pick == "allordered":
            log.info(
                "sample_type %s gives frames in random order, as in OpenGait; %s_sorted_random gives them sorted.",
                sample_type,
                counting,
            )
        return cls(counting, pick, **numbers)

    @property
    def packed(self) -> bool:
        """Whether tracklets keep their own lengths, so that a batch is one long sequence and its `seqL`."""
        return self.counting != "fixed"

    def __call__(self, length: int) -> list[int]:
        """Frame indices for a tracklet of `length` frames."""
        if self.counting == "all":
            return list(range(length))[: self.limit]
        count = self.fixed
        if self.counting == "unfixed":
            count = random.choice(list(range(self.least, self.most + 1)))
        if self.pick == "ordered":
            return ordered(length, count, self.skip)
        return _PICKS[self.pick](length, count)


def _number(cfg: dict[str, Any], key: str, sample_type: str, least: int) -> int:
    value = cfg.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    found = "missing" if value is None else repr(value)
    raise ConfigError(f"sampler.{key} is {found}; sample_type {sample_type} wants a whole number of {least} or more.")
