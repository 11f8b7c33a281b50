"""Check the keys of a configuration.

A section has the keys of `opengait.config.sections`, the arguments of the class that it names, and the keys that this
class or the model declares in `config_keys`. Arguments inherited for a class that has since been replaced are dropped:
naming `solver: AdamW` over a base with SGD drops the base's `momentum`. `model_cfg` is left to the model.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from opengait import compat, registry
from opengait.config.sections import (
    DATA,
    EVALUATOR,
    LOSS,
    OPTIMIZER,
    SAMPLER,
    SCHEDULER,
    SECTIONS,
    TRAINER,
    TRANSFORM,
)
from opengait.config.source import KeyPath, Origins, dotted, nearest, place_of
from opengait.engine.optim import (
    COMPOSITES,
    optimizer_arguments,
    optimizer_class,
    scheduler_arguments,
    scheduler_class,
)
from opengait.errors import ConfigError
from opengait.utils.arguments import argument_names
from opengait.utils.messages import get_msg_mgr


def check(config: dict[str, Any], origins: Origins) -> None:
    """Check every key of a merged configuration; arguments inherited for a replaced class are removed in place.

    Raises:
        ConfigError: a section has an unknown key or is not a mapping, or names an unknown class.
    """
    _Check(config, origins).run()


class _Check:
    def __init__(self, config: dict[str, Any], origins: Origins) -> None:
        self.config = config
        self.origins = origins

    def run(self) -> None:
        self._top_level()
        self.model_keys, self.undeclared = _keys_of_model(self._section("model_cfg"))
        for at, section in _entries(("data_cfg",), self.config.get("data_cfg")):
            reader = registry.datasets.get(section.get("reader", "DataSet"))
            self._keys(section, at, [*DATA, *_declared(reader)], "reader")
        self._keys(self._section("trainer_cfg"), ("trainer_cfg",), TRAINER)
        evaluator = self._section("evaluator_cfg")
        arguments = argument_names(registry.evaluators.get(str(evaluator.get("eval_func"))))[2:]
        self._keys(evaluator, ("evaluator_cfg",), [*EVALUATOR, *arguments], "eval_func")
        for name in ("trainer_cfg", "evaluator_cfg"):
            self._sampler(self.config[name].get("sampler"), (name, "sampler"))
            self._transform(self.config[name].get("transform"), (name, "transform"))
        self._optimizer(self._section("optimizer_cfg"))
        self._scheduler(self.config.get("scheduler_cfg"), ("scheduler_cfg",))
        for at, section in _entries(("loss_cfg",), self.config.get("loss_cfg") or []):
            if "type" in section:
                arguments = argument_names(registry.losses.get(section["type"]))
                self._keys(section, at, [*LOSS, *arguments], "type", tolerated=None)

    def _top_level(self) -> None:
        for key in list(self.config):
            if key in SECTIONS:
                continue
            line, near = place_of((key,), self.origins), nearest(key, SECTIONS)
            if near:
                raise ConfigError(f"{line}: unknown section {key!r}; did you mean {near}?")
            # Upstream ignores such keys, and YAML anchors are often defined under one.
            get_msg_mgr().log_warning(f"{line}: the unknown section {key!r} is ignored.")

    def _section(self, name: str) -> dict[str, Any]:
        return self._mapping(self.config.setdefault(name, {}), (name,))

    def _mapping(self, section: Any, at: KeyPath) -> dict[str, Any]:
        if not isinstance(section, dict):
            raise ConfigError(f"{place_of(at, self.origins)}: {dotted(at)} is {section!r}; expected keys below it.")
        return section

    def _sampler(self, section: Any, at: KeyPath) -> None:
        sampler = registry.samplers.get(str(self._mapping(section, at).get("type")))
        arguments = [name for name in argument_names(sampler) if name != "dataset"]
        self._keys(section, at, [*SAMPLER, *arguments, *_declared(sampler)], "type")

    def _transform(self, section: Any, at: KeyPath) -> None:
        if isinstance(section, list):
            for index, entry in enumerate(section):
                self._transform(entry, (*at, index))
        elif isinstance(section, dict):
            if "type" not in section:
                raise ConfigError(f"{place_of(at, self.origins)}: {dotted(at)} has no `type`.")
            arguments = argument_names(registry.transforms.get(section["type"]))
            self._keys(section, at, [*TRANSFORM, *arguments], "type", tolerated=None)
            if isinstance(section.get("trf_cfg"), list):
                self._transform(section["trf_cfg"], (*at, "trf_cfg"))

    def _optimizer(self, section: dict[str, Any]) -> None:
        if "solver" in section:
            arguments = argument_names(optimizer_class(section["solver"]))[1:]
            self._keys(section, ("optimizer_cfg",), [*OPTIMIZER, *arguments], "solver", optimizer_arguments())

    def _scheduler(self, section: Any, at: KeyPath) -> None:
        name = None if section is None else self._mapping(section, at).get("scheduler")
        if name is None:
            return
        arguments = [argument for argument in argument_names(scheduler_class(name)) if argument != "optimizer"]
        # Only the whole schedule can count epochs, not one of its parts.
        keys = SCHEDULER if len(at) == 1 else ["scheduler"]
        self._keys(section, at, [*keys, *arguments], "scheduler", scheduler_arguments())
        if name in COMPOSITES and isinstance(section.get("schedulers"), list):
            for index, part in enumerate(section["schedulers"]):
                self._scheduler(part, (*at, "schedulers", index))

    def _keys(
        self,
        section: dict[str, Any],
        at: KeyPath,
        known: Iterable[str],
        named_by: str = "",
        tolerated: Collection[str] | None = (),
    ) -> None:
        """Check the keys of one section.

        Args:
            known: legal keys.
            named_by: key that names a class; other keys are dropped if a later source names a different class.
            tolerated: keys that the class does not take but that only cause a warning in files; None for all.
        """
        known = list(dict.fromkeys(known))
        chosen = self.origins.get((*at, named_by))
        for key in [key for key in self._mapping(section, at) if key not in known and key not in self.model_keys]:
            origin = self.origins.get((*at, key))
            if chosen is not None and origin is not None and origin.order < chosen.order:
                del section[key]
                continue
            near = nearest(key, known)
            hint = f"did you mean {near}?" if near else f"expected one of {', '.join(known)}."
            message = f"{place_of((*at, key), self.origins)}: unknown key {dotted((*at, key))}"
            if self.undeclared is not None and not (origin is not None and origin.adds):
                reader = f"{self.undeclared}, which declares no config_keys, may read it"
                get_msg_mgr().log_warning(f"{message}; {reader}; otherwise {hint}")
            elif (tolerated is None or key in tolerated) and not (origin is not None and origin.from_command_line):
                get_msg_mgr().log_warning(f"{message}, which {section.get(named_by)} does not take; {hint}")
            else:
                raise ConfigError(f"{message}; {hint}")


def _declared(part: Callable) -> tuple[str, ...]:
    return tuple(getattr(part, "config_keys", ()))


def _keys_of_model(model_cfg: dict[str, Any]) -> tuple[set[str], str | None]:
    """Return the keys that the model's classes declare, and the first dropped-in one that declares none."""
    name = str(model_cfg.get("model"))
    kinds = getattr(registry.models.get(name), "__mro__", ()) if name in registry.models else ()
    keys = {key for kind in kinds for key in vars(kind).get("config_keys", ())}
    undeclared = [kind for kind in kinds if compat.is_dropped_in(kind.__module__) and "config_keys" not in vars(kind)]
    return keys, undeclared[0].__name__ if undeclared else None


def _entries(at: KeyPath, section: Any) -> list[tuple[KeyPath, dict[str, Any]]]:
    """Return the entries of a section that is a mapping or a list of mappings, with their paths."""
    if isinstance(section, dict):
        return [(at, section)]
    if not isinstance(section, list) or not all(isinstance(entry, dict) for entry in section):
        raise ConfigError(f"{dotted(at)} is {section!r}; expected keys below it, or a list of such sections.")
    return [((*at, index), entry) for index, entry in enumerate(section)]
