"""The training loop of the demo's vision transformer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from tqdm import tqdm

from opengait_ext.data.augment import Normalise
from opengait_ext.models.shared.transformer import build_transformer, input_change
from pretrained.synthetic_vit.objective import Objective
from pretrained.synthetic_vit.start import start_as_convolution
from pretrained.worlds import jitter


@dataclass(frozen=True)
class PretrainSettings:
    """Settings of the training.

    Attributes:
        name, arguments: timm's name of the vision transformer, and changed arguments.
        image_size: (height, width) of its input in pixels.
        iterations, batch, rate: steps, frames per step, and peak learning rate of the one-cycle schedule.
        seed: seed of the initialisation, the batches and the augmentation.
    """

    name: str = "vit_tiny_patch16_224"
    arguments: dict[str, Any] = field(
        default_factory=lambda: {"patch_size": 8, "embed_dim": 64, "depth": 4, "num_heads": 4}
    )
    image_size: Sequence[int] = (192, 96)
    iterations: int = 2400
    batch: int = 64
    rate: float = 2e-3
    seed: int = 0


def pretrain(
    frames: np.ndarray, silhouettes: np.ndarray, settings: PretrainSettings, progress: bool = False
) -> tuple[VisionTransformer, list[float]]:
    """Train a vision transformer from scratch.

    Args:
        frames: uint8 (n, 3, height, width), RGB.
        silhouettes: bool (n, height, width).

    Returns:
        The transformer in evaluation mode, and the loss of every step.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        transformer = build_transformer(settings.name, tuple(settings.image_size), settings.arguments)
        start_as_convolution(transformer)
        objective = Objective(transformer.embed_dim, tuple(transformer.patch_embed.grid_size))
        data = torch.from_numpy(frames), torch.from_numpy(silhouettes)
        losses = run(transformer, objective, data, settings, progress)
    return transformer.eval(), losses


def run(
    transformer: VisionTransformer,
    objective: Objective,
    data: tuple[Tensor, Tensor],
    settings: PretrainSettings,
    progress: bool,
) -> list[float]:
    """Run all steps on frames and silhouettes, and return their losses."""
    frames, silhouettes = data
    scale, shift = input_change(transformer)
    parameters = [*transformer.parameters(), *objective.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=settings.iterations, pct_start=0.1
    )
    losses = []
    transformer.train()
    with tqdm(total=settings.iterations, desc="training", unit="step", disable=not progress) as bar:
        for _ in range(settings.iterations):
            chosen = torch.randint(len(frames), (settings.batch,))
            pictures, masks = augment(frames[chosen], silhouettes[chosen].float().unsqueeze(1))
            pictures = F.interpolate(pictures, size=tuple(settings.image_size), mode="bilinear", align_corners=False)
            tokens = transformer.forward_features(pictures * scale + shift)[:, transformer.num_prefix_tokens :]
            terms = objective(tokens, masks)
            optimiser.zero_grad()
            terms["total"].backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(terms["total"].detach()))
            bar.set_postfix({name: f"{float(value.detach()):.3f}" for name, value in terms.items()}, refresh=False)
            bar.update()
    return losses


def augment(frames: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Flip and shift all frames of a batch alike, and draw brightness, contrast and greyscale per frame.

    Args:
        frames: uint8 (n, 3, height, width).
        masks: float (n, 1, height, width).

    Returns:
        ImageNet-normalised float32 frames and masks, of the same shapes.
    """
    both = torch.cat([jitter(Normalise()(frames)), masks], dim=1)
    if torch.rand(()) < 0.5:
        both = both.flip(-1)
    reach = frames.shape[-1] // 10
    both = both.roll(torch.randint(-reach, reach + 1, (2,)).tolist(), dims=(2, 3))
    return both[:, :3], both[:, 3:]
