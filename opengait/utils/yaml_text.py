"""The YAML dialect of configurations and cards: YAML 1.1 in which `1e-4` is a number."""

import re
from typing import Any

import yaml


class YamlLoader(yaml.SafeLoader):
    """Reads YAML 1.1 as PyYAML does, except that `1e-4` is a number."""


class _Dumper(yaml.SafeDumper):
    """Writes YAML that `YamlLoader` reads back unchanged."""


# PyYAML requires a point and a signed exponent, and reads 1e-4 as a string.
_FLOAT = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
for _side in (YamlLoader, _Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def write_yaml(content: dict[str, Any]) -> str:
    """Return plain values as YAML, keeping the order of dicts."""
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
