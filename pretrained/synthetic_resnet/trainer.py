"""The network and the training loop of the small ResNet."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from opengait_ext.data.augment import Flip, Normalise, PadCrop
from opengait_ext.models.shared.resnet import ResNetStages
from opengait_ext.models.shared.two_stems import Stem
from pretrained.worlds import jitter


@dataclass(frozen=True)
class PretrainSettings:
    """Settings of the training.

    Attributes:
        backbone, width, strides: of `ResNetStages`.
        iterations, batch, rate: steps, frames per step, and peak learning rate of the one-cycle schedule.
        seed: seed of the initialisation, the batches and the augmentation.
    """

    backbone: str = "resnet10"
    width: int = 16
    strides: tuple[int, int, int, int] = (1, 1, 2, 1)
    iterations: int = 500
    batch: int = 64
    rate: float = 3e-3
    seed: int = 0


class Recogniser(nn.Module):
    """A ResNet with torchvision's layout, which names the person in a frame.

    Args:
        settings: its backbone.
        people: number of people.
    """

    def __init__(self, settings: PretrainSettings, people: int) -> None:
        super().__init__()
        self.stem = Stem(settings.width)
        self.stages = ResNetStages(settings.backbone, settings.width, settings.width, strides=settings.strides)
        self.neck = nn.BatchNorm1d(self.stages.out_channels)
        self.fc = nn.Linear(self.stages.out_channels, people)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the scores (n, people) of normalised frames (n, 3, height, width)."""
        return self.fc(self.neck(self.stages(self.stem(frames)).mean(dim=(2, 3))))

    def backbone_state(self) -> dict[str, Tensor]:
        """Return the entries of stem and stages by torchvision's names, without the classifier."""
        return {**self.stem.state_dict(), **self.stages.state_dict()}


def pretrain(
    frames: Tensor, people: Tensor, settings: PretrainSettings, progress: bool = False
) -> tuple[Recogniser, list[float]]:
    """Train a ResNet from scratch to recognise people frame by frame.

    Args:
        frames: uint8 (n, 3, height, width), RGB.
        people: long (n), numbered from 0.

    Returns:
        The network in evaluation mode, and the loss of every step.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = Recogniser(settings, int(people.max()) + 1)
        losses = run(network, frames, people, settings, progress)
    return network.eval(), losses


def run(network: Recogniser, frames: Tensor, people: Tensor, settings: PretrainSettings, progress: bool) -> list[float]:
    """Run all steps, and return their losses."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, settings.iterations, pct_start=0.1)
    losses = []
    network.train()
    for _ in tqdm(range(settings.iterations), "training", unit="step", disable=not progress):
        chosen = torch.randint(len(frames), (settings.batch,))
        loss = F.cross_entropy(network(augment(frames[chosen])), people[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses


def augment(frames: Tensor) -> Tensor:
    """Shift and flip each uint8 frame (n, 3, h, w), normalise it, and change its colours, or make it grey."""
    moved = Flip(0.5, per_frame=True)(PadCrop(frames.shape[-1] // 10, per_frame=True)(frames))
    return jitter(Normalise()(moved), channels=3)
