"""The release's three files on disk, and the checkpoint that they make."""

from pathlib import Path

from opengait.engine.checkpoint import load_checkpoint, save_checkpoint
from opengait.errors import CheckpointError
from opengait_ext.models.dinogrl.checkpoints.release import convert_official, convert_to_official, read_state

# Their names in the release.
NAMES = ("best_model.pth", "best_model2.pth", "best_shape.pth")


def from_official_files(model: Path, model2: Path, shape: Path, out: Path) -> tuple[int, int]:
    """Write the engine checkpoint of the release's files; returns the classes of the appearance and the gait head.

    Raises:
        CheckpointError: a file is missing, unreadable or not the release's.
    """
    checkpoint = convert_official(model, model2, shape)
    write(checkpoint, out)
    heads = (f"network.{stream}_heads.fc_bin" for stream in ("appearance", "gait"))
    return tuple(checkpoint["model"][head].shape[2] for head in heads)


def to_official_files(checkpoint: Path, out: Path, vision_model: Path | None = None) -> list[Path]:
    """Write the release's files of an engine checkpoint into the folder `out`; returns their paths.

    Raises:
        CheckpointError: a file is missing or unreadable, or the checkpoint is of another network.
    """
    if not checkpoint.is_file():
        raise CheckpointError(f"There is no file {checkpoint}.")
    dinov2 = None if vision_model is None else read_state(vision_model)
    states = convert_to_official(load_checkpoint(checkpoint), dinov2)
    paths = [out / name for name in NAMES]
    for path, state in zip(paths, states, strict=True):
        write(state, path)
    return paths


def write(content: dict, path: Path) -> None:
    """Write whole or not at all.

    Raises:
        CheckpointError: the place cannot be written to.
    """
    try:
        save_checkpoint(content, path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error.strerror}).") from error
