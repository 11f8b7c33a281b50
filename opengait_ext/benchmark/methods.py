"""The methods that are compared, read from `methods.json` beside this file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opengait.errors import ConfigError

FILE = Path(__file__).with_name("methods.json")
NO_SILHOUETTES, OWN_SILHOUETTES, TRUE_SILHOUETTES = "none", "own", "true"


@dataclass(frozen=True)
class Method:
    """A row of the benchmark.

    Attributes:
        name: name of its runs.
        title: name in tables.
        configs: files below `configs/` by data set; later ones of a data set override earlier ones.
        silhouettes: "none", "own", "true", or the method whose silhouettes the network reads.
        weights: by data set, {key of `model_cfg` that names a checkpoint: the method whose checkpoint it is}.
    """

    name: str
    title: str
    configs: Mapping[str, Sequence[str]]
    silhouettes: str = NO_SILHOUETTES
    weights: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def makes_silhouettes(self) -> bool:
        """True if silhouettes can be exported from the network."""
        return self.silhouettes == OWN_SILHOUETTES

    @property
    def reads_silhouettes_of(self) -> str | None:
        """Name of the method whose silhouettes the network reads, if it does."""
        fixed = (NO_SILHOUETTES, OWN_SILHOUETTES, TRUE_SILHOUETTES)
        return None if self.silhouettes in fixed else self.silhouettes

    @property
    def sees_truth(self) -> bool:
        """True if the network is given true silhouettes, which no camera delivers."""
        return self.silhouettes == TRUE_SILHOUETTES


@dataclass(frozen=True)
class Methods:
    """All methods in the order of the table.

    Attributes:
        by_name: the methods.
        rate_factors: factors of the learning rates that are tried.
        quick: names of the methods of a quick benchmark.
    """

    by_name: Mapping[str, Method]
    rate_factors: Sequence[float]
    quick: Sequence[str]

    def choose(self, names: Sequence[str], data: str) -> list[Method]:
        """Return methods that exist on a data set, in the order of the table; without names, all of them.

        Raises:
            ConfigError: a name is unknown, or its method does not exist on the data set.
        """
        for name in names:
            if name not in self.by_name:
                raise ConfigError(f"--methods: expected some of {', '.join(self.by_name)}, got {name!r}.")
            if data not in self.by_name[name].configs:
                available = [method.name for method in self.by_name.values() if data in method.configs]
                raise ConfigError(f"--methods {name} has no configuration for {data}; it has {', '.join(available)}.")
        return [
            method for method in self.by_name.values() if data in method.configs and (not names or method.name in names)
        ]


def read_methods(file: Path | None = None) -> Methods:
    """Return the methods of a file, by default those of this package."""
    content = json.loads((file or FILE).read_text(encoding="utf-8"))
    methods = {}
    for entry in content["methods"]:
        configs = {data: [files] if isinstance(files, str) else files for data, files in entry["configs"].items()}
        methods[entry["name"]] = Method(**entry | {"configs": configs})
    return Methods(methods, content["rate_factors"], content["quick"])
