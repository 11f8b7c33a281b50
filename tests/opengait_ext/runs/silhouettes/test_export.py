"""Silhouettes as files: complete, the network's own, and continued after a stop."""

import shutil

import numpy as np
import pytest
import torch.nn.functional as F
from PIL import Image

from opengait.errors import DataError
from opengait_ext.models import DinoGRLNet
from opengait_ext.runs.silhouettes import Projection, choose_tracklets, export_silhouettes, silhouettes_of
from opengait_ext.runs.silhouettes import export as export_module
from tests.opengait_ext.runs.silhouettes.tiny import FRAMES, HEIGHT, MODEL, WIDTH, picture


def test_every_file_is_there_and_of_the_frames_size(exported, tracklets):
    for tracklet in tracklets:
        folder = exported / tracklet.folder
        for kind, shape in (("mask", (HEIGHT, WIDTH)), ("enriched", (HEIGHT, WIDTH, 3))):
            files = sorted(file.name for file in (folder / kind).iterdir())
            assert files == ["1.png", "11.png", "6.png"]
            assert picture(folder / kind / "6.png").shape == shape
            assert picture(folder / kind / "6.png").dtype == np.uint8
        animation = Image.open(folder / "walk.gif")
        assert (animation.n_frames, animation.size) == (FRAMES, (4 * WIDTH, HEIGHT))
    assert not list(exported.rglob("*.part*"))


def test_mask_is_the_networks(exported, network, tracklets):
    for tracklet in (tracklets[0], tracklets[-1]):
        mask = silhouettes_of(network, tracklet.source[[2]]).mask
        expected = F.interpolate(mask, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0, 0] * 255
        written = picture(exported / tracklet.folder / "mask" / "11.png")
        assert np.abs(written - expected.numpy()).max() <= 0.51


def test_a_tracklet_alone_looks_the_same_with_the_same_projection(exported, network, tracklets, tmp_path):
    (tmp_path / "projection.npz").write_bytes((exported / "projection.npz").read_bytes())
    export_silhouettes(network, tracklets[5:6], tmp_path, progress=False)
    for kind in ("mask", "enriched"):
        name = tracklets[5].folder / kind / "6.png"
        difference = picture(tmp_path / name).astype(int) - picture(exported / name)
        assert np.abs(difference).max() <= 1


def test_one_projection_for_both_modalities(exported, network, tracklets):
    projection = Projection.load(exported / "projection.npz", 6)
    for tracklet in (tracklets[0], tracklets[3]):
        maps = silhouettes_of(network, tracklet.source[[0]])
        colours = F.interpolate(projection.colours(*maps[::-1]), (HEIGHT, WIDTH), mode="bilinear") * 255
        written = picture(exported / tracklet.folder / "enriched" / "1.png").transpose(2, 0, 1)
        assert np.abs(written - colours[0].numpy()).max() <= 0.51


def test_twice_the_same_bytes(exported, network, tracklets, tmp_path):
    export_silhouettes(network, tracklets, tmp_path, batch=7, progress=False)
    for name in ("mask/6.png", "enriched/6.png", "walk.gif"):
        mine = tracklets[2].folder / name
        assert (tmp_path / mine).read_bytes() == (exported / mine).read_bytes()


def test_continues_where_it_stopped(exported, network, tracklets, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(exported, out)
    whole, stopped, torn, bare = (out / t.folder for t in tracklets[:4])
    stopped.rename(stopped.with_name(f".{stopped.name}.part"))
    (stopped.with_name(f".{stopped.name}.part") / "mask" / "1.png").write_bytes(b"half")
    (torn / "mask" / "6.png").unlink()
    (bare / "walk.gif").unlink()
    (whole / "mask" / "1.png").write_bytes(b"mine")
    summary = export_silhouettes(network, tracklets, out, progress=False)
    assert (summary.written, summary.kept, summary.frames) == (3, 5, 9)
    assert (whole / "mask" / "1.png").read_bytes() == b"mine"
    for folder in (stopped, torn, bare):
        name = folder.relative_to(out) / "mask" / "6.png"
        assert np.abs(picture(out / name).astype(int) - picture(exported / name)).max() <= 1
        assert (folder / "walk.gif").is_file()
    assert not list(out.rglob("*.part"))


def test_nothing_is_left_of_a_tracklet_that_fails(network, tracklets, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(export_module, "write_gif", full)
    with pytest.raises(OSError, match="disk full"):
        export_silhouettes(network, tracklets[:2], tmp_path, progress=False)
    assert not any((tmp_path / t.folder).exists() for t in tracklets[:2])


def test_other_frames_replace_the_former(exported, network, tracklets, data_cfg, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(exported, out)
    one = choose_tracklets(data_cfg, "test", tracklets=1, frames=1)
    assert export_silhouettes(network, one, out, gif=False, progress=False).written == 1
    assert [file.name for file in (out / one[0].folder / "mask").iterdir()] == ["1.png"]


def test_another_network_is_refused(exported, network, tracklets):
    other = DinoGRLNet.from_config(MODEL).eval()
    with pytest.raises(DataError, match="holds silhouettes of another checkpoint"):
        export_silhouettes(other, tracklets, exported, progress=False)
    other.silhouette_generator.load_state_dict(network.silhouette_generator.state_dict())
    with pytest.raises(DataError, match="another checkpoint"):  # its vision model is still another
        export_silhouettes(other, tracklets, exported, progress=False)


def test_broken_frame_is_named(network, data_cfg, data, tmp_path):
    copy = tmp_path / "vcm"
    shutil.copytree(data, copy)
    (copy / "Test" / "0501" / "rgb" / "D2" / "6.jpg").write_bytes(b"")
    chosen = choose_tracklets(data_cfg | {"dataset_root": str(copy)}, "test")
    with pytest.raises(DataError, match="0501/rgb/D2/6.jpg"):
        export_silhouettes(network, chosen, tmp_path / "out", progress=False)
