"""Reading pickled frames without trusting them.

A pickle can name any importable function and have it called. This reader accepts the names that numpy 1 and 2 write for
arrays and scalars, which it resolves to its own code, and those of plain containers; all others are refused. That is
enough for the files of OpenGait's preparation scripts (one array, or a list of arrays, per file). Older files with
other objects are read by Python's own unpickler, but only if `data_cfg.trust_pickles` is set.

A small file can also ask for much memory or time: by announcing lengths, by the number of a memo entry, or by lists and
tuples that hold each other many times. Python's unpickler in C allocates what is announced; the one in Python, used
here, does not, and is as fast for files of a few large arrays.
"""

import io
import math
import pickle
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import MethodType
from typing import Any, BinaryIO

import numpy as np

from opengait.errors import DataError
from opengait.utils.regular_files import DAMAGE, open_file

# The most bytes that a file may hold, where an object it repeats is counted every time: this many, or this many times
# the file's size if that is more.
EXPANDED, EXPANSION = 1 << 28, 16

_NUMERIC = re.compile(r"[?bB]|[biufc]\d{1,2}|[SU][1-9]\d{0,8}|O8?")
_UNREADABLE = (pickle.UnpicklingError, AttributeError, MemoryError, *DAMAGE)


def load_pickle(path: str | Path, trusted: bool = False) -> Any:
    """Read a pickle file of numpy arrays and scalars, lists, tuples, dicts, sets, numbers, text and bytes.

    Args:
        path: the file.
        trusted: read any object, running whatever code the file names.

    Raises:
        DataError: the file is missing, empty or damaged, or holds other types without being trusted.
    """
    try:
        with open_file(path) as file:
            return _read_trusted(file, str(path)) if trusted else read_pickle(file, str(path))
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error


def read_pickle(file: BinaryIO, name: str) -> Any:
    """Read a pickle as `load_pickle` does, from an open file; messages refer to it by `name`."""
    bounded = _Bounded(file)
    try:
        return _Settler(max(EXPANDED, EXPANSION * bounded.size)).settle(_PlainUnpickler(bounded).load())[0]
    except _Refused as refusal:
        raise DataError(
            f"{name} was not loaded: it names {refusal}, and only numpy arrays, lists, tuples, dicts and plain values "
            f"are read; write the file again with such values, or, if you trust its source, set "
            f"data_cfg.trust_pickles: true."
        ) from None
    except _UNREADABLE as error:
        raise _damaged(name, error) from error


def _read_trusted(file: BinaryIO, name: str) -> Any:
    try:
        return pickle.load(file)
    except ImportError as error:
        raise DataError(f"{name} holds an object of a package that cannot be imported here ({error}).") from error
    except _UNREADABLE as error:
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> DataError:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return DataError(f"{name} is not a readable pickle ({reason[:200]}); it may be truncated.")


class _Refused(Exception):
    """The file names something other than plain values."""


class _Type:
    """Stand-in for a numpy dtype whose state follows in the file."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        if not isinstance(code, str) or not _NUMERIC.fullmatch(code):
            raise _Refused(f"the numpy type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        order, subarray, names, fields = state[1:5]
        if subarray is not None or names is not None or fields is not None:
            raise _Refused("a structured numpy type")
        if order not in ("<", ">", "|", "="):
            raise ValueError(f"unknown byte order {order!r}")
        if order != "|":
            self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """Stand-in for an array whose state follows in the file; `_settle` makes it a plain array."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, raw = state
        _check_shape(shape)
        if kind.dtype.hasobject and not (isinstance(raw, list) and len(raw) == math.prod(shape)):
            raise ValueError("the object array has no list of its values")
        super().__setstate__((1, tuple(shape), kind.dtype, bool(fortran), raw))  # type: ignore[arg-type]


def _check_shape(shape: Any) -> None:
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError("a negative length in the shape of an array")


# The value of the name `numpy.ndarray`; only `_Functions.empty_array` accepts it.
_ARRAY_TYPE = object()


class _Functions:
    """Replacements for functions named in a file; bound methods, since a pickle can set attributes of a function."""

    __slots__ = ()

    def empty_array(self, subtype: Any, shape: Any, code: Any) -> _Array:
        if subtype is not _ARRAY_TYPE or tuple(shape) != (0,):
            raise ValueError("the array was not written by numpy")
        return np.ndarray.__new__(_Array, (0,), np.int8)

    def array_from_buffer(
        self, buffer: Any, kind: _Type, shape: tuple, order: Any, axis_order: Any = None
    ) -> np.ndarray:
        _check_shape(shape)
        values = np.frombuffer(buffer, dtype=kind.dtype)
        if order == "K" and axis_order is not None:
            return values.reshape(shape, order="C").transpose(axis_order)
        return values.reshape(shape, order=order)

    def scalar(self, kind: _Type, raw: Any = b"") -> Any:
        if kind.dtype.hasobject:
            raise _Refused("a numpy object scalar")
        return np.frombuffer(raw, dtype=kind.dtype)[0]

    def latin1(self, text: str, encoding: str) -> bytes:
        """Return bytes as protocols 0 to 2 write them; any other codec is refused."""
        if encoding != "latin1":
            raise _Refused(f"the codec {encoding!r}")
        return text.encode("latin1")

    def no_bytes(self) -> bytes:
        """Return empty bytes, as protocols 0 to 2 write them."""
        return b""

    def bytearray(self, *values: Any) -> bytearray:
        """Return a bytearray of bytes or text; a number would make one of that many bytes."""
        if not values or not isinstance(values[0], bytes | str):
            raise ValueError("a bytearray of something other than bytes")
        return bytearray(*values)

    def set(self, items: Iterable = ()) -> set:
        return set(_checked_keys(items))

    def frozenset(self, items: Iterable = ()) -> frozenset:
        return frozenset(_checked_keys(items))


def _checked_keys(keys: Iterable) -> list:
    """Return the keys of a dict or the items of a set, which must not take long to hash, as nested tuples can."""
    keys = list(keys)
    for key in keys:
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(part, tuple | frozenset) for part in parts):
            raise ValueError("a dict or set with nested keys")
    return keys


_FUNCTIONS = _Functions()
_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _ARRAY_TYPE,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _FUNCTIONS.latin1,
}
# Containers and numbers that have no opcode before protocol 4.
_PLAIN = {
    "bytes": _FUNCTIONS.no_bytes,
    "set": _FUNCTIONS.set,
    "frozenset": _FUNCTIONS.frozenset,
    "bytearray": _FUNCTIONS.bytearray,
    "complex": complex,
}
for _name, _plain in _PLAIN.items():
    _KNOWN["builtins", _name] = _KNOWN["__builtin__", _name] = _plain
for _core in ("numpy.core", "numpy._core"):
    _KNOWN[f"{_core}.multiarray", "_reconstruct"] = _FUNCTIONS.empty_array
    _KNOWN[f"{_core}.multiarray", "scalar"] = _FUNCTIONS.scalar
    _KNOWN[f"{_core}.numeric", "_frombuffer"] = _FUNCTIONS.array_from_buffer


class _Bounded:
    """A file that refuses to read more than it has, since Python would allocate the memory first."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self.readline = file.readline

    def read(self, size: int) -> bytes:
        # Telling the position would take longer than most reads.
        if size > io.DEFAULT_BUFFER_SIZE and size > self.size - self.file.tell():
            raise EOFError("it announces more bytes than it has")
        return self.file.read(size)


class _PlainUnpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused(f"the external object {pid!r}")


def _load_bytearray8(reader: Any) -> None:
    # Python's own method allocates the announced length.
    reader.append(bytearray(reader.read(int.from_bytes(reader.read(8), "little"))))


def _checking_keys(opcode: bytes, start: int | None, step: int | None) -> Callable[[Any], None]:
    """Return Python's method for an opcode, preceded by a check of the keys on the stack."""
    load: Callable[[Any], None] = pickle._Unpickler.dispatch[opcode[0]]

    def checked(reader: Any) -> None:
        _checked_keys(reader.stack[start::step])
        load(reader)

    return checked


# Each opcode that hashes what is on the stack, and where the keys stand.
_HASHING = {
    pickle.SETITEM: (-2, 2),
    pickle.SETITEMS: (None, 2),
    pickle.DICT: (None, 2),
    pickle.ADDITEMS: (None, 1),
    pickle.FROZENSET: (None, 1),
}
_PlainUnpickler.dispatch = {
    **pickle._Unpickler.dispatch,
    pickle.BYTEARRAY8[0]: _load_bytearray8,
    **{opcode[0]: _checking_keys(opcode, *keys) for opcode, keys in _HASHING.items()},
}


class _Settler:
    """Replaces the reader's stand-ins with plain arrays, also inside containers, visiting what is shared once.

    Args:
        most: the number of bytes that a value may have, with what it shares counted every time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        # By the identity of the original, which is kept alive: the original, the settled value and its bytes. A value
        # that is being visited has -1 bytes.
        self.settled: dict[int, tuple[Any, Any, int]] = {}

    def settle(self, value: Any) -> tuple[Any, int]:
        """Return the plain value, and its size in bytes, counting what it shares every time."""
        if not isinstance(value, list | tuple | set | frozenset | dict | np.ndarray):
            if value is _ARRAY_TYPE or isinstance(value, _Type | type | MethodType):
                raise _Refused("a type or function instead of a value")
            return value, sys.getsizeof(value) if isinstance(value, str | bytes | bytearray) else 8
        if id(value) in self.settled:
            _, plain, size = self.settled[id(value)]
            if size < 0:
                raise ValueError("it holds a list or dict that holds itself")
            return plain, size
        self.settled[id(value)] = (value, None, -1)
        plain, size = self._settle(value)
        if size > self.most:
            raise ValueError(f"its nested lists expand to more than {self.most:,} bytes")
        self.settled[id(value)] = (value, plain, size)
        return plain, size

    def _settle(self, value: Any) -> tuple[Any, int]:
        if isinstance(value, np.ndarray):
            array = value.view(np.ndarray)
            if not array.dtype.hasobject:
                return array, array.nbytes
            items, size = self._settle_all(array.flat)
            for position, item in enumerate(items):
                array.flat[position] = item
            return array, size
        if isinstance(value, dict):
            keys, size = self._settle_all(value)
            values, more = self._settle_all(value.values())
            return dict(zip(keys, values, strict=True)), size + more
        items, size = self._settle_all(value)
        return type(value)(items), size

    def _settle_all(self, values: Iterable) -> tuple[list, int]:
        pairs = [self.settle(value) for value in values]
        return [plain for plain, _ in pairs], 8 + sum(size for _, size in pairs)
