#!/usr/bin/env python
"""Offer this project's models inside a checkout of OpenGait, and take them away again.

    python scripts/plug_into_opengait.py PATH --config configs/dinogrl/*.yaml configs/biggait/hitsz.yaml
    python scripts/plug_into_opengait.py PATH --remove

PATH is the checkout. It gets one file, opengait/modeling/models/opengait_ext_plug.py, and a rewritten copy of each
configuration under configs/opengait_ext/; --remove takes both away. Then its own main.py trains and tests:

    cd PATH && torchrun --nproc_per_node=1 opengait/main.py --cfgs configs/opengait_ext/dinogrl_hitsz.yaml --phase train
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.errors import UserError
from opengait.utils.files import write_text
from opengait_ext import plug as plug_room


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; `argv` defaults to that of the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, metavar="PATH", help="the checkout of OpenGait")
    parser.add_argument(
        "--config", action="extend", nargs="+", default=[], type=Path, metavar="FILE", help="rewrite these, too"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes to every --config")
    parser.add_argument("--remove", action="store_true", help="take the plug out of the checkout")
    parser.add_argument("--force", action="store_true", help="go on though something does not fit")
    return parser.parse_args(argv)


def plug(args: argparse.Namespace) -> int:
    """Install or remove; the exit status.

    Raises:
        UserError: PATH is no checkout, or a configuration cannot be used.
    """
    checkout = plug_room.inspect_checkout(args.path)
    if args.remove:
        gone = plug_room.remove(checkout.root)
        print("\n".join(f"Removed {file}." for file in gone) or f"There was no plug in {checkout.root}.")
        return 0
    print(f"{checkout.version}, at {checkout.root}.")
    for problem in checkout.problems:
        print(f"does not fit: {problem}", file=sys.stderr)
    if checkout.problems and not args.force:
        print("Nothing was written; --force goes on all the same.", file=sys.stderr)
        return 1
    adapted = [(f"{path.parent.name}_{path.name}", plug_room.adapted_config(path, args.set)) for path in args.config]
    print(f"Added {plug_room.install(checkout.root)}.")
    for name, text in adapted:
        file = checkout.root / plug_room.CONFIGS / name
        write_text(file, text)
        print(f"Wrote {file}.")
    if not adapted:
        print("Its models need a configuration: add --config configs/dinogrl/hitsz.yaml, or others.")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, 1 where the checkout does not fit, or 2 after the sentence that says what is wrong."""
    try:
        return plug(arguments(argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
