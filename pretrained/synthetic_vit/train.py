"""Train the demo's tiny vision transformer on drawn people.

    python pretrained/synthetic_vit/train.py --out pretrained/synthetic_vit.safetensors

Frames and silhouettes are synthetic (`vvi synthesize`), with seeds that the demo does not use. Identities are ignored.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate
from opengait_ext.models.shared.positions import GRID_KEY
from pretrained.synthetic_vit import PretrainSettings, pretrain
from pretrained.synthetic_vit.frames import load_frames

SIZE = (128, 64)
FIRST_WORLD = 900_001  # seeds of the demo are small numbers


def draw_worlds(folder: Path, worlds: int, people: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw several worlds, each with its own cameras, backgrounds and people, and load their frames and silhouettes."""
    parts = []
    for world in range(worlds):
        print(f"drawing world {world + 1} of {worlds}", flush=True)
        root = folder / f"world-{world}"
        config = SyntheticConfig(
            train_identities=people, test_identities=1, cameras=6, frames=14, size=SIZE, seed=FIRST_WORLD + world
        )
        generate(root, config, workers=workers, progress=True)
        parts.append(load_frames(root, SIZE, every=3))
    frames, silhouettes = zip(*parts, strict=True)
    return np.concatenate(frames), np.concatenate(silhouettes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit status."""
    defaults = PretrainSettings()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--worlds", type=int, default=5, help="sets of cameras and backgrounds")
    parser.add_argument("--people", type=int, default=40, help="people per world")
    parser.add_argument("--iterations", type=int, default=defaults.iterations)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        frames, silhouettes = draw_worlds(Path(folder), options.worlds, options.people, options.workers)
    settings = PretrainSettings(iterations=options.iterations, seed=options.seed)
    transformer, losses = pretrain(frames, silhouettes, settings, progress=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    partial = options.out.with_suffix(".partial")
    rows, columns = transformer.patch_embed.grid_size
    state = {key: value.contiguous() for key, value in transformer.state_dict().items()}
    save_file(state, partial, {GRID_KEY: f"{rows}x{columns}"})
    partial.replace(options.out)
    print(f"{options.out}: {len(frames)} frames, mean loss of the last 50 steps {np.mean(losses[-50:]):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
