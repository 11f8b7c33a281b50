"""Parts of a network from the sections of `model_cfg`."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from opengait.errors import ConfigError


def build_part(part: Callable, section: str, settings: Mapping[str, Any] | None, **given: Any) -> Any:
    """Call `part` with the settings of one section of `model_cfg` and what its neighbours determine.

    Raises:
        ConfigError: the section is no mapping, or has a key that `part` does not take.
    """
    where = f"model_cfg.{section}" if section else "model_cfg"
    if not isinstance(settings, Mapping | None):
        raise ConfigError(f"{where} must be a table of keys and values, not {settings!r}.")
    known = [name for name in inspect.signature(part).parameters if name not in given]
    for key in settings or {}:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            raise ConfigError(f"{where} has an unknown key {key!r}; {hint}")
    return part(**(settings or {}), **given)


def complete_part(part: Callable, section: str, settings: Mapping[str, Any] | None, **given: Any) -> Any:
    """`build_part`, which also says which key is missing.

    Raises:
        ConfigError: an unknown or a missing key, or the section is no mapping.
    """
    if isinstance(settings, Mapping | None):
        for name, parameter in inspect.signature(part).parameters.items():
            if parameter.default is parameter.empty and name not in given and name not in (settings or {}):
                where = f"model_cfg.{section}" if section else "model_cfg"
                raise ConfigError(f"{where} has no key {name!r}, which the model needs.")
    return build_part(part, section, settings, **given)
