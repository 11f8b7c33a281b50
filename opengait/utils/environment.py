"""What a run depends on beside its configuration: package versions, hardware, the state of the source tree."""

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
    """Versions of Python, of this engine and of every installed package that this process has loaded, by name."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    packages = importlib.metadata.packages_distributions()
    names = {name for module in loaded for name in packages.get(module, ())}
    found = {name.lower(): importlib.metadata.version(name) for name in names}
    return core_versions() | {name: found[name] for name in sorted(found) if name not in CORE}


def core_versions() -> dict[str, str]:
    """Versions of what the numbers depend on first."""
    known = (platform.python_version(), opengait.__version__, torch.__version__, np.__version__)
    return dict(zip(CORE, map(str, known), strict=True))


def hardware() -> dict[str, Any]:
    """Processor, accelerators and the settings of torch that change how they compute."""
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
    """Git commit of the source tree that this engine runs from, and whether files differ from it.

    Args:
        folder: a folder of the source tree; this package's by default.

    Returns:
        `commit`, `dirty` (tracked files changed, or files added that git does not ignore) and `changes`, the SHA-256
        of what `git diff HEAD` prints, or None where that is nothing; None altogether without git, or where this code
        is no part of a repository, as an installed copy.
    """
    folder = folder or Path(opengait.__file__).parent
    # A copy installed into some repository's ignored folder must not report that repository.
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
    """What git prints, or None where there is no git or it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    """The processor's name; Linux tells it only in a file."""
    told = Path("/proc/cpuinfo")
    if told.is_file():
        for line in told.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown"
