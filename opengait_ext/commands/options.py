"""Options that several commands share, under the same names."""

import argparse

from opengait.command_line import seconds, seed


def add_overrides(parser: argparse.ArgumentParser, help: str = "change settings of the configuration") -> None:
    """Add `--set A=1 B=2`, which may also be repeated."""
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides", help=help
    )


def add_network(parser: argparse.ArgumentParser, device: bool = True) -> None:
    """Add the options that name a trained network: `--network`, `--cfgs`, `--checkpoint` and `--set`.

    Args:
        parser: the command's parser.
        device: whether to add `--device` too.
    """
    parser.add_argument(
        "--network", metavar="NAME", help="dinogrl-hitsz and the like, the folder of a run, or one of save_pretrained"
    )
    parser.add_argument("--cfgs", metavar="FILE", help="without --network: the configuration it was trained with")
    parser.add_argument("--checkpoint", metavar="FILE", help="without --network: a checkpoint (.pt)")
    add_overrides(parser)
    if device:
        add_device(parser)


def network_of(args: argparse.Namespace) -> tuple[str, str | None]:
    """Return what `--network`, or `--cfgs` and `--checkpoint`, name, for `opengait_ext.weights.find.find_trained`.

    Raises:
        ConfigError: they name nothing, or two networks.
    """
    from opengait.errors import ConfigError

    if args.network and (args.cfgs or args.checkpoint):
        raise ConfigError("--network names the whole network; leave out --cfgs and --checkpoint.")
    if not args.network and not args.checkpoint:
        raise ConfigError("Name a trained network: --network NAME, or --cfgs FILE and --checkpoint FILE.pt.")
    return (args.cfgs, args.checkpoint) if args.cfgs else (args.network or args.checkpoint, None)


def add_gallery_network(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the network of a gallery anew: as those of `add_network`, none of which is needed."""
    parser.add_argument("--network", metavar="NAME", help="the network by name or folder, if it moved since then")
    parser.add_argument("--cfgs", metavar="FILE", help="configuration, if it moved since the gallery was written")
    parser.add_argument("--checkpoint", metavar="FILE", help="checkpoint, if it moved since the gallery was written")
    add_overrides(parser)
    add_device(parser)


def network_of_gallery(args: argparse.Namespace, cfgs: str, checkpoint: str) -> tuple[str, str | None]:
    """Return what the options name, as `network_of`; by default the gallery's configuration and checkpoint.

    Raises:
        ConfigError: they name two networks.
    """
    if args.network:
        return network_of(args)
    return args.cfgs or cfgs, args.checkpoint or checkpoint


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
