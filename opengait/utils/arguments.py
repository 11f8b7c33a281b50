"""Select the arguments of a class or function from a section of the configuration."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from opengait.utils.messages import get_msg_mgr

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def argument_names(obj: Callable[..., Any]) -> list[str]:
    """Return the names of the keyword arguments of a class's `__init__` or a function, in order, without `self`.

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
        raise ValueError(f"expected a class or a function, got {obj!r}.")
    return [parameter.name for parameter in parameters if parameter.kind in _NAMED]


def accepted_arguments(
    obj: Callable[..., Any], input_args: dict[str, Any], free_keys: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the entries of `input_args` that `obj` takes by name, including keyword-only ones; others are dropped.

    Args:
        obj: a function, or a class, which stands for its `__init__`.
        input_args: a section of the configuration.
        free_keys: keys that are dropped silently, such as `type`.

    Raises:
        ValueError: `obj` is neither a class nor a function.
    """
    expected = argument_names(obj)
    dropped = [key for key in input_args if key not in expected and key not in free_keys]
    if dropped:
        get_msg_mgr().log_debug(f"{getattr(obj, '__name__', obj)} does not take {', '.join(map(str, dropped))}.")
    return {key: value for key, value in input_args.items() if key in expected}


def get_valid_args(
    obj: Callable[..., Any], input_args: dict[str, Any], free_keys: Iterable[str] = ()
) -> dict[str, Any]:
    """Return `accepted_arguments` without the keyword-only ones, which upstream's helper of this name ignores.

    Model files that pass keyword-only arguments themselves would otherwise pass them twice.
    """
    accepted = accepted_arguments(obj, input_args, free_keys)
    parameters = inspect.signature(obj.__init__ if inspect.isclass(obj) else obj).parameters.values()
    keyword_only = {parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    return {key: value for key, value in accepted.items() if key not in keyword_only}


def get_attr_from(sources: Iterable[Any], name: str) -> Any:
    """Return the attribute `name` of the first of `sources` that has it.

    Raises:
        AttributeError: none of them has it.
    """
    sources = list(sources)
    for source in sources:
        if hasattr(source, name):
            return getattr(source, name)
    names = ", ".join(getattr(source, "__name__", repr(source)) for source in sources)
    raise AttributeError(f"None of {names} has {name!r}.")
