"""Download the pretrained weights that the configurations name, and check them.

    vvi download                            # dinov2_vits14 and resnet50, for DinoGRL
    vvi download dinov2_vitb14 resnet18 --out DIR
    vvi download --list                     # all known files, and those that must be fetched by hand

An interrupted download continues, also in a later run. A file gets its name once it is complete and valid: the names
and shapes of all its tensors are compared with the network's. The first eight digits of the SHA-256 of torchvision's
files are known beforehand, from their names; DINOv2's publisher names no checksum. The SHA-256 of the first download is
written to a JSON file beside each file, so that a later change is noticed.

Exit status: 0 all files are there; 2 a download failed, for example without a network; 3 a file must be fetched by
hand.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from opengait.errors import ConfigError, UserError
from opengait_ext.weights.catalogue import BY_HAND, DEFAULT, FILES, HandFetched, WeightFile, hand_fetched, published

HELP = "download and check pretrained weights"
INTERRUPTED = "Stopped; run the same command again to continue."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' and '.join(DEFAULT)}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: pretrained/")
    parser.add_argument("--mirror", metavar="URL", help="fetch from this folder instead of the publishers")
    parser.add_argument("--list", action="store_true", help="list the known files and stop")


def run(args: argparse.Namespace) -> int:
    """Download or list the files.

    Raises:
        ConfigError: a name is unknown.
    """
    from opengait_ext.weights.read import FOLDER

    unknown = [name for name in args.names if not published(name) and not hand_fetched(name)]
    if unknown:
        known = ", ".join(entry.name for entry in (*FILES, *BY_HAND))
        raise ConfigError(f"There are no weights {unknown[0]!r}; known are {known}.")
    folder = args.out or FOLDER
    if args.list:
        list_all(folder)
        return 0
    return fetch_all(args.names or DEFAULT, folder, args.mirror)


def size_and_hash(entry: WeightFile) -> str:
    """Return the size of a file and the known part of its checksum."""
    known = f"SHA-256 starts {entry.sha256_start}" if entry.sha256_start else "no SHA-256 known beforehand"
    return f"about {entry.mebibytes:.0f} MiB, {known}"


def describe_by_hand(entry: HandFetched) -> str:
    """Return the files, their publisher, known facts about them, and their folder."""
    lines = (
        f"{entry.name}: {entry.purpose}",
        ", ".join(entry.files),
        entry.source,
        entry.known,
        f"into {entry.folder}",
    )
    return "\n    ".join(line for line in lines if line)


def list_all(folder: Path) -> None:
    """Print the catalogue."""
    from opengait.utils.files import from_here

    print(f"Downloaded into {from_here(folder)}:\n")
    for entry in FILES:
        present = ", already there" if (folder / entry.file).is_file() else ""
        print(f"  {entry.name}: {entry.purpose}\n    {entry.address}\n    {size_and_hash(entry)}{present}\n")
    print("To be fetched by hand:\n")
    for by_hand in BY_HAND:
        print(f"  {describe_by_hand(by_hand)}\n")


def fetch_all(names: Sequence[str], folder: Path, mirror: str | None) -> int:
    """Fetch or check every named file, print the outcome, and return the exit status."""
    from opengait.utils.files import from_here
    from opengait_ext.weights.obtain import obtain
    from opengait_ext.weights.transfer import OfflineError

    status, offline = 0, []
    for name in names:
        entry = published(name)
        if entry is None:
            by_hand = hand_fetched(name)
            assert by_hand is not None, "the caller has checked the names"
            print(f"To be fetched by hand: {describe_by_hand(by_hand)}", file=sys.stderr)
            status = status or 3
            continue
        try:
            done = obtain(entry, folder, mirror)
        except OfflineError as error:
            offline.append(f"  {entry.file}, {size_and_hash(entry)}: {error}")
        except UserError as error:
            # Continue with the other files.
            print(f"error: {error}", file=sys.stderr)
            status = 2
        else:
            verb = "fetched and checked" if done.new else "already there and checked"
            print(f"{from_here(done.path)}: {verb}, {done.path.stat().st_size:,} bytes, SHA-256 {done.sha256}")
    if offline:
        print(
            f"error: {len(offline)} of {len(names)} files could not be fetched. On a machine with a network, fetch the "
            f"files below from their addresses; put them into {folder.resolve()}, with their names unchanged, and run "
            "this command again to check them.\n" + "\n".join(offline),
            file=sys.stderr,
        )
        status = 2
    return status
