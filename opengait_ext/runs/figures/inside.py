"""The inside of SASG and PBMGE: attention of the fusion, use of the channels of E_g, and steps of LGE."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.enhancement import BidirectionalEnhancement, LocalToGlobalEnhancement
from opengait_ext.runs.figures.people import Seen
from opengait_ext.runs.figures.style import PALETTE, SETTINGS, new_figure

HATCHES = ("", "///")


@dataclass(frozen=True)
class Inside:
    """Values inside the network in one forward pass of n tracklets of s frames.

    Attributes:
        attention: weight of the gait prior in F_attn, mean over channels, (n * s, h, w); the appearance prior has the
            remaining weight. None with a single prior.
        shares: P of Eq. 8, the share of each channel of E_g, (n * s, priors); None without E_g.
        steps: {stream: a pair of arrays (n, n_s) per granularity}: the length of Q after each LGE step relative to the
            step before, and the angle between the two in degrees; None without the paper's LGE.
    """

    attention: np.ndarray | None
    shares: np.ndarray | None
    steps: dict[str, list[tuple[np.ndarray, np.ndarray]]] | None


@torch.no_grad()
def look_inside(network: nn.Module, frames: Tensor, modality: Tensor) -> Inside:
    """Run the network once and record its inner values.

    Args:
        network: in evaluation mode, with both streams.
        frames: (n, s, 3, height, width), normalised.
        modality: (n).

    Raises:
        ConfigError: the network makes no silhouettes with a vision model.
    """
    fusion = getattr(getattr(network, "silhouette_generator", None), "fusion", None)
    if not isinstance(network, DinoGRLNet) or network.vision_model is None or fusion is None:
        raise ConfigError("This network has no SASG; choose one with model_cfg.vision_model and model_cfg.gait.")
    scores: list[Tensor] = []
    hooks = []
    if fusion.fusion is not None:
        hooks.append(fusion.fusion.conv.register_forward_hook(lambda _, __, out: scores.append(out)))
    try:
        out = network(frames, modality)
    finally:
        for hook in hooks:
            hook.remove()
    attention = None
    if scores:
        attention = scores[-1].unflatten(1, (-1, 2)).softmax(dim=2)[:, :, 0].mean(dim=1).float().cpu().numpy()
    prior = out.silhouettes.gait_prior
    shares = None
    if prior is not None:
        usage = prior.float().sum(dim=(2, 3))
        shares = (usage / usage.sum(dim=1, keepdim=True).clamp(min=1e-12)).cpu().numpy()
    return Inside(attention, shares, lge_steps(network, out.appearance.parts, out.gait.parts))


def lge_steps(network: DinoGRLNet, appearance: Tensor, gait: Tensor) -> dict[str, list] | None:
    """Return `Inside.steps` for the parts (n, C, parts) of both streams."""
    pbmge = network.enhancement
    if not isinstance(pbmge, BidirectionalEnhancement) or not isinstance(pbmge.gait[0], LocalToGlobalEnhancement):
        return None
    streams = {"appearance": (pbmge.appearance, appearance, gait), "gait": (pbmge.gait, gait, appearance)}
    return {
        name: [
            chain_steps(module, parts[..., 0], other_parts[..., stripes])
            for module, stripes in zip(modules, pbmge.slices, strict=True)
            if isinstance(module, LocalToGlobalEnhancement)
        ]
        for name, (modules, parts, other_parts) in streams.items()
    }


def chain_steps(module: LocalToGlobalEnhancement, feature: Tensor, stripes: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return relative length and angle, each (n, n_s), of the steps of one LGE chain.

    Args:
        module: the chain.
        feature: the global feature (n, C).
        stripes: the stripes of the other stream (n, C, n_s).
    """
    # Q after j steps is the output of LGE for the first j stripes.
    count = stripes.shape[-1]
    start = module.query(feature.unsqueeze(-1)).squeeze(-1)
    queries = torch.stack([start, *(module(feature, stripes[..., : j + 1]) for j in range(count))], dim=-1).double()
    before, after = queries[..., :-1], queries[..., 1:]
    lengths = after.norm(dim=1) / before.norm(dim=1)
    angles = torch.rad2deg(torch.arccos(F.cosine_similarity(before, after, dim=1).clamp(-1, 1)))
    return lengths.cpu().numpy(), angles.cpu().numpy()


def draw_attention(inside: Inside, seen: Sequence[Seen]) -> Figure:
    """Draw the first frame of each tracklet with its mask and the weight of the gait prior.

    Raises:
        ConfigError: the network does not fuse two priors.
    """
    if inside.attention is None:
        raise ConfigError("This network has a single prior, so it has no attention between two.")
    frames_per_tracklet = len(inside.attention) // len(seen)
    weights = inside.attention[::frames_per_tracklet]
    # The scale is centred on one half and fitted to the data: after a short training all weights are near one half.
    reach = max(0.02, float(np.abs(weights - 0.5).max()))
    scale: dict[str, Any] = {"norm": Normalize(0.5 - reach, 0.5 + reach), "cmap": "PuOr"}
    with rc_context(SETTINGS | {"axes.grid": False}):
        height, width = seen[0].frames.shape[1:3]
        figure = new_figure(1.7 * width / height * len(seen) + 1.2, 5.6)
        grid = figure.subplots(3, len(seen), squeeze=False)
        for column, one in enumerate(seen):
            grid[0, column].imshow(one.frames[0])
            grid[1, column].imshow(one.rows["mask"][0])
            grid[2, column].imshow(weights[column], **scale)
            grid[0, column].set_title(one.shown.title.replace(", ", "\n"), fontsize=7)
        for axes in grid.ravel():
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        figure.colorbar(ScalarMappable(**scale), ax=grid[2].tolist(), label="weight of E_g\n(rest: E_a)", shrink=0.9)
        for axes, name in zip(grid[:, 0], ("frame", "mask", "F_attn"), strict=True):
            axes.set_ylabel(name)
    return figure


def draw_channel_use(inside: Inside, seen: Sequence[Seen]) -> Figure:
    """Draw the share of each channel of E_g by modality, and the entropy that L_div maximises.

    Raises:
        ConfigError: the network has no E_g.
    """
    if inside.shares is None:
        raise ConfigError("This network has no E_g, so its channel usage cannot be drawn.")
    count = inside.shares.shape[1]
    entropy = -(inside.shares * np.log2(np.clip(inside.shares, 1e-12, None))).sum(axis=1)
    types = np.repeat([one.shown.type for one in seen], len(inside.shares) // len(seen))
    # A frame with an empty mask uses no channel.
    used = inside.shares.sum(axis=1) > 0
    kinds = sorted(set(types), reverse=True)
    with rc_context(SETTINGS):
        figure = new_figure(7.4, 2.6)
        left, right = figure.subplots(1, 2, width_ratios=(2, 1))
        for number, kind in enumerate(kinds):
            selected = (types == kind) & used
            offset = (number - (len(kinds) - 1) / 2) * 0.4
            left.bar(
                np.arange(count) + offset,
                inside.shares[selected].mean(axis=0),
                0.38,
                color=PALETTE[number],
                hatch=HATCHES[number],
                label=kind,
            )
            bins = np.linspace(min(entropy[used].min(initial=np.inf), np.log2(count) - 0.05), np.log2(count), 24)
            right.hist(entropy[selected], bins, color=PALETTE[number], alpha=0.6, hatch=HATCHES[number], label=kind)
        left.axhline(1 / count, color="#555555", lw=0.8, ls="--")
        left.set(xlabel="channel of E_g", ylabel="share", title="use of the channels (dashed: uniform)")
        right.axvline(np.log2(count), color="#555555", lw=0.8, ls="--")
        right.set(xlabel="entropy, bits", ylabel="frames", title="per frame (dashed: maximum)")
        figure.legend(*left.get_legend_handles_labels(), loc="outside right center")
    return figure


def draw_lge_steps(inside: Inside, seen: Sequence[Seen]) -> Figure:
    """Draw the change of length and direction in each LGE step, one line per granularity, one column per stream.

    Raises:
        ConfigError: the network has no LGE of the paper's kind.
    """
    if inside.steps is None:
        raise ConfigError("This network does not use the paper's LGE (model_cfg.enhancement).")
    with rc_context(SETTINGS):
        figure = new_figure(6.4, 4.2)
        grid = figure.subplots(2, 2, sharex=True)
        for column, (stream, chains) in enumerate(inside.steps.items()):
            for number, (lengths, angles) in enumerate(chains):
                count = lengths.shape[1]
                middle = (np.arange(count) + 0.5) / count
                style = {"color": PALETTE[number], "marker": "o^sD"[number % 4], "ms": 3, "lw": 1}
                style["label"] = f"{count} stripes"
                grid[0, column].plot(middle, lengths.mean(axis=0), **style)
                grid[1, column].plot(middle, angles.mean(axis=0), **style)
            grid[0, column].set_title(f"{stream} stream")
            grid[1, column].set_xlabel("position of the stripe, 0 head to 1 feet")
        grid[0, 0].set_ylabel("length relative to the step before")
        grid[1, 0].set_ylabel("angle, degrees")
        grid[0, 0].legend(fontsize=7)
    return figure


DRAWINGS: dict[str, Callable[[Inside, Sequence[Seen]], Figure]] = {
    "attention": draw_attention,
    "channels": draw_channel_use,
    "steps": draw_lge_steps,
}
