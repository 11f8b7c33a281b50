"""The small dataset of the engine's tests."""

from pathlib import Path

import pytest

from tests.opengait import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the data of `tiny.config`, for the configurations and runs of a test module."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny.write_dataset(folder / "data")
    return folder
