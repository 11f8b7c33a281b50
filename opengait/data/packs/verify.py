"""Verify a whole pack against its checksums (`opengait.data.packs.read` describes the format)."""

import zlib
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from opengait.data.packs.header import INDEX
from opengait.data.packs.read import Pack
from opengait.utils.files import sha256_of


def verify_pack(pack: Pack, progress: bool = False) -> list[str]:
    """Read the whole pack and compare it with its checksums.

    Returns:
        One sentence per damaged part; damaged image files are named. An intact pack gives an empty list.
    """
    problems = []
    files = [*pack.header["shards"], *pack.header["index"], *pack.header["others"]]
    total = sum(file["bytes"] for file in files)
    damaged = []
    with tqdm(total=total, desc="verifying", unit="B", unit_scale=True, disable=None if progress else True) as bar:
        for file in files:
            path = pack.root / file["name"]
            try:
                intact = sha256_of(path) == file["sha256"]
            except OSError as error:
                problems.append(f"{path} cannot be read: {error.strerror}.")
                continue
            finally:
                bar.update(file["bytes"])
            if not intact:
                problems.append(f"{path} does not match its checksum.")
                damaged.append(file["name"])
    shards = [number for number, shard in enumerate(pack.header["shards"]) if shard["name"] in damaged]
    # Only an intact index locates the damaged files.
    if shards and not any(name.startswith(f"{INDEX}/") for name in damaged):
        problems += [f"The packed file {name} is damaged." for name in damaged_files(pack, shards)]
    return problems


def damaged_files(pack: Pack, shards: Sequence[int]) -> Iterator[str]:
    """Yield the names of the files in these shards whose bytes do not match their CRC-32."""
    for number in range(len(pack)):
        location = pack.location_of(number)
        if location.shard in shards and zlib.crc32(pack.bytes_of(number)) != location.crc32:
            yield pack.name_of(number)
