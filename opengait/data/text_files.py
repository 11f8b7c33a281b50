"""Text and JSON files that people wrote or edited, read with a sentence for what editors do to them."""

import codecs
import json
from pathlib import Path
from typing import Any

from opengait.errors import DataError

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path, advice: str, allow_empty: bool = False) -> str:
    """Read a text file in UTF-8, with or without a byte-order mark; line ends become `\\n`.

    Args:
        path: the file.
        advice: what to do if it is missing or empty.
        allow_empty: accept a file of blanks.

    Raises:
        DataError: the file is missing, empty, not text, or in another encoding.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {advice}.") from None
    except UnicodeDecodeError as error:
        if content.startswith(_WIDE):
            raise DataError(f"{path} is in UTF-16, as Windows writes it; save it as UTF-8.") from None
        reason = f"{error.reason} at byte {error.start}"
        raise DataError(f"{path} is not a text file in UTF-8 ({reason}); save it as UTF-8 or copy it again.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    if "\0" in text:
        raise DataError(f"{path} is not a text file in UTF-8: it holds zero bytes; save it as UTF-8 or copy it again.")
    if not allow_empty and not text.strip():
        raise DataError(f"{path} is empty; {advice}.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path, advice: str) -> list[str]:
    """Read the lines of a list without surrounding blanks and without blank lines at the end; see `read_text`."""
    return [line.strip() for line in read_text(path, advice).rstrip().split("\n")]


def read_json(path: Path, advice: str) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Args:
        path: the file.
        advice: what to do if it is missing or empty.

    Raises:
        DataError: the file cannot be read, is not JSON (which has no NaN), holds something else, or names a key twice
            in one object.
    """
    try:
        text = read_text(path, advice)
        content = json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DataError(
            f"{path} is not valid JSON ({reason}); correct it, or copy it again if it was cut off."
        ) from None
    if not isinstance(content, dict):
        raise DataError(f"{path} does not fit: expected a JSON object, got a {type(content).__name__}.")
    return content


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in content if keys.count(key) > 1)
        # Python silently keeps the last of the two.
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return content


def _no_number(text: str) -> None:
    raise ValueError(f"it holds {text}, which is not a number")
