"""Finding and reading pretrained weight files, and saying where to get the ones that are missing."""

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from opengait.errors import CheckpointError, ConfigError
from opengait.shipped import IN_CHECKOUT, SHIPPED, shipped
from opengait_ext.weights.catalogue import FILES, hand_fetched, published

# Where downloaded files go; an installed package is no place for them.
FOLDER = SHIPPED / "pretrained" if IN_CHECKOUT else Path("pretrained")

# Public addresses of the files that the shipped configurations name.
ADDRESSES = {entry.file: entry.address for entry in FILES}

# What a reader of weights may raise on a file of something else: torch's reader has no exception of its own for that.
UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError)
UNREADABLE += (AttributeError, AssertionError)


def find_weights(path: str | Path, purpose: str) -> Path:
    """The file at `path`, taken relative to the working folder, then to the project.

    Args:
        path: as written in the configuration; or a name that `scripts/download_weights.py` knows, such as
            "dinov2_vits14", for its file in `pretrained/`, or the name of a file in there.
        purpose: what the weights are for, used in the message ("the vision transformer").

    Raises:
        CheckpointError: there is no such file; says where to get it and where to put it.
        ConfigError: `path` is no text.
    """
    if not isinstance(path, str | Path):
        raise ConfigError(f"The weights of {purpose} are named by {path!r}; wanted is the path of a file or a name.")
    path = Path(path)
    entry = published(str(path))
    for candidate in (shipped(path), FOLDER / (entry.file if entry else path)):
        if candidate.is_file():
            return candidate
    entry = entry or published(path.name)
    by_hand = hand_fetched(path.name)
    source = "get it from its publisher and put it there"
    if not path.suffix:
        source = f"names that stand for a file are {', '.join(known.name for known in FILES)}"
    if entry:
        source = (
            f"run `python scripts/download_weights.py {entry.name}`, or download it from {entry.address} and put it "
            f"{'into pretrained/' if str(path) == entry.name else 'there'}"
        )
    elif by_hand:
        source = f"get it by hand ({by_hand.source}) and put it there"
    raise CheckpointError(
        f"The weights of {purpose} are missing: there is no file {path}; {source}, or name another file in model_cfg."
    )


def read_weights(path: str | Path, purpose: str) -> dict[str, torch.Tensor]:
    """A state dict from a `.pth`, `.pt` or `.safetensors` file, on the CPU, without running any code in the file.

    Raises:
        CheckpointError: the file is missing, is damaged, or holds something else than tensors.
    """
    path = find_weights(path, purpose)
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise CheckpointError(f"{path} cannot be read as a safetensors file ({error}); fetch it again.") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise CheckpointError(
            f"{path} is no readable file of weights for {purpose} ({reading_trouble(path, error)}); fetch it again."
        ) from error
    for key in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError(f"{path} holds no table of tensors, so it cannot be the weights of {purpose}.")
    return state


def reading_trouble(path: Path, error: Exception) -> str:
    """Why `path` could not be read, in a few words; torch's own advice is to switch its protection off."""
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if not start:
        return "it is empty"
    if start.startswith((b"<", b"{")):
        return "it is a web page or text"
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        return "its end is missing"
    called = re.search(r"GLOBAL `?([\w.]+)", str(error))
    if called:
        return f"it holds code or objects other than tensors, {called[1]}, which is not run"
    if isinstance(error, pickle.UnpicklingError):
        return "it holds something else than tensors"
    if "EOF" in str(error):
        return "its end is missing"
    return (str(error) or type(error).__name__).splitlines()[0]


def shape_complaint(found: Mapping[str, torch.Size], expected: Mapping[str, torch.Size]) -> str | None:
    """What first differs between two tables of shapes, in a clause; None if nothing does.

    Batch norms' counters may be missing: torch did not store them in its first versions, and they count nothing that
    pretrained weights need.
    """
    missing = [key for key in expected if key not in found and not key.endswith("num_batches_tracked")]
    unknown = [key for key in found if key not in expected]
    for key, shape in expected.items():
        if key in found and found[key] != shape:
            return f"{key} has shape {tuple(found[key])} where {tuple(shape)} is expected"
    if missing or unknown:
        complaint = f"{missing[0]} is missing" if missing else f"{unknown[0]} is unknown"
        return f"{complaint} ({len(missing)} missing, {len(unknown)} unknown keys)"
    return None


def load_exactly(module: torch.nn.Module, state: dict[str, torch.Tensor], path: str | Path, purpose: str) -> None:
    """`load_state_dict` whose complaint is one sentence with the first key that does not fit.

    Raises:
        CheckpointError: a key is missing, unknown, or of another shape.
    """
    own = module.state_dict()
    complaint = shape_complaint(*({key: value.shape for key, value in table.items()} for table in (state, own)))
    if complaint:
        raise CheckpointError(f"{path} does not fit {purpose}: {complaint}.")
    module.load_state_dict(own | state)
