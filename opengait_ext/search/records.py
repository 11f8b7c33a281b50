"""Where the tracklets of a gallery come from, and the network that described them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """Origin and picture of a tracklet.

    Attributes:
        source: absolute path of the folder or the video.
        track: track in the video; "" for a folder.
        start_seconds, end_seconds: when it is first and last seen in the video; None for folders.
        thumbnail: a frame as JPEG; b"" for none.
    """

    source: str = ""
    track: str = ""
    start_seconds: float | None = None
    end_seconds: float | None = None
    thumbnail: bytes = b""


def key_of(name: str, record: Record) -> str:
    """Return what makes a tracklet the same as another: its source, track and beginning, or else its name."""
    if not record.source:
        return name
    return f"{record.source}#{record.track}@{record.start_seconds}" if record.track else record.source
