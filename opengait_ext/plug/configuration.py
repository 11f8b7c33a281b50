"""A configuration of this project, rewritten so that OpenGait's own `main.py` reads it."""

from collections.abc import Iterable
from pathlib import Path

from opengait.config import config_text, load_config
from opengait.errors import ConfigError
from opengait.shipped import SHIPPED
from opengait_ext.plug.plug import CONFIG_MARK, plugged_name

# Read by this project's `main.py` alone.
OWN_SECTIONS = ("extensions", "base")


def adapted_config(path: str | Path, overrides: Iterable[str] = ()) -> str:
    """The YAML text for a checkout of OpenGait.

    `base:` files and defaults are merged in, since OpenGait reads one file over its own defaults; the model gets the
    name under which the plug offers it; a data folder that is relative to this project becomes absolute; the run
    folder lies where OpenGait has it. Weight files need no change: they are looked for here too.

    Args:
        path: a configuration of this project, such as configs/dinogrl/hitsz.yaml.
        overrides: `section.key=value`, as after `--set`.

    Raises:
        ConfigError: the file cannot be used, or its model is not one that the plug offers.
    """
    cfg = load_config(path, overrides)
    model = cfg["model_cfg"].get("model")
    for section in OWN_SECTIONS:
        cfg.pop(section, None)
    cfg["model_cfg"]["model"] = plugged_name(str(model))
    if not isinstance(cfg["data_cfg"], dict):
        raise ConfigError(f"{path} lists several data sets; the plug offers models that train on one.")
    folder = Path(cfg["data_cfg"].get("dataset_root") or "")
    if not folder.is_absolute() and (SHIPPED / folder).is_dir():
        cfg["data_cfg"]["dataset_root"] = str(SHIPPED / folder)
    cfg["trainer_cfg"]["output_root"] = "output"
    head = f"{CONFIG_MARK} from {Path(path).name}; make it again rather than edit it here.\n"
    return head + config_text(cfg)
