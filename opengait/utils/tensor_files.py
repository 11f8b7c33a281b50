"""Reading of files of tensors (.pt, .pth, .safetensors) as data, with a reason where one cannot be read."""

import codecs
import io
import pickle
import pickletools
import re
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from opengait.utils.regular_files import open_file
from opengait.utils.text import first_line

_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "RAR",
    b"\x28\xb5\x2f\xfd": "zstd",
}
# Torch's number at the start of a file without archive, as a pickle.
_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
_OTHER = "it is damaged, or holds objects other than tensors and plain values"
_START = 4096
_BLOCK = 1 << 20


class UnreadableError(Exception):
    """A file cannot be read; the text is the reason, such as "it is empty"."""


def read_tensors(path: Path) -> Any:
    """Return the content of a file of torch (with or without archive) or of safetensors, without running code in it.

    The checksums of an archive are compared with its content first, which torch does not do; that takes 0.1 s for
    100 MB. Files from before torch 1.6 have none.

    Raises:
        FileNotFoundError: the file does not exist.
        UnreadableError: the file cannot be opened, is damaged, is something else, or holds more than tensors and plain
            values.
    """
    try:
        with open_file(path) as file:
            start, size = file.read(_START), file.seek(0, io.SEEK_END)
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise UnreadableError("it is a folder; name a file in it") from error
    # A ValueError if the path holds a null character.
    except (OSError, ValueError) as error:
        raise UnreadableError(getattr(error, "strerror", None) or str(error)) from error
    if path.suffix == ".safetensors" or _is_safetensors(start, size):
        return _read_safetensors(path, start)
    trouble = _foreign(start)
    if trouble:
        raise UnreadableError(trouble)
    source: Path | io.BytesIO = path
    if start.startswith(b"PK"):
        _check_archive(path)
    elif _MAGIC not in start[:20]:
        raise UnreadableError(_OTHER)
    else:
        # In memory, where a length in the file that exceeds it allocates nothing.
        source = io.BytesIO(path.read_bytes())
        _check_announced(source.getvalue())
    try:
        return torch.load(source, map_location="cpu", weights_only=True)
    # The bytes of a stranger's file can make the reader raise anything.
    except Exception as error:
        raise UnreadableError(_loading_trouble(error)) from error


def _is_safetensors(start: bytes, size: int) -> bool:
    return start[8:9] == b"{" and 8 < int.from_bytes(start[:8], "little") + 8 <= size


def _read_safetensors(path: Path, start: bytes) -> Any:
    # Imported here, since few runs read such a file.
    from safetensors.torch import load_file

    try:
        return load_file(path)
    # The library's own error, or one of torch about types and sizes.
    except Exception as error:
        reason = _foreign(start) or f"it is not a whole safetensors file: {first_line(error)}"
        raise UnreadableError(reason) from error


def _foreign(start: bytes) -> str | None:
    """Say what a file is, by its first bytes, if it is certainly not a file of tensors."""
    if not start:
        return "it is empty"
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            return f"it is compressed ({name}); unpack it first"
    if start.startswith(b"\x89HDF"):
        return "it is an HDF5 file, as Keras and MATLAB write"
    if start[257:262] == b"ustar":
        return "it is a tar archive; unpack it first"
    if not start.strip(b"\0"):
        return "it starts with zeros only, as after an interrupted write or download"
    text = _text(start)
    if text is None:
        return None
    if text.startswith("version https://git-lfs"):
        return "it is a Git LFS pointer; run `git lfs pull` to fetch the file itself"
    if text.startswith(("<", "{")):
        return "it is a web page or text; download the file itself"
    return f"it is text that starts with {text.partition(chr(10))[0][:30]!r}"


def _text(start: bytes) -> str | None:
    """Return the first bytes as text without leading white space, or None if they are not text."""
    encoding = "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        # Incrementally, since the last character may be cut.
        text = codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeDecodeError:
        return None
    readable = all(character.isprintable() or character.isspace() for character in text)
    return text.strip() if readable else None


def _check_archive(path: Path) -> None:
    """Compare the records of a torch archive with their checksums.

    Raises:
        UnreadableError: they differ, or the archive is damaged, compressed or of another kind.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise UnreadableError("it is cut off")
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            _check_kind([record.filename for record in records])
            # Torch reads compressed records, which may announce any size, but never writes them.
            if sum(record.file_size for record in records) > path.stat().st_size:
                raise UnreadableError("its records announce more bytes than it has")
            # Without checksums all are zero (torch.serialization.set_crc32_options).
            for record in records if any(record.CRC for record in records) else ():
                with archive.open(record) as file:
                    while file.read(_BLOCK):
                        pass
    except UnreadableError:
        raise
    # Damaged directories raise anything from struct.error to NotImplementedError.
    except Exception as error:
        raise UnreadableError(f"it is damaged: {first_line(error)}") from error


def _check_kind(names: list[str]) -> None:
    parts = {name.partition("/")[2] for name in names}
    if "data.pkl" in parts and "constants.pkl" not in parts:
        return
    if "constants.pkl" in parts:
        raise UnreadableError("it is a TorchScript program; save the state_dict() of the network instead")
    if all(name.endswith(".npy") for name in names):
        raise UnreadableError("it is an .npz file of arrays")
    inside = [name for name in names if name.endswith((".pt", ".pth", ".bin", ".safetensors"))]
    raise UnreadableError(f"it is a ZIP archive of {f'{inside[0]}; unpack it first' if inside else 'other files'}")


def _check_announced(data: bytes) -> None:
    """Check the sizes of tensors in a file without archive, for which torch allocates memory before it reads them.

    Raises:
        UnreadableError: a tensor has more elements than the file has bytes.
    """
    stream, numbers = io.BytesIO(data), [0]
    # The pickles in order: two marks, the system, the content with the sizes, the names of the tensors that follow.
    with suppress(ValueError):
        for _ in range(5):
            for operation, argument, _ in pickletools.genops(stream):
                if operation.name == "MARK":
                    numbers = [0]
                elif operation.name == "BINPERSID" and max(numbers) > len(data):
                    raise UnreadableError(f"it is cut off or damaged: a tensor of {max(numbers)} elements is not in it")
                elif isinstance(argument, int):
                    numbers.append(argument)


def _loading_trouble(error: Exception) -> str:
    """Describe an error of torch.load, whose own message advises disabling its protection."""
    text = str(error)
    pickled = re.search(r"GLOBAL `?([\w.]+)", text)
    if pickled:
        return f"it holds code or objects other than tensors, {pickled[1]}, which is not run"
    if isinstance(error, EOFError) or "EOF" in text:
        return "it is cut off"
    if isinstance(error, MemoryError) or "allocate" in text:
        return "it announces more than fits into memory"
    if isinstance(error, pickle.UnpicklingError) or "weights_only" in text:
        return _OTHER
    return f"it is damaged: {first_line(error)}"
