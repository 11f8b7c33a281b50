"""The frames of a tested run's tracklets, read from the data that its configuration names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from opengait import registry
from opengait.config import load_config
from opengait.data.frame_picker import uniform
from opengait.errors import DataError
from opengait_ext.runs.results import TestResult
from opengait_ext.runs.silhouettes.panels import as_pictures
from opengait_ext.runs.tested_run import TestedRun


class UnreadableFrames(DataError):
    """Frames of a tracklet of the run cannot be read."""


@contextmanager
def readable() -> Iterator[None]:
    """Turn the errors of a block that reads a tracklet into `UnreadableFrames`."""
    try:
        yield
    except DataError as error:
        raise UnreadableFrames(str(error)) from error


class RunFrames:
    """Frames by a tracklet's index in the run's features.

    Args:
        run: the test.
        overrides: changes to its configuration, such as where the data is on this machine.

    Raises:
        DataError: the configuration or the data is missing, or the data has changed since the test.
    """

    def __init__(self, run: TestedRun, overrides: tuple[str, ...] = ()) -> None:
        self.cfgs = load_config(configuration_of(run), overrides)
        data_cfg: Mapping[str, Any] = self.cfgs["data_cfg"]
        self.dataset = registry.datasets.get(data_cfg.get("reader") or "DataSet")(dict(data_cfg), False)
        features = run.features
        tested = [features.labels.tolist(), features.types.tolist(), features.views.tolist()]
        if tested != [list(self.dataset.label_list), list(self.dataset.types_list), list(self.dataset.views_list)]:
            raise DataError(
                f"{data_cfg.get('dataset_root')} does not hold the tracklets that {run.file} was measured on; give the "
                f"right folder with --set data_cfg.dataset_root=PATH."
            )

    @cached_property
    def are_silhouettes(self) -> bool:
        """Whether the model takes silhouettes, so that there are no pictures.

        Raises:
            UnreadableFrames: no tracklet can be read.
        """
        errors = []
        for index in range(len(self.dataset)):
            try:
                with readable():
                    return self.dataset[index][0][0][[0]].ndim == 3
            except UnreadableFrames as error:
                errors.append(error)
        raise errors[0]

    def __call__(self, index: int, count: int) -> np.ndarray:
        """Return `count` evenly spread frames of a tracklet, uint8 (count or fewer, h, w, 3); silhouettes become grey.

        Raises:
            UnreadableFrames: the frames cannot be read or are not pictures.
        """
        name = "-".join(map(str, self.dataset.seqs_info[index][:3]))
        with readable():
            source = self.dataset[index][0][0]
            return as_pictures(source[uniform(len(source), min(count, len(source)))], name)

    def lengths(self) -> np.ndarray:
        """Return the number of frames of each tracklet of the run, float (n); NaN where it cannot be read."""
        lengths = np.full(len(self.dataset), np.nan)
        for index in range(len(self.dataset)):
            with suppress(DataError):
                lengths[index] = len(self.dataset[index][0][0])
        return lengths


def configuration_of(test: TestResult) -> Path:
    """Return the resolved configuration that a test wrote beside its results.

    Raises:
        DataError: there is none.
    """
    file = None if test.capsule_file is None else test.capsule_file.with_suffix(".yaml")
    if file is None or not file.is_file():
        raise DataError(f"{test.folder} has no run capsule of the test, which names the data; test it again.")
    return file
