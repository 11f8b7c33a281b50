"""The command lines, run in the process of the test to save imports, and a small drawn dataset."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from opengait.main import main
from opengait.utils import messages
from opengait_ext import commands
from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate

Run = Callable[..., int]


@contextmanager
def engine(folder: Path) -> Iterator[Run]:
    """Yield a function that runs `opengait/main.py` with run folders below `folder` and returns its exit status."""

    def run(config: Path, phase: str, *arguments: str) -> int:
        root = f"trainer_cfg.output_root={folder / 'output'}"
        return main(["--cfgs", str(config), "--phase", phase, "--set", root, *arguments])

    try:
        yield run
    finally:
        messages.reset()
        torch.backends.cudnn.deterministic = False


def command(name: str) -> Callable[[list[str]], int]:
    """Return a function that runs `vvi NAME` with the given arguments, and returns its exit status."""
    return lambda arguments: commands.main([name, *arguments])


def draw_people(root: Path, train: int, test: int, **settings) -> Path:
    """Draw a synthetic dataset of two cameras and small frames, with true silhouettes under `silhouettes/`."""
    small = {"cameras": 2, "frames": 12, "size": (64, 32), "seed": 3} | settings
    generate(root, SyntheticConfig(train_identities=train, test_identities=test, **small))
    return root
