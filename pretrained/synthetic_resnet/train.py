"""Train a small ResNet to recognise drawn people.

    python pretrained/synthetic_resnet/train.py --out pretrained/synthetic_resnet.safetensors

Frames are synthetic (`vvi synthesize`) and visible, with seeds that neither the demo nor the benchmark uses.
"""

import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from opengait_ext.data import Modality
from pretrained.synthetic_resnet import PretrainSettings, pretrain
from pretrained.worlds import SIZE, command_line, draw_worlds, training_frames, write_weights

FIRST_WORLD = 910_001  # the small transformer's follow 900,001, those of the demo and the benchmark are small numbers


def load_people(roots: Iterable[Path], size: tuple[int, int], every: int) -> tuple[Tensor, Tensor]:
    """Load every `every`-th visible training frame of several datasets.

    Returns:
        RGB frames, uint8 (n, 3, height, width), and their people, long (n), numbered from 0 through all datasets.
    """
    frames, people = [], []
    for world, root in enumerate(roots):
        for tracklet, _, pictures in training_frames(root, size, every):
            if tracklet.modality is Modality.VISIBLE:
                frames.append(pictures)
                people += [(world, tracklet.person)] * len(pictures)
    numbers = {person: number for number, person in enumerate(sorted(set(people)))}
    return torch.cat(frames), torch.tensor([numbers[person] for person in people])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit status."""
    options = command_line(__doc__.splitlines()[0], PretrainSettings().iterations).parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        roots = draw_worlds(Path(folder), FIRST_WORLD, options.worlds, options.people, options.workers)
        frames, people = load_people(roots, SIZE, every=3)
    settings = PretrainSettings(iterations=options.iterations, seed=options.seed)
    network, losses = pretrain(frames, people, settings, progress=True)
    write_weights(options.out, network.backbone_state())
    print(f"{options.out}: {len(frames)} frames, mean loss of the last 50 steps {np.mean(losses[-50:]):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
