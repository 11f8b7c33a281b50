"""The dataset on disk: its tracklets and labels, and messages for unusable data."""

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from opengait.data.dataset import DataSet
from opengait.errors import ConfigError, DataError


def tracklet(root: Path, name: str, **files: int) -> None:
    folder = root / name
    folder.mkdir(parents=True)
    for stem, frames in files.items():
        (folder / f"{stem}.pkl").write_bytes(pickle.dumps(np.zeros((frames, 4, 4), dtype=np.uint8)))


@pytest.fixture
def data_cfg(tmp_path) -> dict:
    root = tmp_path / "data"
    for name in ("003/nm-01/000", "003/nm-01/090", "003/bg-01/000", "001/nm-01/090", "002/nm-01/000", "004/nm-01/000"):
        tracklet(root, name, b_rgb=3, a_sil=3, c_ratio=3)
    (root / "notes.txt").write_text("x")
    (root / "003/nm-01/.DS_Store").write_text("x")
    partition = tmp_path / "partition.json"
    partition.write_text(json.dumps({"TRAIN_SET": ["003", "001", "777"], "TEST_SET": ["004", "002"]}))
    return {"dataset_name": "Toy", "dataset_root": str(root), "dataset_partition": str(partition)}


def test_tracklets_keep_the_partitions_order_and_labels_sort(data_cfg):
    train = DataSet(data_cfg, training=True)
    assert [info[:3] for info in train.seqs_info] == [
        ["Toy-003", "bg-01", "000"],
        ["Toy-003", "nm-01", "000"],
        ["Toy-003", "nm-01", "090"],
        ["Toy-001", "nm-01", "090"],
    ]
    assert train.label_set == ["Toy-001", "Toy-003"]
    assert train.types_set == ["bg-01", "nm-01"] and train.views_set == ["000", "090"]
    assert train.indices_dict == {"Toy-001": [3], "Toy-003": [0, 1, 2]}
    assert train.label_list == ["Toy-003"] * 3 + ["Toy-001"] and len(train) == 4
    assert train.views_list == ["000", "000", "090", "090"]
    assert DataSet(data_cfg, training=False).label_list == ["004", "002"]


def test_an_item_has_one_source_per_file_in_name_order(data_cfg):
    sources, info = DataSet(data_cfg, training=False)[0]
    assert [source.path.name for source in sources] == ["a_sil.pkl", "b_rgb.pkl", "c_ratio.pkl"]
    assert info[:3] == ["004", "nm-01", "000"] and info[3] == [str(source.path) for source in sources]


@pytest.mark.parametrize(
    ("in_use", "names"),
    [
        ([True, False, True], ["a_sil", "c_ratio"]),
        ([2, 0], ["c_ratio", "a_sil"]),
        ([1, 9], ["b_rgb"]),
        ([False, True], ["b_rgb"]),
    ],
)
def test_files_in_use(data_cfg, in_use, names):
    sources, _ = DataSet(data_cfg | {"data_in_use": in_use}, training=False)[0]
    assert [source.path.stem for source in sources] == names


def test_labels_of_self_supervised_and_of_d_gait(data_cfg):
    unsupervised = DataSet(data_cfg | {"self_supervised": True}, training=True)
    assert unsupervised.label_set == [
        "Toy-001-nm-01-090",
        "Toy-003-bg-01-000",
        "Toy-003-nm-01-000",
        "Toy-003-nm-01-090",
    ]
    d_gait = DataSet(data_cfg | {"dataset_name": "D-Gait"}, training=False)
    assert d_gait.types_list == ["004-nm-01", "002-nm-01"] and d_gait.label_list == ["004", "002"]


def test_caching_reads_everything_at_once(data_cfg):
    cached = DataSet(data_cfg | {"cache": True}, training=False)
    for info in cached.seqs_info:
        for path in info[3]:
            Path(path).unlink()
    assert [source[[0]].shape for source in cached[1][0]] == [(1, 4, 4)] * 3
    assert cached[1][0][0] is cached[1][0][0]


def test_ids_missing_on_disk_are_logged_once(data_cfg, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("opengait"), "propagate", True)
    with caplog.at_level(logging.INFO, "opengait"):
        DataSet(data_cfg, training=True)
    messages = [record.getMessage() for record in caplog.records]
    assert "id 777: TRAIN_SET in" in messages.pop(0)
    assert messages == [
        "-------- Train Pid List --------",
        "[003, 001], Len: 2",
    ]


def test_long_id_lists_are_shortened(data_cfg, caplog, monkeypatch):
    for label in ("005", "006"):
        tracklet(Path(data_cfg["dataset_root"]), f"{label}/nm-01/000", a=1)
    Path(data_cfg["dataset_partition"]).write_text(json.dumps({"TEST_SET": ["001", "002", "003", "005", "006"]}))
    monkeypatch.setattr(logging.getLogger("opengait"), "propagate", True)
    with caplog.at_level(logging.INFO, "opengait"):
        DataSet(data_cfg, training=False)
    assert caplog.records[-1].getMessage() == "[001, 002, ..., 006], Len: 5"


def test_a_tracklet_of_uneven_features_is_named(data_cfg):
    path = Path(data_cfg["dataset_root"]) / "004/nm-01/000/b_rgb.pkl"
    path.write_bytes(pickle.dumps(np.zeros((2, 4, 4))))
    with pytest.raises(DataError, match=r"004-nm-01-000 differ.*a_sil\.pkl: 3.*b_rgb\.pkl: 2"):
        DataSet(data_cfg, training=False)[0]


def test_a_damaged_file_and_its_tracklet_are_named(data_cfg):
    path = Path(data_cfg["dataset_root"]) / "004/nm-01/000/b_rgb.pkl"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"004-nm-01-000: .*b_rgb\.pkl"):
        DataSet(data_cfg, training=False)[0]


def test_only_trusted_files_may_hold_more_than_arrays(data_cfg, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("opengait"), "propagate", True)
    for name in ("a_sil", "b_rgb", "c_ratio"):
        path = Path(data_cfg["dataset_root"]) / f"004/nm-01/000/{name}.pkl"
        path.write_bytes(pickle.dumps(torch.ones(3, 4, 4)))
    with pytest.raises(DataError, match=r"004-nm-01-000: .*a_sil\.pkl was not loaded: .*trust_pickles: true"):
        DataSet(data_cfg | {"trust_pickles": 1}, training=False)[0]
    sources, _ = DataSet(data_cfg | {"trust_pickles": True}, training=False)[0]
    assert [source[[1]].shape for source in sources] == [(1, 4, 4)] * 3
    assert "may run code" in caplog.text


def test_tracklets_without_files_are_skipped(data_cfg):
    tracklet(Path(data_cfg["dataset_root"]), "004/nm-02/000")
    assert DataSet(data_cfg, training=False).types_list == ["nm-01", "nm-01"]


def test_unusable_data_is_named(data_cfg, tmp_path):
    with pytest.raises(DataError, match="root .*nowhere does not exist"):
        DataSet(data_cfg | {"dataset_root": str(tmp_path / "nowhere")}, training=True)
    with pytest.raises(ConfigError, match="data_cfg.dataset_root is not set"):
        DataSet({"dataset_partition": data_cfg["dataset_partition"]}, training=True)
    with pytest.raises(ConfigError, match="data_in_use: .*'all'"):
        DataSet(data_cfg | {"data_in_use": "all"}, training=True)
    with pytest.raises(DataError, match=r"none\.json is missing; set data_cfg"):
        DataSet(data_cfg | {"dataset_partition": str(tmp_path / "none.json")}, training=True)
    partition = Path(data_cfg["dataset_partition"])
    for text, message in (
        ("{", "not valid JSON"),
        ("[]", "expected a JSON object, got a list"),
        ("{}", "has no list named TRAIN_SET"),
        ('{"TRAIN_SET": ["888"]}', "none of the 1 ids of TRAIN_SET"),
    ):
        partition.write_text(text)
        with pytest.raises(DataError, match=message):
            DataSet(data_cfg, training=True)
