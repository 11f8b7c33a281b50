"""The command lines, run in the process of the test to save imports, and a small drawn dataset."""

import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from opengait.main import main
from opengait.utils import messages
from tests.paths import ROOT

Run = Callable[..., int]


@contextmanager
def engine(folder: Path) -> Iterator[Run]:
    """Give a function that runs `opengait/main.py` with run folders below `folder` and returns its exit status."""

    def run(config: Path, phase: str, *arguments: str) -> int:
        root = f"trainer_cfg.output_root={folder / 'output'}"
        return main(["--cfgs", str(config), "--phase", phase, "--set", root, *arguments])

    try:
        yield run
    finally:
        if (manager := messages._manager) is not None and manager.writer is not None:
            manager.writer.close()
        messages._manager = None
        logger = logging.getLogger("opengait")
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.propagate = True
        torch.backends.cudnn.deterministic = False


def script(name: str) -> Callable[[list[str]], int]:
    """Return the `main` of a file in scripts/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def draw_people(root: Path, train: int, test: int, **settings) -> Path:
    """Draw a synthetic dataset of two cameras and small frames, with true silhouettes under `silhouettes/`."""
    sys.path.insert(0, str(ROOT / "datasets"))
    from synthetic_vvi.generate import SyntheticConfig, generate

    small = {"cameras": 2, "frames": 12, "size": (64, 32), "seed": 3} | settings
    generate(root, SyntheticConfig(train_identities=train, test_identities=test, **small))
    return root
