"""Conversion of the authors' released state dicts to engine checkpoints, and back.

The release saves three plain state dicts: `best_model.pth` (appearance), `best_model2.pth` (PBMGE) and `best_shape.pth`
(gait, with DINOv2 inside). Every entry that its forward pass reads has a counterpart in the network of
`configs/dinogrl/hitsz_official.yaml`. Only the names change, and the position table, which DINOv2's code resamples in
each forward pass and this network once.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from opengait.errors import CheckpointError
from opengait_ext.models.dinogrl.network import DinoGRLNet
from opengait_ext.models.shared.plain_network import PREFIX, network_entries
from opengait_ext.models.shared.positions import DINOV2_OFFSET, resample_positions
from opengait_ext.models.shared.vision_model import FrozenVisionModel
from opengait_ext.weights.read import read_weights

State = Mapping[str, Tensor]
FILES = ("model", "model2", "shape")

# Prefixes of the release's names in each file, and of ours. Longer ones come first.
STAGES = range(4)
DINOV2, GAIT, SASG = "dinov2.dinov2.", "dinov2.gait_net.", "silhouette_generator."
NAMES: dict[str, dict[str, str]] = {
    "model": {
        **{
            f"image_encoder{modality + 1}.resnet_conv.{index}.": f"appearance.stems.{modality}.{layer}."
            for modality in (0, 1)
            for index, layer in enumerate(("conv1", "bn1"))
        },
        **{f"share_encoder.resnet_conv.{stage}.": f"appearance.stages.layer{stage + 1}." for stage in STAGES},
        "FCs.": "appearance_parts.FCs.",
        "BNNecks.": "appearance_heads.",
    },
    "model2": {"enhance_": "enhancement.enhance_"},
    "shape": {
        DINOV2: "vision_model.transformer.",
        "dinov2.Mask_Branch.": f"{SASG}mask_encoder.",
        "dinov2.Denoising_Branch.": f"{SASG}gait_encoder.",
        "dinov2.Appearance_Branch.": f"{SASG}appearance_encoder.",
        f"{GAIT}pre_part.forward_block.conv1.conv.": f"{SASG}fusion.pre_part.conv1.",
        f"{GAIT}pre_part.forward_block.": f"{SASG}fusion.pre_part.",
        f"{GAIT}pre_rgb.forward_block.conv1.conv.": f"{SASG}fusion.pre_rgb.conv1.",
        f"{GAIT}pre_rgb.forward_block.": f"{SASG}fusion.pre_rgb.",
        f"{GAIT}fusion.conv.forward_block.": f"{SASG}fusion.fusion.conv.",
        **{f"{GAIT}post_backbone.resnet_conv.{stage}.": f"gait.stages.layer{stage + 1}." for stage in STAGES},
        f"{GAIT}FCs.": "gait_parts.FCs.",
        f"{GAIT}BNNecks.": "gait_heads.",
    },
}
# DINOv2's entries that the network has in another form or lacks, kept in a checkpoint for the conversion back.
KEPT = ("dinov2.dinov2.pos_embed", "dinov2.dinov2.mask_token")
POSITIONS, GRID = "vision_model.transformer.pos_embed", "vision_model.position_grid"
# The grid of DINOv2's position table.
DINOV2_GRID = (37, 37)
# Fragments of the names of entries that the release's forward pass never reads.
UNUSED = (".GAP.", ".gcn_s.", ".gcn_a.", "Mask_Branch.bn_t.", "Denoising_Branch.bn_t.")


def convert_official(
    model: State | Path | str, model2: State | Path | str, shape: State | Path | str
) -> dict[str, Any]:
    """Convert the release's three state dicts to an engine checkpoint.

    The numbers of classes, parts, channels and inner channels of LGE are read from the tensors. The number of classes
    may differ between the streams, since descriptors need no classifier. Entries that the release never reads are left
    out. Tensors are not copied.

    Args:
        model, model2, shape: contents or paths of `best_model.pth`, `best_model2.pth` and `best_shape.pth`.

    Returns:
        `model`: the entries of the engine's model, with those of the frozen DINOv2; `iteration`: 0, since the files do
        not record it; `official`: entries that only the conversion back needs. `--phase test`, `load_network` and
        `build_network` accept it with the configuration `hitsz_official.yaml` or `bupt_official.yaml`.

    Raises:
        CheckpointError: a file cannot be read, or entries are unknown, missing or of another shape; all are named.
    """
    converted: dict[str, Tensor] = {}
    unknown: list[str] = []
    given = [state if isinstance(state, Mapping) else read_state(state) for state in (model, model2, shape)]
    check_order(given)
    for file, state in zip(FILES, given, strict=True):
        for name, value in state.items():
            if is_unused(name):
                continue
            ours = name if name in KEPT else renamed(name, NAMES[file])
            if ours is None or not isinstance(value, Tensor):
                unknown.append(f"{name} of the {file} file")
            else:
                converted[ours] = value.detach().cpu()
    network, vision_model = reference(converted)
    check_entries(converted, unknown, expected_shapes(network, vision_model, converted))
    kept = {name: converted.pop(name) for name in KEPT}
    converted[POSITIONS] = resample_positions(kept[KEPT[0]], DINOV2_GRID, vision_model.grid, DINOV2_OFFSET)
    converted[GRID] = torch.tensor(vision_model.grid)
    entries = {PREFIX + name: converted[name] for name in network.state_dict()}
    return {"model": entries, "iteration": 0, "official": kept}


def convert_to_official(
    checkpoint: Mapping[str, Any], vision_model: State | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Convert a checkpoint of the release's network to the release's three state dicts.

    Entries that the release's code holds but never reads get neutral values, so it can load the state dicts strictly.

    Args:
        checkpoint: from `convert_official`, or from training with `hitsz_official.yaml` or `bupt_official.yaml`.
        vision_model: DINOv2's public state dict, for a checkpoint of a training run, which does not hold DINOv2.

    Returns:
        `model`, `model2` and `shape`.

    Raises:
        CheckpointError: the checkpoint is of another network, or DINOv2's weights are missing.
    """
    entries = network_entries(checkpoint, PREFIX)
    if not entries:
        raise CheckpointError(f"The checkpoint is of another model: its `model` has no entries {PREFIX}*.")
    state = {name: value.detach().cpu() for name, value in entries.items()} | dict(checkpoint.get("official") or {})
    # The table of the network's grid is derived from the kept one.
    for name in (POSITIONS, GRID):
        state.pop(name, None)
    if KEPT[0] not in state:
        if vision_model is None:
            raise CheckpointError("The checkpoint does not contain DINOv2; name its file too (--vision-model).")
        state |= {
            name if name in KEPT else renamed(name, NAMES["shape"]) or name: value
            for name, value in ((f"{DINOV2}{inner}", value) for inner, value in vision_model.items())
        }
    check_entries(state, [], expected_shapes(*reference(state), state))
    states: dict[str, dict[str, Tensor]] = {file: {} for file in FILES}
    for name, value in state.items():
        file, theirs = official_entry(name)
        states[file][theirs] = value
    for name, value in unused_entries(state).items():
        states["model" if name.startswith("share_encoder.") else "shape"][name] = value
    return states["model"], states["model2"], states["shape"]


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read a plain state dict as data.

    Raises:
        CheckpointError: the file does not exist, or it is not a state dict.
    """
    path = Path(path)
    if not path.is_file():
        trouble = f"{path} is a folder; name a file" if path.is_dir() else f"There is no file {path}"
        raise CheckpointError(f"{trouble}.")
    return read_weights(path.resolve(), "DinoGRL")


def check_order(states: Sequence[State]) -> None:
    """Check that no state is that of another file, by the first parts of its names.

    Raises:
        CheckpointError: files were swapped, or one was given twice.
    """
    for file, state in zip(FILES, states, strict=True):
        counts = {other: sum(renamed(name, NAMES[other]) is not None for name in state) for other in FILES}
        best = max(counts, key=lambda other: counts[other])
        if counts[best] > counts[file]:
            raise CheckpointError(
                f"The file given with --{file} is the release's {best} file; give each of the three files with its own "
                f"option."
            )


def renamed(name: str, prefixes: Mapping[str, str]) -> str | None:
    """Return `name` with the first matching prefix replaced, or None if no prefix matches."""
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return None


def official_entry(name: str) -> tuple[str, str]:
    """Return the file and the name in the release of one of our entries, or ("", name) if it has no counterpart."""
    if name in KEPT:
        return "shape", name
    for file in FILES:
        # Prefixes overlap; the longer ones come first on both sides.
        theirs = renamed(name, {ours: official for official, ours in NAMES[file].items()})
        if theirs is not None:
            return file, theirs
    return "", name


def official_name(name: str) -> str:
    """Return the name of one of our entries for messages."""
    file, theirs = official_entry(name)
    return f"{theirs} of the {file} file" if file else name


def is_unused(name: str) -> bool:
    """Return whether the release's forward pass never reads an entry."""
    return any(part in f".{name}" for part in UNUSED)


def reference(entries: State) -> tuple[DinoGRLNet, FrozenVisionModel]:
    """Return the release's network with the sizes of these entries, on the meta device, and its vision model.

    Raises:
        CheckpointError: the number of parts does not make a pyramid.
    """
    parts, _, dimension = axes(entries, "appearance_parts.FCs.fc_bin", (31, 2048, 256))
    embedding, _, _ = axes(entries, "enhancement.enhance_app_net_3.theta.weight", (256, 1, 1))
    granularities = [2**power for power in range(1, (parts + 1).bit_length() - 1)]
    if 1 + sum(granularities) != parts:
        raise CheckpointError(f"FCs.fc_bin of the model file has {parts} parts; expected a pyramid such as 31.")
    settings = {
        "num_classes": 1,
        "dimension": dimension,
        "granularities": granularities,
        "enhancement": {"type": "release", "embedding": embedding},
        "supervised": "parts",
        "appearance": {"non_local": False},
        "vision_model": {},
        "silhouette": {},
        "gait": {},
    }
    with torch.device("meta"):
        network = DinoGRLNet.from_config(settings)
    assert network.vision_model is not None
    return network, network.vision_model


def expected_shapes(network: DinoGRLNet, vision_model: FrozenVisionModel, entries: State) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all entries, with each stream's own number of classes and DINOv2's full position table."""
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items() if name not in (POSITIONS, GRID)}
    for name in ("appearance_heads.fc_bin", "gait_heads.fc_bin"):
        shapes[name] = (*shapes[name][:2], axes(entries, name, (0, 0, 500))[2])
    channels = vision_model.channels
    return shapes | {KEPT[0]: (1, 1 + math.prod(DINOV2_GRID), channels), KEPT[1]: (1, channels)}


def axes(entries: State, name: str, otherwise: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return an entry's shape, or `otherwise` if it is missing or not three-dimensional; see `check_entries`."""
    value = entries.get(name)
    if value is None or value.dim() != 3:
        return otherwise
    parts, rows, columns = value.shape
    return parts, rows, columns


def check_entries(entries: State, unknown: Sequence[str], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Compare entries with the expected shapes.

    Raises:
        CheckpointError: names the entries that are unknown, missing or of another shape, in one sentence.
    """
    surplus = [*unknown, *(official_name(name) for name in entries if name not in expected)]
    missing = [official_name(name) for name in expected if name not in entries]
    reshaped = [
        f"{official_name(name)} is {tuple(entries[name].shape)} where {shape} is expected"
        for name, shape in expected.items()
        if name in entries and tuple(entries[name].shape) != shape
    ]
    complaints = (("unknown entries: ", surplus), ("missing entries: ", missing), ("", reshaped))
    reasons = [f"{what}{_listed(names)}" for what, names in complaints if names]
    if reasons:
        raise CheckpointError(f"These are not the states of the DinoGRL release: {'; '.join(reasons)}.")


def _listed(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def unused_entries(entries: State) -> dict[str, Tensor]:
    """Return the entries that the release never reads, with neutral values, each stored as a single number."""
    zero, one = torch.zeros(1), torch.ones(1)
    parts, channels, _ = entries["gait_parts.FCs.fc_bin"].shape
    unused = {"share_encoder.GAP.p": 3 * one, f"{GAIT}post_backbone.GAP.p": 3 * one}
    for branch, width in (("Mask", 2), ("Denoising", 16)):
        unused |= _idle_norm(f"dinov2.{branch}_Branch.bn_t.", width)
    for stream in ("s", "a"):
        graph = f"{GAIT}gcn_{stream}.stgc_p2p."
        layer, norm = f"{graph}mlp.layers.0.", f"{graph}mlp.layers.1."
        unused[f"{graph}A_res"] = zero.expand(5 * parts, parts)
        unused |= {f"{layer}weight": zero.expand(channels, 5 * channels, 1), f"{layer}bias": zero.expand(channels)}
        unused |= {f"{norm}weight": one.expand(channels), f"{norm}bias": zero.expand(channels)}
        unused |= _idle_norm(norm, channels)
    return unused


def _idle_norm(name: str, width: int) -> dict[str, Tensor]:
    return {
        f"{name}running_mean": torch.zeros(1).expand(width),
        f"{name}running_var": torch.ones(1).expand(width),
        f"{name}num_batches_tracked": torch.zeros((), dtype=torch.long),
    }
