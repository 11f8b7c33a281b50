"""One tracklet: a person, filmed by one camera in one modality, as a list of frame files."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import overload


class Modality(StrEnum):
    """What a frame was filmed with; the value is the engine's type string of a tracklet."""

    VISIBLE = "visible"
    INFRARED = "infrared"

    @property
    def number(self) -> int:
        """0 for visible, 1 for infrared: what the networks take as `modality`."""
        return 0 if self is Modality.VISIBLE else 1


class Role(StrEnum):
    """What the end of a view string tells where type and camera do not say it."""

    QUERY = "query"
    FAKE = "fake"


@dataclass(frozen=True)
class Tracklet:
    """A tracklet as its data set lists it; no frame is read.

    Attributes:
        person: the data set's own identity number (HITSZ-VCM) or name (BUPTCampus).
        label: training class, 0 to the number of training identities - 1; None in test.
        modality: visible or infrared.
        camera: the data set's own camera number.
        frames: absolute paths in time order.
        row: 1-based row of the tracklet in its list file, which keeps two tracklets of one camera apart.
        role: a query, where queries and gallery hold both modalities (BUPTCampus), or infrared frames that were made
            from visible ones; None for all others.
    """

    person: int | str
    label: int | None
    modality: Modality
    camera: int
    frames: Sequence[Path]
    row: int = 0
    role: Role | None = None

    @property
    def view(self) -> str:
        """`c<camera>-t<row>` or `c<camera>-t<row>-<role>`, the engine's view string."""
        line = f"c{self.camera}-t{self.row:05d}"
        return line if self.role is None else f"{line}-{self.role}"

    def __str__(self) -> str:
        return f"{self.modality} tracklet {self.view} of person {self.person}"


@dataclass(frozen=True)
class FrameFiles(Sequence):
    """Files of one folder tree as paths that are made when they are asked for.

    A million and a half `Path` objects take most of a gigabyte; their names are in memory anyway.
    """

    base: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> Path: ...

    @overload
    def __getitem__(self, place: slice) -> "FrameFiles": ...

    def __getitem__(self, place: int | slice) -> "Path | FrameFiles":
        if isinstance(place, slice):
            return FrameFiles(self.base, self.names[place])
        return self.base / self.names[place]


def camera_of(view: str) -> int:
    """The camera number in a view string `c<camera>-t<row>`, with or without a role at its end.

    Raises:
        ValueError: the string has another form.
    """
    camera = view.partition("-")[0]
    if not camera.startswith("c") or not camera[1:].isdigit():
        raise ValueError(f"{view!r} is no view of the form c<camera>-t<row>.")
    return int(camera[1:])


def role_of(view: str) -> Role | None:
    """The role at the end of a view string; None where there is none.

    Raises:
        ValueError: what stands there is no role.
    """
    role = view.split("-", 2)[2:]
    return Role(role[0]) if role else None


def line_of(view: str) -> str:
    """A view string without its role: the two tracklets of an aligned pair have this in common."""
    return "-".join(view.split("-", 2)[:2])
