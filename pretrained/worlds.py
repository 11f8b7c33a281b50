"""Drawn worlds as training data, and the command line of the small pretrained networks."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from opengait.data.frames import ImageFrames
from opengait_ext.data import HITSZVCM
from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate
from opengait_ext.data.tracklet import Tracklet

SIZE = (128, 64)
# All views, outlines and crossings, so that the networks serve easier data too. Every parameter that has an influence
# is set here, since the weights should not depend on the generator's defaults.
WORLD = SyntheticConfig(
    test_identities=1,
    cameras=6,
    frames=14,
    size=SIZE,
    occlusion=0.12,
    motion_blur=0.15,
    opposite=0.5,
    infrared="near",
    appearance_link=0.5,
    outline_variety=1.0,
    view_spread=75.0,
    turning=0.2,
    crowd=0.1,
)


def draw_worlds(folder: Path, first: int, worlds: int, people: int, workers: int) -> Iterator[Path]:
    """Draw several worlds, each with its own cameras, backgrounds and people, and return their roots one by one.

    Args:
        folder: where they are written.
        first: seed of the first world; the others follow.
        worlds, people: number of worlds, and of people per world.
        workers: processes that draw.
    """
    for world in range(worlds):
        print(f"drawing world {world + 1} of {worlds}", flush=True)
        root = folder / f"world-{world}"
        generate(root, replace(WORLD, train_identities=people, seed=first + world), workers=workers, progress=True)
        yield root


def training_frames(root: Path, size: tuple[int, int], every: int) -> Iterator[tuple[Tracklet, list[int], Tensor]]:
    """Return every `every`-th frame of each training tracklet of a dataset.

    Args:
        root: dataset written by `vvi synthesize`.
        size: (height, width) to which frames are resized.

    Returns:
        Per tracklet: the tracklet, the indices of its frames, and the frames, uint8 (n, 3, height, width), RGB.
    """
    for tracklet in HITSZVCM(root).train:
        indices = list(range(0, len(tracklet.frames), every))
        yield tracklet, indices, torch.from_numpy(ImageFrames(tracklet.frames, size)[indices])


def jitter(pictures: Tensor, channels: int = 1) -> Tensor:
    """Change brightness and contrast of normalised frames (n, 3, h, w), and make 30% of them grey.

    Args:
        channels: 1 for one draw per frame, 3 for one per channel, which changes colours too.
    """
    count = len(pictures)
    pictures = pictures * (0.6 + 0.8 * torch.rand(count, channels, 1, 1)) + 0.4 * torch.randn(count, channels, 1, 1)
    grey = (torch.rand(count) < 0.3).view(-1, 1, 1, 1)
    return torch.where(grey, pictures.mean(dim=1, keepdim=True), pictures)


def command_line(description: str, iterations: int, worlds: int = 5) -> argparse.ArgumentParser:
    """Return the options that the training commands share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--worlds", type=int, default=worlds, help="sets of cameras and backgrounds")
    parser.add_argument("--people", type=int, default=40, help="people per world")
    parser.add_argument("--iterations", type=int, default=iterations)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    return parser


def write_weights(out: Path, state: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a state dict to a `.safetensors` file, which is replaced at once."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    save_file({key: value.contiguous() for key, value in state.items()}, partial, metadata)
    partial.replace(out)
