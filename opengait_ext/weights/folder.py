"""The folder of a trained network: `Describer.save_pretrained` writes it, and everything that takes a network reads it.

    config.yaml         the configuration, for `--cfgs` too
    model.safetensors   all weights, those of the frozen vision model included
    config.json         the facts below
    README.md           a model card made of the facts
    calibration.json    optional: how far apart people are, for verdicts

`config.json` has the keys

    kind          "opengait-dinogrl network"
    model         the engine's model
    weights       {file, sha256}
    descriptor    {channels, parts, distance}
    input         {kind, height, width, frames}; frames is 0 if it depends on the tracklet
    trained_on    {name, fingerprint}, or null
    tests         a list of {dataset, iteration, results, intervals, card}
    made_from     of a converted network: {file: SHA-256} of the files that it was made of
    license       of the weights, or null
    versions      {package: version}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from opengait.config import save_config
from opengait.data.frame_picker import FramePicker
from opengait.data.text_files import read_json
from opengait.errors import CheckpointError, DataError
from opengait.utils.environment import core_versions
from opengait.utils.files import plain, sha256_of, write_json, write_text, write_whole
from opengait_ext.weights.card import model_card

CONFIG, WEIGHTS, FACTS, CARD, CALIBRATION = (
    "config.yaml",
    "model.safetensors",
    "config.json",
    "README.md",
    "calibration.json",
)
KIND = "opengait-dinogrl network"


def is_network_folder(folder: Path) -> bool:
    """Return whether a folder is one of this kind, complete or not."""
    return (folder / WEIGHTS).is_file() or (folder / FACTS).is_file()


def write_network(
    folder: Path, config: Mapping[str, Any], state: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> str:
    """Write all files of a network's folder but its calibration, and return the SHA-256 of the weights.

    Paths outside the configuration's own folder are reduced to their last part, since they say nothing elsewhere.

    Args:
        folder: is created; files of an earlier network in it are replaced.
        config: the whole configuration.
        state: every entry of the engine's model, by the name that it has in checkpoints.
        facts: `config.json` without `kind`, `weights` and `versions`.

    Raises:
        OutputError: a file cannot be written.
    """
    from safetensors.torch import save_file

    # Entries that share memory are refused by the format.
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}
    write_whole(folder / WEIGHTS, lambda partial: save_file(tensors, partial, {"format": "pt"}), flush=True)
    save_config(without_folders(dict(config)), folder / CONFIG)
    weights = {"file": WEIGHTS, "sha256": sha256_of(folder / WEIGHTS)}
    content = {"kind": KIND, "weights": weights, **plain(dict(facts)), "versions": core_versions()}
    write_text(folder / CARD, model_card(config, content))
    # Last, since its checksum tells whether the others are complete.
    write_json(folder / FACTS, content)
    return weights["sha256"]


def facts_of(config: Mapping[str, Any], shape: tuple[int, int] | None = None) -> dict[str, Any]:
    """Return the facts that follow from a configuration and the shape of a descriptor.

    Args:
        config: the whole configuration.
        shape: channels and parts, if known.
    """
    data_cfg = config["data_cfg"] if isinstance(config["data_cfg"], Mapping) else config["data_cfg"][0]
    evaluator_cfg = config["evaluator_cfg"]
    height, width = data_cfg.get("frame_size") or (None, None)
    channels, parts = shape or (None, None)
    return {
        "model": config["model_cfg"]["model"],
        "descriptor": {"channels": channels, "parts": parts, "distance": evaluator_cfg.get("metric", "euc")},
        "input": {
            "kind": "frames" if height else "silhouettes or other prepared data",
            "height": height,
            "width": width,
            "frames": FramePicker.from_config(evaluator_cfg["sampler"]).fixed,
        },
    }


def read_facts(folder: Path) -> dict[str, Any]:
    """Return `config.json` of a network's folder, after comparing the checksum of the weights.

    Raises:
        CheckpointError: a file is missing or damaged, or belongs to another network.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} has no {name}; copy the whole folder, or save the network again.")
    try:
        content = read_json(folder / FACTS, "copy the whole folder, or save the network again")
    except DataError as error:
        raise CheckpointError(str(error)) from error
    weights = content.get("weights")
    if content.get("kind") != KIND or not isinstance(weights, dict):
        raise CheckpointError(f"{folder / FACTS} is not that of a network saved here: expected the kind {KIND!r}.")
    sha256 = sha256_of(folder / WEIGHTS)
    if sha256 != weights.get("sha256"):
        raise CheckpointError(
            f"{folder / WEIGHTS} is damaged, incomplete or of another network: its SHA-256 starts {sha256[:8]}, and "
            f"{FACTS} says {str(weights.get('sha256'))[:8]}; copy or save the folder again."
        )
    return content


def without_folders(value: Any) -> Any:
    """Return a section of a configuration in which absolute paths are reduced to their last part."""
    if isinstance(value, Mapping):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(item) for item in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
