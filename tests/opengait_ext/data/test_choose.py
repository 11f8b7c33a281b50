"""Selection of tracklets and frames."""

import pytest

from opengait.errors import ConfigError, DataError
from opengait_ext.runs.silhouettes import choose_tracklets


def test_whole_split_in_order(tracklets):
    assert [str(t.folder) for t in tracklets[:4]] == [
        "0501/visible/c2-t00001",
        "0501/visible/c5-t00002",
        "0501/infrared/c2-t00003",
        "0501/infrared/c5-t00004",
    ]
    assert len(tracklets) == 8
    assert tracklets[0].names == ("1", "6", "11")


@pytest.mark.parametrize(("split", "kind"), [("query", "infrared"), ("gallery", "visible")])
def test_queries_and_gallery(data_cfg, split, kind):
    chosen = choose_tracklets(data_cfg, split)
    assert len(chosen) == 4 and {t.type for t in chosen} == {kind}


def test_train(data_cfg):
    assert {t.label for t in choose_tracklets(data_cfg, "train")} == {"0001"}


def test_leading_zeros_are_optional_and_frames_are_spread(data_cfg):
    chosen = choose_tracklets(data_cfg, "test", people=["503"], frames=2)
    assert {t.label for t in chosen} == {"0503"}
    assert all(t.indices == (0, 1) and t.names == ("1", "6") for t in chosen)


def test_the_first_tracklets_cover_all_people_and_modalities(data_cfg):
    chosen = choose_tracklets(data_cfg, "test", tracklets=4)
    assert [(t.label, t.type, t.view[:2]) for t in chosen] == [
        (person, kind, "c2") for person in ("0501", "0503") for kind in ("visible", "infrared")
    ]


def test_unknown_people_are_named(data_cfg):
    with pytest.raises(DataError, match="no person 9999; its 2 people"):
        choose_tracklets(data_cfg, "test", people=["0501", "9999"])


def test_a_reader_without_queries_is_refused(tmp_path):
    folder = tmp_path / "0001" / "nm" / "000"
    folder.mkdir(parents=True)
    (folder / "000.pkl").write_bytes(b"")
    (tmp_path / "p.json").write_text('{"TRAIN_SET": [], "TEST_SET": ["0001"]}')
    cfg = {"dataset_root": str(tmp_path), "dataset_partition": str(tmp_path / "p.json")}
    with pytest.raises(ConfigError, match="DataSet does not separate queries"):
        choose_tracklets(cfg, "query")
