"""Clips as tracklets of a dataset, for the tools that export and draw."""

from collections.abc import Sequence

from opengait.data.frame_picker import uniform
from opengait_ext.data.choose import ChosenTracklet
from opengait_ext.search.inputs import Clip

# Footage does not say which camera saw it.
_VIEW = "c1"


def as_tracklets(clips: Sequence[Clip], frames: int | None = None) -> list[ChosenTracklet]:
    """Return clips with `frames` of their frames, evenly spread, or all for None.

    Each clip is a person; tracks of a single video are called by their track alone.
    """
    chosen = []
    one_video = len({clip.source for clip in clips}) == 1
    for clip in clips:
        length = len(clip.frames)
        indices = range(length) if frames is None or frames >= length else uniform(length, frames)
        label = clip.track if one_video and clip.track else clip.name
        names = tuple(f"{index:05d}" for index in indices)
        chosen.append(ChosenTracklet(label, str(clip.modality), _VIEW, clip.frames, tuple(indices), names))
    return chosen
