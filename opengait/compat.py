"""Model files written for OpenGait, used as they are.

There, `opengait/` itself is on `sys.path`, so model files say `from utils import ...`, `from data.transform import
...`, `from modeling.base_model import BaseModel` or `from ..modules import ...`. Here those names mean the modules of
this package: the *same* module objects, so that there is one registry, one logger and one `BaseModel`.

Files for OpenGait also say `tensor.cuda()` and `device="cuda"`; without a CUDA device both mean the CPU in them.

The names are common ones, and a program may have a `utils` or `data` package of its own. Hence two rules:

- Import statements in the files of a model folder (at the top or inside a function) always mean this package. They are
  resolved by an `__import__` that only those files see, so nothing else notices.
- Elsewhere (`importlib.import_module`, a script beside the engine) a meta-path finder serves the bare names, but only
  where nothing else of that name can be imported.
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
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

import torch

from opengait.errors import ConfigError
from opengait.utils.messages import get_msg_mgr

BARE_NAMES = ("utils", "data", "evaluation", "modeling")
_HERE = Path(__file__).resolve().parent
_MODELS = f"{__package__}.modeling.models"
# Folders that a file written for OpenGait may be dropped into.
_DROP_IN = (_MODELS, f"{__package__}.modeling.losses", f"{__package__}.modeling.backbones")


def _real_name(name: str) -> str | None:
    """`opengait.x.y` for a bare `x.y`, None for any other name."""
    return f"{__package__}.{name}" if name.partition(".")[0] in BARE_NAMES else None


def _import(
    name: str,
    globals: dict | None = None,  # noqa: A002 (the names that `__import__` is called with)
    locals: dict | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """What an import statement in a model file calls."""
    real = _real_name(name) if level == 0 else None
    if real is None:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    module = importlib.import_module(real)
    if fromlist:
        return builtins.__import__(real, globals, locals, fromlist, 0)
    # `import a.b` binds a; `import a.b as c` asks a for b afterwards.
    return module if "." not in name else importlib.import_module(f"{__package__}.{name.partition('.')[0]}")


def _to_cuda(value: Any, *args: Any, **kwargs: Any) -> Any:
    """What `value.cuda(...)` in a model file calls: without a CUDA device everything is where it should be already."""
    if isinstance(value, torch.Tensor | torch.nn.Module) and not torch.cuda.is_available():
        return value
    return value.cuda(*args, **kwargs)


def _place(device: Any) -> Any:
    """What a model file's `.to(device)`, `device=` and `map_location=` are given: the CPU for a CUDA device not there.

    A number is the index of a CUDA device, as `torch` takes it.
    """
    if torch.cuda.is_available():
        return device
    on_cuda = isinstance(device, str | torch.device) and str(device).startswith("cuda")
    return torch.device("cpu") if on_cuda or type(device) is int else device


class _WithoutCuda(ast.NodeTransformer):
    """Turns `value.cuda(...)` into `_to_cuda(value, ...)`, and a named device into `_place(device)`.

    `torch.cuda` and its functions stay.
    """

    def visit_Call(self, node: ast.Call) -> ast.Call:  # noqa: N802 (ast's name)
        self.generic_visit(node)
        for keyword in node.keywords:
            if keyword.arg in ("device", "map_location"):
                keyword.value = self._call(_place, [keyword.value], [], keyword.value)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if method == "to" and node.args and not isinstance(node.args[0], ast.Starred):
            node.args[0] = self._call(_place, [node.args[0]], [], node.args[0])
        if method == "cuda":
            return self._call(_to_cuda, [node.func.value, *node.args], node.keywords, node)
        return node

    @staticmethod
    def _call(function: Callable, args: list[ast.expr], keywords: list[ast.keyword], where: ast.AST) -> ast.Call:
        name = ast.copy_location(ast.Name(function.__name__, ast.Load()), where)
        return ast.copy_location(ast.Call(name, args, keywords), where)


class _ModelFile(SourceFileLoader):
    """Runs a file of a model folder with the import statement and the devices above."""

    def get_code(self, fullname: str) -> CodeType:
        # Always from the source: OpenGait itself may work on the same folder, and must not find this in a cache there.
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        return compile(_WithoutCuda().visit(tree), path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        own = {"__import__": _import, _to_cuda.__name__: _to_cuda, _place.__name__: _place}
        module.__dict__["__builtins__"] = {**vars(builtins), **own}
        super().exec_module(module)


def is_dropped_in(module: str) -> bool:
    """Whether a module, by its full name, is a file of a model folder, or of the engine's for losses and backbones."""
    return any(module.startswith(f"{package}.") for package in _finder.packages)


class _Alias:
    """Hands out an existing module under a second name, leaving the module's own `__spec__` alone."""

    def __init__(self, real: str) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self.real)


class _Finder:
    """Finds files of model folders, and the bare names where nobody else has them."""

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
        return sys.modules.get(top) is not None and sys.modules[top] is sys.modules.get(_real_name(top))

    def _free(self, name: str) -> bool:
        # A plain folder of that name (a namespace package, without a file of its own) does not count as a package.
        spec = PathFinder.find_spec(name)
        return spec is None or spec.origin is None or _HERE in Path(spec.origin).resolve().parents


_finder = _Finder()


def install() -> None:
    """Make model folders and bare names importable; doing so twice changes nothing."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


class SkippedFiles:
    """Classes of files that could not be imported here, with the reason, for whoever asks for one by name."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def add(self, file: Path, error: Exception) -> None:
        """Remember the classes that `file` (or a package's `__init__.py`) would have defined, and log one line."""
        lack = _what_failed(error, file.parent)
        get_msg_mgr().log_info(f"Skipped model file {file.name}: {lack}.")
        source = file / "__init__.py" if file.is_dir() else file
        # Not parsed, since a file that is not valid Python is skipped too.
        for name in re.findall(rb"^class\s+(\w+)", source.read_bytes(), re.MULTILINE):
            self._reasons[name.decode()] = f"{file} could not be imported: {lack}"

    def forget(self, name: str) -> None:
        """Another file has the class."""
        self._reasons.pop(name, None)

    def reason(self, name: str) -> str | None:
        """A sentence on why the class `name` is missing, if it was in a skipped file."""
        if name not in self._reasons:
            return None
        return f"Model {name} is not available, because {self._reasons[name]}. Install it, or fix that."

    def explain(self, name: str) -> None:
        """Raise why the class `name` is missing, if it was in a skipped file.

        Raises:
            ConfigError: names the file and what it lacks.
        """
        if (reason := self.reason(name)) is not None:
            raise ConfigError(reason)


def _what_failed(error: Exception, folder: Path) -> str:
    """In a few words, without a full stop; of errors of any kind also the line of the folder's file."""
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
    place = f"{Path(inside[-1].filename).name}, line {inside[-1].lineno}: " if inside else ""
    words = str(error).partition("\n")[0].rstrip(".")
    return f"{place}{type(error).__name__}: {words}"


skipped = SkippedFiles()


class ModelFolder(SimpleNamespace):
    """Classes of a model folder as attributes; asking for one whose file was skipped tells why."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(skipped.reason(name) or f"The model folder has no class {name!r}.")


def model_files(folder: Path) -> dict[str, Path]:
    """Module names and files (or packages with an `__init__.py`) directly in `folder`, in case-sensitive name order."""
    found = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.suffix == ".py" and entry.stem != "__init__":
            found[entry.stem] = entry
        elif entry.is_dir() and (entry / "__init__.py").is_file():
            found[entry.name] = entry
    return found


def import_classes(package: str, folder: Path) -> dict[str, type]:
    """Import every file and package directly in the package `package` at `folder`; collect the classes they hold.

    Classes that a file imported from elsewhere count too, and the last one of a name wins, as in OpenGait; a class that
    replaces one of another file is logged. A file that cannot be imported is skipped with a line, and asking for one of
    its classes then tells why (`skipped`).
    """
    install()
    classes: dict[str, type] = {}
    for name, file in model_files(folder).items():
        try:
            module = importlib.import_module(f"{package}.{name}")
        except Exception as error:  # noqa: BLE001 (whatever is wrong with one file, the others are wanted)
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
    """The classes of a folder of model files written for OpenGait, as attributes.

    The folder is imported as a package beside `opengait.modeling.models`, so `from ..base_model import BaseModel`,
    `from . import helper` and packages of helpers in the folder work as they do there.

    Raises:
        ConfigError: there is no such folder, or it holds no Python file.
    """
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir() or not model_files(folder):
        raise ConfigError(f"{path} is not a folder with model files (*.py).")
    package = f"{_MODELS}_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    if package not in sys.modules:
        spec = ModuleSpec(package, None, is_package=True)
        spec.submodule_search_locations.append(str(folder))
        module = importlib.util.module_from_spec(spec)
        sys.modules[package] = module
        _finder.packages.append(package)
    return ModelFolder(**import_classes(package, folder))
