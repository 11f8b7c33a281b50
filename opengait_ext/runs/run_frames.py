"""The frames of a tested run's tracklets, read from the data that its configuration names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from opengait import registry
from opengait.config import load_config
from opengait.data.frame_picker import uniform
from opengait.errors import DataError
from opengait_ext.runs.silhouettes.pictures import grey_to_colour
from opengait_ext.runs.tested_run import TestedRun


class RunFrames:
    """Looks up frames by a tracklet's place in the run's features.

    Args:
        run: the test.
        overrides: changes to its configuration, such as where the data lies on this machine.

    Raises:
        DataError: the configuration or the data is missing, or the data has changed since the test.
    """

    def __init__(self, run: TestedRun, overrides: tuple[str, ...] = ()) -> None:
        self.cfgs = load_config(configuration_of(run), overrides)
        data_cfg: Mapping[str, Any] = self.cfgs["data_cfg"]
        self.dataset = registry.datasets.get(data_cfg.get("reader") or "DataSet")(dict(data_cfg), False)
        features = run.features
        told = [features.labels.tolist(), features.types.tolist(), features.views.tolist()]
        if told != [list(self.dataset.label_list), list(self.dataset.types_list), list(self.dataset.views_list)]:
            raise DataError(
                f"{data_cfg.get('dataset_root')} does not hold the tracklets that {run.file} was measured on; give the "
                f"right folder with --set data_cfg.dataset_root=PATH."
            )

    def __call__(self, index: int, count: int) -> np.ndarray:
        """`count` frames of a tracklet, evenly spread, uint8 (count or fewer, h, w, 3); silhouettes become grey.

        Raises:
            DataError: they cannot be read, or are no pictures.
        """
        source = self.dataset[index][0][0]
        places = uniform(len(source), min(count, len(source)))
        frames = np.asarray(source[places])
        if frames.ndim == 3 and frames.dtype == np.uint8:
            return np.ascontiguousarray(grey_to_colour(frames))
        if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != np.uint8:
            raise DataError(f"Tracklet {self.dataset.seqs_info[index][:3]} has no pictures to show: {frames.shape}.")
        return frames.transpose(0, 2, 3, 1)

    def lengths(self) -> np.ndarray:
        """Number of frames of each of the run's tracklets, float (n)."""
        return np.array([len(self.dataset[index][0][0]) for index in range(len(self.dataset))], dtype=float)


def configuration_of(run: TestedRun) -> Path:
    """The resolved configuration that the test wrote beside its results.

    Raises:
        DataError: there is none.
    """
    name = run.content.get("capsule")
    file = run.folder / Path(str(name)).with_suffix(".yaml").name
    if name is None or not file.is_file():
        raise DataError(f"{run.folder} has no capsule of the test, which tells where the frames are; test it again.")
    return file
