"""Pickles that ask for memory, time or files that they should not have."""

import os
import pickle
import resource
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from opengait.data.frames import PickledFrames
from opengait.data.safe_pickle import load_pickle
from opengait.errors import DataError

HUGE = struct.pack("<Q", 1 << 40)


def nested(levels: int, width: int, kind) -> object:
    value = kind([1.0])
    for _ in range(levels):
        value = kind([value] * width)
    return value


def cyclic() -> list:
    value: list = []
    value.append(value)
    return value


def array_of(shape: bytes, kind: bytes = b"u1", raw: bytes = b"U\x01x") -> bytes:
    """A pickled array with this shape, as protocol 2 writes it."""
    dtype = b"cnumpy\ndtype\n(U\x02" + kind + b"K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
    return b"\x80\x02" + made + b"(K\x01" + shape + dtype + b"\x89" + raw + b"tb."


def integer(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


BOMBS = {
    "memo": b"\x80\x02Nr" + (2**27).to_bytes(4, "little") + b".",
    "bytes": b"\x80\x04B" + struct.pack("<I", 2**31 - 1) + b".",
    "bytes 8": b"\x80\x04\x8e" + HUGE + b".",
    "text": b"\x80\x04X" + struct.pack("<I", 2**31 - 1) + b".",
    "text 8": b"\x80\x04\x8d" + HUGE + b".",
    "bytearray 8": b"\x80\x05\x96" + struct.pack("<Q", 2**31) + b".",
    "frame": b"\x80\x04\x95" + HUGE + b".",
    "integer": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b".",
    "buffer": b"\x80\x05\x97.",
    "bytearray of a number": b"\x80\x02cbuiltins\nbytearray\n" + integer(2**33) + b"\x85R.",
    "shared lists": pickle.dumps(nested(40, 9, list)),
    "shared tuples": pickle.dumps(nested(40, 9, tuple)),
    "tuples as keys": pickle.dumps(nested(26, 4, tuple))[:-1] + b"}\x94" + b".",
    "itself": pickle.dumps(cyclic()),
    "deep": b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "negative shape": array_of(integer(-1) + integer(-1) + b"\x86"),
    "endless shape": array_of(integer(2**62) + b"K\x00\x86", raw=b"U\x00"),
    "large shape": array_of(integer(10**12) + b"\x85"),
    "no bytes a value": array_of(integer(10**12) + b"\x85", b"S0", b"U\x00"),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_quickly_and_with_little_memory(tmp_path, name):
    path = tmp_path / "bomb.pkl"
    path.write_bytes(BOMBS[name])
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    started = time.process_time()
    resource.setrlimit(resource.RLIMIT_AS, (used + (600 << 20), limits[1]))
    try:
        with pytest.raises(DataError, match=r"bomb\.pkl") as caught:
            PickledFrames(path).load()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert not isinstance(caught.value.__cause__, MemoryError)
    assert time.process_time() - started < 3


@pytest.mark.parametrize("opcode", [b"s", b"u", b"d", b"\x90", b"\x91", "set"])
def test_nested_tuples_are_never_hashed(tmp_path, opcode):
    bomb = pickle.dumps(nested(60, 4, tuple), protocol=4)[2:-1].partition(b"\x95")[2][8:]
    content = {
        b"s": b"}" + bomb + b"Ns.",
        b"u": b"}(" + bomb + b"Nu.",
        b"d": b"(" + bomb + b"Nd.",
        b"\x90": b"\x8f(" + bomb + b"\x90.",
        b"\x91": b"(" + bomb + b"\x91.",
        "set": b"cbuiltins\nset\n((" + bomb + b"ltR.",
    }[opcode]
    (tmp_path / "keys.pkl").write_bytes(b"\x80\x04" + content)
    with pytest.raises(DataError, match=r"keys\.pkl.*nested keys"):
        load_pickle(tmp_path / "keys.pkl")


def test_what_a_file_shares_stays_shared(tmp_path):
    frame = np.arange(12).reshape(3, 4)
    values = [frame, frame, {"a": [frame]}]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(values))
    loaded = load_pickle(tmp_path / "a.pkl")
    assert loaded[0] is loaded[1] is loaded[2]["a"][0] and np.array_equal(loaded[0], frame)
    (tmp_path / "b.pkl").write_bytes(pickle.dumps([frame] * 5000))
    assert PickledFrames(tmp_path / "b.pkl")[[0, 4999]].shape == (2, 3, 4)


ODD = {
    "text": np.array(["a", "b"]),
    "complex": np.zeros((2, 3, 3), complex),
    "objects": np.array([[object, None]] * 2, dtype=object),
    "no pixels": np.zeros((5, 0, 64), np.uint8),
    "mixed rows": [[1.0, 2.0], [[3.0], 4.0]],
    "none": [np.zeros(3), None],
    "dicts": [{"a": 1}],
    "texts": ["frame", "frame"],
}


@pytest.mark.parametrize("name", ODD)
def test_frames_that_are_no_arrays_of_numbers_are_named(tmp_path, name):
    path = tmp_path / "odd.pkl"
    path.write_bytes(pickle.dumps(ODD[name]))
    with pytest.raises(DataError, match=r"odd\.pkl"):
        PickledFrames(path).load()


def test_an_array_of_objects_holds_frames_of_different_shapes(tmp_path):
    clouds = np.empty(2, dtype=object)
    clouds[0], clouds[1] = np.zeros((3, 3)), np.ones((5, 3))
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(clouds))
    assert [frame.shape for frame in PickledFrames(tmp_path / "a.pkl")[[1, 0]]] == [(5, 3), (3, 3)]


@pytest.mark.parametrize("trusted", [False, True])
def test_a_pipe_is_refused_at_once(tmp_path, trusted):
    os.mkfifo(tmp_path / "a.pkl")
    with pytest.raises(DataError, match=r"a\.pkl: it is a pipe"):
        load_pickle(tmp_path / "a.pkl", trusted)
