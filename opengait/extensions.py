"""Extensions: packages that register parts, and folders of model files."""

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opengait import compat
from opengait.errors import ConfigError
from opengait.utils.messages import get_msg_mgr


def load_extensions(names: Iterable[str], base_dir: str | Path = ".") -> None:
    """Register the parts of the named extensions with `opengait.registry`.

    Args:
        names: package names, whose `register()` is called, or paths of folders of model files, whose classes become
            attributes of `opengait.modeling.models`; later ones replace earlier ones.
        base_dir: base of relative paths, the folder of the configuration file; the working directory is tried next.
            Packages are looked up on `sys.path`, then in these two folders.

    Raises:
        ConfigError: a package or folder does not exist, or a package has no `register`.
    """
    folders = [Path(base_dir).resolve(), Path.cwd()]
    for name in names:
        if not isinstance(name, str) or not name:
            raise ConfigError(f"extensions: expected a package name or the path of a folder, got {name!r}.")
        if all(part.isidentifier() for part in name.split(".")) and _is_package(name, folders):
            _register(name)
            continue
        folder = _folder(name, folders)
        if folder is None:
            raise ConfigError(
                f"Extension {name!r} is neither an importable package nor a folder "
                f"(searched in {' and '.join(dict.fromkeys(map(str, folders)))})."
            )
        if _registers(folder / "__init__.py"):
            raise ConfigError(
                f"Extension {name!r} is the folder of a package with a register(); write its import name, "
                f"{folder.resolve().name}, which must be installed or lie beside the configuration or in the working "
                "directory."
            )
        _add_models(folder)


def _is_package(name: str, folders: list[Path]) -> bool:
    for folder in [None, *folders]:
        if folder is not None and (folder / name.partition(".")[0] / "__init__.py").is_file():
            sys.path.append(str(folder))
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            spec = None
        if spec is not None and spec.origin is not None:
            return True
    return False


def _register(name: str) -> None:
    try:
        package = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == name.partition(".")[0]:
            raise
        raise ConfigError(f"Extension {name} requires the package {error.name!r}, which is not installed.") from error
    register = getattr(package, "register", None)
    if not inspect.isfunction(register):
        raise ConfigError(
            f"Extension {name} ({package.__file__}) has no function register(), which registers its parts. "
            f"To use a folder of model files, write its path, such as ./{name}."
        )
    register()


def _registers(file: Path) -> bool:
    """Return whether a package defines `register()`, without importing it."""
    if not file.is_file():
        return False
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == "register" for node in tree.body)


def _folder(name: str, folders: list[Path]) -> Path | None:
    path = Path(name).expanduser()
    return next((folder / path for folder in folders if (folder / path).is_dir()), None)


def _is_model(value: Any) -> bool:
    return inspect.isclass(value) and getattr(value, "is_engine_model", False)


def _add_models(folder: Path) -> None:
    from opengait.modeling import models  # imported late, since it imports every model of the engine

    for name, value in vars(compat.load_model_folder(folder)).items():
        former = vars(models).get(name)
        if _is_model(former) and not _is_model(value):
            # A class that a file merely imports, such as BigGait's inner Baseline, does not hide a model.
            continue
        if former is not None and former is not value:
            get_msg_mgr().log_info(f"{name} of {folder} replaces that of {former.__module__}.")
        setattr(models, name, value)
