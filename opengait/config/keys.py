"""Which keys a configuration may have, and what to say about the others.

The engine's own sections list their keys here; what a named class reads comes from its signature. An argument that was
inherited for another class than the one now named falls away: naming `solver: AdamW` over a base with SGD drops the
base's `momentum`. `model_cfg` is the model's, and so is a key of any section that the model's file mentions.
"""

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from opengait import compat, registry
from opengait.config.source import KeyPath, Origins, dotted, nearest, place_of
from opengait.data.frame_picker import FRAME_KEYS
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

SECTIONS = (
    "extensions",
    "data_cfg",
    "trainer_cfg",
    "evaluator_cfg",
    "loss_cfg",
    "optimizer_cfg",
    "scheduler_cfg",
    "model_cfg",
)
DATA_KEYS = (
    "reader",
    "dataset_name",
    "dataset_root",
    "dataset_partition",
    "num_workers",
    "cache",
    "test_dataset_name",
    "data_in_use",
    "self_supervised",
    "trust_pickles",
    # carried by OpenGait's files, read by nobody
    "remove_no_gallery",
    "frame_threshold",
    "train_data_preload",
)
TRAINER_KEYS = (
    "output_root",
    "save_name",
    "seed",
    "enable_float16",
    "amp_dtype",
    "sync_BN",
    "fix_BN",
    "find_unused_parameters",
    "steps_per_epoch",
    "total_iter",
    "log_iter",
    "save_iter",
    "with_test",
    "restore_hint",
    "restore_ckpt_strict",
    "optimizer_reset",
    "scheduler_reset",
    "sampler",
    "transform",
    # carried by OpenGait's files, read by nobody
    "T_max_iter",
    "enable_distributed",
    "fix_layers",
    "fix_lr",
)
EVALUATOR_KEYS = (
    "save_name",
    "enable_float16",
    "restore_hint",
    "restore_ckpt_strict",
    "eval_func",
    "metric",
    "cross_view_gallery",
    "rerank",
    "save_features",
    "sampler",
    "transform",
    # carried by OpenGait's older files, read by nobody
    "enable_distributed",
)
SAMPLER_KEYS = ("batch_size", "batch_shuffle", *FRAME_KEYS)
LOSS_KEYS = ("type", "log_prefix", "loss_term_weight", "gather_and_scale")
# Keys of transforms that OpenGait's files carry for classes that do not take them.
TRANSFORM_KEYS = ("type", "img_w", "img_h", "probability", "prob")


def check(config: dict[str, Any], origins: Origins) -> None:
    """Check every key of a merged configuration, in place: arguments inherited for another class are dropped.

    Raises:
        ConfigError: an unknown key in a section of the engine, or a name that stands for nothing.
    """
    _Check(config, origins).run()


class _Check:
    def __init__(self, config: dict[str, Any], origins: Origins) -> None:
        self.config = config
        self.origins = origins

    def run(self) -> None:
        self._top_level()
        data = self.config.get("data_cfg")
        for at, section in [(("data_cfg",), data)] if isinstance(data, dict) else _entries(("data_cfg",), data):
            reader = registry.datasets.get(section.get("reader", "DataSet"))
            self._keys(section, at, DATA_KEYS, "reader", getattr(reader, "config_keys", ()))
        for name, keys in (("trainer_cfg", TRAINER_KEYS), ("evaluator_cfg", EVALUATOR_KEYS)):
            section = self._section(name)
            reads: Iterable[str] = ()
            if name == "evaluator_cfg":
                reads = argument_names(registry.evaluators.get(section.get("eval_func")))[2:]
            self._keys(section, (name,), keys, "eval_func", reads)
            self._sampler(section.get("sampler"), (name, "sampler"))
            self._transform(section.get("transform"), (name, "transform"))
        self._torch("optimizer_cfg", "solver", optimizer_class)
        self._scheduler(self.config.get("scheduler_cfg"), ("scheduler_cfg",))
        losses = self.config.get("loss_cfg") or []
        for at, section in [(("loss_cfg",), losses)] if isinstance(losses, dict) else _entries(("loss_cfg",), losses):
            if "type" in section:
                loss = registry.losses.get(section["type"])
                self._keys(section, at, LOSS_KEYS, "type", argument_names(loss), lenient=True)
        self._section("model_cfg")

    def _top_level(self) -> None:
        for key in list(self.config):
            if key in SECTIONS:
                continue
            near = nearest(key, SECTIONS)
            if near:
                raise ConfigError(f"{self._where((key,))}: unknown section {key!r}; did you mean {near}?")
            # Upstream ignores such keys, and YAML anchors are often kept in one.
            get_msg_mgr().log_warning(f"{self._where((key,))}: nothing reads the section {key!r}.")

    def _section(self, name: str) -> dict[str, Any]:
        section = self.config.setdefault(name, {})
        if not isinstance(section, dict):
            raise ConfigError(f"{self._where((name,))}: {name} is {section!r}; wanted are keys below it.")
        return section

    def _sampler(self, section: Any, at: KeyPath) -> None:
        if not isinstance(section, dict):
            raise ConfigError(f"{self._where(at)}: {dotted(at)} is {section!r}; wanted are keys below it.")
        sampler = registry.samplers.get(section.get("type"))
        reads = [name for name in argument_names(sampler) if name != "dataset"]
        self._keys(section, at, SAMPLER_KEYS, "type", [*reads, *getattr(sampler, "config_keys", ())])

    def _transform(self, section: Any, at: KeyPath) -> None:
        if isinstance(section, list):
            for place, entry in enumerate(section):
                self._transform(entry, (*at, place))
        elif isinstance(section, dict):
            if "type" not in section:
                raise ConfigError(f"{self._where(at)}: {dotted(at)} has no `type`.")
            transform = registry.transforms.get(section["type"])
            self._keys(section, at, TRANSFORM_KEYS, "type", argument_names(transform), lenient=True)
            if isinstance(section.get("trf_cfg"), list):
                self._transform(section["trf_cfg"], (*at, "trf_cfg"))

    def _torch(self, name: str, named_by: str, find: Callable[[str], type]) -> None:
        section = self._section(name)
        if named_by in section:
            reads = [*argument_names(find(section[named_by]))[1:], "groups"]
            self._keys(section, (name,), [named_by], named_by, reads, tolerated=optimizer_arguments())

    def _scheduler(self, section: Any, at: KeyPath) -> None:
        if section is None:
            return
        if not isinstance(section, dict):
            raise ConfigError(f"{self._where(at)}: {dotted(at)} is {section!r}; wanted are keys below it.")
        name = section.get("scheduler")
        if name is None:
            return
        reads = [argument for argument in argument_names(scheduler_class(name)) if argument != "optimizer"]
        # Only the whole schedule counts epochs, not one of several.
        engine_keys = ["scheduler", "steps_per_epoch"] if len(at) == 1 else ["scheduler"]
        self._keys(section, at, engine_keys, "scheduler", reads, tolerated=scheduler_arguments())
        if name in COMPOSITES and isinstance(section.get("schedulers"), list):
            for place, part in enumerate(section["schedulers"]):
                self._scheduler(part, (*at, "schedulers", place))

    def _keys(
        self,
        section: Any,
        at: KeyPath,
        engine_keys: Iterable[str],
        named_by: str,
        reads: Iterable[str],
        lenient: bool = False,
        tolerated: Collection[str] = (),
    ) -> None:
        """Compare a section's keys with the engine's own and with what the class under `named_by` reads.

        A key that is neither is an error, or a warning if it is in `tolerated` or the section is `lenient`.
        """
        if not isinstance(section, dict):
            raise ConfigError(f"{self._where(at)}: {dotted(at)} is {section!r}; wanted are keys below it.")
        known = list(dict.fromkeys([*engine_keys, *reads]))
        chosen = self.origins.get((*at, named_by))
        for key in [key for key in section if key not in known]:
            written = self.origins.get((*at, key))
            if chosen is not None and written is not None and written.order < chosen.order:
                del section[key]
                continue
            if str(key) in self._mentioned:
                continue
            message = f"{self._where((*at, key))}: unknown key {dotted((*at, key))}"
            near = nearest(str(key), known)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}."
            if (written is not None and written.from_command_line) or not (lenient or key in tolerated):
                raise ConfigError(f"{message}; {hint}")
            get_msg_mgr().log_warning(f"{message}, which {section.get(named_by)} does not take; {hint}")

    @cached_property
    def _mentioned(self) -> set[str]:
        """Names that the file of a dropped-in model quotes: OpenGait's models read keys of their own in any section."""
        section = self.config.get("model_cfg")
        name = section.get("model") if isinstance(section, dict) else None
        found: set[str] = set()
        if name in registry.models:
            for kind in inspect.getmro(registry.models.get(name)):
                if compat.is_dropped_in(kind.__module__):
                    text = Path(sys.modules[kind.__module__].__file__).read_text(encoding="utf-8")
                    found.update(re.findall(r"""["'](\w+)["']""", text))
        return found

    def _where(self, at: KeyPath) -> str:
        return place_of(at, self.origins)


def _entries(at: KeyPath, section: Any) -> list[tuple[KeyPath, Any]]:
    if not isinstance(section, list) or not all(isinstance(entry, dict) for entry in section):
        raise ConfigError(f"{dotted(at)} is {section!r}; wanted is a dict of keys, or a list of such dicts.")
    return [((*at, place), entry) for place, entry in enumerate(section)]
