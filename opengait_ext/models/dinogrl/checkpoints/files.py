"""Conversion between the release's three files and an engine checkpoint on disk."""

from pathlib import Path

from opengait.engine.checkpoint import load_checkpoint, save_checkpoint
from opengait_ext.models.dinogrl.checkpoints.release import convert_official, convert_to_official, read_state

# Names of the files in the release.
NAMES = ("best_model.pth", "best_model2.pth", "best_shape.pth")


def from_official_files(model: Path, model2: Path, shape: Path, out: Path) -> tuple[int, int]:
    """Write the engine checkpoint of the release's files; return the classes of the appearance and the gait head.

    Raises:
        CheckpointError: a file is missing, unreadable or not of the release.
    """
    checkpoint = convert_official(model, model2, shape)
    save_checkpoint(checkpoint, out)
    appearance, gait = (checkpoint["model"][f"network.{stream}_heads.fc_bin"] for stream in ("appearance", "gait"))
    return appearance.shape[2], gait.shape[2]


def to_official_files(checkpoint: Path, out: Path, vision_model: Path | None = None) -> list[Path]:
    """Write an engine checkpoint as the release's files into the folder `out`; return their paths.

    Raises:
        CheckpointError: a file is missing or unreadable, or the checkpoint is of another network.
    """
    dinov2 = None if vision_model is None else read_state(vision_model)
    states = convert_to_official(load_checkpoint(checkpoint), dinov2)
    paths = [out / name for name in NAMES]
    for path, state in zip(paths, states, strict=True):
        save_checkpoint(state, path)
    return paths
