"""One tracklet: a person, filmed by one camera in one modality, as a list of frame files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, overload


class Modality(StrEnum):
    """Kind of camera that a frame was filmed with; the value is the engine's type string of a tracklet."""

    VISIBLE = "visible"
    INFRARED = "infrared"

    @property
    def number(self) -> int:
        """0 for visible, 1 for infrared, as the networks take `modality`."""
        return 0 if self is Modality.VISIBLE else 1


class Role(StrEnum):
    """Property of a tracklet that modality and camera do not imply; it ends the view string."""

    QUERY = "query"
    FAKE = "fake"
    AUXILIARY = "auxiliary"


@dataclass(frozen=True)
class Tracklet:
    """A tracklet as its dataset lists it; no frame is read.

    Attributes:
        person: the dataset's own identity number (HITSZ-VCM) or name (BUPTCampus).
        modality: visible or infrared.
        camera: the dataset's own camera number.
        frames: absolute paths in time order.
        track: 1-based row of the tracklet in its list file, which distinguishes tracklets of one camera and is
            the same for both tracklets of an aligned pair.
        role: a query, where queries and gallery hold both modalities (BUPTCampus), infrared frames generated from
            visible ones, or a member of an auxiliary training set that is kept apart; None for all others.
    """

    person: int | str
    modality: Modality
    camera: int
    frames: Sequence[Path]
    track: int = 0
    role: Role | None = None

    @property
    def label(self) -> str:
        """The engine's label: a number with four digits (HITSZ-VCM), or the unchanged name (BUPTCampus)."""
        return f"{self.person:04d}" if isinstance(self.person, int) else self.person

    @property
    def view(self) -> str:
        """The engine's view string (`view_name`)."""
        return view_name(self.camera, self.track, self.role)

    def __str__(self) -> str:
        return f"{self.modality} tracklet {self.view} of person {self.person}"


@dataclass(frozen=True)
class FrameFiles(Sequence):
    """Files of one folder tree as paths that are created on demand.

    A million and a half `Path` objects take most of a gigabyte; their names are in memory anyway.
    """

    base: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> "FrameFiles": ...

    def __getitem__(self, index: int | slice) -> "Path | FrameFiles":
        if isinstance(index, slice):
            return FrameFiles(self.base, self.names[index])
        return self.base / self.names[index]


class View(NamedTuple):
    """Contents of a view string; track and role are None where the string has none."""

    camera: int
    track: int | None = None
    role: Role | None = None


def view_name(camera: int, track: int, role: Role | None = None) -> str:
    """Return the view string `c<camera>-t<track>` or `c<camera>-t<track>-<role>`.

    The engine's batches and evaluators hold this string, and so do saved features; `parse_view` reads it.
    """
    name = f"c{camera}-t{track:05d}"
    return name if role is None else f"{name}-{role}"


def parse_view(view: str) -> View:
    """Return camera, track and role of a view string that `view_name` wrote.

    From the view of another dataset, `c<camera>` or `c<camera>-<anything>`, only the camera is read.

    Raises:
        ValueError: the view has no camera, or its role is unknown.
    """
    match = re.fullmatch(r"c(\d+)(?:-(?:t(\d+)(?:-(.*))?|.*))?", view)
    if match is None:
        raise ValueError(f"{view!r} is not a view of the form c<camera>-t<track>.")
    camera, track, role = match.groups()
    return View(int(camera), None if track is None else int(track), None if role is None else Role(role))
