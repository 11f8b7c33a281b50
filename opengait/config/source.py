"""Reading YAML so that every key remembers its file and line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from opengait.errors import ConfigError
from opengait.utils.yaml_text import YamlLoader

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Origin:
    """Where a key was written. `depth` orders the sources: the file itself 0, what it builds on less, `--set` more."""

    place: str
    depth: int

    def __str__(self) -> str:
        return self.place


Origins = dict[Path_, Origin]


def parse_value(text: str) -> Any:
    """A value from the command line, read as YAML.

    Raises:
        ConfigError: it is not YAML.
    """
    try:
        return yaml.load(text, Loader=YamlLoader)  # noqa: S506 (a subclass of SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{text!r} is not a YAML value: {_problem(error)}.") from error


def read_yaml(path: Path, depth: int) -> tuple[dict[str, Any], Origins]:
    """The mapping in a YAML file, and the origin of every key and list entry in it.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"Cannot read the configuration {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The configuration {path} is not text in UTF-8.") from error
    loader = YamlLoader(text)
    try:
        node = loader.get_single_node()
        content = loader.construct_document(node) if node is not None else {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}{_line(error)} is not valid YAML: {_problem(error)}.") from error
    finally:
        loader.dispose()
    if not isinstance(content, dict):
        raise ConfigError(f"The configuration {path} holds a {type(content).__name__}; wanted are sections of keys.")
    origins: Origins = {}
    if node is not None:
        _collect(node, (), str(path), depth, origins)
    return content, origins


def _collect(node: yaml.Node, at: Path_, file: str, depth: int, origins: Origins) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, key.value)
            origins[here] = Origin(f"{file}, line {key.start_mark.line + 1}", depth)
            _collect(value, here, file, depth, origins)
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            here = (*at, place)
            origins[here] = Origin(f"{file}, line {value.start_mark.line + 1}", depth)
            _collect(value, here, file, depth, origins)


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}," if mark is not None else ""


def _problem(error: yaml.YAMLError) -> str:
    return getattr(error, "problem", None) or str(error).splitlines()[0]
