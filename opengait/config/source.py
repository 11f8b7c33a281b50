"""Read YAML files with the line of every key."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from opengait.errors import ConfigError
from opengait.utils.yaml_text import YamlLoader

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Origin:
    """The source of a key's value.

    Attributes:
        place: file and line, or the option of the command line.
        order: position of the source among all that were merged; later sources override earlier ones.
        adds: True if the command line sets a key that no file contains.
    """

    place: str
    order: int
    adds: bool = False

    def __str__(self) -> str:
        return self.place

    @property
    def from_command_line(self) -> bool:
        """True if the value comes from `--set`."""
        return self.place.startswith("--set")


Origins = dict[KeyPath, Origin]


def place_of(at: KeyPath, origins: Origins) -> str:
    """Return the file and line of a key, or of the nearest key above it."""
    for end in range(len(at), 0, -1):
        if at[:end] in origins:
            return str(origins[at[:end]])
    return "configuration"


def dotted(at: KeyPath) -> str:
    """Return a key in the form of `--set`, such as `trainer_cfg.sampler.type`."""
    return ".".join(map(str, at))


def nearest(key: Any, known: Iterable[Any]) -> str:
    """Return the one or two names most like `key`, joined by "or"; empty if there are none."""
    return " or ".join(difflib.get_close_matches(str(key), list(map(str, known)), n=2, cutoff=0.6))


def parse_value(text: str) -> Any:
    """Parse a value from the command line as YAML.

    Raises:
        ConfigError: `text` is not valid YAML.
    """
    try:
        return yaml.load(text, Loader=YamlLoader)  # noqa: S506 (a subclass of SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{text!r} is not a YAML value: {_problem(error)}.") from error


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return the mapping in a YAML file, and the line number of every key and list entry in it.

    Raises:
        ConfigError: the file is missing, is not valid YAML, or does not hold a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"Cannot read the configuration {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The configuration {path} is not UTF-8 text.") from error
    loader = YamlLoader(text)
    try:
        node = loader.get_single_node()
        content = loader.construct_document(node) if node is not None else {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}{_line(error)} is not valid YAML: {_problem(error)}.") from error
    finally:
        loader.dispose()
    if not isinstance(content, dict):
        raise ConfigError(f"The configuration {path} holds a {type(content).__name__}; expected sections of keys.")
    lines: dict[KeyPath, int] = {}
    if node is not None:
        _collect(node, (), lines)
    return content, lines


def _collect(node: yaml.Node, at: KeyPath, lines: dict[KeyPath, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        children = [(key.value, key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(index, value, value) for index, value in enumerate(node.value)]
    else:
        return
    for key, marked, value in children:
        lines[*at, key] = marked.start_mark.line + 1
        _collect(value, (*at, key), lines)


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}," if mark is not None else ""


def _problem(error: yaml.YAMLError) -> str:
    return getattr(error, "problem", None) or str(error).splitlines()[0]
