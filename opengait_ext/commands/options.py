"""Options that several commands share, under the same names."""

import argparse

from opengait.command_line import seconds, seed


def add_overrides(parser: argparse.ArgumentParser, help: str = "change settings of the configuration") -> None:
    """Add `--set A=1 B=2`, which may also be repeated."""
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides", help=help
    )


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a trained network: `--cfgs`, `--checkpoint`, `--set` and `--device`."""
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="configuration that the network was trained with")
    parser.add_argument("--checkpoint", required=True, metavar="FILE", help="checkpoint (.pt) of the training run")
    add_overrides(parser)
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add `--device`."""
    parser.add_argument("--device", metavar="NAME", help="such as cpu or cuda:1 (default: the GPU, if there is one)")


def add_footage(parser: argparse.ArgumentParser) -> None:
    """Add the options about folders and videos of one's own: `--modality`, `--boxes` and `--between`."""
    parser.add_argument("--modality", choices=("visible", "infrared"), help="of all inputs (default: from the names)")
    parser.add_argument("--boxes", nargs="+", default=[], metavar="FILE", help="boxes of people, one file per video")
    parser.add_argument(
        "--between", nargs=2, type=seconds, metavar=("S", "S"), help="part of the videos, in seconds (default: all)"
    )


def add_people(parser: argparse.ArgumentParser, help: str) -> None:
    """Add `--people`."""
    parser.add_argument("--people", nargs="+", metavar="ID", help=help)


def add_experiments(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that train several runs: `--data`, `--first-seed`, `--devices` and `--dry-run`."""
    parser.add_argument(
        "--data", choices=("synthetic", "hitsz", "bupt"), default="synthetic", help="default: synthetic"
    )
    parser.add_argument("--first-seed", type=seed, default=0, metavar="N", help="first seed (default: 0)")
    parser.add_argument(
        "--devices",
        nargs="+",
        default=[],
        metavar="D",
        help="one run at a time on each: a CUDA device, several joined by commas, or cpu (default: all CUDA devices)",
    )
    add_overrides(parser, "change settings of every row")
    parser.add_argument("--dry-run", action="store_true", help="list the runs and their state, and stop")
