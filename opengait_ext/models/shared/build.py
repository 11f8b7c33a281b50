"""Building the parts of a network from the sections of `model_cfg`."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from opengait.errors import ConfigError
from opengait.utils.typed import checked_arguments


def build_part(part: Callable[..., Any], section: str, settings: Mapping[str, Any] | None, **fixed: Any) -> Any:
    """Call `part` with the settings of a section of `model_cfg`, and with arguments that the section cannot set.

    Raises:
        ConfigError: the section is not a mapping, lacks a required key, or has a key that `part` does not take
            or a value of the wrong type.
    """
    name = f"model_cfg.{section}" if section else "model_cfg"
    if not isinstance(settings, Mapping | None):
        raise ConfigError(f"{name} is {settings!r}; expected a table of keys and values.")
    parameters = inspect.signature(part).parameters
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in fixed and key not in (settings or {}):
            raise ConfigError(f"{name} has no key {key!r}, which the model needs.")
    known = [key for key in parameters if key not in fixed]
    for key in settings or {}:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            raise ConfigError(f"{name} has an unknown key {key!r}; {hint}")
    return part(**checked_arguments(part, settings or {}, name), **fixed)
