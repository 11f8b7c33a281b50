"""Rewriting of this project's configurations for OpenGait's own `main.py`."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from opengait.config import config_text, load_config
from opengait.errors import ConfigError
from opengait.shipped import SHIPPED
from opengait_ext.plug.plug import plugged_name
from opengait_ext.plug.signed import PLACE

# Sections that only this project's `main.py` reads.
PROJECT_SECTIONS = ("extensions", "base")


def adapted_config(path: str | Path, overrides: Iterable[str] = ()) -> str:
    """Return the YAML text for a checkout of OpenGait.

    `base:` files and defaults are merged in, since OpenGait merges a single file into its own defaults; the model gets
    its name in the plug; a data folder relative to this project becomes absolute; the run folder is the one of
    OpenGait. Paths of weights stay unchanged, because they are also looked up in this project.

    Args:
        path: a configuration of this project, such as configs/dinogrl/hitsz.yaml.
        overrides: `section.key=value`, as for `--set`.

    Raises:
        ConfigError: the file cannot be used, or the plug does not offer its model.
    """
    cfg = load_config(path, overrides)
    model = cfg["model_cfg"].get("model")
    for section in PROJECT_SECTIONS:
        cfg.pop(section, None)
    cfg["model_cfg"]["model"] = plugged_name(str(model))
    if not isinstance(cfg["data_cfg"], dict):
        raise ConfigError(f"{path} lists several datasets; the plug supports models that train on one.")
    folder = Path(cfg["data_cfg"].get("dataset_root") or "")
    if not folder.is_absolute() and (SHIPPED / folder).is_dir():
        cfg["data_cfg"]["dataset_root"] = str(SHIPPED / folder)
    cfg["trainer_cfg"]["output_root"] = "output"
    head = f"# Made by vvi plug from {Path(path).name}; to change it, copy it or run the command again. {PLACE}\n"
    return (head + config_text(cfg)).encode(errors="replace").decode()


def adapted_configs(paths: Sequence[Path], overrides: Iterable[str] = ()) -> dict[str, str]:
    """Return the texts of `adapted_config` by their file names in a checkout, `<folder>_<file>`.

    Raises:
        ConfigError: a file cannot be used, or two would have the same name.
    """
    texts: dict[str, str] = {}
    for path in paths:
        name = f"{path.absolute().parent.name}_{path.name}"
        if name in texts:
            raise ConfigError(f"{path} and another of --cfgs would both become {name}; adapt one of them at a time.")
        texts[name] = adapted_config(path, overrides)
    return texts
