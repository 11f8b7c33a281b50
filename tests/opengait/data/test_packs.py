"""Packs: the same bytes under the same names, after interruptions and in other processes, and errors for damage."""

import json
import multiprocessing
import os
import pickle
import re
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opengait.data.frames import ImageFrames
from opengait.data.packs import write as pack_writer
from opengait.data.packs.read import Pack, is_pack, open_pack
from opengait.data.packs.verify import verify_pack
from opengait.data.packs.write import write_pack
from opengait.errors import DataError, OutputError

NAMES = ["B/1.jpg", "a/1.jpg", "a/10.jpg", "a/2.jpg", "a-b/1.jpg", "b/c/3.JPG", "b/ä.png", "z.jpeg"]
OTHERS = {"info/list.txt": b"one\ntwo\n", "paths.json": b"{}\n", "info/empty.txt": b""}


def make_tree(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in NAMES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (6, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, "PNG" if name.endswith("png") else "JPEG")
    for name, content in OTHERS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / ".hidden").mkdir()
    (root / ".hidden" / "x.jpg").write_bytes(b"x")
    (root / "a" / "empty.jpg").write_bytes(b"")
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def whole(tree, tmp_path_factory):
    """A pack of several shards."""
    out = tmp_path_factory.mktemp("packs") / "pack"
    write_pack(tree, out, shard_bytes=700)
    return out


@pytest.fixture
def pack_copy(whole, tmp_path):
    """A pack for tests that damage it."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_bytes_and_names_equal_the_dataset(tree, whole):
    pack = Pack(whole)
    assert len(pack.shards) > 2 and len(pack) == len(NAMES) + 1
    for name in [*NAMES, "a/empty.jpg"]:
        assert bytes(pack.read(name)) == bytes(pack.read(whole / name)) == (tree / name).read_bytes()
    for name, content in OTHERS.items():
        assert (whole / name).read_bytes() == content
    assert list(pack.names()) == sorted([*NAMES, "a/empty.jpg"], key=str.encode)
    assert verify_pack(pack) == []
    assert not list(whole.glob("*.part*")) and not (whole / "pack.partial.json").exists()
    assert {path.suffix for path in whole.glob("frames-*")} == {".bin"}


def test_names_are_listed_by_folder(whole):
    pack = Pack(whole)
    assert list(pack.names("a")) == ["a/1.jpg", "a/10.jpg", "a/2.jpg", "a/empty.jpg"]
    assert list(pack.names(whole / "b")) == ["b/c/3.JPG", "b/ä.png"]
    assert pack.has_folder("b/c") and pack.has_folder(whole / "a-b") and pack.has_folder(whole)
    assert not pack.has_folder("a/1") and not pack.has_folder("info") and not pack.has_folder("zz")
    assert "a/1.jpg" in pack and whole / "z.jpeg" in pack
    assert "a/3.jpg" not in pack and "" not in pack and "zzz" not in pack and "a" not in pack
    with pytest.raises(FileNotFoundError):
        pack.read("a/3.jpg")


def test_frames_from_a_pack_equal_the_files(tree, whole):
    names = [name for name in NAMES if name != "a/empty.jpg"]
    of_files = ImageFrames([tree / name for name in names], (5, 3))[range(len(names))]
    of_pack = ImageFrames([whole / name for name in names], (5, 3), Pack(whole))[range(len(names))]
    assert np.array_equal(of_files, of_pack)
    for name, reason in (("a/3.jpg", "it is not in the pack"), ("a/empty.jpg", "it is empty or not an image")):
        with pytest.raises(DataError, match=f"^Cannot read the frame .*{name}: {reason}.$"):
            ImageFrames([whole / name], (5, 3), Pack(whole))[[0]]


def read_all(pack: Pack) -> list[bytes]:
    return [bytes(pack.read(name)) for name in pack.names()]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_map_the_files_again(whole, method):
    pack = Pack(whole)
    expected = read_all(pack)
    opened = pack._opened
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(read_all, (pack,)) == expected
    assert pack._opened is opened
    copied = pickle.loads(pickle.dumps(pack))
    assert copied._opened is None and len(pickle.dumps(pack)) < 5000
    assert read_all(copied) == expected
    pack.close()
    assert read_all(pack) == expected


@pytest.mark.slow
def test_a_forked_process_does_not_use_its_parents_maps(whole):
    pack = Pack(whole)
    read_all(pack)

    def child():
        read_all(pack)
        sys.exit(0 if pack._opened.process == os.getpid() else 1)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_threads_share_a_pack(whole):
    pack, contents = Pack(whole), []
    threads = [threading.Thread(target=lambda: contents.append(read_all(pack))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(contents) == 8 and all(content == contents[0] for content in contents)


def test_a_read_only_pack_works(pack_copy):
    expected = read_all(Pack(pack_copy))
    folders = [pack_copy, *(path for path in pack_copy.rglob("*") if path.is_dir())]
    for path in pack_copy.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    pack_copy.chmod(0o555)
    try:
        before = sorted(pack_copy.rglob("*"))
        assert read_all(Pack(pack_copy)) == expected and verify_pack(Pack(pack_copy)) == []
        assert sorted(pack_copy.rglob("*")) == before
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_an_interrupted_pack_is_continued(tree, whole, tmp_path, monkeypatch):
    out = tmp_path / "pack"
    real, read = pack_writer.read_ahead, []

    def interrupted_read(paths, sizes):
        for path, data in zip(paths, real(paths, sizes), strict=True):
            if path.name == "3.JPG":
                raise KeyboardInterrupt
            read.append(path.name)
            yield data

    monkeypatch.setattr(pack_writer, "read_ahead", interrupted_read)
    with pytest.raises(KeyboardInterrupt):
        write_pack(tree, out, shard_bytes=700)
    assert not is_pack(out) and not list(out.glob(".*"))
    with pytest.raises(DataError, match=r"is not a pack: pack\.json .* again"):
        Pack(out)
    first = (out / "frames-00000.bin").stat().st_ino
    (out / ".frames-00001.77.part.bin").write_bytes(b"left by a killed process")

    monkeypatch.setattr(pack_writer, "read_ahead", real)
    packed = write_pack(tree, out, shard_bytes=700)
    assert 0 < packed.kept < packed.shards and (out / "frames-00000.bin").stat().st_ino == first
    assert read_all(Pack(out)) == read_all(Pack(whole)) and verify_pack(Pack(out)) == []
    assert json.loads((out / "pack.json").read_text()) == json.loads((whole / "pack.json").read_text())
    assert not list(out.glob(".*")) and {path.suffix for path in out.glob("frames-*")} == {".bin"}
    repeated = write_pack(tree, out, shard_bytes=700)
    assert repeated.kept == repeated.shards == packed.shards


def test_an_unfinished_shard_is_written_again(tree, whole, tmp_path, monkeypatch):
    out = tmp_path / "pack"
    monkeypatch.setattr(pack_writer, "_write_index", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_pack(tree, out, shard_bytes=700)
    monkeypatch.undo()
    (out / "frames-00000.json").unlink()
    (out / "frames-00000.bin").write_bytes(b"half of it")
    (out / "frames-00001.bin").write_bytes(b"cut")
    packed = write_pack(tree, out, shard_bytes=700)
    assert packed.kept == packed.shards - 2 and verify_pack(Pack(out)) == []


def test_changed_files_are_not_mixed(tree, tmp_path, monkeypatch):
    root, out = Path(shutil.copytree(tree, tmp_path / "root")), tmp_path / "pack"
    monkeypatch.setattr(pack_writer, "_write_index", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_pack(root, out)
    monkeypatch.undo()
    # The same size, but other contents.
    (root / "a/1.jpg").write_bytes((root / "a/1.jpg").read_bytes()[::-1])
    with pytest.raises(DataError, match="unfinished pack of other files"):
        write_pack(root, out)
    shutil.rmtree(out)
    write_pack(root, out)
    (root / "new.jpg").write_bytes(b"new")
    with pytest.raises(DataError, match="is a pack of other files"):
        write_pack(root, out)
    listed = pack_writer.list_files(root)
    (root / "new.jpg").write_bytes(b"newer")
    with pytest.raises(DataError, match=r"new\.jpg changed while it was packed"):
        list(pack_writer.read_ahead([root / file.name for file in listed], [file.size for file in listed]))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda p: (p / "pack.json").unlink(), "is not a pack: pack.json"),
        (lambda p: (p / "pack.json").write_text("{"), "pack.json is damaged"),
        (lambda p: (p / "pack.json").write_text("[]"), "pack.json is not the header"),
        (lambda p: header(p, version=2), "version 1, got version 2"),
        (lambda p: header(p, shards=[{"name": "x"}]), "pack.json is incomplete"),
        (lambda p: header(p, files=3), "does not list its 3 files"),
        (lambda p: (p / "frames-00001.bin").unlink(), r"frames-00001.bin of the pack .* cannot be read"),
        (lambda p: cut(p / "frames-00001.bin"), r"frames-00001.bin has [\d,]+ bytes, but"),
        (lambda p: (p / "index/offsets.npy").unlink(), r"offsets.npy of the pack .* cannot be read"),
        (lambda p: cut(p / "index/names.npy"), r"names.npy has \d+ bytes, but"),
        (lambda p: flip(p / "index/lengths.npy", 30), "lengths.npy of the pack's index (cannot be read|holds)"),
        (lambda p: np.save(p / "index/offsets.npy", np.zeros(9, "<u8")), r"offsets.npy .* holds uint64 \(9,\)"),
    ],
)
def test_damage_is_one_sentence(pack_copy, damage, sentence):
    damage(pack_copy)
    with pytest.raises(DataError) as caught:
        read_all(Pack(pack_copy))
    assert re.search(sentence, str(caught.value)) and str(caught.value).endswith(".")


def change_index(pack: Path, name: str, change) -> None:
    path = pack / f"index/{name}.npy"
    array = np.load(path)
    change(array)
    np.save(path, array)


INDEX_LIES = {
    "beyond the shard": ("offsets", lambda array: array.__setitem__(-1, 10**12)),
    "overlapping": ("offsets", lambda array: array.__setitem__(1, 0)),
    "negative length": ("lengths", lambda array: array.__setitem__(0, -5)),
    "no such shard": ("shards", lambda array: array.__setitem__(-1, 99)),
    "negative shard": ("shards", lambda array: array.__setitem__(0, -1)),
    "names that end early": ("name_ends", lambda array: array.__setitem__(0, 10**9)),
    "names that are no text": ("names", lambda array: array.__setitem__(0, 255)),
}


@pytest.mark.parametrize("name", INDEX_LIES)
def test_an_index_that_lies_is_refused(pack_copy, name):
    change_index(pack_copy, *INDEX_LIES[name])
    with pytest.raises(DataError, match="index of the pack .* contradicts"):
        read_all(Pack(pack_copy))


@pytest.mark.parametrize("name", ["../secret.bin", "/etc/passwd", "frames-1.bin", "a/frames-00000.bin", ""])
def test_a_header_cannot_lead_out_of_the_pack(pack_copy, name):
    shards = json.loads((pack_copy / "pack.json").read_text())["shards"]
    header(pack_copy, shards=[shards[0] | {"name": name}, *shards[1:]])
    with pytest.raises(DataError, match=r"pack\.json"):
        Pack(pack_copy)


def test_a_changed_frame_is_noticed_when_it_is_read(pack_copy):
    pack = Pack(pack_copy)
    flip(pack_copy / "frames-00000.bin", 3)
    with pytest.raises(OSError, match="does not match its checksum"):
        read_all(pack)


def header(pack: Path, **changes) -> None:
    path = pack / "pack.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x11
    path.write_bytes(data)


def test_verifying_names_damaged_files(pack_copy):
    pack = Pack(pack_copy)
    location = pack.location_of(pack.find("b/c/3.JPG"))
    flip(pack.shards[location.shard], location.offset + 5)
    flip(pack_copy / "info/list.txt", 0)
    problems = verify_pack(Pack(pack_copy))
    assert len(problems) == 3 and problems[-1] == "The packed file b/c/3.JPG is damaged."
    assert pack.shards[location.shard].name in problems[0] and "list.txt" in problems[1]
    (pack_copy / "info/list.txt").unlink()
    assert any("list.txt cannot be read" in problem for problem in verify_pack(Pack(pack_copy)))


def test_folders_that_cannot_be_packed(tree, whole, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "a.txt").write_text("x")
    clash = make_tree(tmp_path / "clash")
    (clash / "pack.json").write_text("{}")
    link = make_tree(tmp_path / "link")
    (link / "gone.jpg").symlink_to(tmp_path / "nowhere")
    for root, out, sentence in (
        (tmp_path / "none", tmp_path / "o", "There is no folder"),
        (full, tmp_path / "o", "holds no image files"),
        (tree, full, "is not empty and is not a pack"),
        (tree, full / "a.txt", "is a file"),
        (tree, tree / "inside", "must not contain each other"),
        (whole, tmp_path / "o", "is already a pack"),
        (clash, tmp_path / "o", "is already a pack"),
        (link, tmp_path / "o", r"Cannot list .*gone\.jpg"),
    ):
        with pytest.raises(DataError, match=sentence):
            write_pack(root, out)
    (clash / "pack.json").rename(clash / "frames-7.bin")
    with pytest.raises(DataError, match="has a name that packs reserve"):
        write_pack(clash, tmp_path / "o")


def test_a_full_disk_is_reported(tree, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pack_writer.os, "fsync", full)
    with pytest.raises(OutputError, match="Cannot write .*: No space left on device"):
        write_pack(tree, tmp_path / "pack")
    assert not list((tmp_path / "pack").glob("*.bin"))


def test_other_folders_are_not_packs(tree, whole):
    assert open_pack(tree) is None and open_pack(whole) is not None
    assert not is_pack(tree / "nothing")
