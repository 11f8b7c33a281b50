"""Finding, reading and loading pretrained weight files."""

from collections.abc import Mapping
from pathlib import Path

import torch

from opengait.engine.weights import diverged
from opengait.errors import CheckpointError, ConfigError
from opengait.shipped import IN_CHECKOUT, SHIPPED, shipped
from opengait.utils.state_dicts import find_state, is_plain, unwrapped
from opengait.utils.tensor_files import UnreadableError, read_tensors
from opengait_ext.weights.catalogue import FILES, hand_fetched, published

# Folder of downloaded files; those of an installed package go to the working folder.
FOLDER = SHIPPED / "pretrained" if IN_CHECKOUT else Path("pretrained")


def find_weights(path: str | Path, purpose: str) -> Path:
    """Return the file at `path`, relative to the working folder or to the project.

    Args:
        path: a path, the name of a file in `pretrained/`, or a name that `vvi download` knows, such as "dinov2_vits14".
        purpose: what the weights are for, for messages ("the vision transformer").

    Raises:
        CheckpointError: the file does not exist; the message says where to get it and where to put it.
        ConfigError: `path` is not a path.
    """
    if not isinstance(path, str | Path):
        raise ConfigError(f"The weights of {purpose} are named by {path!r}; expected the path of a file or a name.")
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
            f"run `vvi download {entry.name}`, or download it from {entry.address} and put it "
            f"{'into pretrained/' if str(path) == entry.name else 'there'}"
        )
    elif by_hand:
        source = f"get it by hand ({by_hand.source}) and put it there"
    trouble = f"{path} is a folder" if shipped(path).is_dir() else f"there is no file {path}"
    raise CheckpointError(
        f"The weights of {purpose} are missing: {trouble}; {source}, or name another file in model_cfg."
    )


def read_weights(path: str | Path, purpose: str) -> dict[str, torch.Tensor]:
    """Read a state dict from a `.pth`, `.pt` or `.safetensors` file to the CPU, without executing code in the file.

    The state dict may be nested, and prefixed by wrappers (`opengait.utils.state_dicts`).

    Raises:
        CheckpointError: the file is missing, is damaged, or does not hold tensors.
    """
    path = find_weights(path, purpose)
    try:
        content = read_tensors(path)
    except UnreadableError as error:
        raise CheckpointError(
            f"{path} is not a readable file of weights for {purpose} ({error}); fetch it again."
        ) from error
    state = find_state(content)
    if state is None:
        raise CheckpointError(f"{path} does not hold a table of tensors, so it cannot be the weights of {purpose}.")
    return unwrapped(state, is_plain)


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a weight file that `read_weights` has read; only safetensors files can have any."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(find_weights(path, ""), "pt") as opened:
            return opened.metadata() or {}
    except SafetensorError:  # a file of torch
        return {}


def shape_complaint(shapes: Mapping[str, torch.Size], expected: Mapping[str, torch.Size]) -> str | None:
    """Describe the first difference between two tables of shapes, or return None if they agree.

    Batch norms' counters may be missing, since early versions of torch did not store them and pretrained weights do
    not need them.
    """
    missing = [key for key in expected if key not in shapes and not key.endswith("num_batches_tracked")]
    unknown = [key for key in shapes if key not in expected]
    for key, shape in expected.items():
        if key in shapes and shapes[key] != shape:
            return f"{key} has shape {tuple(shapes[key])} where {tuple(shape)} is expected"
    if missing or unknown:
        complaint = f"{missing[0]} is missing" if missing else f"{unknown[0]} is unknown"
        return f"{complaint} ({len(missing)} missing, {len(unknown)} unknown keys)"
    return None


def require_fit(module: torch.nn.Module, state: Mapping[str, torch.Tensor], path: str | Path, purpose: str) -> None:
    """Compare a state dict with a module's, with a one-sentence error that names the first key that does not fit.

    Raises:
        CheckpointError: a key is missing, unknown, or of another shape.
    """
    tables = ({key: value.shape for key, value in table.items()} for table in (state, module.state_dict()))
    complaint = shape_complaint(*tables)
    if complaint:
        raise CheckpointError(f"{path} does not fit {purpose}: {complaint}.")


def load_exactly(module: torch.nn.Module, state: dict[str, torch.Tensor], path: str | Path, purpose: str) -> None:
    """Load a state dict strictly.

    Raises:
        CheckpointError: it does not fit (see `require_fit`), or holds numbers that are not finite.
    """
    require_fit(module, state, path, purpose)
    if broken := diverged(module, state):
        raise CheckpointError(f"{path} cannot be used: {broken}; name another file.")
    module.load_state_dict(module.state_dict() | state)
