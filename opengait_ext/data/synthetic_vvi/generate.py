"""The entry point of the generator."""

from pathlib import Path

from opengait_ext.data.synthetic_vvi.settings import SettingsError, SyntheticConfig
from opengait_ext.data.synthetic_vvi.tree import prepare, write_tree


def generate(
    out: Path, config: SyntheticConfig, *, workers: int = 1, force: bool = False, progress: bool = False
) -> None:
    """Draw a dataset; a finished one of the same parameters is kept, a partial one is drawn again.

    The bytes depend on `config` alone. With more than one worker, the main module must be importable, as usual.

    Args:
        out: root of the dataset: a new or empty folder, or one that this generator wrote.
        config: the parameters.
        workers: processes that draw.
        force: replace a finished dataset of other parameters.
        progress: show a progress bar.

    Raises:
        SettingsError: `out` holds something else.
    """
    if workers < 1:
        raise SettingsError(f"workers: expected a positive integer, got {workers}.")
    if prepare(Path(out), config, force=force):
        write_tree(Path(out), config, workers=workers, progress=progress)
