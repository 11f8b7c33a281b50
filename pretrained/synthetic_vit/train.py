"""Train the demo's tiny vision transformer on drawn people.

    python pretrained/synthetic_vit/train.py --out pretrained/synthetic_vit.safetensors

Frames and silhouettes are synthetic (`vvi synthesize`), with seeds that the demo does not use. Identities are ignored.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from opengait_ext.models.shared.positions import GRID_KEY
from pretrained.synthetic_vit import PretrainSettings, pretrain
from pretrained.synthetic_vit.frames import load_frames
from pretrained.worlds import SIZE, command_line, draw_worlds, write_weights

FIRST_WORLD = 900_001  # seeds of the demo are small numbers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit status."""
    options = command_line(__doc__.splitlines()[0], PretrainSettings().iterations, worlds=12).parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        roots = draw_worlds(Path(folder), FIRST_WORLD, options.worlds, options.people, options.workers)
        frames, silhouettes = zip(*(load_frames(root, SIZE, every=3) for root in roots), strict=True)
    settings = PretrainSettings(iterations=options.iterations, seed=options.seed)
    count = sum(map(len, frames))
    transformer, losses = pretrain(np.concatenate(frames), np.concatenate(silhouettes), settings, progress=True)
    rows, columns = transformer.patch_embed.grid_size
    write_weights(options.out, transformer.state_dict(), {GRID_KEY: f"{rows}x{columns}"})
    print(f"{options.out}: {count} frames, mean loss of the last 50 steps {np.mean(losses[-50:]):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
