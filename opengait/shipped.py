"""Files that come with the project: configurations, and the weights of the demo.

In a checkout they are in `configs/` and `pretrained/`; the build copies them into the installed package (`setup.py`).
"""

from pathlib import Path

# The folder that holds the packages: the checkout, or `site-packages`.
PACKAGES = Path(__file__).resolve().parents[1]
IN_CHECKOUT = (PACKAGES / "pyproject.toml").is_file()
SHIPPED = PACKAGES if IN_CHECKOUT else Path(__file__).resolve().with_name("assets")


def shipped(path: str | Path) -> Path:
    """Return `path` if it exists relative to the working directory, otherwise the shipped file of that name.

    A path that exists in neither location is returned unchanged, so messages show it as the user wrote it.
    """
    path = Path(path)
    try:
        return path if path.exists() or not (SHIPPED / path).exists() else SHIPPED / path
    except OSError:  # a name that no file system takes
        return path
