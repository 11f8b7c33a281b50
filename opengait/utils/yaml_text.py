"""The YAML dialect of configurations and cards: YAML 1.1 without its surprises.

`1e-4` is a number. 010 (octal), 1:30 (base 60) and 2024-05-01 are text, and so are tags other than those of plain data.
"""

import re
from typing import Any

import yaml

# Levels of nesting.
DEEPEST = 50
_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
# A longer number is text, which nothing takes for a number.
_INT = re.compile(r"^[-+]?(0|[1-9][0-9_]{0,40}|0x[0-9a-fA-F]{1,16}|0b[01]{1,64})$")
_FLOAT = re.compile(
    r"^([-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+|[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
)


class YamlLoader(yaml.SafeLoader):
    """Reads plain data, with numbers in decimal notation."""

    yaml_constructors = {
        tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag is None or tag[18:] in _PLAIN
    }
    yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in forms if tag[18:] in ("null", "bool", "merge")]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803 (PyYAML's name)
        """Refuse deep brackets at once, since the scanner takes quadratic time for them."""
        if self.flow_level >= DEEPEST:
            problem = f"expected at most {DEEPEST} levels of nesting"
            raise yaml.scanner.ScannerError(None, None, problem, self.get_mark())
        super().fetch_flow_collection_start(TokenClass)


class _Dumper(yaml.SafeDumper):
    """Writes YAML that `YamlLoader` and other readers read back unchanged: text like a number or a date is quoted."""


for _side in (YamlLoader, _Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    _side.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))


def write_yaml(content: dict[str, Any]) -> str:
    """Return plain values as YAML, keeping the order of dicts."""
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
