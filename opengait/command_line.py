"""Types of command-line values, for `type=` of `argparse`."""

import argparse


def count(text: str) -> int:
    """Return a positive integer.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text!r}")
    return int(text)


def share(text: str) -> float:
    """Return a number between 0 and 1, exclusive.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, got {text!r}")
    return value
