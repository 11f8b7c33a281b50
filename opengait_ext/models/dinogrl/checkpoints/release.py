"""The authors' released checkpoints as checkpoints of the engine, and back.

The release saves three plain state dicts: `best_model.pth` (appearance), `best_model2.pth` (PBMGE) and `best_shape.pth`
(gait, with DINOv2 inside). Every entry that its forward pass reads has its place in the network of
`configs/dinogrl/hitsz_official.yaml`; only names change, and the position table, which DINOv2's code resamples in each
forward pass and this network once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from opengait.errors import CheckpointError
from opengait_ext.models.dinogrl.network import PREFIX, DinoGRLNet
from opengait_ext.models.shared.plain_network import network_entries
from opengait_ext.models.shared.transformer import resample_positions
from opengait_ext.weights.read import read_weights

State = Mapping[str, Tensor]
FILES = ("model", "model2", "shape")

# Where the entries of each file go: beginnings of the release's names and of ours. Longer ones come first.
STAGES = range(4)
DINOV2, GAIT, SASG = "dinov2.dinov2.", "dinov2.gait_net.", "silhouette_generator."
NAMES: dict[str, dict[str, str]] = {
    "model": {
        **{
            f"image_encoder{side + 1}.resnet_conv.{place}.": f"appearance.stems.{side}.{layer}."
            for side in (0, 1)
            for place, layer in enumerate(("conv1", "bn1"))
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
# DINOv2's entries that the network has in another form or not at all, kept in a checkpoint for the way back.
KEPT = ("dinov2.dinov2.pos_embed", "dinov2.dinov2.mask_token")
POSITIONS = "vision_model.transformer.pos_embed"
# Entries that no forward pass of the release reads, by what their names hold.
UNUSED = (".GAP.", ".gcn_s.", ".gcn_a.", "Mask_Branch.bn_t.", "Denoising_Branch.bn_t.")


def convert_official(
    model: State | Path | str, model2: State | Path | str, shape: State | Path | str
) -> dict[str, Any]:
    """An engine checkpoint of the release's three state dicts.

    Numbers of classes are those of the tensors, and may differ between the streams: descriptors need no classifier.
    Numbers of parts, channels and LGE's inner channels are the tensors', too. Entries that the release never reads are
    left out. Tensors are not copied.

    Args:
        model, model2, shape: `best_model.pth`, `best_model2.pth`, `best_shape.pth`: what they hold, or their paths.

    Returns:
        `model`: the entries of the engine's model, of the frozen DINOv2 too; `iteration`: 0, since the files tell none;
        `official`: what only the way back needs. `--phase test`, `scripts/export_silhouettes.py`, `load_network` and
        `build_network` take it with the configuration `hitsz_official.yaml` or `bupt_official.yaml`.

    Raises:
        CheckpointError: names every unknown and missing entry, or those of another shape; or a file cannot be read.
    """
    found: dict[str, Tensor] = {}
    unknown: list[str] = []
    for file, state in zip(FILES, (model, model2, shape), strict=True):
        for name, value in (state if isinstance(state, Mapping) else read_state(state)).items():
            if is_unused(name):
                continue
            ours = name if name in KEPT else renamed(name, NAMES[file])
            if ours is None or not isinstance(value, Tensor):
                unknown.append(f"{name} of the {file} file")
            else:
                found[ours] = value.detach().cpu()
    network = reference(found)
    check_entries(found, unknown, expected_shapes(network, found))
    kept = {name: found.pop(name) for name in KEPT}
    found[POSITIONS] = resample_positions(kept[KEPT[0]], network.vision_model.transformer, KEPT[0])
    entries = {PREFIX + name: found[name] for name in network.state_dict()}
    return {"model": entries, "iteration": 0, "official": kept}


def convert_to_official(
    checkpoint: Mapping[str, Any], vision_model: State | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """The release's three state dicts of a checkpoint of the release's network.

    Entries that the release's code holds without reading them get neutral values, so that it can load the states whole.

    Args:
        checkpoint: from `convert_official`, or from training with `hitsz_official.yaml` or `bupt_official.yaml`.
        vision_model: DINOv2's public state dict, for a checkpoint of a training run, which has no DINOv2 inside.

    Returns:
        `model`, `model2` and `shape`.

    Raises:
        CheckpointError: the checkpoint is of another network, or DINOv2's weights are missing.
    """
    entries = network_entries(checkpoint, PREFIX)
    if not entries:
        raise CheckpointError(f"The checkpoint is of another model: its `model` has no entries {PREFIX}*.")
    found = {name: value.detach().cpu() for name, value in entries.items()} | dict(checkpoint.get("official") or {})
    # The table that fits the network's grid was made from the one that is kept.
    found.pop(POSITIONS, None)
    if KEPT[0] not in found:
        if vision_model is None:
            raise CheckpointError("The checkpoint has no DINOv2 inside; give the file that it was trained with, too.")
        found |= {
            name if name in KEPT else renamed(name, NAMES["shape"]): value
            for name, value in ((f"{DINOV2}{inner}", value) for inner, value in vision_model.items())
        }
    check_entries(found, [], expected_shapes(reference(found), found))
    states: dict[str, dict[str, Tensor]] = {file: {} for file in FILES}
    for name, value in found.items():
        file, theirs = official_place(name)
        states[file][theirs] = value
    for name, value in unused_entries(found).items():
        states["model" if name.startswith("share_encoder.") else "shape"][name] = value
    return states["model"], states["model2"], states["shape"]


def read_state(path: str | Path) -> dict[str, Tensor]:
    """A plain state dict, read as data.

    Raises:
        CheckpointError: there is no such file, or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    return read_weights(path.resolve(), "DinoGRL")


def renamed(name: str, beginnings: Mapping[str, str]) -> str | None:
    """`name` with the first of the `beginnings` that it has replaced; None if it has none of them."""
    for old, new in beginnings.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return None


def official_place(name: str) -> tuple[str, str]:
    """The file and the name that an entry of ours has in the release; ("", name) for one that it has not."""
    if name in KEPT:
        return "shape", name
    for file in FILES:
        # Several of our beginnings start alike, and the longer ones belong to the longer ones there.
        theirs = renamed(name, {ours: official for official, ours in NAMES[file].items()})
        if theirs is not None:
            return file, theirs
    return "", name


def official_name(name: str) -> str:
    """How messages call an entry of ours."""
    file, theirs = official_place(name)
    return f"{theirs} of the {file} file" if file else name


def is_unused(name: str) -> bool:
    """Whether an entry of the release is one that its forward pass never reads."""
    return any(part in f".{name}" for part in UNUSED)


def reference(entries: State) -> DinoGRLNet:
    """The release's network with the numbers of these entries, without values.

    Raises:
        CheckpointError: the number of parts makes no pyramid.
    """
    parts, _, dimension = axes(entries, "appearance_parts.FCs.fc_bin", (31, 2048, 256))
    embedding, _, _ = axes(entries, "enhancement.enhance_app_net_3.theta.weight", (256, 1, 1))
    granularities = [2**power for power in range(1, (parts + 1).bit_length() - 1)]
    if 1 + sum(granularities) != parts:
        raise CheckpointError(f"FCs.fc_bin of the model file has {parts} parts, no pyramid of 1, 2, 4, 8, 16 stripes.")
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
        return DinoGRLNet.from_config(settings)


def expected_shapes(network: DinoGRLNet, entries: State) -> dict[str, tuple[int, ...]]:
    """Shapes of all entries, with each stream's own number of classes and DINOv2's own position table."""
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items() if name != POSITIONS}
    for name in ("appearance_heads.fc_bin", "gait_heads.fc_bin"):
        shapes[name] = (*shapes[name][:2], axes(entries, name, (0, 0, 500))[2])
    channels = network.vision_model.channels
    return shapes | {KEPT[0]: (1, 1 + 37 * 37, channels), KEPT[1]: (1, channels)}


def axes(entries: State, name: str, otherwise: tuple[int, int, int]) -> tuple[int, int, int]:
    """An entry's shape; `otherwise` where it is missing or has not three axes, which `check_entries` tells."""
    value = entries.get(name)
    return tuple(value.shape) if value is not None and value.dim() == 3 else otherwise


def check_entries(found: State, unknown: Sequence[str], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Compare entries with what they must be.

    Raises:
        CheckpointError: one sentence with the names that are `unknown`, surplus, missing or of another shape.
    """
    surplus = [*unknown, *(official_name(name) for name in found if name not in expected)]
    missing = [official_name(name) for name in expected if name not in found]
    reshaped = [
        f"{official_name(name)} is {tuple(found[name].shape)} where {shape} is expected"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != shape
    ]
    complaints = (("unknown entries: ", surplus), ("missing entries: ", missing), ("", reshaped))
    reasons = [f"{what}{_listed(names)}" for what, names in complaints if names]
    if reasons:
        raise CheckpointError(f"These are not the states of the DinoGRL release: {'; '.join(reasons)}.")


def _listed(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def unused_entries(found: State) -> dict[str, Tensor]:
    """What the release holds and never reads, with neutral values; each is one number in memory and in a file."""
    zero, one = torch.zeros(1), torch.ones(1)
    parts, channels, _ = found["gait_parts.FCs.fc_bin"].shape
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
