"""From the keys of a configuration to the arguments of the class or function that it names."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from opengait.utils.messages import get_msg_mgr

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def argument_names(obj: Callable) -> list[str]:
    """Names that a class's `__init__` or a function takes by keyword, in order, without `self`.

    Raises:
        ValueError: `obj` is neither a class nor a Python function.
    """
    if inspect.isclass(obj):
        if obj.__init__ is object.__init__:
            return []
        parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
    elif inspect.isfunction(obj) or inspect.ismethod(obj):
        parameters = list(inspect.signature(obj).parameters.values())
    else:
        raise ValueError(f"Arguments can be read of a class or a function, not of {obj!r}.")
    return [parameter.name for parameter in parameters if parameter.kind in _NAMED]


def accepted_arguments(obj: Callable, input_args: dict[str, Any], free_keys: Iterable[str] = ()) -> dict[str, Any]:
    """The entries of `input_args` that `obj` takes by name, keyword-only ones too; the others are dropped.

    Args:
        obj: a class (its `__init__` is meant) or a function.
        input_args: a section of the configuration.
        free_keys: keys that may be there without being an argument, such as `type`.

    Raises:
        ValueError: `obj` is neither a class nor a function.
    """
    expected = argument_names(obj)
    dropped = [key for key in input_args if key not in expected and key not in free_keys]
    if dropped:
        get_msg_mgr().log_debug(f"{getattr(obj, '__name__', obj)} takes no {', '.join(map(str, dropped))}.")
    return {key: value for key, value in input_args.items() if key in expected}


def get_valid_args(obj: Callable, input_args: dict[str, Any], free_keys: Iterable[str] = ()) -> dict[str, Any]:
    """As `accepted_arguments`, without keyword-only ones, which upstream's helper of this name does not know.

    Model files call it; one that gives keyword-only arguments a value of its own would else give two.
    """
    accepted = accepted_arguments(obj, input_args, free_keys)
    parameters = inspect.signature(obj.__init__ if inspect.isclass(obj) else obj).parameters.values()
    keyword_only = {parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    return {key: value for key, value in accepted.items() if key not in keyword_only}


def get_attr_from(sources: Iterable[Any], name: str) -> Any:
    """The attribute `name` of the first of `sources` that has it.

    Raises:
        AttributeError: none has it.
    """
    sources = list(sources)
    for source in sources:
        if hasattr(source, name):
            return getattr(source, name)
    places = ", ".join(getattr(source, "__name__", repr(source)) for source in sources)
    raise AttributeError(f"None of {places} has {name!r}.")
