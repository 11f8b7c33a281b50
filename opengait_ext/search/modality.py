"""The modality of footage: said by the user, or named by the input."""

import re
from pathlib import Path

from opengait.errors import ConfigError, DataError
from opengait_ext.data import Modality

# Words in folder names that identify a modality, including those of HITSZ-VCM and BUPTCampus.
MODALITY_WORDS = {
    Modality.VISIBLE: {"visible", "vis", "rgb"},
    Modality.INFRARED: {"infrared", "ir", "nir", "thermal"},
}


def modality_of(path: Path, root: Path, given: str | None) -> Modality:
    """Return the given modality, or that which the nearest folder name from `path` up to the input `root` indicates.

    Below the input a word in a name suffices (`cam1_ir`); the input's own name must be such a word. Folders above it
    say nothing, since they may name anything.

    Raises:
        ConfigError: the given modality is unknown.
        DataError: no name indicates a modality.
    """
    if given is not None:
        if given not in list(Modality):
            raise ConfigError(f"The modality {given!r} is unknown; choose {' or '.join(Modality)}.")
        return Modality(given)
    named = named_below(path, root) or _named_by({root.absolute().name.lower()})
    if named is None:
        raise DataError(
            f"The modality of {path} is unknown; give --modality, or call the input, or a folder in it, visible or "
            f"infrared. Names of folders above say nothing."
        )
    return named


def named_below(path: Path, root: Path) -> Modality | None:
    """Return the modality that the nearest folder name from `path` up to, but without, the input `root` indicates."""
    names = (set(re.split("[-_ .]", name.lower())) for name in reversed(path.relative_to(root).parts))
    return next(filter(None, map(_named_by, names)), None)


def _named_by(words: set[str]) -> Modality | None:
    named = [modality for modality, known in MODALITY_WORDS.items() if words & known]
    return named[0] if len(named) == 1 else None
