"""The documentation page of all configuration keys, generated from the tables and the registered classes."""

import inspect
from collections.abc import Callable
from typing import Any

from opengait import registry
from opengait.config import sections
from opengait.config.keys import declared_keys
from opengait.config.load import DEFAULTS
from opengait.config.source import read_yaml
from opengait.utils.typed import argument_kinds

_HEAD = """\
# Configuration reference

<!-- Written by `python -m opengait.config EXTENSION ...`; edit the sources instead. -->

A configuration is a YAML file with the sections below. It is merged over the files that its `base:` names, and these
over `opengait/config/default.yaml`: mappings are merged key by key, any other value is replaced. An unknown key, a key
that is set twice, and a value of the wrong type are errors that name file and line. `--set section.key=value` overrides
a value on the command line; the last one for a key wins.

- A bool is `true` or `false` (or `yes`, `no`, `on`, `off`); text such as `'false'` is an error. Numbers are decimal:
  `010`, `1:30` and `2024-05-01` are text.
- A str, path or name (no slash, at most 200 bytes) is taken as it is written, even if it looks like a number, a date or
  `no`. On the command line that includes ` #`, `: ` and brackets; quotes around a whole value are removed.
- `base:` takes a path or a list of paths, relative to the file; later ones override earlier ones. A file that several
  of them build on is merged once, below them all.
- List entries that have a `log_prefix` or a `type`, such as losses and transforms, can be changed by name:
  `loss_cfg: {mask: {loss_term_weight: 0.5}, smoothness: null}` changes one entry and removes another.
- Counts of iterations may be given in epochs, such as `total_iter: 200 epochs`; `trainer_cfg.steps_per_epoch` is the
  length of an epoch. A number in `scheduler_cfg` may be given in epochs too.
- Arguments inherited for a class that has since been replaced are dropped.
- A class may declare additional keys in its `config_keys`, a tuple, or a dict that names their types (`"positive int"`,
  `"list of 2 float or null"`): a dataset reader for `data_cfg`, a sampler for `sampler`, and a model for every section.
  The arguments of a class have the types of their annotations. With a model file written for OpenGait, which declares
  none, unknown keys only cause a warning.
"""
# Sections, their tables, and the paths of their defaults.
_TABLES: tuple[tuple[str, dict[str, sections.Key], tuple[str, ...]], ...] = (
    ("Top level", sections.SECTIONS, ()),
    ("data_cfg", sections.DATA, ("data_cfg",)),
    ("trainer_cfg", sections.TRAINER, ("trainer_cfg",)),
    ("trainer_cfg.early_stop", sections.EARLY_STOP, ("trainer_cfg", "early_stop")),
    ("evaluator_cfg", sections.EVALUATOR, ("evaluator_cfg",)),
    ("trainer_cfg.sampler", sections.SAMPLER, ("trainer_cfg", "sampler")),
    ("evaluator_cfg.sampler", sections.SAMPLER, ("evaluator_cfg", "sampler")),
    ("transform", sections.TRANSFORM, ("transform",)),
    ("loss_cfg", sections.LOSS, ("loss_cfg",)),
    ("loss_cfg.weight_schedule", sections.WEIGHT_SCHEDULE, ("loss_cfg", "weight_schedule")),
    ("optimizer_cfg", sections.OPTIMIZER, ("optimizer_cfg",)),
    ("scheduler_cfg", sections.SCHEDULER, ("scheduler_cfg",)),
    ("critic_cfg", sections.CRITIC, ("critic_cfg",)),
)
# Headings, the parts, and the number of leading arguments that do not come from the configuration.
_PARTS = (
    ("Dataset readers: `data_cfg.reader`", registry.datasets, 2),
    ("Samplers: `sampler.type`", registry.samplers, 1),
    ("Transforms: `transform.type`", registry.transforms, 0),
    ("Losses: `loss_cfg.type`", registry.losses, 0),
    ("Evaluators: `evaluator_cfg.eval_func`", registry.evaluators, 2),
)
# Base classes and helpers beside the parts.
_NOT_NAMED = ("read_partition", "Draw", "TrainingSampler", "get_transform", "BaseLoss")


def reference() -> str:
    """Return the page as Markdown, including the classes of loaded extensions."""
    defaults = read_yaml(DEFAULTS)[0]
    lines = [_HEAD]
    for name, keys, path in _TABLES:
        lines += [f"## {name if name == 'Top level' else f'`{name}`'}", ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        section = _at(defaults, path)
        lines += [_row(key, entry, section) for key, entry in keys.items()]
        lines.append("")
    for heading, parts, leading in _PARTS:
        lines += [f"## {heading}", "", "| name | keys and defaults | |", "|---|---|---|"]
        lines += [_part(name, parts.get(name), leading) for name in parts.names() if name not in _NOT_NAMED]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _at(config: Any, path: tuple[str, ...]) -> dict[str, Any]:
    for key in path:
        config = config.get(key) or {}
    return config


def _row(name: str, key: sections.Key, defaults: dict[str, Any]) -> str:
    value = defaults.get(name)
    shown = f"`{_yaml(value)}`" if name in defaults and not isinstance(value, dict) and not _holds_dicts(value) else ""
    return f"| `{name}` | {key.type} | {shown} | {key.meaning} |"


def _holds_dicts(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(entry, dict) for entry in value)


def _yaml(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return str(value)


def _part(name: str, part: Callable, leading: int) -> str:
    parameters = list(inspect.signature(part).parameters.values())[leading:]
    named = [parameter for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    kinds = argument_kinds(part) | declared_keys(part)
    keys = [_argument(parameter, kinds.get(parameter.name, "any")) for parameter in named]
    keys += [f"`{key}` ({kind})" for key, kind in declared_keys(part).items()]
    summary = (inspect.getdoc(part) or "").partition("\n\n")[0].replace("\n", " ").replace("|", r"\|")
    return f"| `{name}` | {', '.join(keys)} | {summary} |"


def _argument(parameter: inspect.Parameter, kind: str) -> str:
    if parameter.default is parameter.empty or parameter.default is None:
        return f"`{parameter.name}` ({kind})"
    return f"`{parameter.name}: {_yaml(parameter.default)}`"
