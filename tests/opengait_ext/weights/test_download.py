"""Fetching weights from a local server that cuts connections, changes files or lacks them."""

import hashlib
import http.server
import io
import json
import shutil
import threading
from pathlib import Path

import pytest
import torch

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.commands import download as download_command
from opengait_ext.weights import catalogue, transfer
from opengait_ext.weights import obtain as check
from opengait_ext.weights import read as weights
from opengait_ext.weights.catalogue import FILES, WeightFile, clip_shapes, dinov2_shapes, published
from opengait_ext.weights.obtain import obtain
from opengait_ext.weights.read import find_weights, load_exactly, read_weights
from opengait_ext.weights.transfer import OfflineError, fetch, note_path
from tests.opengait_ext.runs.stand_in_runs import command

download = command("download")

SHAPES = {"conv.weight": (64, 3, 7, 7), "conv.bias": (64,)}


def saved(state, **options):
    buffer = io.BytesIO()
    torch.save(state, buffer, **options)
    return buffer.getvalue()


def tiny_state(shapes=SHAPES):
    torch.manual_seed(0)
    return {key: torch.randn(shape) for key, shape in shapes.items()}


GOOD = saved(tiny_state())
DIGITS = hashlib.sha256(GOOD).hexdigest()[:8]


class Handler(http.server.BaseHTTPRequestHandler):
    """Handler that serves `server.files` and breaks the next connections after `server.cuts` bytes."""

    def do_GET(self):
        server, content = self.server, self.server.files.get(self.path.strip("/"))
        server.requests.append(dict(self.headers))
        if content is None or server.status:
            self.send_error(server.status or 404)
            return
        start = 0
        fresh = self.headers.get("If-Range", server.version) == server.version
        if "Range" in self.headers and server.ranges and fresh:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if server.version:
            self.send_header("ETag", server.version)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: server.cuts.pop(0) if server.cuts else None])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.cuts, server.requests = {}, [], []
    server.ranges, server.version, server.status = True, '"one"', None
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def entry(server):
    server.files["tiny.pth"] = GOOD
    return WeightFile("tiny", "tiny.pth", "the tiny network", f"{server.address}/tiny.pth", lambda: SHAPES)


def get(entry, folder, **options):
    return obtain(entry, folder, pause=0, **options)


def test_a_file_is_fetched_checked_recorded_and_kept(entry, server, tmp_path):
    first = get(entry, tmp_path / "new")
    assert first.new
    assert first.path.read_bytes() == GOOD
    assert sorted(path.name for path in first.path.parent.iterdir()) == ["tiny.pth", "tiny.pth.json"]
    note = json.loads((first.path.parent / "tiny.pth.json").read_text())
    assert note == {"file": "tiny.pth", "address": entry.address, "sha256": hashlib.sha256(GOOD).hexdigest()}
    second = get(entry, tmp_path / "new")
    assert not second.new
    assert len(server.requests) == 1


def test_cut_connections_are_resumed(entry, server, tmp_path):
    server.cuts = [10_000, 7_000, 1]
    assert get(entry, tmp_path).path.read_bytes() == GOOD
    assert [request.get("Range") for request in server.requests] == [
        None,
        "bytes=10000-",
        "bytes=17000-",
        "bytes=17001-",
    ]
    assert server.requests[1]["If-Range"] == '"one"'


def test_a_later_run_resumes_a_partial_file(entry, server, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "ATTEMPTS", 1)
    server.cuts = [5_000, 0]
    with pytest.raises(CheckpointError, match=r"broke off after 5,000 bytes .*; run the command again"):
        get(entry, tmp_path)
    assert (tmp_path / "tiny.pth.part").stat().st_size == 5_000
    assert not (tmp_path / "tiny.pth").exists()
    assert get(entry, tmp_path).path.read_bytes() == GOOD
    assert server.requests[-1]["Range"] == "bytes=5000-"
    assert not list(tmp_path.glob("*.part*"))


def test_attempts_without_progress_are_limited(entry, server, tmp_path):
    server.cuts = [100] + [0] * 20
    with pytest.raises(CheckpointError, match="broke off after 100 bytes"):
        get(entry, tmp_path)
    assert len(server.requests) == 1 + transfer.ATTEMPTS


def test_a_server_without_ranges_sends_the_whole_file(entry, server, tmp_path):
    server.ranges, server.cuts = False, [9_000]
    assert get(entry, tmp_path).path.read_bytes() == GOOD


@pytest.mark.parametrize("version", ['"two"', None])
def test_a_file_that_changed_is_fetched_anew(entry, server, tmp_path, version):
    server.version, server.cuts = '"one"' if version else None, [9_000] + [0] * transfer.ATTEMPTS
    with pytest.raises(CheckpointError, match="broke off"):
        get(entry, tmp_path)
    server.version = version
    server.files["tiny.pth"] = saved({key: value + 1 for key, value in tiny_state().items()}) + (
        b"" if version else b" "
    )
    assert get(entry, tmp_path).path.read_bytes() == server.files["tiny.pth"]
    assert len(server.requests) == transfer.ATTEMPTS + (2 if version else 3)


def test_a_partial_file_longer_than_the_new_one_is_discarded(entry, server, tmp_path):
    partial = tmp_path / "tiny.pth.part"
    partial.write_bytes(b"x" * len(GOOD) * 2)
    note = {"address": entry.address, "size": 3 * len(GOOD), "version": None}
    note_path(partial).write_text(json.dumps(note))
    assert get(entry, tmp_path).path.read_bytes() == GOOD


@pytest.mark.parametrize("note", [None, "{", '{"address": "http://elsewhere/tiny.pth", "size": 9, "version": null}'])
def test_a_partial_file_of_unknown_origin_is_not_resumed(entry, server, tmp_path, note):
    (tmp_path / "tiny.pth.part").write_bytes(b"x" * 50)
    if note:
        note_path(tmp_path / "tiny.pth.part").write_text(note)
    assert get(entry, tmp_path).path.read_bytes() == GOOD
    assert "Range" not in server.requests[0]


def test_a_complete_partial_file_is_not_fetched_again(entry, server, tmp_path):
    (tmp_path / "tiny.pth.part").write_bytes(GOOD)
    note = {"address": entry.address, "size": len(GOOD), "version": None}
    note_path(tmp_path / "tiny.pth.part").write_text(json.dumps(note))
    assert get(entry, tmp_path).path.read_bytes() == GOOD
    assert not server.requests


def test_a_missing_file_is_reported(entry, server, tmp_path):
    del server.files["tiny.pth"]
    with pytest.raises(CheckpointError, match=r"tiny.pth cannot be fetched: the server answers 404 \(Not Found\)"):
        get(entry, tmp_path)
    assert len(server.requests) == 1
    assert not list(tmp_path.iterdir())


def test_server_errors_are_retried(entry, server, tmp_path):
    server.status = 503
    with pytest.raises(CheckpointError, match=r"broke off after 0 bytes \(the server answers 503"):
        get(entry, tmp_path)
    assert len(server.requests) == transfer.ATTEMPTS


def test_an_unreachable_server(entry, server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(OfflineError, match=r"http://127.0.0.1:\d+/tiny.pth cannot be reached \(.*refused"):
        get(entry, tmp_path)


def test_addresses_other_than_http_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="not an address"):
        fetch("file:///etc/hostname", tmp_path / "x.part")


def test_a_folder_that_cannot_be_created_or_written(entry, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"file/sub cannot be created .* --out"):
        get(entry, tmp_path / "file" / "sub")
    (tmp_path / "tiny.pth.part").mkdir()
    with pytest.raises(CheckpointError, match=r"tiny.pth.part cannot be written"):
        get(entry, tmp_path)


@pytest.mark.parametrize(
    "mirror",
    ["http://[", "http://a:port", "http://ex ample", "http://ex\u00e4mple/\udcff", "ftp://host", "folder", "http://"],
)
def test_malformed_addresses_end_at_once(entry, tmp_path, mirror):
    with pytest.raises(CheckpointError, match="address|cannot be reached"):
        obtain(entry, tmp_path, mirror, pause=60)
    assert not list(tmp_path.glob("*.part"))


def test_a_busy_server_is_asked_again(entry, server, tmp_path, monkeypatch):
    server.status = 429
    monkeypatch.setattr(transfer.time, "sleep", lambda seconds: setattr(server, "status", None))
    assert get(entry, tmp_path).new and len(server.requests) == 2


def test_a_full_disk_is_named_before_and_during_a_fetch(entry, server, tmp_path, monkeypatch):
    free = shutil._ntuple_diskusage(10**6, 10**6 - 9, 9)
    with monkeypatch.context() as patch:
        patch.setattr(transfer.shutil, "disk_usage", lambda path: free)
        with pytest.raises(CheckpointError, match=f"has {len(GOOD):,} more bytes, and .* has 9 free; .*--out"):
            get(entry, tmp_path)
    (tmp_path / "tiny.pth.part").symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match=r"tiny.pth.part cannot be written \(No space left"):
        get(entry, tmp_path)


def test_a_folder_in_the_place_of_the_file(entry, server, tmp_path):
    (tmp_path / "tiny.pth").mkdir()
    with pytest.raises(CheckpointError, match="tiny.pth is a folder"):
        get(entry, tmp_path)
    assert not server.requests


def test_what_an_interrupted_fetch_left_is_continued_or_removed(entry, server, tmp_path, monkeypatch):
    def interrupted(read, partial, start, size):
        partial.write_bytes(read(3_000))
        raise KeyboardInterrupt

    for by_hand in (False, True):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(transfer, "_append", interrupted)
            get(entry, tmp_path)
        assert (tmp_path / "tiny.pth.part").exists()
        if by_hand:
            (tmp_path / "tiny.pth").write_bytes(GOOD)
        assert get(entry, tmp_path).new == (not by_hand)
        assert by_hand or server.requests[-1]["Range"] == "bytes=3000-"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.pth", "tiny.pth.json"]
        (tmp_path / "tiny.pth").unlink()


def test_two_fetches_at_once_take_turns(entry, server, tmp_path):
    with check.one_at_a_time(tmp_path):
        thread = threading.Thread(target=get, args=(entry, tmp_path))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive() and not server.requests
    thread.join(10)
    assert (tmp_path / "tiny.pth").read_bytes() == GOOD


def test_a_mirror_replaces_the_publisher(server, tmp_path):
    server.files["all/tiny.pth"] = GOOD
    entry = WeightFile("tiny", "tiny.pth", "the tiny network", "http://127.0.0.1:9/tiny.pth", lambda: SHAPES)
    assert get(entry, tmp_path, mirror=f"{server.address}/all/").new


class Bomb:
    """Object that writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            lambda _: saved(tiny_state({**SHAPES, "conv.weight": (64, 3, 5, 5)})),
            r"conv.weight has shape \(64, 3, 5, 5\)",
        ),
        (lambda _: saved(tiny_state({**SHAPES, "more.bias": (2,)})), r"more.bias is unknown \(0 missing, 1 unknown"),
        (lambda _: saved(tiny_state({"conv.bias": (64,)})), r"conv.weight is missing \(1 missing, 0 unknown"),
        (lambda _: GOOD[:-2000], "it is cut off"),
        (lambda _: saved(tiny_state(), _use_new_zipfile_serialization=False)[:2000], "it is cut off"),
        (lambda _: b"", "it is empty"),
        (lambda _: b"<html>Please log in</html>" * 9, "it is a web page or text"),
        (lambda _: b"\x00\x01" * 99, "objects other than tensors"),
        (lambda trap: saved({"conv.bias": Bomb(trap)}), "code or objects other than tensors, .*which is not run"),
        (lambda _: saved({"conv.bias": 3}), "not hold a table of tensors"),
        (lambda _: saved([1]), "not hold a table of tensors"),
    ],
)
def test_a_wrong_file_is_refused_and_deleted(entry, server, tmp_path, content, complaint):
    server.files["tiny.pth"] = content(str(tmp_path / "trap"))
    folder = tmp_path / "weights"
    with pytest.raises(CheckpointError, match=complaint) as caught:
        get(entry, folder)
    assert "tiny.pth.part" in str(caught.value)
    assert not list(folder.iterdir())
    assert not (tmp_path / "trap").exists()


def test_a_wrong_hash_is_refused(entry, server, tmp_path):
    right = WeightFile("tiny", f"tiny-{DIGITS}.pth", entry.purpose, entry.address, entry.shapes)
    assert get(right, tmp_path / "right").sha256.startswith(DIGITS)
    wrong = WeightFile("tiny", "tiny-0123abcd.pth", entry.purpose, entry.address, entry.shapes)
    with pytest.raises(CheckpointError, match=f"its SHA-256 starts {DIGITS} instead of 0123abcd; it came from http"):
        get(wrong, tmp_path / "wrong")


def test_an_existing_wrong_file_is_refused_and_kept(entry, server, tmp_path):
    (tmp_path / "tiny.pth").write_bytes(saved(tiny_state({"conv.bias": (2,)})))
    with pytest.raises(CheckpointError, match=r"tiny.pth is not the tiny network: .*; delete it and run `vvi"):
        get(entry, tmp_path)
    assert (tmp_path / "tiny.pth").is_file()
    assert not server.requests


def test_a_file_added_by_hand_is_checked_and_kept(entry, server, tmp_path):
    (tmp_path / "tiny.pth").write_bytes(GOOD)
    assert not get(entry, tmp_path).new
    assert not server.requests


def test_a_change_of_values_is_noticed(entry, server, tmp_path):
    path = get(entry, tmp_path).path
    path.write_bytes(saved({key: value + 1 for key, value in tiny_state().items()}))
    with pytest.raises(CheckpointError, match=rf"differs from the first fetch: .* tiny.pth.json says {DIGITS}"):
        get(entry, tmp_path)
    server.files["tiny.pth"] = path.read_bytes()
    path.unlink()
    with pytest.raises(CheckpointError, match="differs from the first fetch"):
        get(entry, tmp_path)
    (tmp_path / "tiny.pth.json").unlink()
    assert get(entry, tmp_path).new


def test_an_unreadable_record_is_reported(entry, server, tmp_path):
    path = get(entry, tmp_path).path
    (tmp_path / "tiny.pth.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"tiny.pth.json cannot be read as a note"):
        get(entry, tmp_path)
    assert path.is_file()


def test_counters_of_batch_norms_are_optional(entry, server, tmp_path):
    server.files["tiny.pth"] = saved(tiny_state() | {"bn.num_batches_tracked": torch.tensor(3)})
    assert get(entry, tmp_path).new
    norm = torch.nn.BatchNorm1d(2)
    state = torch.nn.BatchNorm1d(2).state_dict()
    state["running_mean"] += 1
    del state["num_batches_tracked"]
    load_exactly(norm, state, "old.pth", "a norm")
    assert norm.running_mean.tolist() == [1, 1]
    with pytest.raises(CheckpointError, match="running_var is missing"):
        load_exactly(norm, {key: state[key] for key in state if key != "running_var"}, "old.pth", "a norm")


def test_dinov2_shapes_are_those_of_the_network():
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        model = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=518)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    table = dinov2_shapes(384, 12)
    assert table.pop("mask_token") == (1, 384)
    assert table == shapes
    assert published("dinov2_vits14").mebibytes * 2**18 == 22_056_576


def test_clip_shapes_are_those_of_the_network():
    library = pytest.importorskip("open_clip")
    with torch.device("meta"):
        model = library.CLIP(**library.get_model_config("ViT-B-16-quickgelu"))
    assert clip_shapes(768, 16, 512, 512) == {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert published("clip_vitb16").mebibytes * 2**18 == 149_620_737


@pytest.mark.parametrize(
    ("shapes", "complaint"),
    [
        (dinov2_shapes(384, 14), r"blocks.12.attn.qkv.weight is unknown \(0 missing, 28 unknown keys\)"),
        (dinov2_shapes(384, 11), r"blocks.11.attn.qkv.weight is missing \(14 missing"),
        (dinov2_shapes(768, 12), r"cls_token has shape \(1, 1, 768\) where \(1, 1, 384\)"),
        (dinov2_shapes(384, 12) | {"pos_embed": (1, 257, 384)}, r"pos_embed has shape \(1, 257, 384\) where \(1, 1370"),
        (dinov2_shapes(384, 12) | {"patch_embed.proj.weight": (384, 3, 16, 16)}, "patch_embed.proj.weight has shape"),
    ],
)
def test_another_vision_transformer_is_refused(tmp_path, shapes, complaint):
    zeros = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}
    path = tmp_path / "dinov2_vits14_pretrain.pth"
    torch.save(zeros, path)
    with pytest.raises(CheckpointError, match=r"dinov2_vits14_pretrain.pth is not DINOv2 ViT-S/14.*: " + complaint):
        get(published("dinov2_vits14"), tmp_path)


def test_the_catalogue_is_consistent():
    assert {entry.sha256_start for entry in FILES if entry.name.startswith("resnet")} == {
        "0676ba61",
        "b627a593",
        "f37072fd",
    }
    names = [entry.name for entry in (*FILES, *catalogue.RELEASED, *catalogue.BY_HAND)]
    assert len(set(names)) == len(names)
    assert all(entry.address.endswith(entry.file) for entry in FILES)
    import torchvision

    for entry in FILES:
        if entry.name.startswith("resnet"):
            model = torchvision.models.get_model_weights(entry.name)["IMAGENET1K_V1"]
            assert model.url == entry.address
            assert entry.mebibytes == pytest.approx(model.meta["_file_size"], rel=2e-3)


def test_models_find_weights_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match=r"no file resnet18; run `vvi download resnet18`"):
        find_weights("resnet18", "the backbone")
    (tmp_path / "resnet18-f37072fd.pth").write_bytes(GOOD)
    assert find_weights("resnet18", "the backbone") == tmp_path / "resnet18-f37072fd.pth"
    assert set(read_weights("resnet18", "the backbone")) == set(SHAPES)
    assert find_weights("resnet18-f37072fd.pth", "the backbone") == tmp_path / "resnet18-f37072fd.pth"
    (tmp_path / "MaskBranch_vits14.pt").write_bytes(GOOD)
    assert find_weights("MaskBranch_vits14.pt", "the mask branch") == tmp_path / "MaskBranch_vits14.pt"
    with pytest.raises(CheckpointError, match=r"no file dinov2_vit14; names that stand for a file are dinov2_vits14, "):
        find_weights("dinov2_vit14", "the vision model")
    with pytest.raises(ConfigError, match="weights of the backbone are named by 5"):
        find_weights(5, "the backbone")
    with pytest.raises(CheckpointError, match=r"no file gone/resnet50-0676ba61.pth; run .* resnet50`, or download it"):
        find_weights("gone/resnet50-0676ba61.pth", "the backbone")
    with pytest.raises(CheckpointError, match=r"get it by hand \(the model links of BigGait"):
        find_weights("gone/MaskBranch_vits14.pt", "the mask branch")


@pytest.fixture
def tiny_catalogue(entry, monkeypatch):
    monkeypatch.setattr(catalogue, "FILES", (entry,))
    monkeypatch.setattr(download_command, "FILES", (entry,))
    monkeypatch.setattr(check, "fetch", lambda address, partial, pause: fetch(address, partial, 0))


def test_the_command_fetches(tiny_catalogue, tmp_path, capsys):
    assert download(["tiny", "--out", str(tmp_path)]) == 0
    assert "tiny.pth: fetched and checked" in capsys.readouterr().out
    assert download(["tiny.pth", "--out", str(tmp_path)]) == 0
    assert "tiny.pth: already there and checked" in capsys.readouterr().out


def test_the_command_without_network_prints_how_to_get_the_file(tiny_catalogue, server, tmp_path, capsys):
    server.shutdown()
    server.server_close()
    assert download(["tiny", "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    for part in (f"{server.address}/tiny.pth", "about 0 MiB", "no SHA-256 known beforehand", str(tmp_path), "refused"):
        assert part in message


def test_the_command_continues_after_a_wrong_file(tiny_catalogue, server, tmp_path, capsys):
    server.files["tiny.pth"] = b"<html>"
    assert download(["tiny", "biggait", "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "error: " in message
    assert "MaskBranch_vits14.pt" in message


def test_the_command_lists_files_and_refuses_unknown_names(capsys):
    assert download(["--list"]) == 0
    listed = capsys.readouterr().out
    for part in (
        *("dinov2_vitl14_pretrain.pth", "SHA-256 starts 0676ba61", "best_model2.pth", "MaskBranch_vits14.pt"),
        *("on GitHub, or its authors\n    the branch about 14 KiB", "checked\n    into pretrained\n"),
        "releases/download/HITSZ-VCM/best_model.pth",
    ):
        assert part in listed
    assert download(["biggait"]) == 3
    assert "To be fetched by hand: biggait" in capsys.readouterr().err
    assert download(["--list", "best_shape.pth", "pretrained/resnet18-f37072fd.pth"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("dinogrl_hitsz", "dinogrl_bupt", "resnet18")) and "dinov2" not in listed
    assert download(["resnet51"]) == 2
    assert "There are no weights 'resnet51'; known are dinov2_vits14" in capsys.readouterr().err
