"""Names of unknown origin as text to show."""


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
