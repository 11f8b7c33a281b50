"""The one file that a checkout of OpenGait gets, and what it brings in.

OpenGait has no plug-in hook, but it imports every file of `opengait/modeling/models` and offers the classes that it
finds there by name. Its `main.py` asks little of such a class: `Model(cfgs, training)`, `fix_BN`, and the static
`run_train` and `run_test`. This project's models bring these with them, data loading, losses and evaluation included,
so nothing else of the checkout has to know them. What OpenGait does itself stays its own: reading the YAML file,
starting the processes, synchronising batch norms, wrapping in DDP, the log's and the checkpoints' places and names.
"""

import logging
from pathlib import Path

import torch

from opengait import distributed, registry
from opengait.engine.run_folder import output_path
from opengait.engine.sync_batchnorm import convert_sync_batchnorm
from opengait.errors import ConfigError, DataError
from opengait.modeling.base_model import BaseModel
from opengait.utils.files import write_text
from opengait.utils.messages import get_msg_mgr

FILE = Path("opengait") / "modeling" / "models" / "opengait_ext_plug.py"
# OpenGait may have a model of the same name, and a user's files ask for that one.
PREFIX = "Ext"
MARK = "Added by scripts/plug_into_opengait.py"
# Where rewritten configurations go, and what their first line says.
CONFIGS = Path("configs") / "opengait_ext"
CONFIG_MARK = "# Made by scripts/plug_into_opengait.py"
PROJECT = Path(__file__).resolve().parents[2]

# Runs in whatever environment the checkout has, so it is plain Python that old versions read.
TEXT = f'''"""{MARK} of {{project}}; remove it with the same script and --remove."""

import sys

PROJECT = {{path!r}}
MODELS = {{models!r}}


def plugged():
    if sys.version_info < (3, 11):
        raise ImportError("it needs Python 3.11 or newer, and this is %d.%d" % sys.version_info[:2])
    if PROJECT not in sys.path:
        # Behind everything else: the project's folder must not hide a module of this checkout.
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
    # This file is imported before the checkout's own models are, and they must not suffer.
    globals().update({{{{name: absent(name, trouble) for name in MODELS}}}})
'''


def install(checkout: Path) -> Path:
    """Write the plug into a checkout; the file's path. Doing so twice changes nothing.

    Raises:
        DataError: a file of that name is there that is not ours.
    """
    file = checkout / FILE
    if file.exists() and MARK not in file.read_text(encoding="utf-8"):
        raise DataError(f"{file} is there already and was not made by this script; move it away.")
    models = sorted(map(plugged_name, _own_models()))
    write_text(file, TEXT.format(project=PROJECT.name, path=str(PROJECT), models=models))
    return file


def remove(checkout: Path) -> list[Path]:
    """Take the plug and the rewritten configurations out of a checkout again; the files that are gone.

    Raises:
        DataError: the file of the plug's name is not ours.
    """
    file = checkout / FILE
    if file.exists() and MARK not in file.read_text(encoding="utf-8"):
        raise DataError(f"{file} was not made by this script, so it stays; remove it yourself if you mean it.")
    gone = [file] if file.exists() else []
    gone += [made for made in sorted((checkout / CONFIGS).glob("*.yaml")) if CONFIG_MARK in made.read_text("utf-8")]
    for path in [*gone, *file.parent.glob(f"__pycache__/{FILE.stem}.*.pyc")]:
        path.unlink()
    if (checkout / CONFIGS).is_dir() and not any((checkout / CONFIGS).iterdir()):
        (checkout / CONFIGS).rmdir()
    return gone


def plugged_models() -> dict[str, type[BaseModel]]:
    """This project's models as a checkout of OpenGait offers them, by name."""
    import opengait_ext

    opengait_ext.register()
    return {plugged_name(name): _plugged(registry.models.get(name)) for name in _own_models()}


def plugged_name(model: str) -> str:
    """The name of one of this project's models inside a checkout.

    Raises:
        ConfigError: it is no model of this project's extension.
    """
    if model not in _own_models():
        raise ConfigError(
            f"model_cfg.model is {model!r}; the plug offers {', '.join(sorted(_own_models()))}, and OpenGait has its "
            f"own models for everything else."
        )
    return PREFIX + model


def _own_models() -> list[str]:
    """Models of `opengait_ext`; the engine's own (GaitSet and the like) exist in the checkout."""
    import opengait_ext

    opengait_ext.register()
    return [name for name in registry.models.names() if registry.models.get(name).__module__.startswith("opengait_ext")]


def _plugged(model: type[BaseModel]) -> type[BaseModel]:
    def start(self: BaseModel, cfgs: dict, training: bool) -> None:
        # OpenGait leaves the choice of the device to its BaseModel.
        if torch.cuda.is_available():
            torch.cuda.set_device(distributed.device())
        _join_log(cfgs, training)
        model.__init__(self, cfgs, training)
        if training and cfgs["trainer_cfg"]["sync_BN"] and not torch.cuda.is_available():
            # OpenGait puts in torch's synchronised batch norms next, which work on GPUs only.
            convert_sync_batchnorm(self)
            cfgs["trainer_cfg"]["sync_BN"] = False

    return type(PREFIX + model.__name__, (model,), {"__init__": start, "__doc__": model.__doc__})


def _join_log(cfgs: dict, training: bool) -> None:
    """Write to OpenGait's log, whose logger has the same name, and to the TensorBoard folder of the run."""
    logger = logging.getLogger("opengait")
    opened, logger.handlers = logger.handlers, []
    if training:
        hint = cfgs["trainer_cfg"]["restore_hint"]
        first = hint if isinstance(hint, int) else 0
        get_msg_mgr().init_manager(output_path(cfgs, True), False, cfgs["trainer_cfg"]["log_iter"], first)
    else:
        get_msg_mgr().init_logger(output_path(cfgs, False), False)
    logger.handlers = opened or logger.handlers
