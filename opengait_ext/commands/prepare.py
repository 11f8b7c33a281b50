"""The command line that the data sets' `prepare.py` scripts share."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opengait.command_line import count
from opengait.errors import UserError
from opengait_ext.data.opengait_layout.write import FITS, PARTITION, SIZE, Source, prepare


def main(
    description: str | None,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    open_source: Callable[[argparse.Namespace], tuple[Source, dict[str, Any]]],
    argv: Sequence[str] | None = None,
) -> int:
    """The command line of a data set's `prepare.py`; 0, 2 after the sentence that says what is wrong, 130 if stopped.

    Args:
        description: what --help says.
        add_arguments: adds the data set's own arguments.
        open_source: opens the data set that they name, and gives the settings that decide what is in it.
        argv: the arguments; those of this process by default.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", metavar="ROOT", type=Path, help="the data set as its authors hand it out")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write into")
    parser.add_argument("--workers", type=count, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--fit", choices=FITS, default="pad", help="keep proportions (pad) or fill the frame (stretch)")
    parser.add_argument("--size", type=count, nargs=2, default=SIZE, metavar=("HEIGHT", "WIDTH"))
    add_arguments(parser)
    args = parser.parse_args(argv)
    try:
        source, settings = open_source(args)
        print(source.summary(), flush=True)
        done = prepare(source, args.out, settings, tuple(args.size), args.fit, args.workers, sys.stderr.isatty())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; run the same command again and it continues.", file=sys.stderr)
        return 130
    print(
        f"{done.written:,} tracklets ({done.frames:,} frames) written to {args.out}, {done.kept:,} were there already."
    )
    print(f"In a configuration: data_cfg: {{dataset_root: {args.out}, dataset_partition: {args.out / PARTITION}}}")
    return 0
