"""Files that the plug writes into somebody else's folder, recognised by a digest in their first line.

The digest covers a file's name and content, so a file that somebody edited or copied is theirs: the plug neither
replaces nor deletes it.
"""

import hashlib
import re
from pathlib import Path

from opengait.errors import DataError

# The place of the digest in a file's first line.
PLACE = "[digest]"
_DIGEST = re.compile(r"\[[0-9a-f]{16}\]")
# First lines by earlier versions, without a digest; a configuration's name ends with that of its source.
_FORMER = re.compile(r'("""Added by|# Made by) (vvi plug|scripts/plug_into_opengait\.py) (of|from (?P<source>[^;\s]+))')


def sign(name: str, text: str) -> str:
    """Return the text of a file of that name with its digest at `PLACE`."""
    return text.replace(PLACE, f"[{_digest(name, text)}]", 1)


def is_ours(file: Path) -> bool:
    """Return whether the plug wrote a file, and nobody has changed it since; a link is not ours."""
    if file.is_symlink() or not file.is_file():
        return False
    text = file.read_bytes().decode(errors="replace")
    first, newline, rest = text.partition("\n")
    signature = _DIGEST.search(first)
    if signature:
        return signature[0] == f"[{_digest(file.name, first.replace(signature[0], PLACE, 1) + newline + rest)}]"
    former = _FORMER.match(first)
    return former is not None and (former["source"] is None or file.name.endswith(f"_{former['source']}"))


def require_ours(file: Path) -> None:
    """Check that a file may be replaced or deleted.

    Raises:
        DataError: it exists, and was not made by the plug or was edited since.
    """
    if (file.exists() or file.is_symlink()) and not is_ours(file):
        raise DataError(
            f"{file} was not made by vvi plug, or was edited since, so it stays; move it away or delete it first."
        )


def _digest(name: str, text: str) -> str:
    return hashlib.sha256(f"{name}\n{text}".encode(errors="replace")).hexdigest()[:16]
