"""Files of tensors: what is read, and the reason where one is not."""

import gzip
import io
import os
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from opengait.utils.tensor_files import UnreadableError, read_tensors

STATE = {"a": torch.arange(1000.0), "b": torch.ones(3, 3)}


def saved(content=STATE, **options) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


GOOD, OLD = saved(), saved(_use_new_zipfile_serialization=False)


def zipped(files: dict, **options) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def records() -> dict:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def without_checksums() -> bytes:
    torch.serialization.set_crc32_options(False)
    try:
        return saved()
    finally:
        torch.serialization.set_crc32_options(True)


@pytest.mark.parametrize(
    "data", [GOOD, OLD, zipped(records()), without_checksums()], ids=["archive", "old", "zip", "no checksums"]
)
def test_files_of_torch(tmp_path, data):
    file = tmp_path / "a.pt"
    file.write_bytes(data)
    content = read_tensors(file)
    assert all(torch.equal(content[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_safetensors(tmp_path, name):
    save_file(STATE, tmp_path / name)
    assert torch.equal(read_tensors(tmp_path / name)["b"], STATE["b"])


def announcing(numbers: bytes) -> bytes:
    """Return an old file whose first tensor has another number of elements."""
    at = OLD.index(b"M\xe8\x03")
    return OLD[:at] + numbers + OLD[at + 3 :]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (bytes(5000), "zeros only"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\xef\xbb\xbf\n <html>", "web page"),
        (b'{"error": "not found"}', "web page or text"),
        ("hällo wörld\nsecond".encode(), "text that starts with 'hällo wörld'"),
        ("hello".encode("utf-16"), "text that starts with 'hello'"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", "git lfs pull"),
        (gzip.compress(GOOD), "gzip.*unpack"),
        (b"\x89HDF\r\n" + bytes(99), "HDF5"),
        (b"PK\x03\x04broken", "cut off"),
        (GOOD[:-1], "cut off"),
        (GOOD[: len(GOOD) // 2], "cut off"),
        (OLD[:-100], "cut off"),
        (pickle.dumps({"a": 1}), "other than tensors"),
        (random.Random(0).randbytes(5000), "other than tensors"),
        (zipped({"x/a.pt": GOOD}), "ZIP archive of x/a.pt; unpack"),
        (zipped({"a.txt": b"x"}), "ZIP archive of other files"),
        (zipped({"a.npy": b"x"}), "npz"),
        (zipped({"a/data.pkl": b"x", "a/constants.pkl": b"x"}), "TorchScript"),
        (zipped({**records(), "data/9": bytes(10**7)}, compression=zipfile.ZIP_DEFLATED), "more bytes than it has"),
        (announcing(b"\x8a\x06" + (10**12).to_bytes(6, "little")), "1000000000000 elements"),
        (saved({"a": os.getcwd}), "posix.getcwd, which is not run"),
        (saved({"a": np.ones(3)}), "numpy"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_other_files_are_named(tmp_path, data, reason):
    (tmp_path / "a.pt").write_bytes(data)
    with pytest.raises(UnreadableError, match=reason) as error:
        read_tensors(tmp_path / "a.pt")
    assert "weights_only" not in str(error.value) and len(str(error.value).splitlines()) == 1


def test_flipped_bits_are_noticed(tmp_path):
    rng, noticed = random.Random(0), 0
    for _ in range(300):
        damaged = bytearray(GOOD)
        damaged[rng.randrange(len(GOOD))] ^= 1 << rng.randrange(8)
        (tmp_path / "a.pt").write_bytes(damaged)
        try:
            content = read_tensors(tmp_path / "a.pt")
        except UnreadableError:
            noticed += 1
        else:
            # What is not covered, such as the space between records, changes nothing.
            assert all(torch.equal(content[name], STATE[name]) for name in STATE)
    assert noticed > 200


def test_damage_is_named(tmp_path):
    at = GOOD.index(STATE["a"].numpy().tobytes())
    (tmp_path / "a.pt").write_bytes(GOOD[: at + 50] + b"\xff" + GOOD[at + 51 :])
    with pytest.raises(UnreadableError, match="damaged: Bad CRC-32.*data/0"):
        read_tensors(tmp_path / "a.pt")


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("pipe", "not a file"), (".", "folder"), ("a\0b", "null"), ("x" * 999, "too long")):
        with pytest.raises(UnreadableError, match=reason):
            read_tensors(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none.pt")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.pt").write_bytes(GOOD)
    monkeypatch.setattr("opengait.utils.tensor_files.open_file", refuse)
    with pytest.raises(UnreadableError, match="Permission denied"):
        read_tensors(tmp_path / "a.pt")
