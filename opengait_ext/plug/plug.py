"""Installation of the plug, a single file that offers this project's models in a checkout of OpenGait.

OpenGait has no plug-in hook, but it imports every file of `opengait/modeling/models` and offers the classes in them by
name. Its `main.py` needs little of such a class: `Model(cfgs, training)`, `fix_BN`, and the static `run_train` and
`run_test`. This project's models provide these, with their own data loading, losses and evaluation, so the rest of the
checkout needs no change. OpenGait still reads the YAML file, starts the processes, synchronises batch norms, wraps the
model in DDP, and decides where logs and checkpoints are and how they are named.
"""

import logging
from pathlib import Path

import torch

from opengait import distributed, registry
from opengait.engine.run_folder import output_path
from opengait.engine.sync_batchnorm import convert_sync_batchnorm
from opengait.errors import ConfigError, DataError
from opengait.modeling.base_model import BaseModel
from opengait.shipped import PACKAGES
from opengait.utils.files import write_text
from opengait.utils.messages import get_msg_mgr

FILE = Path("opengait") / "modeling" / "models" / "opengait_ext_plug.py"
# Keeps apart models of the same name in OpenGait.
PREFIX = "Ext"
MARK = "Added by vvi plug"
# Folder of the rewritten configurations, and the start of their first line.
CONFIGS = Path("configs") / "opengait_ext"
CONFIG_MARK = "# Made by vvi plug"
# Earlier versions named this command instead of `vvi plug`; what they installed can still be replaced and removed.
FORMER_COMMAND = "scripts/plug_into_opengait.py"

# Plain Python for old versions, because it runs in the environment of the checkout.
TEXT = f'''"""{MARK} of {{project}}; remove it with vvi plug --remove."""

import sys

PROJECT = {{path!r}}
MODELS = {{models!r}}


def plugged():
    if sys.version_info < (3, 11):
        raise ImportError("it needs Python 3.11 or newer, and this is %d.%d" % sys.version_info[:2])
    if PROJECT not in sys.path:
        # Last, so that the project's folder hides no module of this checkout.
        sys.path.append(PROJECT)
    from opengait_ext.plug import plugged_models

    return plugged_models()


def absent(name, error):
    def start(self, cfgs, training):
        reason = "%s of %s cannot be used here: %s: %s" % (name, PROJECT, type(error).__name__, error)
        raise ImportError(reason) from error

    return type(name, (), {{{{"__init__": start}}}})


try:
    globals().update(plugged())
except Exception as trouble:
    # An error here must not break the checkout's own models, which are imported after this file.
    globals().update({{{{name: absent(name, trouble) for name in MODELS}}}})
'''


def install(checkout: Path) -> Path:
    """Write the plug into a checkout, replacing an earlier one, and return its path.

    Raises:
        DataError: the checkout has another file of that name.
    """
    file = checkout / FILE
    if file.exists() and not _has_mark(file, MARK):
        raise DataError(f"{file} already exists and was not made by vvi plug; move it away.")
    models = sorted(PREFIX + name for name in _project_models())
    write_text(file, TEXT.format(project=PACKAGES.name, path=str(PACKAGES), models=models))
    return file


def remove(checkout: Path) -> list[Path]:
    """Remove the plug and the rewritten configurations from a checkout, and return the removed files.

    Raises:
        DataError: the checkout has another file of the plug's name.
    """
    file = checkout / FILE
    if file.exists() and not _has_mark(file, MARK):
        raise DataError(f"{file} was not made by vvi plug and stays; remove it yourself if it is not needed.")
    removed = [file] if file.exists() else []
    removed += [config for config in sorted((checkout / CONFIGS).glob("*.yaml")) if _has_mark(config, CONFIG_MARK)]
    for path in [*removed, *file.parent.glob(f"__pycache__/{FILE.stem}.*.pyc")]:
        path.unlink()
    if (checkout / CONFIGS).is_dir() and not any((checkout / CONFIGS).iterdir()):
        (checkout / CONFIGS).rmdir()
    return removed


def _has_mark(file: Path, mark: str) -> bool:
    text = file.read_text(encoding="utf-8")
    return mark in text or mark.replace("vvi plug", FORMER_COMMAND) in text


def plugged_models() -> dict[str, type[BaseModel]]:
    """Return this project's models as classes for a checkout of OpenGait, by their name there."""
    return {PREFIX + name: _plugged(model) for name, model in _project_models().items()}


def plugged_name(model: str) -> str:
    """Return the name of one of this project's models inside a checkout.

    Raises:
        ConfigError: the plug does not offer the model.
    """
    models = _project_models()
    if model not in models:
        raise ConfigError(
            f"model_cfg.model is {model!r}, but the plug only offers {', '.join(sorted(models))}; for other models use "
            f"OpenGait's own."
        )
    return PREFIX + model


def _project_models() -> dict[str, type[BaseModel]]:
    """Return the models of `opengait_ext`; those of the engine (GaitSet, ...) already exist in the checkout."""
    import opengait_ext

    opengait_ext.register()
    models = {name: registry.models.get(name) for name in registry.models.names()}
    return {
        name: model
        for name, model in models.items()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__.startswith("opengait_ext")
    }


def _plugged(model: type[BaseModel]) -> type[BaseModel]:
    def start(self: BaseModel, cfgs: dict, training: bool) -> None:
        # In OpenGait, choosing the device is the task of its BaseModel.
        if distributed.device().type == "cuda":
            torch.cuda.set_device(distributed.device())
        _join_log(cfgs, training)
        model.__init__(self, cfgs, training)
        if training and cfgs["trainer_cfg"]["sync_BN"] and distributed.device().type == "cpu":
            # Otherwise OpenGait would next insert torch's synchronised batch norms, which need GPUs.
            convert_sync_batchnorm(self)
            cfgs["trainer_cfg"]["sync_BN"] = False

    return type(PREFIX + model.__name__, (model,), {"__init__": start, "__doc__": model.__doc__})


def _join_log(cfgs: dict, training: bool) -> None:
    """Write to OpenGait's log, whose logger has the same name, and to the run's TensorBoard folder."""
    logger = logging.getLogger("opengait")
    opened, logger.handlers = logger.handlers, []
    if training:
        hint = cfgs["trainer_cfg"]["restore_hint"]
        iteration = hint if isinstance(hint, int) else 0
        get_msg_mgr().init_manager(output_path(cfgs, True), False, cfgs["trainer_cfg"]["log_iter"], iteration)
    else:
        get_msg_mgr().init_logger(output_path(cfgs, False), False)
    logger.handlers = opened or logger.handlers
