"""Fetch the pretrained weights that the configurations name, and check them.

    python scripts/download_weights.py                     # dinov2_vits14 and resnet50, what DinoGRL needs
    python scripts/download_weights.py dinov2_vitb14 resnet18 --out DIR
    python scripts/download_weights.py --list              # all there are, and what has to be fetched by hand

A broken connection is continued, also by a later run. A file gets its name when it is complete and is what it says:
the names and shapes of all its tensors are compared with the network's. For torchvision's files the first eight digits
of the SHA-256 are known beforehand (their names carry them); for DINOv2's none are. The SHA-256 of the first fetch is
noted in a JSON file beside each file, so that a later change is noticed.

Exit status: 0, all that was asked for is there; 2, something is wrong, such as no network; 3, what was asked for has to
be fetched by hand.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.errors import UserError  # noqa: E402 - the project need not be installed
from opengait.utils.files import from_here  # noqa: E402
from opengait_ext.weights.catalogue import (  # noqa: E402
    BY_HAND,
    DEFAULT,
    FILES,
    HandFetched,
    WeightFile,
    hand_fetched,
    published,
)
from opengait_ext.weights.obtain import obtain  # noqa: E402
from opengait_ext.weights.read import FOLDER  # noqa: E402
from opengait_ext.weights.transfer import OfflineError  # noqa: E402


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"by default {' and '.join(DEFAULT)}")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help="pretrained/ by default")
    parser.add_argument("--mirror", metavar="URL", help="take the files from this folder instead of their publishers")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    return parser.parse_args(argv)


def size_and_hash(entry: WeightFile) -> str:
    """How large a file is, and what is known of its checksum."""
    known = f"SHA-256 starts {entry.sha256_start}" if entry.sha256_start else "no SHA-256 known beforehand"
    return f"about {entry.mebibytes:.0f} MiB, {known}"


def describe_by_hand(entry: HandFetched) -> str:
    """What files there are, where to ask for them, what is known of them, and where to put them."""
    lines = (
        f"{entry.name}: {entry.purpose}",
        ", ".join(entry.files),
        entry.source,
        entry.known,
        f"into {entry.folder}",
    )
    return "\n    ".join(line for line in lines if line)


def list_all(folder: Path) -> None:
    """Print the whole catalogue."""
    print(f"Fetched by this script into {from_here(folder)}:\n")
    for entry in FILES:
        there = ", there already" if (folder / entry.file).is_file() else ""
        print(f"  {entry.name}: {entry.purpose}\n    {entry.address}\n    {size_and_hash(entry)}{there}\n")
    print("To be fetched by hand:\n")
    for by_hand in BY_HAND:
        print(f"  {describe_by_hand(by_hand)}\n")


def fetch_all(names: Sequence[str], folder: Path, mirror: str | None) -> int:
    """Fetch or check every named file, say what came of each, and return the exit status."""
    status, offline = 0, []
    for name in names:
        entry = published(name)
        if entry is None:
            print(f"To be fetched by hand: {describe_by_hand(hand_fetched(name))}", file=sys.stderr)
            status = status or 3
            continue
        try:
            done = obtain(entry, folder, mirror)
        except OfflineError as error:
            offline.append(f"  {entry.file}, {size_and_hash(entry)}: {error}")
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
        else:
            verb = "fetched and checked" if done.new else "there already and checked"
            print(f"{from_here(done.path)}: {verb}, {done.path.stat().st_size:,} bytes, SHA-256 {done.sha256}")
    if offline:
        print(
            f"error: {len(offline)} of {len(names)} files could not be fetched. On a machine with a network, fetch the "
            f"files below from their addresses; put them into {folder.resolve()}, with their names unchanged, and run "
            "this again to check them.\n" + "\n".join(offline),
            file=sys.stderr,
        )
        status = 2
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    args = arguments(argv)
    unknown = [name for name in args.names if not published(name) and not hand_fetched(name)]
    if unknown:
        known = ", ".join(entry.name for entry in (*FILES, *BY_HAND))
        print(f"error: There are no weights {unknown[0]!r}; known are {known}.", file=sys.stderr)
        return 2
    if args.list:
        list_all(args.out)
        return 0
    return fetch_all(args.names or DEFAULT, args.out, args.mirror)


if __name__ == "__main__":
    sys.exit(main())
