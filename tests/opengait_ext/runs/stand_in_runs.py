"""The command lines, run inside the test's own process, which saves the imports; and a small drawn data set."""

import importlib.util
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
    """`opengait/main.py --cfgs FILE --phase PHASE ...` with its run folders below `folder`; gives the status."""

    def run(config: Path, phase: str, *arguments: str) -> int:
        root = f"trainer_cfg.output_root={folder / 'output'}"
        return main(["--cfgs", str(config), "--phase", phase, "--set", root, *arguments])

    try:
        yield run
    finally:
        messages.reset()
        torch.backends.cudnn.deterministic = False


def script(name: str) -> Callable[[list[str]], int]:
    """The `main` of a file in scripts/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def draw_people(root: Path, train: int, test: int, **settings) -> Path:
    """A synthetic data set of two cameras and small frames, with the true silhouettes under `silhouettes/`."""
    sys.path.insert(0, str(ROOT / "datasets"))
    from synthetic_vvi.generate import SyntheticConfig, generate

    small = {"cameras": 2, "frames": 12, "size": (64, 32), "seed": 3} | settings
    generate(root, SyntheticConfig(train_identities=train, test_identities=test, **small))
    return root
