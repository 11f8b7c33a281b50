"""Frame sampling: one function per strategy, and the parsing of `sample_type`.

Every function returns 0-based indices into the tracklet. Draws come from the global streams of `random` and
`numpy.random`, in OpenGait's order, so a seed selects the same frames as in OpenGait.
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

# Keys of a sampler section that are not arguments of the sampler.
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

# OpenGait draws from numpy's global stream; a separate Generator would select different frames for the same seed.
_choice = np.random.choice  # noqa: NPY002


def unordered(length: int, count: int) -> list[int]:
    """Draw `count` frames in random order, with replacement only if the tracklet is shorter."""
    return _choice(length, count, replace=length < count).tolist()


def ordered(length: int, count: int, skip: int) -> list[int]:
    """Draw `count` sorted frames from a random window of `count + skip`; a tracklet shorter than that is repeated."""
    window = count + skip
    rounds = math.ceil(window / length) if length < window else 1
    frames = list(range(length)) * rounds
    start = random.choice(list(range(len(frames) - window + 1)))
    offsets = sorted(_choice(window, count, replace=False).tolist())
    return [frames[start + offset] for offset in offsets]


def sorted_random(length: int, count: int) -> list[int]:
    """Draw `count` frames, sorted, with replacement only if the tracklet is shorter."""
    return sorted(unordered(length, count))


def segment_random(length: int, count: int) -> list[int]:
    """Draw one frame from each of `count` segments of ceil(length / count) frames.

    The last frame is repeated if the tracklet does not fill the segments.
    """
    size = max(1, math.ceil(length / count))
    return [min(random.randrange(s * size, (s + 1) * size), length - 1) for s in range(count)]


def segment_first(length: int, count: int) -> list[int]:
    """Return the first frame of each segment that `segment_random` draws from."""
    size = max(1, math.ceil(length / count))
    return [min(s * size, length - 1) for s in range(count)]


def uniform(length: int, count: int) -> list[int]:
    """Return the frames floor(s * length / count), evenly spread over the tracklet."""
    return [s * length // count for s in range(count)]


_PICKS: dict[str, Callable[..., list[int]]] = {
    "unordered": unordered,
    "ordered": ordered,
    # As upstream behaves, despite the name: existing configurations were tuned with it.
    "allordered": unordered,
    "sorted_random": sorted_random,
    "segment_random": segment_random,
    "segment_first": segment_first,
    "uniform": uniform,
}
_COUNTS = ("fixed", "unfixed", "all")


@dataclass(frozen=True)
class FramePicker:
    """A frame-sampling strategy: `sample_type`, `<fixed|unfixed|all>_<pick>`, with its numbers.

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
        """Parse the `sampler` section of a configuration.

        Raises:
            ConfigError: `sample_type` is unknown, or a number that it needs is missing or too small.
        """
        sample_type = str(sampler_cfg.get("sample_type", "fixed_unordered"))
        counting, _, pick = sample_type.partition("_")
        if counting not in _COUNTS or pick not in _PICKS:
            raise ConfigError(
                f"sampler.sample_type: expected one of {', '.join(_COUNTS)}, then _ and one of {', '.join(_PICKS)}; "
                f"got {sample_type!r}."
            )
        numbers: dict[str, int] = {}
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
        """True if tracklets keep their own lengths, which makes a batch one long sequence with a `seqL`."""
        return self.counting != "fixed"

    def __call__(self, length: int) -> list[int]:
        """Return frame indices for a tracklet of `length` frames."""
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
    got = "nothing" if value is None else repr(value)
    raise ConfigError(f"sampler.{key}: expected an integer of at least {least} for {sample_type}, got {got}.")
