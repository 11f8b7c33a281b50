"""The page of a gallery: its data, what it refuses, and what a browser shows."""

import io
import shutil
import subprocess
from dataclasses import replace
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from opengait.errors import ConfigError
from opengait_ext.browse import Session, build_app, server
from opengait_ext.search import Descriptors, Pictures
from opengait_ext.search.records import Record
from tests.opengait_ext.clips import write_street
from tests.opengait_ext.runs.stand_in_runs import command

serving = pytest.importorskip("werkzeug.serving")
pytest.importorskip("norfair")
SIZE = (64, 32)
NAMES = ["anna", "b<b>ob</b>", "carl", "anna again", *(f"stranger {n}" for n in range(26))]


def describe(clips, frames):
    """Describe a clip by the mean colours of its left, middle and right part."""
    parts = [clip.frames[range(len(clip.frames))].mean(axis=(0, 2)).reshape(3, 8, -1).mean(axis=-1) for clip in clips]
    folders = ["" if clip.folder is None else str(clip.folder) for clip in clips]
    names, types = [clip.name for clip in clips], [str(clip.modality) for clip in clips]
    arrays = (np.array(parts, np.float32), *map(np.array, (names, types, folders)))
    return Descriptors(*arrays, "c", "p", "a", frames)


@pytest.fixture
def session(tmp_path):
    """Return a gallery of folders of pictures, in which the first and the fourth show one person."""
    rng = np.random.default_rng(0)
    looks = rng.integers(0, 256, (len(NAMES), 8, 4, 3), dtype=np.uint8)
    looks[3] = looks[0] ^ 3
    clips = []
    for number, (name, look) in enumerate(zip(NAMES, looks, strict=True)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        for frame in range(3):
            Image.fromarray(look).resize(SIZE[::-1], Image.Resampling.NEAREST).save(folder / f"{frame}.png")
        frames = Pictures(SIZE).sources(folder)[0]
        clips.append(SimpleNamespace(name=name, modality="visible", frames=frames, folder=folder))
    describer = SimpleNamespace(kind=Pictures(SIZE), metric="euc", describe=describe)
    return Session(describe(clips, 0), describer)


@pytest.fixture
def client(session):
    return build_app(session).test_client()


def test_a_tracklet_is_searched_in_the_rest_of_the_gallery(client):
    entries = client.get("/tracklets").json["tracklets"]
    assert [entry["name"] for entry in entries] == NAMES and entries[1]["key"] == "g1"
    answer = client.get("/answers/g0").json
    names = [candidate["name"] for candidate in answer["candidates"]]
    assert names[0] == "anna again" and "anna" not in names and len(names) == 10
    assert answer["candidates"][0]["key"] == "g3" and answer["somebody"] and "A match" in answer["verdict"]
    assert "No match" in client.get("/answers/g2").json["verdict"]
    assert client.get("/answers/g0?modality=visible").json == answer
    assert "gallery is empty" in client.get("/answers/g0?modality=infrared").json["error"]
    for key in ("g30", "x", "g-1", "a0", "g\u2460"):
        assert client.get(f"/answers/{key}").status_code == 404


def test_strips_move(client, session, tmp_path):
    reply = client.get("/strips/g1")
    with Image.open(io.BytesIO(reply.data)) as strip:
        assert strip.format == "GIF" and strip.size == SIZE[::-1]
    shutil.rmtree(tmp_path / "2")
    assert client.get("/strips/g2").status_code == client.get("/strips/g99").status_code == 404


def test_pictures_and_videos_are_added(client, session, tmp_path):
    files = [(io.BytesIO((tmp_path / f"0/{n}.png").read_bytes()), f"../{n}.png") for n in range(3)]
    reply = client.post("/added", data={"files": files, "modality": "visible"})
    assert reply.json == {"keys": ["a0"]}
    assert client.get("/tracklets").json["tracklets"][0]["name"] == "pictures"
    assert client.get("/answers/a0").json["candidates"][0]["name"] == "anna"
    write_street(tmp_path / "s.mp4", people=2, frames=30)
    video = io.BytesIO((tmp_path / "s.mp4").read_bytes())
    reply = client.post("/added", data={"files": [(video, "s.mp4")], "modality": "infrared"})
    assert reply.json == {"keys": ["a1", "a2"]}
    latest, *_ = client.get("/tracklets").json["tracklets"]
    assert latest["key"] == "a2" and latest["modality"] == "infrared" and 0 <= latest["start"] < latest["end"] < 5
    assert client.get("/strips/a2").data.startswith(b"GIF")


def test_tracks_of_videos_move_where_their_boxes_lie_beside(session, tmp_path):
    video = tmp_path / "s.mp4"
    truth = write_street(video, people=2, frames=30)
    thumbnail = io.BytesIO()
    Image.new("RGB", (8, 16)).save(thumbnail, "JPEG")
    record = Record(str(video), "1", 0.5, 1.45, thumbnail.getvalue())
    records = tuple(record if n == 5 else Record(str(session.gallery.folders[n])) for n in range(len(NAMES)))
    moving = Session(replace(session.gallery, records=records), session.describer)
    assert moving.tracklets()[5]["start"] == 0.5 and moving.tracklets()[4]["start"] is None
    client = build_app(moving).test_client()
    assert client.get("/strips/g5").mimetype == "image/jpeg" and client.get("/strips/g4").mimetype == "image/gif"
    lines = [f"{row[0] + 1},1,{','.join(map(str, row[1:]))},1,-1,-1,-1\n" for row in truth[0]]
    video.with_name("s.boxes.txt").write_text("".join(lines))
    again = Session(replace(session.gallery, records=records), session.describer)
    with Image.open(io.BytesIO(again.strip("g5"))) as strip:
        assert strip.format == "GIF" and strip.n_frames == 10


@pytest.mark.parametrize(
    ("names", "modality", "reason"),
    [
        ([], "visible", "Expected one video"),
        (["a.mp4", "b.mp4"], "visible", "Expected one video"),
        (["a.mp4"], "visible", "a.mp4 cannot be read"),
        (["a.txt"], "visible", "holds frames"),
        ([".."], "visible", "Expected one video"),
        (["a" * 300 + ".png"], "visible", "cannot be stored"),
        (["a.png"], "warm", "'warm' is unknown"),
    ],
)
def test_other_files_are_refused_in_a_sentence(client, names, modality, reason):
    data = {"files": [(io.BytesIO(b"x"), name) for name in names], "modality": modality}
    reply = client.post("/added", data=data)
    assert reply.status_code == 400 and reason in reply.json["error"]


def test_other_sites_are_refused(client):
    assert client.get("/").status_code == 200 and client.get("/page.css").status_code == 200
    assert client.get("/page.py").status_code == 404
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    for origin in ("http://evil.example", "null", "http://["):
        assert client.get("/tracklets", headers={"Origin": origin}).status_code == 403
    assert client.get("/tracklets", headers={"Origin": "http://localhost"}).status_code == 200
    assert "default-src 'self'" in client.get("/").headers["Content-Security-Policy"]


def test_without_flask_the_extra_is_named(session, monkeypatch, capsys):
    monkeypatch.setattr(server, "flask", None)
    with pytest.raises(ConfigError, match="browse"):
        build_app(session)
    assert command("browse")(["none.npz"]) == 2 and "none.npz" in capsys.readouterr().err


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
def test_a_browser_shows_the_answers(session, tmp_path):
    running = serving.make_server(server.LOOPBACK, 0, build_app(session), threaded=True)
    thread = Thread(target=running.serve_forever)
    thread.start()
    try:
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        address = f"http://{server.LOOPBACK}:{running.server_port}/"
        words = [BROWSER, *options, "--virtual-time-budget=5000", "--dump-dom", address]
        page = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
    finally:
        running.shutdown()
        thread.join()
        running.server_close()
    assert page.count("<li>") == len(NAMES) + 10
    assert "A match at level 0.05." in page and "1. anna again" in page
    assert "b&lt;b&gt;ob&lt;/b&gt;" in page and "<b>ob" not in page
