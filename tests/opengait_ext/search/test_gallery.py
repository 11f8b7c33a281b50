"""Gallery folders: growing, removing, exact and approximate search."""

import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from opengait.errors import ConfigError, DataError
from opengait_ext.search import Descriptors, create_gallery, open_any, open_gallery, save_descriptors, search
from opengait_ext.search.index import build_index
from opengait_ext.search.records import Record
from tests.opengait_ext.runs.stand_in_runs import command


def tracklets(count, seed=0, first=0, sha="a", records=True):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, 8, 3)).astype(np.float32)
    numbers = range(first, first + count)
    names = np.array([f"clip.avi#{n}" for n in numbers])
    types = np.array(["infrared" if n % 3 == 0 else "visible" for n in numbers])
    origins = tuple(Record("/v/clip.avi", str(n), n / 2, n / 2 + 1, b"jpeg%d" % n) for n in numbers) if records else ()
    return Descriptors(points, names, types, names, "c", "p", sha, 6, ("a=1",), origins)


def test_a_gallery_grows_and_answers_like_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("opengait_ext.search.neighbours.BLOCK_BYTES", 4 * 24 * 7)  # blocks of seven rows
    parts = [tracklets(30, 1), tracklets(25, 2, first=30)]
    gallery = create_gallery(tmp_path / "g", parts[0])
    assert [gallery.add(part) for part in parts] == [(30, 0), (25, 0)]
    assert gallery.add(parts[0]) == (0, 30)
    gallery = open_any(tmp_path / "g")
    assert len(gallery) == 55 and gallery.counts() == {"visible": 36, "infrared": 19}
    both = replace(
        parts[0],
        **{
            name: np.concatenate([getattr(p, name) for p in parts])
            for name in ("embeddings", "names", "types", "folders")
        },
        records=parts[0].records + parts[1].records,
    )
    queries = replace(tracklets(9, 5), records=())
    for one, other in zip(search(gallery, queries, top=7), search(both, queries, top=7), strict=True):
        assert [c.name for c in one.candidates] == [c.name for c in other.candidates]
        assert np.allclose([c.distance for c in one.candidates], [c.distance for c in other.candidates], rtol=1e-3)
        assert [c.start_seconds for c in one.candidates] == [c.start_seconds for c in other.candidates]
        assert one.somebody == other.somebody
    # The same tracklets again, whose descriptors were rounded to 16 bits, are always found.
    assert all(r.somebody and r.candidates[0].p_value == 0 for r in search(gallery, parts[1], level=1e-9))
    name, _, record = gallery.tracklet(1)
    assert name == "clip.avi#0" and record == parts[0].records[0]


def test_removed_tracklets_are_not_found_and_can_come_back(tmp_path):
    part = tracklets(12)
    gallery = create_gallery(tmp_path / "g", part)
    gallery.add(part)
    assert gallery.remove(["/v/clip.avi#1*", "clip.avi#5", "none"]) == 4
    assert gallery.remove(["clip.avi#5"]) == 0 and len(gallery) == 8
    names = {c.name for r in search(open_gallery(tmp_path / "g"), part, top=20) for c in r.candidates}
    assert names == {f"clip.avi#{n}" for n in (0, 2, 3, 4, 6, 7, 8, 9)}
    assert gallery.add(part) == (4, 8) and len(gallery) == 12
    assert len(gallery.descriptors(100)) == 12 and len(gallery.descriptors(3)) == 6


def test_what_a_killed_process_appended_does_not_count(tmp_path, monkeypatch):
    gallery = create_gallery(tmp_path / "g", tracklets(12))
    gallery.add(tracklets(12))
    with (tmp_path / "g/visible.f16").open("ab") as file:
        file.write(b"half a row")
    gallery.add(tracklets(6, 3, first=12))
    assert len(gallery) == 18
    assert all(r.candidates[0].distance < 1e-2 for r in search(gallery, tracklets(6, 3, first=12)))
    (tmp_path / "g/visible.f16").write_bytes(b"")
    with pytest.raises(DataError, match=r"visible\.f16 is shorter"):
        search(gallery, tracklets(1))


def test_old_files_and_large_values(tmp_path):
    old = tracklets(5, records=False)
    large = replace(old, embeddings=old.embeddings * 1e6)
    gallery = create_gallery(tmp_path / "g", large)
    gallery.add(large)
    assert search(gallery, large)[0].candidates[0].distance < 1e3
    with pytest.raises(DataError, match="times as large"):
        gallery.add(
            replace(large, embeddings=large.embeddings * 1e6, names=np.char.add(large.names, "x"), folders=old.folders)
        )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"checkpoint_sha256": "b"}, "one network"),
        ({"frames": 3}, "from 6 frames"),
        ({"embeddings": np.zeros((5, 2, 3))}, r"\(8, 3\)"),
    ],
)
def test_other_descriptors_are_refused(tmp_path, change, reason):
    gallery = create_gallery(tmp_path / "g", tracklets(5))
    with pytest.raises(DataError, match=reason):
        gallery.add(replace(tracklets(5), **change))


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{}", "version 1"), ('{"version": 1}', "cfgs"), ("[", "not valid JSON"), (None, "vvi gallery add")],
)
def test_damaged_galleries_are_named(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "gallery.json").write_text(content)
    with pytest.raises(DataError, match=reason):
        open_gallery(tmp_path)
    with pytest.raises(ConfigError, match="not a gallery"):
        (tmp_path / "x").touch()
        create_gallery(tmp_path, tracklets(1))


def test_a_database_that_is_none_is_named(tmp_path):
    gallery = create_gallery(tmp_path / "g", tracklets(2))
    (tmp_path / "g/tracklets.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match=r"tracklets\.sqlite"):
        gallery.add(tracklets(2))
    assert sqlite3.sqlite_version


def test_from_the_command_line(tmp_path, capsys):
    file = save_descriptors(tmp_path / "f", tracklets(12))
    folder = str(tmp_path / "g")
    assert command("gallery")(["add", folder, "--from", str(file)]) == 0
    assert "12 tracklets added. " in capsys.readouterr().out
    assert command("gallery")(["remove", folder, "clip.avi#3"]) == 0
    assert command("gallery")(["info", folder]) == 0
    printed = capsys.readouterr().out
    assert "1 tracklets removed" in printed and "8 visible and 3 infrared" in printed and "8 x 3" in printed
    assert command("gallery")(["add", str(tmp_path / "new"), "--input", folder]) == 2
    assert "--cfgs" in capsys.readouterr().err


def test_an_index_finds_what_an_exact_search_finds(tmp_path):
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((150, 1, 8, 2))
    points = (centres + 0.4 * rng.standard_normal((150, 10, 8, 2))).reshape(-1, 8, 2).astype(np.float32)
    names = np.array([f"t{n}" for n in range(len(points))])
    part = Descriptors(points, names, np.array(["visible"] * len(points)), names, "c", "p", "a", 6)
    gallery = create_gallery(tmp_path / "g", part)
    gallery.add(part)
    index = build_index(gallery.folder, "visible", gallery.stored("visible"), "euc")
    assert index.recall >= 0.99 and index.rows == 1500
    more = replace(part, embeddings=points[:5] + 0.01, names=np.char.add(names[:5], "new"), types=part.types[:5])
    more = replace(more, folders=more.names)
    gallery.add(more)  # after the index
    gallery.remove(["t7"])
    queries = (points[::50] + 0.3 * rng.standard_normal((30, 8, 2))).astype(np.float32)
    queries[0] = points[0]
    near = gallery.nearest(queries, "visible", 10, "euc")
    assert gallery.nearest(queries, "visible", 1200, "euc").places.shape == (30, 1200)  # more than some cells hold
    facts = gallery.folder / "visible.index.json"
    for damaged, reason in (("{", "not valid JSON"), ("{}", "visible index .* is damaged")):
        facts.write_text(damaged)
        with pytest.raises(DataError, match=reason):
            open_gallery(tmp_path / "g").nearest(queries, "visible", 3, "euc")
    (gallery.folder / "visible.index.json").unlink()
    exact = open_gallery(tmp_path / "g").nearest(queries, "visible", 10, "euc")
    shares = [len(np.intersect1d(a, b)) for a, b in zip(near.places, exact.places, strict=True)]
    assert np.mean(shares) >= 9.8 and near.count == exact.count == 1504
    assert near.places[0, :2].tolist() == exact.places[0, :2].tolist() and 14 not in near.places
    with pytest.raises(ConfigError, match="metric dot"):
        build_index(gallery.folder, "visible", gallery.stored("visible"), "dot")
    with pytest.raises(ConfigError, match="of use from"):
        build_index(gallery.folder, "visible", gallery.stored("visible")[:10], "euc")
