"""The frames of a tested run's tracklets, read from the data that its configuration names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from opengait import registry
from opengait.config import load_config
from opengait.data.sampling import uniform
from opengait.errors import DataError
from opengait_ext.figures.retrieval import TestedRun


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
        """`count` frames of a tracklet, evenly spread, uint8 (count or fewer, h, w, 3)."""
        source = self.dataset[index][0][0]
        places = uniform(len(source), min(count, len(source)))
        return np.asarray(source[places]).transpose(0, 2, 3, 1)


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
