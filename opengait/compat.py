"""Use of model files written for OpenGait, unchanged.

OpenGait puts `opengait/` itself on `sys.path`, so its model files use `from utils import ...`, `from data.transform
import ...`, `from modeling.base_model import BaseModel` or `from ..modules import ...`. Here these names refer to the
modules of this package: the *same* module objects, so there is one registry, one logger and one `BaseModel`.

These files also use `tensor.cuda()` and `device="cuda"`; in them, both mean the CPU if there is no CUDA device.

The names are common, and a program may have its own `utils` or `data` package. Hence two rules:

- Import statements in the files of a model folder (at the top or inside a function) always refer to this package. An
  `__import__` that only those files see resolves them, so other code is not affected.
- Elsewhere (`importlib.import_module`, a script beside the engine) a meta-path finder serves the bare names, but only
  if nothing else of that name can be imported.
"""

import ast
import builtins
import hashlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

import torch

from opengait import distributed
from opengait.errors import ConfigError
from opengait.utils.messages import get_msg_mgr

BARE_NAMES = ("utils", "data", "evaluation", "modeling")
_HERE = Path(__file__).resolve().parent
_MODELS = f"{__package__}.modeling.models"
# Packages to which users may add files written for OpenGait.
_DROP_IN = (_MODELS, f"{__package__}.modeling.losses", f"{__package__}.modeling.backbones")


def _real_name(name: str) -> str | None:
    """Return `opengait.x.y` for a bare `x.y`, None for any other name."""
    return f"{__package__}.{name}" if name.partition(".")[0] in BARE_NAMES else None


def _import(
    name: str,
    globals: dict[Any, Any] | None = None,  # noqa: A002 (argument names of `__import__`)
    locals: dict[Any, Any] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """Replace `__import__` in model files."""
    real = _real_name(name) if level == 0 else None
    if real is None:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    module = importlib.import_module(real)
    if fromlist:
        return builtins.__import__(real, globals, locals, fromlist, 0)
    # `import a.b` binds a; `import a.b as c` then looks b up in a.
    return module if "." not in name else importlib.import_module(f"{__package__}.{name.partition('.')[0]}")


def _to_cuda(value: Any, *args: Any, **kwargs: Any) -> Any:
    """Replace `value.cuda(...)` in model files; without a CUDA device, tensors and modules stay on the CPU."""
    if isinstance(value, torch.Tensor | torch.nn.Module) and distributed.device().type == "cpu":
        return value
    return value.cuda(*args, **kwargs)


def _existing_device(device: Any) -> Any:
    """Replace the device in `.to(device)`, `device=` and `map_location=` in model files by one that exists.

    A number is the index of a CUDA device, as in `torch`.
    """
    if distributed.device().type == "cuda":
        return device
    on_cuda = isinstance(device, str | torch.device) and str(device).startswith("cuda")
    return torch.device("cpu") if on_cuda or type(device) is int else device


class _WithoutCuda(ast.NodeTransformer):
    """Rewrites `value.cuda(...)` to `_to_cuda(value, ...)`, and a device argument to `_existing_device(device)`.

    `torch.cuda` and its functions are left unchanged.
    """

    def visit_Call(self, node: ast.Call) -> ast.Call:  # noqa: N802 (ast's name)
        self.generic_visit(node)
        for keyword in node.keywords:
            if keyword.arg in ("device", "map_location"):
                keyword.value = self._call(_existing_device, [keyword.value], [], keyword.value)
        function = node.func
        method = function.attr if isinstance(function, ast.Attribute) else ""
        if method == "to" and node.args and not isinstance(node.args[0], ast.Starred):
            node.args[0] = self._call(_existing_device, [node.args[0]], [], node.args[0])
        if isinstance(function, ast.Attribute) and function.attr == "cuda":
            return self._call(_to_cuda, [function.value, *node.args], node.keywords, node)
        return node

    @staticmethod
    def _call(
        function: Callable[..., Any], args: list[ast.expr], keywords: list[ast.keyword], origin: ast.AST
    ) -> ast.Call:
        name = ast.copy_location(ast.Name(function.__name__, ast.Load()), origin)
        return ast.copy_location(ast.Call(name, args, keywords), origin)


class _ModelFile(SourceFileLoader):
    """Loads a file of a model folder with the replaced imports and devices."""

    def get_code(self, fullname: str) -> CodeType:
        # Not cached, since OpenGait itself may use the same folder and must not load the rewritten code.
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        return compile(_WithoutCuda().visit(tree), path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        replaced = {"__import__": _import, _to_cuda.__name__: _to_cuda, _existing_device.__name__: _existing_device}
        module.__dict__["__builtins__"] = {**vars(builtins), **replaced}
        super().exec_module(module)


def is_dropped_in(module: str) -> bool:
    """Return whether a module, given by its full name, is in a model folder or another package for users' files."""
    return any(module.startswith(f"{package}.") for package in _finder.packages)


class _Alias(Loader):
    """Loads an existing module under a second name without changing its `__spec__`."""

    def __init__(self, real: str) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self.real)


class _Finder(MetaPathFinder):
    """Finds files of model folders, and bare names that nothing else provides."""

    def __init__(self) -> None:
        self.packages = list(_DROP_IN)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if is_dropped_in(name):
            spec = PathFinder.find_spec(name, path, target)
            if spec is not None and type(spec.loader) is SourceFileLoader:
                spec.loader = _ModelFile(spec.loader.name, spec.loader.path)
            return spec
        real = _real_name(name)
        if real is None or not (self._parent_is_ours(name) if "." in name else self._free(name)):
            return None
        if importlib.util.find_spec(real) is None:
            return None
        return ModuleSpec(name, _Alias(real), is_package=True)

    def _parent_is_ours(self, name: str) -> bool:
        top = name.partition(".")[0]
        return sys.modules.get(top) is not None and sys.modules[top] is sys.modules.get(f"{__package__}.{top}")

    def _free(self, name: str) -> bool:
        # A plain folder of that name is a namespace package without a file, and does not count.
        spec = PathFinder.find_spec(name)
        return spec is None or spec.origin is None or _HERE in Path(spec.origin).resolve().parents


_finder = _Finder()


def install() -> None:
    """Make model folders and bare names importable; further calls have no effect."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


class SkippedFiles:
    """Classes of files that could not be imported, with the reason."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def add(self, file: Path, error: Exception) -> None:
        """Record the classes that `file` (or a package's `__init__.py`) would have defined, and log the reason."""
        reason = _reason(error, file.parent)
        get_msg_mgr().log_info(f"Skipped model file {file.name}: {reason}.")
        source = file / "__init__.py" if file.is_dir() else file
        # A pattern, since the file may not be valid Python.
        for name in re.findall(rb"^class\s+(\w+)", source.read_bytes(), re.MULTILINE):
            self._reasons[name.decode()] = f"{file} could not be imported: {reason}"

    def forget(self, name: str) -> None:
        """Remove a class that another file provides."""
        self._reasons.pop(name, None)

    def reason(self, name: str) -> str | None:
        """Return a message saying why the class `name` is missing, or None if no skipped file defines it."""
        if name not in self._reasons:
            return None
        return f"Model {name} is not available, because {self._reasons[name]}. Install or fix it."

    def explain(self, name: str) -> None:
        """Raise an error if a skipped file defines the class `name`.

        Raises:
            ConfigError: a skipped file defines it; the message names the file and the reason.
        """
        if (reason := self.reason(name)) is not None:
            raise ConfigError(reason)


def _reason(error: Exception, folder: Path) -> str:
    """Describe an import error in a few words, where possible with file and line."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        if _real_name(error.name) or error.name.partition(".")[0] == __package__:
            return f"the engine has no module {error.name!r}"
        return f"the package {error.name.partition('.')[0]!r} is not installed"
    if isinstance(error, ImportError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or '').name}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if folder in Path(frame.filename).parents]
    line = f"{Path(inside[-1].filename).name}, line {inside[-1].lineno}: " if inside else ""
    message = str(error).partition("\n")[0].rstrip(".")
    return f"{line}{type(error).__name__}: {message}"


skipped = SkippedFiles()


class ModelFolder(SimpleNamespace):
    """Classes of a model folder as attributes; looking up one from a skipped file raises an error with the reason."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(skipped.reason(name) or f"The model folder has no class {name!r}.")


def model_files(folder: Path) -> dict[str, Path]:
    """Return the modules and packages directly in `folder`, by module name, in case-sensitive order."""
    files = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.suffix == ".py" and entry.stem != "__init__":
            files[entry.stem] = entry
        elif entry.is_dir() and (entry / "__init__.py").is_file():
            files[entry.name] = entry
    return files


def import_classes(package: str, folder: Path) -> dict[str, type]:
    """Import the files and packages directly in the package `package` at `folder`, and return their classes by name.

    As in OpenGait, imported classes count too, and the last one of a name wins; replacing a class of another file is
    logged. A file that cannot be imported is skipped with a log line, and looking up one of its classes raises an error
    with the reason (`skipped`).
    """
    install()
    classes: dict[str, type] = {}
    for name, file in model_files(folder).items():
        try:
            module = importlib.import_module(f"{package}.{name}")
        except Exception as error:  # noqa: BLE001 (a broken file must not affect the others)
            skipped.add(file, error)
            continue
        for attribute, value in list(vars(module).items()):
            if not inspect.isclass(value):
                continue
            former = classes.get(attribute)
            if former is not None and former is not value:
                get_msg_mgr().log_info(f"{attribute} of {value.__module__} replaces that of {former.__module__}.")
            classes[attribute] = value
            skipped.forget(attribute)
    return classes


def load_model_folder(path: str | Path) -> ModelFolder:
    """Return the classes of a folder of model files written for OpenGait, as attributes.

    The folder is imported as a package beside `opengait.modeling.models`, so `from ..base_model import BaseModel`,
    `from . import helper` and packages of helpers in the folder work as in OpenGait.

    Raises:
        ConfigError: the folder does not exist or holds no Python file.
    """
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir() or not model_files(folder):
        raise ConfigError(f"{path} is not a folder with model files (*.py).")
    package = f"{_MODELS}_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    if package not in sys.modules:
        spec = ModuleSpec(package, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        module = importlib.util.module_from_spec(spec)
        sys.modules[package] = module
        _finder.packages.append(package)
    return ModelFolder(**import_classes(package, folder))
