"""Pictures of a page that would be too large: they go into files beside it."""

import base64
import hashlib
import re
from pathlib import Path

from opengait.utils.files import write_whole

# Browsers are slow with larger pages, and mail refuses them.
MOST_BYTES = 15_000_000
FOLDER = "pictures"
_URL = re.compile(r"data:image/(png|gif|jpeg);base64,([A-Za-z0-9+/=]+)")
_FILE = re.compile(r"[0-9a-f]{30}\.(png|gif|jpeg)")


def with_pictures_beside(text: str, folder: Path) -> str:
    """Return a page whose embedded pictures are files in `folder`/pictures, if it would be too large otherwise.

    Pictures that an earlier page left there are kept until `remove_unused`.

    Raises:
        OutputError: a file cannot be written.
    """
    if len(text) <= MOST_BYTES:
        return text

    def write(match: re.Match[str]) -> str:
        content = base64.b64decode(match[2])
        name = hashlib.sha256(content).hexdigest()[:32]
        # In many folders, since one with ten thousand files is slow.
        path = folder / FOLDER / name[:2] / f"{name[2:]}.{match[1]}"
        if not path.is_file():
            write_whole(path, lambda partial: partial.write_bytes(content))
        return path.relative_to(folder).as_posix()

    return _URL.sub(write, text)


def remove_unused(text: str, folder: Path) -> None:
    """Remove the pictures of earlier pages that a page does not show."""
    for path in (folder / FOLDER).glob("??/*"):
        if _FILE.fullmatch(path.name) and path.relative_to(folder).as_posix() not in text:
            path.unlink(missing_ok=True)


def size_of(folder: Path) -> tuple[int, int]:
    """Return number and bytes of the pictures beside a page."""
    sizes = [path.stat().st_size for path in (folder / FOLDER).glob("??/*") if _FILE.fullmatch(path.name)]
    return len(sizes), sum(sizes)
