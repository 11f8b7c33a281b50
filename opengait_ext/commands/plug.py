"""Offer this project's models inside a checkout of OpenGait, or remove them again.

    vvi plug PATH --cfgs configs/dinogrl/*.yaml configs/biggait/hitsz.yaml
    vvi plug PATH --remove

PATH is the checkout. It gets one file, opengait/modeling/models/opengait_ext_plug.py, and an adapted copy of each
configuration under configs/opengait_ext/; --remove deletes both. Then OpenGait's own main.py trains and tests:

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
    from opengait.utils.files import write_text
    from opengait_ext import plug

    checkout = plug.inspect_checkout(args.path)
    if args.remove:
        removed = plug.remove(checkout.root)
        print("\n".join(f"Removed {file}." for file in removed) or f"There was no plug in {checkout.root}.")
        return 0
    print(f"{checkout.version}, at {checkout.root}.")
    for problem in checkout.problems:
        print(f"does not fit: {problem}", file=sys.stderr)
    if checkout.problems and not args.force:
        print("Nothing was written; --force continues anyway.", file=sys.stderr)
        return 1
    adapted = [(f"{path.parent.name}_{path.name}", plug.adapted_config(path, args.overrides)) for path in args.cfgs]
    print(f"Added {plug.install(checkout.root)}.")
    for name, text in adapted:
        file = checkout.root / plug.CONFIGS / name
        write_text(file, text)
        print(f"Wrote {file}.")
    if not adapted:
        print("Its models need a configuration: add --cfgs configs/dinogrl/hitsz.yaml, or others.")
    return 0
