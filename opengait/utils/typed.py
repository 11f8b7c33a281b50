"""Types of settings: a small grammar, the values that it allows, and the types of the arguments of a part.

    any  null  bool  int  positive int  non-negative int  float  share  str  path  name  section  list  epochs
    'word' or -1 (the value itself)    list of T    list of 2 T    T or T    (T or T)

A value whose meaning is clear is converted: `"1e-3"` to a float, 8e4 to an integer, 0 and 1 to a bool. Where text is
meant, a number, a date or a word that YAML reads as something else is taken as it was written: 007 and `no` are names.
"""

import collections.abc
import functools
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from opengait.errors import ConfigError
from opengait.utils.arguments import argument_names
from opengait.utils.text import brief

# Returns the text that a value was written as, if it was a plain scalar; by its path below the checked value.
Written = Callable[[tuple[int, ...]], str | None]
# An argument that is a probability or a part of a whole.
Share = Annotated[float, "share"]

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LIST = re.compile(r"list of (?:([0-9]+) )?(.+)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Every integer fits into a tensor and a file's header.
_LARGEST = 2**63
_NO = object()
# The words of a message for one value and for several.
_WORDS = {
    "any": ("any value", "values"),
    "null": ("null", "nulls"),
    "bool": ("true or false", "true or false"),
    "int": ("an integer", "integers"),
    "positive int": ("a positive integer", "positive integers"),
    "non-negative int": ("an integer of at least 0", "integers of at least 0"),
    "float": ("a number", "numbers"),
    "share": ("a number from 0 to 1", "numbers from 0 to 1"),
    "str": ("text", "text"),
    "path": ("a path", "paths"),
    "name": ("a short name without slashes", "short names without slashes"),
    "section": ("keys with values", "sections of keys"),
    "list": ("a list", "lists"),
    "epochs": ("epochs ('35 epochs')", "epochs ('35 epochs')"),
}
_TEXT = ("str", "path", "name")
# Bytes of a name; file names made of it have suffixes, and at most 255.
_LONGEST = 200
_LEAST = {"int": -_LARGEST, "positive int": 1, "non-negative int": 0}


def _unknown(at: tuple[int, ...]) -> None:
    return None


def typed(value: Any, kind: str, written: Written = _unknown) -> Any:
    """Return `value`, converted where its meaning is clear.

    Args:
        kind: a type of the grammar above.
        written: returns the text of a scalar.

    Raises:
        ValueError: the value is not of this type; the message says "expected X, got Y".
    """
    for loosely in (False, True):
        taken = _match(value, kind, written, (), loosely)
        if taken is not _NO:
            return taken
    raise ValueError(f"expected {expected(kind)}, got {shown(value)}")


def _match(value: Any, kind: str, written: Written, at: tuple[int, ...], loosely: bool) -> Any:
    if not set(options(kind)) <= {*_TEXT, "null"}:
        # Where a number is legal too, one that does not fit is not a name.
        written = _unknown if not any(map(_LIST.fullmatch, options(kind))) else written
    for option in options(kind):
        taken = _match_option(value, option, written, at, loosely)
        if taken is not _NO:
            return taken
    return _NO


def _match_option(value: Any, option: str, written: Written, at: tuple[int, ...], loosely: bool) -> Any:
    if sequence := _LIST.fullmatch(option):
        if not isinstance(value, list | tuple) or (sequence[1] and len(value) != int(sequence[1])):
            return _NO
        entries = [_match(entry, sequence[2], written, (*at, i), loosely) for i, entry in enumerate(value)]
        if any(entry is _NO for entry in entries):
            return _NO
        return value if all(new is old for new, old in zip(entries, value, strict=True)) else entries
    if option == "path" and isinstance(value, Path):
        return value
    if option in _TEXT:
        text = value if isinstance(value, str) else written(at) if loosely else None
        return text if text is not None and _is_text(text, option) else _NO
    if option in _LEAST:
        return _as_integer(value, _LEAST[option], loosely)
    if option == "float":
        return _as_number(value, loosely)
    if option == "share":
        number = _as_number(value, loosely)
        return number if number is not _NO and 0 <= number <= 1 else _NO
    if option == "bool" and loosely and type(value) is int and value in (0, 1):
        return bool(value)
    if option[0] in "'-0123456789":
        return value if option == (f"'{value}'" if isinstance(value, str) else str(value)) else _NO
    return value if _CHECKS[option](value) else _NO


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "null": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "section": lambda value: isinstance(value, collections.abc.Mapping),
    "list": lambda value: isinstance(value, list | tuple),
    # Epochs have become iterations before types are checked.
    "epochs": lambda value: False,
}


def _is_text(text: str, kind: str) -> bool:
    if not text.strip() or _CONTROL.search(text):
        return False
    return kind != "name" or not (re.search(r"[/\\]", text) or text in (".", "..") or len(text.encode()) > _LONGEST)


def _as_integer(value: Any, least: int, loosely: bool) -> Any:
    if loosely and isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and least <= value < _LARGEST else _NO


def _as_number(value: Any, loosely: bool) -> Any:
    if loosely and isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _NO
    return value if abs(value) < _LARGEST or (isinstance(value, float) and math.isfinite(value)) else _NO


@cache
def options(kind: str) -> tuple[str, ...]:
    """Split a type at each " or " outside parentheses."""
    kind = kind[1:-1] if kind[0] == "(" and kind[-1] == ")" else kind
    parts, depth = [""], 0
    for word in kind.split(" "):
        if word == "or" and depth == 0:
            parts.append("")
            continue
        depth += word.count("(") - word.count(")")
        parts[-1] = f"{parts[-1]} {word}".strip()
    return tuple(parts)


def expected(kind: str, several: bool = False) -> str:
    """Return a type in the words of a message, such as "a list of 2 positive integers or null"."""
    return " or ".join(_words(option, several) for option in options(kind))


def _words(option: str, several: bool) -> str:
    if sequence := _LIST.fullmatch(option):
        count = f"{sequence[1]} " if sequence[1] else ""
        return f"{'lists' if several else 'a list'} of {count}{expected(sequence[2], several=True)}"
    return _WORDS[option][several] if option in _WORDS else option


def shown(value: Any) -> str:
    """Return a value for a message, shortened: null, true, the text 'off', [1, 2]."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"the text {brief(value)}" if isinstance(value, str) else brief(value)


def argument_kinds(part: Callable[..., Any]) -> dict[str, str]:
    """Return the arguments of a class's `__init__` or a function, in order, with the types of their annotations.

    An argument without one is of any type, or a bool if that is its default. Of a partial, those of what it calls.
    """
    if isinstance(part, functools.partial):
        return argument_kinds(part.func)
    function = part.__init__ if inspect.isclass(part) else part
    names = argument_names(part)
    parameters = inspect.signature(function).parameters if names else {}
    kinds = {}
    for name in names:
        parameter = parameters[name]
        annotation = bool if isinstance(parameter.default, bool) else Any
        if parameter.annotation is not parameter.empty:
            annotation = parameter.annotation
        kinds[name] = kind_of(annotation, getattr(function, "__globals__", {}))
    return kinds


def checked_arguments(part: Callable[..., Any], arguments: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return the arguments of a part, converted where their meaning is clear.

    Args:
        section: name of the section that they come from, for messages.

    Raises:
        ConfigError: a value is not of the type that the part's annotation names.
    """
    kinds = argument_kinds(part)
    return {name: setting(arguments, name, kinds.get(name, "any"), section=section) for name in arguments}


def setting(values: Mapping[str, Any], key: str, kind: str, default: Any = None, section: str = "data_cfg") -> Any:
    """Return the value of a key, converted where its meaning is clear.

    Args:
        values: a section of the configuration.
        kind: a type of the grammar above.
        default: the value without the key.
        section: name of the section, for the message.

    Raises:
        ConfigError: the value is not of this type.
    """
    try:
        return typed(values.get(key, default), kind)
    except ValueError as error:
        raise ConfigError(f"{section}.{key}: {error}.") from error


def kind_of(annotation: Any, names: dict[str, Any] | None = None) -> str:
    """Return the type of an annotation; "any" where the grammar has no word for it.

    `Annotated[int, "positive int"]` is the type in its text.

    Args:
        names: the globals of the module, for annotations that are text.
    """
    if isinstance(annotation, str):
        try:
            # Imports for annotations alone are often missing from a module's globals.
            annotation = eval(annotation, {**vars(collections.abc), **vars(typing), **(names or {})})
        except (AttributeError, NameError, SyntaxError, TypeError):
            return "any"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return next((text for text in arguments[1:] if isinstance(text, str)), kind_of(arguments[0], names))
    if origin in (Union, types.UnionType):
        # torch also accepts rates as tensors.
        kinds = [kind_of(argument, names) for argument in arguments if getattr(argument, "__name__", "") != "Tensor"]
        return "any" if "any" in kinds else " or ".join(dict.fromkeys(kinds))
    if origin is Literal:
        return " or ".join(f"'{value}'" if isinstance(value, str) else shown(value) for value in arguments)
    if origin is tuple and arguments[1:] != (Ellipsis,):
        return f"list of {len(arguments)} {_entry(set(arguments), names)}"
    base = origin or annotation
    if base in (list, tuple, collections.abc.Sequence, collections.abc.Iterable):
        return f"list of {_entry(set(arguments[:1]), names)}" if arguments else "list"
    if base in (dict, collections.abc.Mapping):
        return "section"
    return {bool: "bool", int: "int", float: "float", str: "str", Path: "path", type(None): "null"}.get(base, "any")


def _entry(annotations: set[Any], names: dict[str, Any] | None) -> str:
    kind = kind_of(annotations.pop(), names) if len(annotations) == 1 else "any"
    return f"({kind})" if " or " in kind else kind
