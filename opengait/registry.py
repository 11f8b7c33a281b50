"""One registry per kind of component, which maps the names in a YAML file to classes and functions.

The engine's own parts are attributes of the package that holds them (`opengait.data.transform.BaseSilTransform`), as
in OpenGait, so an attribute set on that package from outside counts too. Extensions add theirs in `register()`:

    from opengait import registry

    def register():
        registry.models.add(MyModel)
        registry.transforms.add(MyTransform)
"""

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from opengait.errors import ConfigError

Part = TypeVar("Part", bound=Callable[..., Any])


class Parts:
    """The parts of one kind, by name.

    Args:
        kind: the word for a part in messages, such as "transform".
        home: dotted name of the engine's module whose public classes and functions belong to this kind.
    """

    def __init__(self, kind: str, home: str) -> None:
        self.kind = kind
        self.home = home
        self._added: dict[str, Callable[..., Any]] = {}

    def add(self, part: Part, name: str | None = None) -> Part:
        """Register a class or function under `name`, by default its `__name__`; usable as a decorator.

        Raises:
            ConfigError: a different part already has this name.
        """
        name = name or part.__name__
        existing = self._added.get(name)
        if existing is not None and existing is not part:
            raise ConfigError(
                f"There is already a {self.kind} called {name}: {describe(existing)}; rename {describe(part)}."
            )
        self._added[name] = part
        return part

    @contextmanager
    def temporarily(self, part: Part, name: str | None = None) -> Iterator[Part]:
        """Register `part` for a `with` block, in place of a part that an extension added under the same name."""
        name = name or part.__name__
        former = self._added.get(name)
        self._added[name] = part
        try:
            yield part
        finally:
            del self._added[name]
            if former is not None:
                self._added[name] = former

    def get(self, name: str) -> Any:
        """Return the part called `name`; parts of extensions take precedence over the engine's.

        Raises:
            ConfigError: there is none; the message lists similar names.
        """
        names = self.names()
        if not isinstance(name, str):
            raise ConfigError(f"Expected the name of a {self.kind}, got {name!r}; name one of {', '.join(names)}.")
        if name in self._added:
            return self._added[name]
        part = getattr(importlib.import_module(self.home), name, None)
        if callable(part) and not name.startswith("_"):
            return part
        similar = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(similar)}?" if similar else f"expected one of {', '.join(names)}."
        raise ConfigError(
            f"There is no {self.kind} called {name!r}; {hint} To use your own, list its package or folder under "
            f"`extensions:` in the configuration."
        )

    def __contains__(self, name: str) -> bool:
        return name in self.names()

    def names(self) -> list[str]:
        """Return every known name, sorted."""
        home = importlib.import_module(self.home)
        engine_parts = {
            name
            for name, part in vars(home).items()
            if not name.startswith("_")
            and (inspect.isclass(part) or inspect.isfunction(part))
            and getattr(part, "__module__", "").startswith(self.home)
        }
        return sorted(engine_parts | set(self._added))


def describe(part: Callable[..., Any]) -> str:
    """Return `module.name` of a part, for messages."""
    return f"{getattr(part, '__module__', '?')}.{getattr(part, '__qualname__', part)}"


datasets = Parts("dataset reader", "opengait.data.dataset")
samplers = Parts("sampler", "opengait.data.sampler")
transforms = Parts("transform", "opengait.data.transform")
models = Parts("model", "opengait.modeling.models")
backbones = Parts("backbone", "opengait.modeling.backbones")
losses = Parts("loss", "opengait.modeling.losses")
evaluators = Parts("evaluator", "opengait.evaluation.evaluator")
