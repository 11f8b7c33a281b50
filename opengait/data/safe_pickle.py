"""Reading pickled frames without trusting them.

A pickle can name any importable function and have it called. This reader accepts the names that numpy 1 and 2 write for
arrays and scalars, which it resolves to its own code, and those of plain containers; all others are refused. That is
enough for the files of OpenGait's preparation scripts (one array, or a list of arrays, per file). Older files with
other objects are read by Python's own unpickler, but only if `data_cfg.trust_pickles` is set.
"""

import io
import math
import pickle
import re
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np

from opengait.errors import DataError

_NUMERIC = re.compile(r"[?bB]|[biufc]\d{1,2}|[SU]\d+|O8?")
_UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
)


def load_pickle(path: str | Path, trusted: bool = False) -> Any:
    """Read a pickle file of numpy arrays and scalars, lists, tuples, dicts, sets, numbers, text and bytes.

    Args:
        path: the file.
        trusted: read any object, running whatever code the file names.

    Raises:
        DataError: the file is missing, empty or damaged, or holds other types without being trusted.
    """
    try:
        with Path(path).open("rb") as file:
            return _read_trusted(file, str(path)) if trusted else read_pickle(file, str(path))
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error


def read_pickle(file: io.BufferedIOBase, name: str) -> Any:
    """Read a pickle as `load_pickle` does, from an open binary file; messages refer to it by `name`."""
    try:
        return _settle(_PlainUnpickler(file).load())
    except _Refused as refusal:
        raise DataError(
            f"{name} was not loaded: it names {refusal}, and only numpy arrays, lists, tuples, dicts and plain values "
            f"are read; write the file again with such values, or, if you trust its source, set "
            f"data_cfg.trust_pickles: true."
        ) from None
    except _UNREADABLE as error:
        raise _damaged(name, error) from error


def _read_trusted(file: io.BufferedIOBase, name: str) -> Any:
    try:
        return pickle.load(file)
    except ImportError as error:
        raise DataError(f"{name} holds an object of a package that cannot be imported here ({error}).") from error
    except _UNREADABLE as error:
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(f"{name} is not a readable pickle ({type(error).__name__}: {error}); it may be truncated.")


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
        if kind.dtype.hasobject and not (isinstance(raw, list) and len(raw) == math.prod(shape)):
            raise ValueError("the object array has no list of its values")
        super().__setstate__((1, tuple(shape), kind.dtype, bool(fortran), raw))  # type: ignore[arg-type]


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


_FUNCTIONS = _Functions()
_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _ARRAY_TYPE,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _FUNCTIONS.latin1,
}
# Containers and numbers that have no opcode before protocol 4.
_PLAIN = {
    "bytes": _FUNCTIONS.no_bytes,
    "set": set,
    "frozenset": frozenset,
    "bytearray": bytearray,
    "complex": complex,
}
for _name, _plain in _PLAIN.items():
    _KNOWN["builtins", _name] = _KNOWN["__builtin__", _name] = _plain
for _core in ("numpy.core", "numpy._core"):
    _KNOWN[f"{_core}.multiarray", "_reconstruct"] = _FUNCTIONS.empty_array
    _KNOWN[f"{_core}.multiarray", "scalar"] = _FUNCTIONS.scalar
    _KNOWN[f"{_core}.numeric", "_frombuffer"] = _FUNCTIONS.array_from_buffer


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused(f"the external object {pid!r}")


def _settle(value: Any) -> Any:
    """Replace the reader's stand-ins with plain arrays, also inside containers."""
    if isinstance(value, _Array):
        value = value.view(np.ndarray)
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            for position, item in enumerate(value.flat):
                value.flat[position] = _settle(item)
        return value
    if isinstance(value, list):
        value[:] = [_settle(item) for item in value]
        return value
    if isinstance(value, tuple):
        return tuple(_settle(item) for item in value)
    if isinstance(value, set | frozenset):
        return type(value)(_settle(item) for item in value)
    if isinstance(value, dict):
        return {_settle(key): _settle(item) for key, item in value.items()}
    if value is _ARRAY_TYPE or isinstance(value, _Type | type | MethodType):
        raise _Refused("a type or function instead of a value")
    return value
