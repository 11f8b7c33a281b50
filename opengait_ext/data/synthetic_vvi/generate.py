"""Writes a synthetic visible-infrared data set of walking people in HITSZ-VCM's layout.

    python datasets/synthetic_vvi/generate.py --out DIR --train-identities 48 --test-identities 24 --workers 2

From Python: put `datasets/` on `sys.path`, then `from synthetic_vvi.generate import SyntheticConfig, generate`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a script: its own folder is on the path, the package's parent is not
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from synthetic_vvi.settings import DEMO, SettingsError, SyntheticConfig
from synthetic_vvi.tree import prepare, write_tree

__all__ = ["SettingsError", "SyntheticConfig", "generate", "main"]


def generate(
    out: Path, config: SyntheticConfig, *, workers: int = 1, force: bool = False, progress: bool = False
) -> None:
    """Writes the data set; a finished one of the same parameters is left as it is, a partial one is drawn anew.

    The bytes depend on `config` alone. More than one worker needs a main module that can be imported, as usual.

    Args:
        out: the data set's root, a new, empty or earlier output folder.
        workers: processes that draw.
        force: replace a finished data set.
        progress: show a bar.

    Raises:
        SettingsError: `out` holds something else.
    """
    if workers < 1:
        raise SettingsError(f"workers is {workers}; give at least 1")
    if prepare(Path(out), config, force=force):
        write_tree(Path(out), config, workers=workers, progress=progress)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    defaults = DEMO if "--demo" in arguments else SyntheticConfig()
    formatter = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=formatter)
    parser.add_argument("--out", type=Path, required=True, help="root folder of the data set")
    parser.add_argument("--demo", action="store_true", help="what the demo draws is the default of all below")
    parser.add_argument("--train-identities", type=int, default=defaults.train_identities, help="people to train on")
    parser.add_argument(
        "--test-identities", type=int, default=defaults.test_identities, help="other people, to test on"
    )
    parser.add_argument("--cameras", type=int, default=defaults.cameras, help="cameras, shared by both modalities")
    parser.add_argument("--tracklets", type=int, default=defaults.tracklets, help="per person, camera and modality")
    parser.add_argument("--frames", type=int, default=defaults.frames, help="typical frames a tracklet")
    parser.add_argument("--size", type=int, nargs=2, default=defaults.size, metavar=("HEIGHT", "WIDTH"), help="pixels")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="other people, cameras and walks")
    parser.add_argument("--occlusion", type=float, default=defaults.occlusion, help="share of occluded tracklets")
    parser.add_argument("--motion-blur", type=float, default=defaults.motion_blur, help="share of blurred tracklets")
    parser.add_argument("--opposite", type=float, default=defaults.opposite, help="share that walks the other way")
    parser.add_argument("--workers", type=int, default=1, help="processes; they do not change the result")
    parser.add_argument("--force", action="store_true", help="replace a data set of other parameters")
    settings = vars(parser.parse_args(arguments))
    out, workers, force, _ = (settings.pop(name) for name in ("out", "workers", "force", "demo"))
    try:
        config = SyntheticConfig(**settings)
        generate(out, config, workers=workers, force=force, progress=True)
    except (SettingsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{out}: {config.train_identities} people to train on, {config.test_identities} to test on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
