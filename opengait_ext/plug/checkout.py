"""Inspection of a checkout of OpenGait for the plug. Its files are parsed, never run."""

import ast
import subprocess
from dataclasses import dataclass
from pathlib import Path

from opengait.errors import DataError
from opengait_ext.plug.requirements import missing_packages, needs_gpu, parsed

# The commit whose interface this project follows. Other commits are judged by their content.
KNOWN_COMMIT = "0efafd4"

# Names that its `main.py` must use, and the number of arguments of its `Model(...)` call.
MAIN_CALLS = ("run_train", "run_test", "fix_BN", "convert_sync_batchnorm")
MODEL_ARGUMENTS = 2


@dataclass(frozen=True)
class Checkout:
    """Result of an inspection.

    Attributes:
        root: the folder of the checkout.
        commit: its abbreviated commit, or None if git does not know it.
        problems: one sentence per incompatibility; empty if the plug will work.
        needs_gpu: whether its `main.py` requires a GPU.
        missing_packages: packages that its files import and this environment lacks, as pip names them.
    """

    root: Path
    commit: str | None
    problems: tuple[str, ...]
    needs_gpu: bool
    missing_packages: tuple[str, ...]

    @property
    def version(self) -> str:
        """The version of OpenGait, compared with the one that this project follows."""
        if self.commit is None:
            return f"OpenGait of an unknown commit (this project follows {KNOWN_COMMIT})"
        if self.commit.startswith(KNOWN_COMMIT):
            return f"OpenGait {self.commit}, the commit that this project follows"
        return f"OpenGait {self.commit} (this project follows {KNOWN_COMMIT})"


def inspect_checkout(root: str | Path) -> Checkout:
    """Inspect the parts of OpenGait that the plug depends on.

    The plug needs three things of a checkout: `modeling/models` collects the classes of every file in it, `main.py`
    builds `Model(cfgs, training)` and calls its static `run_train` and `run_test`, and `utils` reads the YAML file.

    Args:
        root: the folder that holds `opengait/main.py`.

    Raises:
        DataError: the folder does not exist, or it is not a checkout of OpenGait.
    """
    root = Path(root).expanduser()
    if not (root / "opengait" / "main.py").is_file():
        raise DataError(f"{root} is not a checkout of OpenGait: it has no opengait/main.py; give its folder.")
    if (root / "opengait_ext").is_dir():
        raise DataError(f"{root} is this project itself; give the folder of a checkout of OpenGait.")
    problems = (*_main_problems(root), *_discovery_problems(root), *_config_problems(root))
    return Checkout(root, _commit(root), problems, needs_gpu(root), tuple(missing_packages(root)))


def _main_problems(root: Path) -> list[str]:
    tree = parsed(root / "opengait" / "main.py")
    if tree is None:
        return ["opengait/main.py is not valid Python."]
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    problems = [f"opengait/main.py never calls {name}." for name in MAIN_CALLS if name not in attributes]
    built = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Model"
    ]
    if built and any(len(call.args) + len(call.keywords) != MODEL_ARGUMENTS for call in built):
        problems.append("opengait/main.py does not build its model by Model(cfgs, training).")
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    if "models" not in imported:
        problems.append("opengait/main.py does not import modeling.models.")
    return problems


def _discovery_problems(root: Path) -> list[str]:
    file = root / "opengait" / "modeling" / "models" / "__init__.py"
    tree = parsed(file)
    if tree is None:
        return ["opengait/modeling/models/__init__.py is missing or not valid Python."]
    calls = {getattr(n.func, "id", getattr(n.func, "attr", "")) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    if not calls & {"import_module", "__import__"}:
        return ["opengait/modeling/models/__init__.py does not import every file of its folder (iter_modules)."]
    return []


def _config_problems(root: Path) -> list[str]:
    if not (root / "configs" / "default.yaml").is_file():
        return ["configs/default.yaml is missing; OpenGait merges every configuration into it."]
    return []


def _commit(root: Path) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--show-toplevel", "--short", "HEAD"],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
    except OSError:
        return None
    lines = result.stdout.splitlines()
    if result.returncode or len(lines) != 2 or Path(lines[0]).resolve() != root.resolve():
        return None
    return lines[1]
