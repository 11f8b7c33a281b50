"""Finding and reading pretrained weight files, and saying where to get the ones that are missing."""

import pickle
from pathlib import Path

import torch

from opengait.errors import CheckpointError

PROJECT = Path(__file__).resolve().parents[2]

# Public addresses of the files that the shipped configurations name.
ADDRESSES = {
    "dinov2_vits14_pretrain.pth": "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth",
    "resnet50-0676ba61.pth": "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    "resnet34-b627a593.pth": "https://download.pytorch.org/models/resnet34-b627a593.pth",
    "resnet18-f37072fd.pth": "https://download.pytorch.org/models/resnet18-f37072fd.pth",
}


def find_weights(path: str | Path, purpose: str) -> Path:
    """The file at `path`, taken relative to the working folder, then to the project.

    Args:
        path: as written in the configuration.
        purpose: what the weights are for, used in the message ("the vision transformer").

    Raises:
        CheckpointError: there is no such file; says where to get it and where to put it.
    """
    path = Path(path)
    for candidate in (path, PROJECT / path):
        if candidate.is_file():
            return candidate
    address = ADDRESSES.get(path.name)
    source = f"download it from {address}" if address else "get it from its publisher"
    raise CheckpointError(
        f"The weights of {purpose} are missing: there is no file {path}; {source} and put it there, "
        f"or name another file in model_cfg."
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
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path} is no readable file of weights for {purpose} ({reason}); fetch it again."
        ) from error
    for key in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError(f"{path} holds no table of tensors, so it cannot be the weights of {purpose}.")
    return state


def load_exactly(module: torch.nn.Module, state: dict[str, torch.Tensor], path: str | Path, purpose: str) -> None:
    """`load_state_dict` whose complaint is one sentence with the first key that does not fit.

    Raises:
        CheckpointError: a key is missing, unknown, or of another shape.
    """
    own = module.state_dict()
    missing = [key for key in own if key not in state]
    unknown = [key for key in state if key not in own]
    reshaped = [key for key in own if key in state and own[key].shape != state[key].shape]
    if reshaped:
        key = reshaped[0]
        found, expected = tuple(state[key].shape), tuple(own[key].shape)
        raise CheckpointError(f"{path} does not fit {purpose}: {key} has shape {found} where {expected} is expected.")
    if missing or unknown:
        complaint = f"{missing[0]} is missing" if missing else f"{unknown[0]} is unknown"
        raise CheckpointError(
            f"{path} does not fit {purpose}: {complaint} ({len(missing)} missing, {len(unknown)} unknown keys)."
        )
    module.load_state_dict(state)
