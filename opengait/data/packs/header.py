"""The header of a pack, `pack.json`: what the pack holds (`opengait.data.packs.read` describes the format)."""

import json
import re
from pathlib import Path
from typing import Any

from opengait.errors import DataError
from opengait.utils.regular_files import read_file

HEADER, INDEX = "pack.json", "index"
FORMAT, VERSION = "frame pack", 1
SHARD_NAME = re.compile(r"frames-\d{5,9}\.bin")
MOST_HEADER_BYTES = 1 << 28
# Arrays of the index: name -> type. `names` holds the UTF-8 names without separators.
ARRAYS = {
    "names": "|u1",
    "name_ends": "<i8",
    "shards": "<i4",
    "offsets": "<i8",
    "lengths": "<i8",
    "crc32": "<u4",
}


def read_header(root: Path) -> dict[str, Any]:
    """Read `pack.json`.

    Raises:
        DataError: it is missing or damaged, or its version is not supported.
    """
    path = root / HEADER
    try:
        header = json.loads(read_file(path, MOST_HEADER_BYTES))
    except OSError as error:
        raise DataError(
            f"{root} is not a pack: {path.name} cannot be read ({error.strerror}); make one with vvi pack, or "
            f"run it again if it was interrupted."
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); pack the data again.") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(f"{path} is not the header of a pack; name a folder that vvi pack made.")
    if header.get("version") != VERSION:
        raise DataError(
            f"{root}: expected a pack of version {VERSION}, got version {header.get('version')!r}; pack the data again."
        )
    shards, index, others = (header.get(part, ()) for part in ("shards", "index", "others"))
    if not all(isinstance(part, list) and all(map(_describes_file, part)) for part in (shards, index, others)):
        raise DataError(f"{path} is incomplete; pack the data again.")
    names = [shard["name"] for shard in shards]
    if (
        not _is_count(header.get("files"))
        or not all(map(SHARD_NAME.fullmatch, names))
        or len(set(names)) != len(names)
        or sorted(file["name"] for file in index) != sorted(f"{INDEX}/{name}.npy" for name in ARRAYS)
    ):
        raise DataError(f"{path} lists files that do not belong in a pack; pack the data again.")
    return header


def _describes_file(entry: Any) -> bool:
    """Return whether an entry names a file below the pack's folder, with its size and checksum."""
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("name", "sha256")):
        return False
    parts = entry["name"].split("/")
    return _is_count(entry.get("bytes")) and "\0" not in entry["name"] and not {"", ".", ".."} & set(parts)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62
