"""Conversion between the release's three files and an engine checkpoint or a network's folder on disk."""

import contextlib
from pathlib import Path
from typing import Any

from opengait.config import load_config
from opengait.engine.checkpoint import load_checkpoint, save_checkpoint
from opengait.errors import CheckpointError
from opengait.utils.files import sha256_of
from opengait_ext.models.dinogrl.checkpoints.release import convert_official, convert_to_official, read_state
from opengait_ext.models.dinogrl.network import DinoGRLNet
from opengait_ext.models.shared.plain_network import PREFIX
from opengait_ext.weights.catalogue import Released
from opengait_ext.weights.folder import facts_of, read_facts, write_network

# Names of the files in the release.
NAMES = Released.files


def from_official_files(model: Path, model2: Path, shape: Path, out: Path) -> tuple[int, int]:
    """Write the engine checkpoint of the release's files; return the classes of the appearance and the gait head.

    Raises:
        CheckpointError: a file is missing, unreadable or not of the release.
    """
    checkpoint = convert_official(model, model2, shape)
    save_checkpoint(checkpoint, out)
    appearance, gait = (checkpoint["model"][f"network.{stream}_heads.fc_bin"] for stream in ("appearance", "gait"))
    return appearance.shape[2], gait.shape[2]


def write_official_network(entry: Released, folder: Path) -> dict[str, Any] | None:
    """Convert the release's files in a folder to a network's folder in the same place.

    Args:
        entry: the network.
        folder: the folder with its files.

    Returns:
        Numbers that were read from the tensors: `people` of the appearance and the gait stream, `parts`, `dimension`,
        `granularities`. None if the folder was made from these files before.

    Raises:
        CheckpointError: a file is missing, unreadable or not of the release.
    """
    sources = {name: sha256_of(folder / name) for name in NAMES}
    with contextlib.suppress(CheckpointError):
        if read_facts(folder).get("made_from") == sources:
            return None
    state = convert_official(*(folder / name for name in NAMES))["model"]
    heads, gait_heads, projection = (
        state[f"{PREFIX}{name}.fc_bin"].shape for name in ("appearance_heads", "gait_heads", "appearance_parts.FCs")
    )
    parts, _, dimension = projection
    granularities = [2**power for power in range(1, (parts + 1).bit_length() - 1)]
    embedding = len(state[f"{PREFIX}enhancement.enhance_app_net_3.theta.weight"])
    config = load_config(entry.config)
    config["model_cfg"] = DinoGRLNet.without_weight_files(config["model_cfg"]) | {
        "num_classes": heads[2],
        "dimension": dimension,
        "granularities": granularities,
        "enhancement": {"type": "release", "embedding": embedding},
    }
    trained_on = {"name": config["data_cfg"]["dataset_name"], "fingerprint": None}
    facts = facts_of(config, (dimension, 2 * (parts + len(granularities))))
    facts |= {"trained_on": trained_on, "tests": [], "license": None, "made_from": sources}
    write_network(folder, config, state, facts)
    people = (heads[2], gait_heads[2])
    return {"people": people, "parts": parts, "dimension": dimension, "granularities": granularities}


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
