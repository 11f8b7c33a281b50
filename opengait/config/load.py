"""Load a configuration: files are merged over the defaults and each other, overridden and checked.

A file is merged over those that its top-level `base:` names, one path or a list of paths relative to the file; later
ones override earlier ones. A file that several of them build on is merged once, below them all. `default.yaml` beside
this module comes below everything else.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opengait.config.keys import check, check_extensions
from opengait.config.merge import entry_names, merge, set_value
from opengait.config.resolve import name_run
from opengait.config.source import KeyPath, Origin, Origins, dotted, nearest, parse_value, read_yaml
from opengait.errors import ConfigError
from opengait.extensions import load_extensions
from opengait.shipped import shipped
from opengait.utils.files import write_text
from opengait.utils.typed import shown
from opengait.utils.yaml_text import write_yaml

DEFAULTS = Path(__file__).resolve().parent / "default.yaml"
# Sections whose keys are checked, so an override may add one. Elsewhere it must name an existing key.
_CHECKED = ("data_cfg", "trainer_cfg", "evaluator_cfg", "optimizer_cfg", "scheduler_cfg", "loss_cfg", "critic_cfg")


def load_config(path: str | Path, overrides: Iterable[str] = (), overlays: Iterable[str | Path] = ()) -> dict[str, Any]:
    """Load the whole configuration that a file describes, and the extensions that it names.

    Args:
        path: the YAML file; if it does not exist, the shipped one of that name, such as `configs/gaitset/gaitset.yaml`.
        overrides: `section.key=value`, with the value read as YAML, or as it stands where text is meant; list entries
            by number or name, as in `loss_cfg.0.margin=0.3` or `loss_cfg.triplet.margin=0.3`. Later ones win.
        overlays: files merged over all of the above; their bases are merged too, unless `path` builds on them already.

    Raises:
        ConfigError: a file cannot be read, a key is unknown or its value of the wrong type (the message names file and
            line), or an override names a key that does not exist.
    """
    files = [shipped(path), *map(shipped, overlays)]
    layers = _Layers()
    layers.add_file(DEFAULTS)
    layers.add_file(files[0])
    for text in overrides:
        layers.add_override(text)
    for overlay in files[1:]:
        layers.add_file(overlay)
    check_extensions(layers.config, layers.origins)
    load_extensions(layers.config.get("extensions") or [], files[0].resolve().parent)
    check(layers.config, layers.origins)
    name_run(layers.config, files[-1])
    return layers.config


def save_config(cfg: dict[str, Any], path: str | Path) -> None:
    """Write a resolved configuration; `load_config` reads the same one back."""
    write_text(Path(path), config_text(cfg))


def config_text(cfg: dict[str, Any]) -> str:
    """Return a configuration as YAML, in the order of its keys."""
    return write_yaml(cfg)


class _Layers:
    """A configuration built up layer by layer, with later layers over earlier ones.

    Attributes:
        config: the layers merged so far.
        origins: the file and line, or the option, of each value.
    """

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.origins: Origins = {}
        self.files: set[Path] = set()
        self.count = 0

    def add_file(self, path: Path, builders: tuple[Path, ...] = ()) -> None:
        """Merge a file and, below it, its bases over the current layers; a file merged before is not merged again.

        Args:
            builders: the files whose `base` led to this one.
        """
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError) as error:
            raise ConfigError(f"Cannot read the configuration {path}: {error}.") from error
        if resolved in builders:
            raise ConfigError(f"{path}: following `base` leads back to this file.")
        if resolved in self.files:
            return
        content, marks = read_yaml(path, f", the base of {builders[-1]}" if builders else "")
        for base in _bases(content.pop("base", None), path):
            self.add_file(path.parent / base, (*builders, resolved))
        self.files.add(resolved)
        origins = {
            at: Origin(f"{path}, line {mark.line}", self.count, text=mark.text)
            for at, mark in marks.items()
            if at[0] != "base"
        }
        merge(content, origins, self.config, self.origins)
        self.count += 1

    def add_override(self, text: str) -> None:
        """Apply `section.key=value`."""
        name, sign, value = text.partition("=")
        keys = name.strip().split(".")
        if not sign or not all(keys):
            raise ConfigError(f"--set {text!r} is not of the form section.key=value.")
        parent: Any = self.config
        at: KeyPath = ()
        for number, key in enumerate(keys, start=1):
            may_be_new = number == len(keys) and bool(at) and at[0] in _CHECKED
            entry = _entry(parent, key, at, name, may_be_new)
            at = (*at, entry)
            if number < len(keys):
                parent = parent[entry]
        adds = isinstance(parent, dict) and at[-1] not in parent
        parsed, marks, problem = parse_value(value)
        origin = Origin(f"--set {name}", self.count, adds, value.strip(), problem)
        set_value(self.config, self.origins, at, parsed, origin)
        for below, mark in marks.items():
            self.origins[*at, *below] = Origin(f"--set {name}", self.count, adds, mark.text)
        self.count += 1


def _bases(base: Any, path: Path) -> list[str]:
    bases = base if isinstance(base, list) else [] if base is None else [base]
    if not all(isinstance(entry, str) and entry for entry in bases):
        raise ConfigError(f"{path}: `base` is {base!r}; expected the path of a YAML file, or a list of paths.")
    return bases


def _entry(parent: Any, key: str, at: KeyPath, name: str, may_be_new: bool) -> str | int:
    """Return the key or list index of `parent` that a part of an override's name refers to."""
    section = dotted(at) or "the configuration"
    if isinstance(parent, list):
        names = entry_names(parent) or []
        if key in names:
            return names.index(key)
        if not (key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(parent)):
            entries = f"entries 0 to {len(parent) - 1}" if parent else "no entries"
            raise ConfigError(f"--set {name}: {section} has {entries}, not {key!r}.")
        return int(key)
    if not isinstance(parent, dict):
        raise ConfigError(f"--set {name}: {section} is {shown(parent)}, which has no keys.")
    if key not in parent and not may_be_new:
        near = nearest(key, parent)
        hint = f"did you mean {near}?" if near else f"its keys are {', '.join(map(str, parent)) or 'none'}."
        raise ConfigError(f"--set {name}: {section} has no key {key!r}; {hint}")
    return key
