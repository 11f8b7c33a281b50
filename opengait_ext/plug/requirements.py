"""What a checkout of OpenGait needs by itself: packages, and a GPU. Its files are parsed, never run."""

import ast
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

# Packages whose name for pip differs from that of the module.
PACKAGES = {
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "mpl_toolkits": "matplotlib",
    "torch_geometric": "torch-geometric",
    "pytorch_lightning": "pytorch-lightning",
}


def parsed(file: Path) -> ast.Module | None:
    """Return the syntax tree of a Python file, or None if it cannot be read or is not valid Python."""
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def missing_packages(root: Path) -> list[str]:
    """Return the names, for pip, of the packages that the checkout at `root` imports and this environment lacks."""
    code = root / "opengait"
    local_modules = {file.stem for file in (*code.glob("*"), *code.glob("*/*.py"))}
    modules = {name for file in sorted(code.rglob("*.py")) for name in _imports(file)}
    missing = [name for name in modules - local_modules - set(sys.stdlib_module_names) if not _is_installed(name)]
    return sorted(PACKAGES.get(name, name) for name in missing)


def needs_gpu(root: Path) -> bool:
    """Return whether `main.py` of the checkout starts its processes with NCCL."""
    tree = parsed(root / "opengait" / "main.py")
    return tree is not None and any(isinstance(node, ast.Constant) and node.value == "nccl" for node in ast.walk(tree))


def _imports(file: Path) -> Iterator[str]:
    """Yield the top-level names of the modules that a file imports."""
    tree = parsed(file)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # such as __main__
        return True
