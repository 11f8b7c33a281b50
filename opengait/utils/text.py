"""Names of unknown origin, as text to show and as folders to write."""

from pathlib import Path

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


def shortened(text: str, limit: int = 80) -> str:
    """Return a text of at most `limit` characters, without its middle if it is longer."""
    half = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[:half]}\u2026{text[-half:]}"
