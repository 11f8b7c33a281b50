"""Shipped files are found from any directory, after files in the working directory."""

from pathlib import Path

import pytest

from opengait.config import load_config
from opengait.errors import ConfigError
from opengait.shipped import shipped
from tests.paths import ROOT

CONFIG = "configs/dinogrl/demo.yaml"


def test_the_working_directory_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped(CONFIG) == ROOT / CONFIG
    (tmp_path / CONFIG).parent.mkdir(parents=True)
    (tmp_path / CONFIG).write_text("")
    assert shipped(CONFIG) == Path(CONFIG)
    assert shipped("configs/nothing.yaml") == Path("configs/nothing.yaml")
    assert shipped(tmp_path / CONFIG) == tmp_path / CONFIG


def test_a_shipped_configuration_loads_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config(CONFIG)["data_cfg"]["dataset_name"] == "Synthetic-VVI"
    with pytest.raises(ConfigError, match="configs/nothing.yaml"):
        load_config("configs/nothing.yaml")
