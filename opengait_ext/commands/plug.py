"""Offer this project's models inside a checkout of OpenGait, or remove them again.

    vvi plug PATH --cfgs configs/dinogrl/*.yaml configs/biggait/hitsz.yaml
    vvi plug PATH --remove

PATH is the checkout. It gets one file, opengait/modeling/models/opengait_ext_plug.py, and an adapted copy of each
configuration under configs/opengait_ext/; --remove deletes both. Files that you made or edited are never replaced or
deleted. Then OpenGait's own main.py trains and tests; it needs a GPU and OpenGait's own packages:

    cd PATH && torchrun --nproc_per_node=1 opengait/main.py --cfgs configs/opengait_ext/dinogrl_hitsz.yaml --phase train

Exit status: 0 done, 1 the checkout does not fit, 2 PATH or a configuration cannot be used.
"""

import argparse
import sys
from pathlib import Path

from opengait_ext.commands.options import add_overrides

HELP = "offer the models inside a checkout of OpenGait"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("path", type=Path, metavar="PATH", help="the checkout of OpenGait")
    parser.add_argument(
        "--cfgs", action="extend", nargs="+", default=[], type=Path, metavar="FILE", help="configurations to adapt"
    )
    # The former spelling of --cfgs.
    parser.add_argument("--config", action="extend", nargs="+", type=Path, dest="cfgs", help=argparse.SUPPRESS)
    add_overrides(parser, "change settings of every configuration")
    parser.add_argument("--remove", action="store_true", help="remove the plug from the checkout")
    parser.add_argument("--force", action="store_true", help="continue even if the checkout does not fit")


def run(args: argparse.Namespace) -> int:
    """Install or remove the plug.

    Raises:
        UserError: PATH is not a checkout, or a configuration cannot be used.
    """
    from opengait.errors import ConfigError
    from opengait_ext import plug

    if args.remove:
        if args.cfgs or args.overrides:
            raise ConfigError("--remove takes neither --cfgs nor --set; it removes everything that vvi plug added.")
        return remove(args.path.expanduser())
    checkout = plug.inspect_checkout(args.path)
    print(f"{checkout.version}, at {checkout.root}.")
    for problem in checkout.problems:
        print(f"does not fit: {problem}", file=sys.stderr)
    if checkout.problems and not args.force:
        print("Nothing was written; --force continues anyway.", file=sys.stderr)
        return 1
    file, *configurations = plug.install(checkout.root, plug.adapted_configs(args.cfgs, args.overrides))
    print(f"Added {file}.")
    for configuration in configurations:
        print(f"Wrote {configuration}.")
    if not configurations:
        print("Its models need a configuration: add --cfgs configs/dinogrl/hitsz.yaml, or others.")
    if checkout.needs_gpu:
        print("OpenGait's own main.py needs a GPU, for these models too.")
    if checkout.missing_packages:
        print(
            f"OpenGait also imports packages that are missing here: pip install {' '.join(checkout.missing_packages)}"
        )
    return 0


def remove(root: Path) -> int:
    """Remove the plug from a checkout, which may be damaged.

    Raises:
        DataError: the folder does not exist, or the plug was edited.
    """
    from opengait.errors import DataError
    from opengait_ext import plug

    if not root.is_dir():
        raise DataError(f"There is no folder {root}; give that of a checkout of OpenGait.")
    removed, kept = plug.remove(root)
    print("\n".join(f"Removed {file}." for file in removed) or f"There was no plug in {root}.")
    for file in kept:
        print(f"Kept {file}: vvi plug did not make it, or it was edited since.")
    return 0
