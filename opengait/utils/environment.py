"""Environment of a run: package versions, hardware and the state of the source tree."""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import opengait
from opengait import distributed

CORE = ("python", "opengait", "torch", "numpy")


def versions() -> dict[str, str]:
    """Return the versions of Python, of this engine and of every installed package that this process has loaded."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    packages = importlib.metadata.packages_distributions()
    names = {name for module in loaded for name in packages.get(module, ())}
    by_name = {name.lower(): importlib.metadata.version(name) for name in names}
    return core_versions() | {name: by_name[name] for name in sorted(by_name) if name not in CORE}


def core_versions() -> dict[str, str]:
    """Return the versions of the packages that affect results most."""
    numbers = (platform.python_version(), opengait.__version__, torch.__version__, np.__version__)
    return dict(zip(CORE, map(str, numbers), strict=True))


def hardware() -> dict[str, Any]:
    """Return the processor, the accelerators and the settings of torch that affect their arithmetic."""
    facts: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": distributed.device().type,
        "gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
    }
    if facts["gpus"]:
        facts |= {
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
            "tf32_cudnn": torch.backends.cudnn.allow_tf32,
        }
    return facts


def source_state(folder: Path | None = None) -> dict[str, Any] | None:
    """Return the git commit of this engine's source tree, and whether files differ from it.

    Args:
        folder: a folder of the source tree; this package's by default.

    Returns:
        `commit`, `dirty` (tracked files changed, or new files that git does not ignore) and `changes`, the SHA-256 of
        the output of `git diff HEAD`, None if that is empty. None instead of all this without git, or if this code is
        not part of a repository, such as an installed copy.
    """
    folder = folder or Path(opengait.__file__).parent
    # A copy installed into an ignored folder of some repository must not report that repository.
    if not _git(folder, "ls-files", "."):
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    status, changes = _git(folder, "status", "--porcelain"), _git(folder, "diff", "HEAD")
    return {
        "commit": commit,
        "dirty": bool(status),
        "changes": hashlib.sha256(changes.encode()).hexdigest() if changes else None,
    }


def _git(folder: Path, *arguments: str) -> str | None:
    """Return the output of git, or None if git is missing or fails."""
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _processor() -> str:
    """Return the processor's name, which Linux reports only in a file."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown"
