"""Installation of the plug, a single file that offers this project's models in a checkout of OpenGait.

OpenGait has no plug-in hook, but it imports every file of `opengait/modeling/models` and offers the classes in them by
name. Its `main.py` needs little of such a class: `Model(cfgs, training)`, `fix_BN`, and the static `run_train` and
`run_test`. This project's models provide these, with their own data loading, losses and evaluation, so the rest of the
checkout needs no change. OpenGait still reads the YAML file, starts the processes, synchronises batch norms, wraps the
model in DDP, and decides where logs and checkpoints are and how they are named.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import torch

from opengait import distributed, registry
from opengait.engine.run_folder import output_path
from opengait.engine.sync_batchnorm import convert_sync_batchnorm
from opengait.errors import ConfigError
from opengait.modeling.base_model import BaseModel
from opengait.shipped import PACKAGES
from opengait.utils.files import write_text
from opengait.utils.messages import get_msg_mgr
from opengait_ext.plug.signed import PLACE, is_ours, require_ours, sign

FILE = Path("opengait") / "modeling" / "models" / "opengait_ext_plug.py"
# Keeps apart models of the same name in OpenGait.
PREFIX = "Ext"
# Folder of the rewritten configurations.
CONFIGS = Path("configs") / "opengait_ext"

# Plain Python for old versions, because it runs in the environment of the checkout.
TEXT = '''"""Added by vvi plug of {project}; remove it with vvi plug --remove. {place}"""

import os
import sys

PROJECT = {path!r}
MODELS = {models!r}


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
        packages = os.path.join(PROJECT, "requirements.txt")
        if isinstance(error, ImportError) and os.path.exists(packages):
            reason += "; if a package is missing, pip install -r " + packages
        raise ImportError(reason) from error

    return type(name, (), {{"__init__": start}})


try:
    globals().update(plugged())
except Exception as trouble:
    # An error here must not break the checkout's own models, which are imported after this file.
    globals().update({{name: absent(name, trouble) for name in MODELS}})
'''


def install(checkout: Path, configurations: Mapping[str, str] | None = None) -> list[Path]:
    """Write the plug and adapted configurations into a checkout, replacing earlier ones, and return their paths.

    Args:
        checkout: the folder of the checkout.
        configurations: texts of `adapted_config` by file name.

    Raises:
        DataError: the checkout has another file of one of the names, or one that was edited; nothing is written.
    """
    models = sorted(PREFIX + name for name in _project_models())
    project = re.sub(r"[^\w.-]", "_", PACKAGES.name)
    texts = {checkout / FILE: TEXT.format(project=project, place=PLACE, path=str(PACKAGES), models=models)}
    texts |= {checkout / CONFIGS / name: text for name, text in (configurations or {}).items()}
    for file in texts:
        require_ours(file)
    for file, text in texts.items():
        write_text(file, sign(file.name, text))
    return list(texts)


def remove(checkout: Path) -> tuple[list[Path], list[Path]]:
    """Remove the plug and the adapted configurations from a checkout.

    Returns:
        The removed files, and the files beside them that are not the plug's or were edited, which stay.

    Raises:
        DataError: the checkout's file of the plug's name is another, or was edited; nothing is removed.
    """
    file, folder = checkout / FILE, checkout / CONFIGS
    require_ours(file)
    removed = [path for path in (file, *sorted(folder.glob("*.yaml"))) if is_ours(path)]
    for path in [*removed, *file.parent.glob(f"__pycache__/{FILE.stem}.*.pyc")]:
        path.unlink()
    kept = sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
    if folder.is_dir() and not kept:
        folder.rmdir()
    return removed, kept


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
