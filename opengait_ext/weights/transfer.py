"""Fetching a file over HTTP, resuming after a connection was cut."""

import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from opengait.errors import CheckpointError
from opengait.utils.files import write_json

CHUNK = 1 << 18
TIMEOUT = 30
ATTEMPTS = 5
# Answers after which the same request may succeed: a timeout, "too early" and "too many requests".
TEMPORARY = (408, 425, 429)
CUT = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


class OfflineError(CheckpointError):
    """The publisher could not be reached, so the file has to be fetched another way."""


@dataclass(frozen=True)
class Source:
    """The complete file that a partial one belongs to.

    Attributes:
        address: address of the file.
        size: size of the complete file in bytes; None if unknown.
        version: the server's strong ETag or its Last-Modified; None if the server sent neither.
    """

    address: str
    size: int | None
    version: str | None


def fetch(address: str, partial: Path, pause: float = 1.0) -> None:
    """Fetch the file at `address` to `partial`, resuming an earlier attempt.

    A JSON file beside a partial one describes the complete file. If the server's file has changed since, or the server
    does not support ranges, the fetch starts over.

    Args:
        pause: seconds before the next attempt; doubled after each attempt without progress.

    Raises:
        OfflineError: the server cannot be reached at all.
        CheckpointError: the server has no such file, the connection keeps breaking, or the file cannot be written;
            received data is kept for the next attempt.
    """
    if not address.startswith(("http://", "https://")):
        raise CheckpointError(f"{address} is not an address that starts with http:// or https://.")
    tries, begin = 0, size_of(partial)
    while True:
        before = size_of(partial)
        try:
            size = _receive(address, partial)
        except urllib.error.HTTPError as error:
            reason = f"the server answers {error.code} ({error.reason})"
            if error.code < 500 and error.code not in TEMPORARY:
                raise CheckpointError(f"{address} cannot be fetched: {reason}; check whether it has moved.") from error
        # Both for a malformed address, including that of a redirection.
        except (ValueError, http.client.InvalidURL) as error:
            raise CheckpointError(f"{address} is not a valid address ({error}).") from error
        except CUT as error:
            reason = str(getattr(error, "reason", None) or error or type(error).__name__)
            if isinstance(error, urllib.error.URLError) and size_of(partial) == begin:
                raise OfflineError(f"{address} cannot be reached ({reason}).") from error
        except OSError as error:
            raise CheckpointError(f"{partial} cannot be written ({error.strerror or error}).") from error
        else:
            if size is None or size_of(partial) == size:
                note_path(partial).unlink(missing_ok=True)
                return
            reason = "the connection was cut"
        tries = 0 if size_of(partial) > before else tries + 1
        if tries == ATTEMPTS:
            raise CheckpointError(
                f"{address} broke off after {size_of(partial):,} bytes ({reason}); run the command again to continue "
                f"from there."
            )
        time.sleep(pause * 2**tries)


def _receive(address: str, partial: Path) -> int | None:
    """Append the rest of the file to `partial` in one connection; return the size of the complete file, if known."""
    source = read_note(partial)
    if source is None or source.address != address:
        source = None
    start = size_of(partial) if source else 0
    if source and source.size is not None and start == source.size:
        return source.size
    request = urllib.request.Request(address, headers={"User-Agent": "opengait-dinogrl", "Accept-Encoding": "identity"})
    if source and start:
        request.add_header("Range", f"bytes={start}-")
        if source.version:
            request.add_header("If-Range", source.version)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise
        # The server's file is shorter than the partial one, so it is a different file.
        partial.unlink()
        return _receive(address, partial)
    with response:
        if source and response.status == 206:
            reply = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if not reply or int(reply[1]) != start or reply[2] not in ("*", str(source.size)):
                partial.unlink()
                return _receive(address, partial)
        else:
            start = 0
            length = response.headers.get("Content-Length", "")
            tag = response.headers.get("ETag", "")
            version = tag if tag.startswith('"') else response.headers.get("Last-Modified")
            source = Source(address, int(length) if length.isdecimal() else None, version)
            write_json(note_path(partial), asdict(source))
        free = shutil.disk_usage(partial.parent).free
        if source.size is not None and source.size - start > free:
            raise CheckpointError(
                f"{address} has {source.size - start:,} more bytes, and {partial.parent} has {free:,} free; free some "
                f"space or name another folder with --out."
            )
        _append(response.read, partial, start, source.size)
    return source.size


def _append(read: Callable[[int], bytes], partial: Path, start: int, size: int | None) -> None:
    """Append what `read` returns to the first `start` bytes of `partial`, with a progress bar on terminals."""
    bar = tqdm(desc=partial.stem, total=size, initial=start, unit="B", unit_scale=True, disable=None)
    with partial.open("ab" if start else "wb") as file, bar:
        while True:
            try:
                chunk = read(CHUNK)
            except OSError as error:  # the network's, not the disk's
                raise ConnectionError(str(error)) from error
            if not chunk:
                break
            file.write(chunk)
            bar.update(len(chunk))


def size_of(path: Path) -> int:
    """Return the size of a file in bytes, 0 if it does not exist."""
    return path.stat().st_size if path.is_file() else 0


def note_path(partial: Path) -> Path:
    """Return the path of the note about a partial file."""
    return partial.with_name(f"{partial.name}.json")


def read_note(partial: Path) -> Source | None:
    """Return the complete file that `partial` belongs to, or None if unknown."""
    try:
        source = Source(**json.loads(note_path(partial).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    fits = isinstance(source.size, int | None) and isinstance(source.version, str | None)
    return source if fits else None
