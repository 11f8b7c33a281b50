"""Put a data set's files into a few large ones, byte for byte; the readers take the pack as the data set's folder.

    python scripts/pack.py ROOT --out PACK          # run again after an interruption, it goes on
    python scripts/pack.py PACK --verify            # read everything and compare it with the checksums

Exit status: 0 done or intact, 1 damage was found, 2 it could not be done.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.command_line import count  # noqa: E402
from opengait.data.packs.read import Pack  # noqa: E402 - the project need not be installed
from opengait.data.packs.verify import verify_pack  # noqa: E402
from opengait.data.packs.write import SHARD_BYTES, write_pack  # noqa: E402
from opengait.errors import UserError  # noqa: E402

MIB = 1 << 20


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, metavar="ROOT", help="the data set's folder; with --verify alone, a pack")
    parser.add_argument("--out", type=Path, metavar="PACK", help="a new folder for the pack")
    parser.add_argument("--verify", action="store_true", help="check a pack, after writing it if --out is given")
    parser.add_argument("--shard-size", type=count, default=SHARD_BYTES // MIB, metavar="MiB", help="of a large file")
    args = parser.parse_args(argv)
    if args.out is None and not args.verify:
        parser.error("give --out PACK, or --verify with the folder of a pack")
    return args


def run(args: argparse.Namespace) -> int:
    """Write and verify what was asked for; the exit status.

    Raises:
        UserError: it could not be done.
    """
    bars = sys.stderr.isatty()
    if args.out is not None:
        done = write_pack(args.root, args.out, args.shard_size * MIB, bars)
        already = f" ({done.kept} were there already)" if done.kept else ""
        print(
            f"{args.out}: {done.files:,} images ({done.size / MIB:,.1f} MiB) in {done.shards:,} files{already}, "
            f"{done.others:,} other files copied."
        )
    if not args.verify:
        return 0
    pack = Pack(args.root if args.out is None else args.out)
    problems = verify_pack(pack, bars)
    print("\n".join(problems) or f"{pack.root}: all {len(pack):,} images and the lists have their checksums.")
    return 1 if problems else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 2 after the one sentence that says what is wrong."""
    try:
        return run(arguments(argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
