"""Building the parts of a network from the sections of `model_cfg`."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from opengait.errors import ConfigError


def build_part(part: Callable[..., Any], section: str, settings: Mapping[str, Any] | None, **given: Any) -> Any:
    """Call `part` with the settings of one section of `model_cfg` and with arguments that its neighbours determine.

    Raises:
        ConfigError: the section is not a mapping, or has a key that `part` does not take.
    """
    name = f"model_cfg.{section}" if section else "model_cfg"
    if not isinstance(settings, Mapping | None):
        raise ConfigError(f"{name} must be a table of keys and values, not {settings!r}.")
    known = [key for key in inspect.signature(part).parameters if key not in given]
    for key in settings or {}:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            raise ConfigError(f"{name} has an unknown key {key!r}; {hint}")
    return part(**(settings or {}), **given)


def complete_part(part: Callable[..., Any], section: str, settings: Mapping[str, Any] | None, **given: Any) -> Any:
    """Call `build_part` after a check for missing keys.

    Raises:
        ConfigError: an unknown or a missing key, or the section is not a mapping.
    """
    if isinstance(settings, Mapping | None):
        for name, parameter in inspect.signature(part).parameters.items():
            if parameter.default is parameter.empty and name not in given and name not in (settings or {}):
                title = f"model_cfg.{section}" if section else "model_cfg"
                raise ConfigError(f"{title} has no key {name!r}, which the model needs.")
    return build_part(part, section, settings, **given)
