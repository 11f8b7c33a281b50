"""Galleries on a Milvus server, by its embedded form."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from opengait.errors import ConfigError, DataError
from opengait_ext.search import Descriptors, open_any, open_or_create, search
from opengait_ext.search.milvus import is_address
from opengait_ext.search.records import Record
from tests.opengait_ext.runs.stand_in_runs import command


def tracklets(count, seed=0, sha="a"):
    points = np.random.default_rng(seed).standard_normal((count, 8, 3)).astype(np.float32)
    names = np.array([f"clip.avi#{n}" for n in range(count)])
    types = np.array(["infrared" if n % 3 == 0 else "visible" for n in range(count)])
    records = tuple(Record("/v/clip.avi", str(n), n / 2, None, b"jpeg%d" % n) for n in range(count))
    return Descriptors(points, names, types, names, "c", "p", sha, 6, ("a=1",), records)


def test_addresses():
    assert is_address("http://localhost:19530/people") and is_address("/a/b.db/people_1")
    assert not any(map(is_address, ("people.npz", "folder/people", "http://localhost:19530", "a.db/1x")))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_gallery_on_a_server(tmp_path, capsys):
    pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    address = f"{tmp_path / 'm.db'}/people"
    part = tracklets(30)
    with pytest.raises(DataError, match="no gallery at"):
        open_any(address)
    gallery = open_or_create(address, part)
    assert gallery.add(part) == (30, 0) and gallery.add(part) == (0, 30)
    gallery = open_any(address)
    assert gallery.counts() == {"visible": 20, "infrared": 10} and gallery.overrides == ("a=1",)
    for one, other in zip(search(gallery, tracklets(6, 1), top=5), search(part, tracklets(6, 1), top=5), strict=True):
        assert [c.name for c in one.candidates] == [c.name for c in other.candidates]
        assert np.allclose([c.distance for c in one.candidates], [c.distance for c in other.candidates], rtol=1e-5)
    first = search(gallery, part)[4]
    assert first.somebody and (first.candidates[0].track, first.candidates[0].end_seconds) == ("4", None)
    assert gallery.tracklet(first.candidates[0].place)[2].thumbnail == b"jpeg4"
    with pytest.raises(DataError, match="one network"):
        gallery.add(tracklets(3, sha="b"))
    with pytest.raises(DataError, match="from 6 frames"):
        gallery.add(replace(tracklets(3), frames=4))
    with pytest.raises(DataError, match=r"m\.db failed \(query\)"):
        replace(gallery, collection="none").counts()
    assert command("gallery")(["remove", address, "clip.avi#1*"]) == 0
    assert "11 tracklets removed" in capsys.readouterr().out
    assert command("gallery")(["info", address]) == 0 and "visible" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="32,768"):
        open_or_create(
            f"{tmp_path / 'm.db'}/long", Descriptors(np.zeros((1, 40_000, 1)), *[part.names[:1]] * 3, "", "", "", 6)
        )
