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
from opengait.errors import ConfigError, DataError
from opengait.modeling.base_model import BaseModel, output_path
from opengait.utils import get_msg_mgr
from opengait.utils.files import write_text

FILE = Path("opengait") / "modeling" / "models" / "opengait_ext_plug.py"
# OpenGait may have a model of the same name, and a user's files ask for that one.
PREFIX = "Ext"
MARK = "Added by scripts/plug_into_opengait.py"
PROJECT = Path(__file__).resolve().parents[2]

TEXT = f'''"""{MARK} of {{project}}; remove it with the same script and --remove."""

import sys

PROJECT = {{path!r}}
if PROJECT not in sys.path:
    # Behind everything else: the project's folder must not hide a module of this checkout.
    sys.path.append(PROJECT)

from opengait_ext.upstream import plugged_models  # noqa: E402

globals().update(plugged_models())
'''


def install(checkout: Path) -> Path:
    """Write the plug into a checkout; the file's path. Doing so twice changes nothing.

    Raises:
        DataError: a file of that name is there that is not ours.
    """
    file = checkout / FILE
    if file.exists() and MARK not in file.read_text(encoding="utf-8"):
        raise DataError(f"{file} is there already and was not made by this script; move it away.")
    write_text(file, TEXT.format(project=PROJECT.name, path=str(PROJECT)))
    return file


def remove(checkout: Path) -> Path | None:
    """Take the plug out of a checkout again; the path that is gone, or None if there was none.

    Raises:
        DataError: the file of that name is not ours.
    """
    file = checkout / FILE
    if not file.exists():
        return None
    if MARK not in file.read_text(encoding="utf-8"):
        raise DataError(f"{file} was not made by this script, so it stays; remove it yourself if you mean it.")
    file.unlink()
    return file


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
