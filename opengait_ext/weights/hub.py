"""Trained networks on a model hub that speaks huggingface_hub's protocol."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opengait.config.source import read_yaml
from opengait.errors import CheckpointError
from opengait.utils.text import first_line
from opengait_ext.weights.folder import CALIBRATION, CARD, CONFIG, FACTS, WEIGHTS

# Written before a name so that it is never taken for a path, as timm does.
PREFIX = "hf-hub:"
_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
OPTIONS = ("cache_dir", "force_download", "local_files_only", "revision", "token")
# What a stranger's configuration may load. Other packages and folders of model files are code.
_EXTENSIONS = {"opengait_ext"}


def is_hub_name(name: str) -> bool:
    """Return whether a text has the form OWNER/NAME or OWNER/NAME@REVISION, with or without `PREFIX`."""
    return _NAME.fullmatch(name.removeprefix(PREFIX)) is not None


def check_options(hub: Mapping[str, Any]) -> None:
    """Check the options of a network on a hub, also where no hub is asked.

    Raises:
        TypeError: an option is unknown.
    """
    unknown = sorted(set(hub) - set(OPTIONS))
    if unknown:
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}; the options of a hub are {', '.join(OPTIONS)}")


def from_hub(name: str, **options: Any) -> Path:
    """Return the local folder of a network on the hub, fetched or from the cache.

    Args:
        name: OWNER/NAME, with or without `PREFIX` and @REVISION.
        options: those of `huggingface_hub.snapshot_download` that are in `OPTIONS`.

    Raises:
        CheckpointError: it cannot be fetched, or is not a network of this project, or names code to run.
    """
    from huggingface_hub import snapshot_download

    match = _NAME.fullmatch(name.removeprefix(PREFIX))
    if match is None:
        raise CheckpointError(f"{name!r} is not the name of a network on a hub; expected OWNER/NAME.")
    options["revision"] = options.get("revision") or match["revision"]
    files = [CONFIG, WEIGHTS, FACTS, CARD, CALIBRATION]
    try:
        folder = Path(snapshot_download(match["repository"], allow_patterns=files, **options))
    # The library's errors differ between its versions, and are those of three HTTP libraries.
    except Exception as error:
        raise CheckpointError(
            f"{match['repository']} is neither a folder here nor can it be fetched from the hub ({first_line(error)})."
        ) from error
    _check_configuration(folder, match["repository"])
    return folder


def _check_configuration(folder: Path, repository: str) -> None:
    """Refuse a configuration that would run code, or read files beside those that were fetched."""
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"{repository} on the hub has no {CONFIG}, so it is not a network of this project.")
    content, _ = read_yaml(folder / CONFIG)
    foreign = [str(name) for name in content.get("extensions") or () if name not in _EXTENSIONS]
    if foreign or "base" in content:
        reason = f"loads the extension {foreign[0]!r}, which is code" if foreign else "builds on another file"
        raise CheckpointError(
            f"The configuration of {repository} on the hub {reason}; if you trust it, name its folder, {folder}."
        )
