"""Where a name in a YAML file becomes a class: one small table a kind of part.

The engine's own parts are attributes of the package that holds them (`opengait.data.transform.BaseSilTransform`), as
in OpenGait, so an attribute set on that package from outside is found too. Extensions add theirs in `register()`:

    from opengait import registry

    def register():
        registry.models.add(MyModel)
        registry.transforms.add(MyTransform)
"""

import difflib
import importlib
import inspect
from collections.abc import Callable

from opengait.errors import ConfigError


class Parts:
    """The parts of one kind, by name.

    Args:
        kind: what a part is called in messages, such as "transform".
        home: dotted name of the engine's module whose public classes and functions belong to this kind.
    """

    def __init__(self, kind: str, home: str) -> None:
        self.kind = kind
        self.home = home
        self._added: dict[str, Callable] = {}

    def add(self, part: Callable, name: str | None = None) -> Callable:
        """Hand in a class or function under its own name or `name`; usable as a decorator.

        Raises:
            ConfigError: the name is taken by a different part.
        """
        name = name or part.__name__
        known = self._added.get(name)
        if known is not None and known is not part:
            raise ConfigError(
                f"Two {self.kind}s are called {name}: {describe(known)} and {describe(part)}; rename one of them."
            )
        self._added[name] = part
        return part

    def get(self, name: str) -> Callable:
        """The part of that name; what an extension handed in comes before the engine's own.

        Raises:
            ConfigError: nothing has this name; the message lists the nearest ones.
        """
        if name in self._added:
            return self._added[name]
        part = getattr(importlib.import_module(self.home), str(name), None)
        if callable(part) and not str(name).startswith("_"):
            return part
        names = self.names()
        near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are: {', '.join(names) or 'none'}."
        raise ConfigError(
            f"There is no {self.kind} called {name!r}; {hint} A part of your own needs its package or folder named "
            f"under `extensions:` in the configuration."
        )

    def __contains__(self, name: str) -> bool:
        return name in self.names()

    def names(self) -> list[str]:
        """Every known name, sorted."""
        home = importlib.import_module(self.home)
        own = {
            name
            for name, part in vars(home).items()
            if not name.startswith("_")
            and (inspect.isclass(part) or inspect.isfunction(part))
            and getattr(part, "__module__", "").startswith(self.home)
        }
        return sorted(own | set(self._added))


def describe(part: Callable) -> str:
    """`module.name` of a part, for messages."""
    return f"{getattr(part, '__module__', '?')}.{getattr(part, '__qualname__', part)}"


datasets = Parts("data set reader", "opengait.data.dataset")
samplers = Parts("sampler", "opengait.data.sampler")
transforms = Parts("transform", "opengait.data.transform")
models = Parts("model", "opengait.modeling.models")
backbones = Parts("backbone", "opengait.modeling.backbones")
losses = Parts("loss", "opengait.modeling.losses")
evaluators = Parts("evaluator", "opengait.evaluation.evaluator")
