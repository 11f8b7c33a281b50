"""Draw a synthetic visible-infrared dataset of walking people in HITSZ-VCM's layout.

    vvi synthesize --preset benchmark --out DIR --workers 2
    vvi synthesize --out DIR --train-identities 48 --test-identities 24 --workers 2

The defaults are --train-identities 48 --test-identities 24 --cameras 4 --tracklets 1 --frames 24 --size 128 64 --seed 0
--occlusion 0.12 --motion-blur 0.15 --opposite 0.5 --infrared near --appearance-link 0.5 --view-spread 60 --turning 0.2
--crowd 0.1 --outline-variety 0.25. With --preset they are those of the demo or of the benchmark. The same parameters
give the same bytes, for any number of workers.
"""

import argparse
from pathlib import Path

from opengait.command_line import count

PRESETS = ("demo", "benchmark")
HELP = "draw a synthetic dataset of walking people"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="root folder of the dataset")
    preset = parser.add_mutually_exclusive_group()
    preset.add_argument("--preset", choices=PRESETS, help="use these parameters as defaults")
    preset.add_argument("--demo", dest="preset", action="store_const", const="demo", help="short for --preset demo")
    parser.add_argument("--workers", type=count, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--force", action="store_true", help="replace a dataset of other parameters")
    drawn = parser.add_argument_group("parameters")

    def add(name: str, kind: type, help: str) -> None:
        drawn.add_argument(name, type=kind, default=argparse.SUPPRESS, metavar="N", help=help)

    add("--train-identities", int, "people to train on")
    add("--test-identities", int, "other people, to test on")
    add("--cameras", int, "cameras, shared by both modalities")
    add("--tracklets", int, "per person, camera and modality")
    add("--frames", int, "typical frames per tracklet")
    add("--seed", int, "seed of people, cameras and walks")
    add("--occlusion", float, "share of occluded tracklets")
    add("--motion-blur", float, "share of blurred tracklets")
    add("--opposite", float, "share of tracklets in the opposite direction")
    add("--appearance-link", float, "share of the appearance that both modalities show")
    add("--view-spread", float, "largest angle of a camera to the side view, in degrees")
    add("--turning", float, "share of tracklets with a turning path")
    add("--crowd", float, "share of tracklets in which another person passes in front")
    add("--outline-variety", float, "share in which outlines of hair, garments and baggage differ between people")
    drawn.add_argument("--infrared", choices=("near", "thermal"), default=argparse.SUPPRESS, help="infrared light")
    drawn.add_argument("--size", type=int, nargs=2, default=argparse.SUPPRESS, metavar=("HEIGHT", "WIDTH"))


def run(args: argparse.Namespace) -> int:
    """Draw the dataset.

    Raises:
        SettingsError: a parameter or the folder cannot be used.
    """
    from dataclasses import fields, replace

    from opengait_ext.data.synthetic_vvi import PRESETS as CONFIGS
    from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate

    names = {field.name for field in fields(SyntheticConfig)}
    changed = {name: value for name, value in vars(args).items() if name in names}
    config = replace(CONFIGS[args.preset] if args.preset else SyntheticConfig(), **changed)
    generate(args.out, config, workers=args.workers, force=args.force, progress=True)
    print(f"{args.out}: {config.train_identities} people to train on, {config.test_identities} to test on")
    return 0
