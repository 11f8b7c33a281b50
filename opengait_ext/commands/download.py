"""Download the pretrained weights that the configurations name, and trained networks, and check them.

    vvi download                            # dinov2_vits14 and resnet50, for DinoGRL
    vvi download dinov2_vitb14 resnet18 --out DIR
    vvi download dinogrl_hitsz dinogrl_bupt # the DinoGRL authors' networks, for `--network dinogrl-hitsz`
    vvi download --list [NAME ...]          # all known files and what is there, or some by name or file name

An interrupted download continues, also in a later run. A file gets its name once it is complete and valid: the names
and shapes of all its tensors are compared with the network's. The first eight digits of the SHA-256 of torchvision's
files are known beforehand, from their names; the other publishers name no checksum. The SHA-256 of the first download
is written to a JSON file beside each file, so that a later change is noticed.

A trained network gets a folder of its name. Its files are converted to one that `load_network`, `vvi embed` and the
others take; the numbers of people, parts and channels are those of the tensors. With --mirror, its files are expected
in a folder of its name there.

Exit status: 0 all files are there; 2 a download failed, for example without a network; 3 a file must be fetched by
hand.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from opengait.errors import CheckpointError, ConfigError, UserError
from opengait_ext.weights.catalogue import (
    BY_HAND,
    DEFAULT,
    FILES,
    RELEASED,
    HandFetched,
    Released,
    WeightFile,
    catalogued,
)

HELP = "download and check pretrained weights and trained networks"
INTERRUPTED = "Stopped; run the same command again to continue."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' and '.join(DEFAULT)}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: pretrained/")
    parser.add_argument("--mirror", metavar="URL", help="fetch from this folder instead of the publishers")
    parser.add_argument("--list", action="store_true", help="list the known files, or those named, and stop")


def run(args: argparse.Namespace) -> int:
    """Download or list the files.

    Raises:
        ConfigError: a name is unknown.
    """
    from opengait_ext.weights.read import FOLDER

    everything = (*FILES, *RELEASED, *BY_HAND)
    unknown = [name for name in args.names if not catalogued(name)]
    if unknown:
        known = ", ".join(entry.name for entry in everything)
        raise ConfigError(f"There are no weights {unknown[0]!r}; known are {known}.")
    names = args.names or ([] if args.list else DEFAULT)
    chosen = list(dict.fromkeys(entry for name in names for entry in catalogued(name)))
    folder = args.out or FOLDER
    if args.list:
        list_all(folder, chosen or everything)
        return 0
    return fetch_all(chosen, folder, args.mirror)


def size_and_hash(entry: WeightFile) -> str:
    """Return the size of a file and the known part of its checksum."""
    known = f"SHA-256 starts {entry.sha256_start}" if entry.sha256_start else "no SHA-256 known beforehand"
    size = "size unknown" if entry.mebibytes is None else f"about {entry.mebibytes:.0f} MiB"
    return f"{size}, {known}"


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


def list_all(folder: Path, entries: Sequence[WeightFile | Released | HandFetched]) -> None:
    """Print entries of the catalogue, and which of their files are there."""
    from opengait.utils.files import from_here
    from opengait_ext.weights.folder import WEIGHTS

    def state(path: Path) -> str:
        return f", already there ({path.stat().st_size:,} bytes)" if path.is_file() else ""

    print(f"Downloaded into {from_here(folder)}:\n")
    for entry in entries:
        if isinstance(entry, WeightFile):
            present = state(folder / entry.file)
            print(f"  {entry.name}: {entry.purpose}\n    {entry.address}\n    {size_and_hash(entry)}{present}\n")
        elif isinstance(entry, Released):
            home = folder / entry.name
            ready = ", ready to use" if (home / WEIGHTS).is_file() else ""
            files = "\n".join(f"    {file.address}{state(home / file.file)}" for file in entry.entries())
            print(f"  {entry.name}: {entry.purpose}{ready}\n{files}\n    no SHA-256 known beforehand\n")
    by_hand = [entry for entry in entries if isinstance(entry, HandFetched)]
    if by_hand:
        print("To be fetched by hand:\n")
    for entry in by_hand:
        print(f"  {describe_by_hand(entry)}\n")


def fetch_all(entries: Sequence[WeightFile | Released | HandFetched], folder: Path, mirror: str | None) -> int:
    """Fetch or check every entry, print the outcome, and return the exit status."""
    from opengait_ext.weights.transfer import OfflineError

    status, offline, total = 0, [], 0
    for entry in entries:
        if isinstance(entry, HandFetched):
            print(f"To be fetched by hand: {describe_by_hand(entry)}", file=sys.stderr)
            status = status or 3
            continue
        home = folder / entry.name if isinstance(entry, Released) else folder
        source = f"{mirror.rstrip('/')}/{entry.name}" if mirror and isinstance(entry, Released) else mirror
        failed = False
        for file in entry.entries() if isinstance(entry, Released) else [entry]:
            total += 1
            try:
                fetch_one(file, home, source)
            except OfflineError as error:
                offline.append(f"  {home.resolve() / file.file}, {size_and_hash(file)}: {error}")
                failed = True
            except UserError as error:
                # Continue with the other files.
                print(f"error: {error}", file=sys.stderr)
                failed, status = True, 2
        if isinstance(entry, Released) and not failed:
            status = max(status, convert(entry, home))
    if offline:
        print(
            f"error: {len(offline)} of {total} files could not be fetched. On a machine with a network, fetch the "
            "files below from their addresses; put them where the list says, with their names unchanged, and run "
            "this command again to check them.\n" + "\n".join(offline),
            file=sys.stderr,
        )
        status = 2
    return status


def fetch_one(file: WeightFile, folder: Path, mirror: str | None) -> None:
    """Fetch or check a file, and print the outcome.

    Raises:
        CheckpointError: it cannot be fetched, or is not what it should be.
    """
    from opengait.utils.files import from_here
    from opengait_ext.weights.obtain import obtain

    done = obtain(file, folder, mirror)
    verb = "fetched and checked" if done.new else "already there and checked"
    print(f"{from_here(done.path)}: {verb}, {done.path.stat().st_size:,} bytes, SHA-256 {done.sha256}")


def convert(entry: Released, folder: Path) -> int:
    """Convert the files of a network, print what was found in them, and return the exit status."""
    from opengait.utils.files import from_here
    from opengait_ext.checkpoints import write_official_network

    name = entry.name.replace("_", "-")
    try:
        content = write_official_network(entry, folder)
    except CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if content is None:
        print(f"{from_here(folder)}: already converted; use it as {name}")
        return 0
    people = " and ".join(map(str, content["people"]))
    print(
        f"{from_here(folder)}: converted; classifiers of {people} people (appearance and gait stream), "
        f"{content['parts']} parts of {content['dimension']} channels, granularities {content['granularities']}; "
        f"use it as {name}"
    )
    return 0
