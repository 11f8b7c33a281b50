"""Shared parts of command lines: argument types, and the conversion of errors to messages and exit codes."""

import argparse
import io
import os
import sys
from collections.abc import Callable

from opengait.errors import UserError

INTERRUPTED = 130


def exit_status(run: Callable[[], int], interrupted: str = "Interrupted.") -> int:
    """Run a command and return its exit status; an expected error becomes one line on standard error and status 2.

    Args:
        run: the command, which returns its own exit status.
        interrupted: the message after Ctrl-C.
    """
    tolerant_output()
    try:
        status = run()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python flushes standard output once more at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UserError, OSError) as error:
        message = error_text(error)
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
    print(f"error: {message}", file=sys.stderr, flush=True)
    return 2


def error_text(error: Exception) -> str | None:
    """Return the message of an expected error, or None for one that needs a traceback."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror or error}."
    return str(error) if isinstance(error, UserError) else None


def tolerant_output() -> None:
    """Have standard output and error escape characters that they cannot show, since printing must not lose work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def count(text: str) -> int:
    """Return a positive integer.

    Raises:
        argparse.ArgumentTypeError: the text is not one.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text!r}")
    return int(text)


def seed(text: str) -> int:
    """Return an integer of at least 0 and below 2**32.

    Raises:
        argparse.ArgumentTypeError: the text is not one.
    """
    if not text.isdecimal() or len(text) > 10 or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"expected an integer from 0 to {2**32 - 1}, got {text!r}")
    return int(text)


def share(text: str) -> float:
    """Return a number between 0 and 1, exclusive.

    Raises:
        argparse.ArgumentTypeError: the text is not one.
    """
    return _number(text, lambda value: 0 < value < 1, "a number between 0 and 1")


def seconds(text: str) -> float:
    """Return a duration of at least 0.

    Raises:
        argparse.ArgumentTypeError: the text is not one.
    """
    return _number(text, lambda value: 0 <= value < float("inf"), "seconds, 0 or more")


def _number(text: str, is_valid: Callable[[float], bool], expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not is_valid(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value
