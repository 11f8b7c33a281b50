"""A small dataset for all tests of this folder."""

import pytest

from opengait import registry
from opengait_ext.data.choose import choose_tracklets
from opengait_ext.data.readers import HITSZVCMDataSet
from tests.opengait_ext.every_model import every_model, people  # noqa: F401 (fixtures)
from tests.opengait_ext.runs.silhouettes.tiny import HEIGHT, WIDTH, write_data


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "vcm")


@pytest.fixture(scope="session")
def data_cfg(data):
    registry.datasets.add(HITSZVCMDataSet)
    return {"reader": "HITSZVCMDataSet", "dataset_root": str(data), "frame_size": [HEIGHT, WIDTH], "minimum_frames": 1}


@pytest.fixture(scope="session")
def tracklets(data_cfg):
    return choose_tracklets(data_cfg, "test")
