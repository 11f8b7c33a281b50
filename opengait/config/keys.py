"""Check the keys of a configuration, and the types of their values.

A section has the keys of `opengait.config.sections`, the arguments of the class that it names, and the keys that this
class or the model declares in `config_keys`. Arguments inherited for a class that has since been replaced are dropped:
naming `solver: AdamW` over a base with SGD drops the base's `momentum`. `model_cfg` is left to the model.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from opengait import compat, registry
from opengait.config.resolve import entries_of, resolve_epochs
from opengait.config.sections import (
    CRITIC,
    DATA,
    EARLY_STOP,
    EVALUATOR,
    GROUP,
    ITERATIONS,
    LOSS,
    OPTIMIZER,
    POINTS,
    SAMPLER,
    SCHEDULER,
    SECTIONS,
    TRAINER,
    TRANSFORM,
    WEIGHT_SCHEDULE,
    Key,
)
from opengait.config.source import KeyPath, Origins, dotted, nearest, place_of
from opengait.config.trial import try_parts
from opengait.engine.optim import (
    COMPOSITES,
    optimizer_arguments,
    optimizer_class,
    scheduler_arguments,
    scheduler_class,
)
from opengait.errors import ConfigError
from opengait.utils.messages import get_msg_mgr
from opengait.utils.typed import argument_kinds, shown, typed

# The types of each key; a value must be of all of them.
Types = dict[str, list[str]]
# A schedule counts in positive integers, with these exceptions.
_COUNTS = {"int": f"positive {ITERATIONS}", "int or null": f"positive {ITERATIONS} or null"}
# A folder that would be created: unlike that of data, one named null would not be missed.
_CREATED = (("trainer_cfg", "output_root"),)
_NO_COUNTS = {"last_epoch": "int", "milestones": "list of non-negative int"}


def check_extensions(config: dict[str, Any], origins: Origins) -> None:
    """Check the list of extensions, which is loaded before anything else can be checked.

    Raises:
        ConfigError: it is not a list of names.
    """
    _Check(config, origins).check_types((), {"extensions": [SECTIONS["extensions"].type]})


def check(config: dict[str, Any], origins: Origins) -> None:
    """Check every key of a merged configuration and the type of its value, in place.

    Arguments inherited for a replaced class are removed, epochs become iterations, and values whose meaning is clear
    are converted (`opengait.utils.typed`).

    Raises:
        ConfigError: a section has an unknown key or a value of the wrong type, is not a mapping, or names an unknown
            class.
    """
    _Check(config, origins).run()


class _Check:
    def __init__(self, config: dict[str, Any], origins: Origins) -> None:
        self.config = config
        self.origins = origins
        # The types of the keys of each checked section; a value must satisfy all types of its key.
        self.types: dict[KeyPath, Types] = {}
        # The keys whose values have passed their check.
        self.taken: set[KeyPath] = set()

    def run(self) -> None:
        self._top_level()
        if "model" in self._section("model_cfg"):
            self.check_types(("model_cfg",), {"model": ["str"]})
        self.model_types, self.undeclared = _declared_by_model(self._section("model_cfg"))
        for at, section in self._entries("data_cfg"):
            reader = self._named(section, (*at, "reader"), registry.datasets.get, "DataSet")
            self._keys(section, at, _joined(DATA, declared_keys(reader)), "reader")
        self._keys(self._section("trainer_cfg"), ("trainer_cfg",), _joined(TRAINER))
        if (early_stop := self._section("trainer_cfg").get("early_stop")) is not None:
            self._keys(early_stop, ("trainer_cfg", "early_stop"), _joined(EARLY_STOP))
            self._require(early_stop, ("trainer_cfg", "early_stop"), EARLY_STOP)
        evaluator = self._section("evaluator_cfg")
        arguments = self._arguments(evaluator, ("evaluator_cfg", "eval_func"), registry.evaluators.get, leading=2)
        self._keys(evaluator, ("evaluator_cfg",), _joined(EVALUATOR, arguments), "eval_func")
        for name in ("trainer_cfg", "evaluator_cfg"):
            self._sampler(self.config[name].get("sampler"), (name, "sampler"))
            self._transform(self.config[name].get("transform"), (name, "transform"))
        self._optimizer(self._section("optimizer_cfg"), ("optimizer_cfg",))
        self._scheduler(self.config.get("scheduler_cfg"), ("scheduler_cfg",))
        for at, section in self._entries("critic_cfg") if self.config.get("critic_cfg") else []:
            self._critic(section, at)
        for at, section in self._entries("loss_cfg") if self.config.get("loss_cfg") else []:
            if "type" in section:
                arguments = self._arguments(section, (*at, "type"), registry.losses.get)
                self._keys(section, at, _joined(LOSS, arguments), "type", tolerated=None)
                if section.get("weight_schedule") is not None:
                    self._keys(section["weight_schedule"], (*at, "weight_schedule"), _joined(WEIGHT_SCHEDULE))
        self.check_types(("trainer_cfg",), {"steps_per_epoch": [TRAINER["steps_per_epoch"].type]})
        resolve_epochs(self.config, self.origins)
        for at, types in self.types.items():
            self.check_types(at, types)
        self._refuse_invalid_yaml()
        try_parts(self.config, self.origins, keys_alone=self.undeclared is not None)

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
            raise self._error(at, f"expected keys below it, got {shown(section)}")
        return section

    def _entries(self, name: str) -> list[tuple[KeyPath, dict[str, Any]]]:
        """Return the entries of a section that is a mapping or a list of mappings, with their paths."""
        entries = entries_of(self.config, name) or [((name,), self.config.get(name))]
        return [(at, self._mapping(entry, at)) for at, entry in entries]

    def _named(self, section: dict[str, Any], at: KeyPath, get: Callable[[str], Any], default: str = "") -> Any:
        """Return the class or function that a key of a section names, with `get`."""
        if at[-1] not in section and not default:
            raise ConfigError(f"{place_of(at, self.origins)}: {dotted(at[:-1])} has no `{at[-1]}`.")
        name = self._typed(section.get(str(at[-1]), default), at, "str")
        try:
            return get(name)
        except ConfigError as error:
            raise self._error(at, str(error).removeprefix(f"{dotted(at)}: ").removesuffix(".")) from error

    def _arguments(self, section: dict[str, Any], at: KeyPath, get: Callable, leading: int = 0) -> dict[str, str]:
        """Return the arguments of the class that a key names, without the first ones, with their types."""
        return dict(list(argument_kinds(self._named(section, at, get)).items())[leading:])

    def _sampler(self, section: Any, at: KeyPath) -> None:
        sampler = self._named(self._mapping(section, at), (*at, "type"), registry.samplers.get)
        arguments = {name: kind for name, kind in argument_kinds(sampler).items() if name != "dataset"}
        self._keys(section, at, _joined(SAMPLER, arguments, declared_keys(sampler)), "type")
        if isinstance(section.get("points_in_use"), dict):
            self._keys(section["points_in_use"], (*at, "points_in_use"), _joined(POINTS), tolerated=None)

    def _transform(self, section: Any, at: KeyPath) -> None:
        if isinstance(section, list):
            for index, entry in enumerate(section):
                self._transform(entry, (*at, index))
        elif section is not None:
            arguments = self._arguments(self._mapping(section, at), (*at, "type"), registry.transforms.get)
            self._keys(section, at, _joined(TRANSFORM, arguments), "type", tolerated=None)
            if isinstance(section.get("trf_cfg"), list):
                self._transform(section["trf_cfg"], (*at, "trf_cfg"))

    def _optimizer(self, section: dict[str, Any], at: KeyPath) -> None:
        if "solver" not in section:
            return
        arguments = self._arguments(section, (*at, "solver"), optimizer_class, leading=1)
        self._keys(section, at, _joined(OPTIMIZER, arguments), "solver", optimizer_arguments())
        groups = section.get("groups")
        for index, group in enumerate(groups if isinstance(groups, list) else []):
            place = (*at, "groups", index)
            if "match" not in self._mapping(group, place):
                raise self._error(place, "expected `match`, a part of the parameters' names")
            self._keys(group, place, _joined(GROUP, arguments))

    def _critic(self, section: dict[str, Any], at: KeyPath) -> None:
        self._keys(section, at, _joined(CRITIC))
        self._require(section, at, ("module", "optimizer_cfg"))
        self._optimizer(self._mapping(section["optimizer_cfg"], (*at, "optimizer_cfg")), (*at, "optimizer_cfg"))
        self._scheduler(section.get("scheduler_cfg"), (*at, "scheduler_cfg"))

    def _scheduler(self, section: Any, at: KeyPath) -> None:
        if section is None or "scheduler" not in self._mapping(section, at):
            return
        arguments = self._arguments(section, (*at, "scheduler"), scheduler_class)
        del arguments["optimizer"]
        types = {name: _NO_COUNTS.get(name) or _COUNTS.get(kind, kind) for name, kind in arguments.items()}
        # Only the whole schedule can count epochs, not one of its parts.
        keys = SCHEDULER if at[-1] == "scheduler_cfg" else {"scheduler": SCHEDULER["scheduler"]}
        self._keys(section, at, _joined(keys, types), "scheduler", scheduler_arguments())
        if section["scheduler"] in COMPOSITES and isinstance(section.get("schedulers"), list):
            for index, part in enumerate(section["schedulers"]):
                self._scheduler(part, (*at, "schedulers", index))

    def _require(self, section: dict[str, Any], at: KeyPath, keys: Iterable[str]) -> None:
        for key in keys:
            if key not in section:
                raise self._error(at, f"expected `{key}`")

    def _keys(
        self,
        section: dict[str, Any],
        at: KeyPath,
        known: Types,
        named_by: str = "",
        tolerated: Collection[str] | None = (),
    ) -> None:
        """Check the keys of one section, and keep the types of their values for later.

        Args:
            known: legal keys and their types.
            named_by: key that names a class; other keys are dropped if a later source names a different class.
            tolerated: keys that the class does not take but that only cause a warning in files; None for all.
        """
        chosen = self.origins.get((*at, named_by))
        for key in [key for key in self._mapping(section, at) if key not in known and key not in self.model_types]:
            origin = self.origins.get((*at, key))
            if chosen is not None and origin is not None and origin.order < chosen.order:
                del section[key]
                continue
            near = nearest(key, known)
            command = " ".join(["python -m opengait.config", *(self.config.get("extensions") or [])])
            hint = f"did you mean {near}?" if near else f"`{command}` lists the keys."
            message = f"{place_of((*at, key), self.origins)}: unknown key {dotted((*at, key))}"
            if self.undeclared is not None and not (origin is not None and origin.adds):
                reader = f"{self.undeclared}, which declares no config_keys, may read it"
                get_msg_mgr().log_warning(f"{message}; {reader}; otherwise {hint}")
            elif (tolerated is None or key in tolerated) and not (origin is not None and origin.from_command_line):
                get_msg_mgr().log_warning(f"{message}, which {section.get(named_by)} does not take; {hint}")
            else:
                raise ConfigError(f"{message}; {hint}")
        self.types[at] = {**self.model_types, **known}

    def check_types(self, at: KeyPath, types: Types) -> None:
        """Check the values of the section at a path, and convert them in place."""
        section = self._at(at)
        for key in section:
            for kind in types.get(key, ()):
                section[key] = self._typed(section[key], (*at, key), kind)

    def _at(self, at: KeyPath) -> Any:
        section: Any = self.config
        for key in at:
            section = section[key]
        return section

    def _typed(self, value: Any, at: KeyPath, kind: str) -> Any:
        def written(below: tuple[int, ...]) -> str | None:
            origin = self.origins.get((*at, *below))
            # On the command line, null may be a name.
            is_null = value is None and (at in _CREATED or not (origin is not None and origin.from_command_line))
            return None if origin is None or is_null else origin.text

        try:
            value = typed(value, kind, written)
        except ValueError as error:
            raise self._error(at, str(error)) from error
        self.taken.add(at)
        return value

    def _refuse_invalid_yaml(self, at: KeyPath = ()) -> None:
        """Refuse text of the command line that is not valid YAML, except where a key of type text has taken it."""
        for path, origin in self.origins.items():
            if origin.problem is not None and path not in self.taken and path[: len(at)] == at:
                raise ConfigError(f"{origin}: {origin.text!r} is not a YAML value: {origin.problem}.")

    def _error(self, at: KeyPath, problem: str) -> ConfigError:
        self._refuse_invalid_yaml(at)
        source = place_of(at, self.origins)
        key = "" if source == f"--set {dotted(at)}" else f"{dotted(at)}: "
        return ConfigError(f"{source}: {key}{problem}.")


def _joined(*sources: Mapping[str, Key | str]) -> Types:
    """Return the types of the keys of tables, arguments and declarations."""
    types: Types = {}
    for source in sources:
        for name, kind in source.items():
            types.setdefault(name, []).append(kind if isinstance(kind, str) else kind.type)
    return types


def declared_keys(part: Any) -> dict[str, str]:
    """Return the `config_keys` of a class, inherited ones too, with their types; without a type they are "any"."""
    keys = getattr(part, "config_keys", ())
    return dict(keys) if isinstance(keys, Mapping) else dict.fromkeys(keys, "any")


def _own_keys(kind: type) -> dict[str, str]:
    return declared_keys(kind) if "config_keys" in vars(kind) else {}


def _declared_by_model(model_cfg: dict[str, Any]) -> tuple[Types, str | None]:
    """Return the keys that the model's classes declare, and the first dropped-in one that declares none."""
    name = model_cfg.get("model", "")
    kinds = getattr(registry.models.get(name), "__mro__", ()) if name in registry.models else ()
    undeclared = [kind for kind in kinds if compat.is_dropped_in(kind.__module__) and "config_keys" not in vars(kind)]
    return _joined(*map(_own_keys, kinds)), undeclared[0].__name__ if undeclared else None
