"""Read YAML files with the line of every key."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from opengait.errors import ConfigError
from opengait.utils.yaml_text import DEEPEST, YamlLoader

KeyPath = tuple[str | int, ...]

# Bounds of a configuration in bytes, and in values after its aliases are expanded.
LARGEST = 100_000
MOST = 20_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Mark(NamedTuple):
    """The line of a key or list entry, and the text of its value if that is a scalar without quotes."""

    line: int
    text: str | None


Marks = dict[KeyPath, Mark]


@dataclass(frozen=True)
class Origin:
    """The source of a key's value.

    Attributes:
        place: file and line, or the option of the command line.
        order: position of the source among all that were merged; later sources override earlier ones.
        adds: True if the command line sets a key that no file contains.
        text: the value as it was written, if it is a scalar without quotes.
        problem: what makes the text of the command line invalid YAML, so that only a key of type text can take it.
    """

    place: str
    order: int
    adds: bool = False
    text: str | None = None
    problem: str | None = None

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


def parse_value(text: str) -> tuple[Any, Marks, str | None]:
    """Parse a value from the command line as YAML.

    Text that YAML would cut off, such as a path with ` #`, is one value.

    Returns:
        The value, the marks of its entries, and what makes it invalid YAML, if anything; the value is the text then.
    """
    text = text.strip()
    try:
        node, value, marks = _load(text)
    except yaml.YAMLError as error:
        return text, {}, problem_of(error)
    return (value, marks, None) if node is None or _is_whole(node, text) else (text, {}, None)


def _is_whole(node: yaml.Node, text: str) -> bool:
    """Return whether YAML reads all of a text: a comment may end a value before the text ends."""
    if isinstance(node, yaml.ScalarNode) and node.style not in ("'", '"'):
        return bool(node.value == text)
    # Within a block of keys, the place of a comment is not known.
    enclosed = isinstance(node, yaml.ScalarNode) or node.flow_style
    return bool(node.end_mark.index == len(text) and (enclosed or "#" not in text))


def read_yaml(path: Path, named_by: str = "") -> tuple[dict[str, Any], Marks]:
    """Return the mapping in a YAML file, and the mark of every key and list entry in it.

    Args:
        named_by: what names the file, for messages.

    Raises:
        ConfigError: the file is missing, is not valid YAML, does not hold a mapping, or sets a key twice.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"Cannot read the configuration {path}{named_by}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The configuration {path} is not UTF-8 text; save it as UTF-8.") from error
    if len(content) > LARGEST:
        raise ConfigError(f"The configuration {path} is larger than {LARGEST // 1000} kB; is it another file?")
    try:
        _, values, marks = _load(text)
    except yaml.YAMLError as error:
        kind = ":" if isinstance(error, _Refused) else " is not valid YAML:"
        raise ConfigError(f"{path}{_line(error, text)}{kind} {problem_of(error)}.") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ConfigError(f"The configuration {path} holds a {type(values).__name__}; expected sections of keys.")
    return values, marks


def _load(text: str) -> tuple[yaml.Node | None, Any, Marks]:
    loader = YamlLoader(text)
    try:
        node, marks = loader.get_single_node(), Marks()
        if node is None:
            return None, None, marks
        _Walk(marks).visit(node, (), ())
        return node, _unshared(loader.construct_document(node)), marks
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error
    except (ValueError, LookupError) as error:
        # A value with an explicit tag, such as `!!int many`.
        raise yaml.YAMLError(f"a value does not fit its tag ({error})") from error
    finally:
        loader.dispose()


def _unshared(value: Any) -> Any:
    """Return a copy in which aliases are values of their own, so that changing one leaves the others alone."""
    if isinstance(value, dict):
        return {key: _unshared(entry) for key, entry in value.items()}
    return [_unshared(entry) for entry in value] if isinstance(value, list) else value


class _Walk:
    """Collects the marks below a node, and refuses valid YAML that is not a configuration.

    Merge keys (`<<`) may be repeated; other keys may not. Merged keys are marked before those that override them.
    """

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.visited = 0

    def visit(self, node: yaml.Node, at: KeyPath, above: tuple[yaml.Node, ...]) -> None:
        self.visited += 1
        if any(node is parent for parent in above):
            raise _Refused(f"{dotted(at)} contains itself", node)
        if len(above) > DEEPEST or self.visited > MOST:
            limit = f"{MOST} values" if self.visited > MOST else f"{DEEPEST} levels of nesting"
            raise _Refused(f"expected at most {limit}", node)
        if isinstance(node, yaml.ScalarNode) and (character := _CONTROL.search(node.value)):
            raise _Refused(f"{dotted(at)} contains the control character {character[0]!r}", node)
        if isinstance(node, yaml.SequenceNode):
            for index, entry in enumerate(node.value):
                self._child(entry, (*at, index), entry, (*above, node))
        elif isinstance(node, yaml.MappingNode):
            self._mapping(node, at, (*above, node))

    def _mapping(self, node: yaml.MappingNode, at: KeyPath, above: tuple[yaml.Node, ...]) -> None:
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.tag.endswith(":merge"):
                for merged in reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]:
                    self.visit(merged, at, above)
        for key, value in node.value:
            if key.tag.endswith(":merge"):
                continue
            if not key.tag.endswith(":str") or not isinstance(key, yaml.ScalarNode):
                name = f"the key {key.value}" if isinstance(key, yaml.ScalarNode) else "a key"
                raise _Refused(f"{name} is not text; put it in quotes", key)
            path, line = (*at, key.value), key.start_mark.line + 1
            if key.value in lines:
                raise _Refused(f"{dotted(path)} is already set in line {lines[key.value]}; remove one of the two", key)
            lines[key.value] = line
            self._child(value, path, key, above)

    def _child(self, node: yaml.Node, at: KeyPath, marked: yaml.Node, above: tuple[yaml.Node, ...]) -> None:
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        self.marks[at] = Mark(marked.start_mark.line + 1, node.value if plain else None)
        self.visit(node, at, above)


class _Refused(yaml.MarkedYAMLError):
    """Valid YAML that is not a configuration."""

    def __init__(self, problem: str, node: yaml.Node) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


def _line(error: yaml.YAMLError, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None and not hasattr(error, "position"):
        return ""
    return f", line {(text.count(chr(10), 0, error.position) if mark is None else mark.line) + 1}"


def problem_of(error: yaml.YAMLError) -> str:
    """Return what is wrong, in one line."""
    parts = [getattr(error, "context", None), getattr(error, "problem", None)]
    return ", ".join(filter(None, parts)) or str(error).splitlines()[0]
