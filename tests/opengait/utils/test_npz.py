"""Files of arrays that announce what they do not hold."""

import io
import os
import zipfile

import numpy as np
import pytest

from opengait.errors import DataError
from opengait.utils.files import read_arrays


def npy(shape, dtype="<f4", data=b"") -> bytes:
    header = str({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def archive(path, **members) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)


BOMBS = {
    "10^12 elements": lambda path: archive(path, a=npy((10**12,))),
    "negative shape": lambda path: archive(path, a=npy((-1, -4), data=bytes(16))),
    "no bytes a value": lambda path: archive(path, a=npy((10**12,), "|S0")),
    "objects": lambda path: archive(path, a=npy((1,), "|O", b"cos\nsystem\n.")),
    "records": lambda path: archive(path, a=npy((1,), [("x", "<f4")], bytes(4))),
    "too short": lambda path: archive(path, a=npy((4,), data=bytes(15))),
    "too long": lambda path: archive(path, a=npy((4,), data=bytes(17))),
    "compressed 1000:1": lambda path: archive(path, a=npy((1 << 25,), data=bytes(1 << 27))),
    "no array": lambda path: archive(path, a=b"text"),
    "no archive": lambda path: path.write_bytes(b"text"),
    "a pipe": lambda path: os.mkfifo(path),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_not_there_is_not_allocated(tmp_path, name):
    BOMBS[name](tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"a\.npz"):
        read_arrays(tmp_path / "a.npz", [], "vvi embed")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        for value in (1, 2):
            buffer = io.BytesIO()
            np.save(buffer, np.full(3, value))
            file.writestr("a.npy", buffer.getvalue())
    with pytest.raises(DataError, match="one name"):
        read_arrays(tmp_path / "a.npz", ["a"], "vvi embed")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_whole_files_are_read_and_may_be_changed(tmp_path, save):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yz"]), "c": np.zeros((0, 3)), "d": np.float64(3)}
    arrays["e"] = np.asfortranarray(arrays["a"])
    save(tmp_path / "a.npz", **arrays)
    read = read_arrays(tmp_path / "a.npz", list(arrays), "vvi embed")
    for name, array in arrays.items():
        assert np.array_equal(read[name], array) and read[name].dtype == array.dtype
    read["a"][0] = 7
