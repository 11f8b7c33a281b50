"""Names, values and errors of unknown origin, as text to show and as folders to write."""

import reprlib
from pathlib import Path
from typing import Any

from opengait.errors import ConfigError


def below(*names: str) -> Path:
    """Return names as a relative path that stays below any folder it is joined to.

    Raises:
        ConfigError: a name is empty, absolute or not a name, or leads upwards.
    """
    for name in names:
        if not name.strip() or "\0" in name or Path(name).is_absolute() or {".", ".."} & set(name.split("/")):
            raise ConfigError(
                f"The name {name!r} cannot be used for a folder to write; choose one without '..' and '/'."
            )
    return Path(*names)


def one_line(name: object) -> str:
    """Return a name with everything that cannot be printed on one line escaped.

    That is control characters, line breaks, marks that turn the direction of writing, and undecodable bytes of file
    names.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(name))


def shortened(text: str) -> str:
    """Return a text of at most 80 characters, without its middle if it is longer."""
    return text if len(text) <= 80 else f"{text[:39]}\u2026{text[-39:]}"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type if it has none."""
    lines = str(error).splitlines()
    return lines[0][:200] if lines and lines[0] else type(error).__name__


def brief(value: Any) -> str:
    """Return a value for a message; one from a file may be long, or nested without end."""
    return _BRIEF.repr(value)


class _Brief(reprlib.Repr):
    # Called by the name of a value's type.
    def repr_Tensor(self, value: Any, level: int) -> str:  # noqa: N802
        return "a tensor"

    repr_Parameter = repr_Tensor

    def repr_int(self, value: int, level: int) -> str:
        return repr(value) if value.bit_length() <= 64 else f"an integer of {value.bit_length()} bits"

    def repr_Counter(self, value: Any, level: int) -> str:  # noqa: N802
        # Milestones are a counter in a schedule and a list in a configuration.
        return self.repr1(list(value), level)


_BRIEF = _Brief()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother = 3, 80, 80
