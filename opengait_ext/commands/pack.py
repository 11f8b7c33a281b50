"""Pack a dataset's files into a few large ones, byte for byte; the readers accept a pack as `dataset_root`.

    vvi pack ROOT --out PACK          # run again after an interruption to continue
    vvi pack PACK --verify            # read everything and compare it with the checksums

Exit status: 0 packed or intact, 1 damage was found, 2 packing failed.
"""

import argparse
from pathlib import Path

from opengait.command_line import count

HELP = "pack a dataset into a few large files, or verify a pack"
MIB = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("root", type=Path, metavar="ROOT", help="folder of the dataset, or a pack with --verify alone")
    parser.add_argument("--out", type=Path, metavar="PACK", help="new folder for the pack")
    parser.add_argument("--verify", action="store_true", help="verify a pack, after writing it if --out is given")
    parser.add_argument("--shard-size", type=count, default=1024, metavar="MiB", help="file size (default: 1024)")


def run(args: argparse.Namespace) -> int:
    """Write and verify a pack.

    Raises:
        UserError: the dataset or the pack cannot be read or written.
    """
    from opengait.data.packs.read import Pack
    from opengait.data.packs.verify import verify_pack
    from opengait.data.packs.write import write_pack
    from opengait.errors import ConfigError

    if args.out is None and not args.verify:
        raise ConfigError("Give --out PACK, or --verify with the folder of a pack.")
    if args.out is not None:
        done = write_pack(args.root, args.out, args.shard_size * MIB, True)
        already = f" ({done.kept} already existed)" if done.kept else ""
        print(
            f"{args.out}: {done.files:,} images ({done.size / MIB:,.1f} MiB) in {done.shards:,} files{already}, "
            f"{done.others:,} other files copied."
        )
    if not args.verify:
        return 0
    pack = Pack(args.root if args.out is None else args.out)
    problems = verify_pack(pack, True)
    print("\n".join(problems) or f"{pack.root}: all {len(pack):,} images and the lists match their checksums.")
    return 1 if problems else 0
