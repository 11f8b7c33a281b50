"""One tracklet: a person, filmed by one camera in one modality, as a list of frame files."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Modality(StrEnum):
    """What a frame was filmed with; the value is the engine's type string of a tracklet."""

    VISIBLE = "visible"
    INFRARED = "infrared"

    @property
    def number(self) -> int:
        """0 for visible, 1 for infrared: what the networks take as `modality`."""
        return 0 if self is Modality.VISIBLE else 1


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
    """

    person: int | str
    label: int | None
    modality: Modality
    camera: int
    frames: tuple[Path, ...]
    row: int = 0

    @property
    def view(self) -> str:
        """`c<camera>-t<row>`, the engine's view string; `camera_of` reads the camera back."""
        return f"c{self.camera}-t{self.row:05d}"

    def __str__(self) -> str:
        return f"{self.modality} tracklet {self.view} of person {self.person}"


def camera_of(view: str) -> int:
    """The camera number in a view string `c<camera>-t<row>`.

    Raises:
        ValueError: the string has another form.
    """
    camera = view.partition("-")[0]
    if not camera.startswith("c") or not camera[1:].isdigit():
        raise ValueError(f"{view!r} is no view of the form c<camera>-t<row>.")
    return int(camera[1:])
