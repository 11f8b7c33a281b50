"""The dialect of YAML that configurations and cards are written in: YAML 1.1 whose numbers include `1e-4`."""

import re
from typing import Any

import yaml


class YamlLoader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, and `1e-4` is a number, as everybody expects."""


class _Dumper(yaml.SafeDumper):
    """Writes what `YamlLoader` reads back."""


# PyYAML wants a point and a signed exponent, and takes 1e-4 for a string.
_FLOAT = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
for _side in (YamlLoader, _Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def write_yaml(content: dict[str, Any]) -> str:
    """Plain values as YAML, in their own order."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
