"""The configuration: read, merged over the defaults, overridden from the command line, checked.

A file is merged over the one that its top-level `base:` names (relative to itself), and that over `default.yaml` beside
this file: dicts key by key, anything else is replaced. A key that nobody reads is an error that names its line.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opengait.config.keys import check
from opengait.config.source import Origin, Origins, Path_, parse_value, read_yaml
from opengait.errors import ConfigError
from opengait.extensions import load_extensions
from opengait.shipped import shipped
from opengait.utils.yaml_text import write_yaml

DEFAULTS = Path(__file__).resolve().parent / "default.yaml"
# Sections whose keys the engine knows by heart; elsewhere an override must name a key that is there already.
_CHECKED = ("data_cfg", "trainer_cfg", "evaluator_cfg", "optimizer_cfg", "scheduler_cfg", "loss_cfg")


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The whole configuration that a file describes; its extensions are loaded on the way.

    Args:
        path: the YAML file; if there is none, the shipped one of that name, such as `configs/dinogrl/hitsz.yaml`.
        overrides: `section.key=value`, the value read as YAML; list entries by number, as in `loss_cfg.0.margin=0.3`.

    Raises:
        ConfigError: a file cannot be read, a key is unknown (file, line and nearest known key are named), or an
            override names nothing.
    """
    path = shipped(path)
    config, origins = _read(path)
    for text in overrides:
        _override(config, origins, text)
    load_extensions(config.get("extensions") or [], path.resolve().parent)
    check(config, origins)
    return config


def save_config(cfg: dict[str, Any], path: str | Path) -> None:
    """Write a resolved configuration; `load_config` reads it back to the same."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config_text(cfg), encoding="utf-8")


def config_text(cfg: dict[str, Any]) -> str:
    """A configuration as YAML, in its own order."""
    return write_yaml(cfg)


def _read(path: Path) -> tuple[dict[str, Any], Origins]:
    sources = []
    seen = []
    following: Path | None = path
    while following is not None:
        if following.resolve() in seen:
            raise ConfigError(f"{path}: following `base` leads back to {following}.")
        seen.append(following.resolve())
        content, places = read_yaml(following, depth=-len(sources))
        sources.append((content, places))
        base = content.pop("base", None)
        places.pop(("base",), None)
        if base is not None and not isinstance(base, str):
            raise ConfigError(f"{following}: `base` is {base!r}; wanted is the path of one YAML file.")
        following = following.parent / base if base else None
    sources.append(read_yaml(DEFAULTS, depth=-len(sources)))

    config: dict[str, Any] = {}
    origins: Origins = {}
    for content, places in reversed(sources):
        _merge(content, places, config, origins, ())
    return config, origins


def _merge(src: dict, places: Origins, dst: dict, origins: Origins, at: Path_) -> None:
    """Merge `src` over `dst`, and the origins of its keys over those of `dst`."""
    for key, value in src.items():
        here = (*at, key)
        if here in places:
            origins[here] = places[here]
        if isinstance(value, dict) and isinstance(dst.get(key), dict):
            _merge(value, places, dst[key], origins, here)
            continue
        dst[key] = value
        depth = len(here)
        for stale in [path for path in origins if path[:depth] == here and path != here]:
            del origins[stale]
        origins.update({path: origin for path, origin in places.items() if path[:depth] == here})


def _override(config: dict[str, Any], origins: Origins, text: str) -> None:
    name, sign, value = text.partition("=")
    keys: list[str] = name.strip().split(".")
    if not sign or not all(keys):
        raise ConfigError(f"--set {text!r} is not of the form section.key=value.")
    place: Any = config
    at: Path_ = ()
    for number, key in enumerate(keys):
        last = number == len(keys) - 1
        if isinstance(place, list):
            if not key.isdigit() or int(key) >= len(place):
                raise ConfigError(f"--set {name}: {_dotted(at)} has entries 0 to {len(place) - 1}, not {key!r}.")
            entry: str | int = int(key)
        elif isinstance(place, dict):
            entry = key
            if key not in place and not (last and at and at[0] in _CHECKED):
                raise ConfigError(f"--set {name}: {_dotted(at)} has no key {key!r}{_nearest(key, place)}.")
        else:
            raise ConfigError(f"--set {name}: {_dotted(at)} is {place!r}, which has no keys.")
        at = (*at, entry)
        if last:
            place[entry] = parse_value(value)
        else:
            place = place[entry]
    for stale in [path for path in origins if path[: len(at)] == at]:
        del origins[stale]
    origins[at] = Origin(f"--set {name}", depth=1)


def _nearest(key: str, known: Iterable[Any]) -> str:
    near = difflib.get_close_matches(key, [str(name) for name in known], n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else f"; known are {', '.join(map(str, known)) or 'none'}"


def _dotted(path: Path_) -> str:
    return ".".join(map(str, path)) or "the configuration"
