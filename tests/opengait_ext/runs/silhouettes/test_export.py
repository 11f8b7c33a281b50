"""Exported silhouettes: complete, equal to the network's, and resumed after an interruption."""

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


def test_all_files_exist_in_the_size_of_the_frames(exported, tracklets):
    for tracklet in tracklets:
        folder = exported / tracklet.folder
        for kind, shape in (("mask", (HEIGHT, WIDTH)), ("enriched", (HEIGHT, WIDTH, 3))):
            files = sorted(file.name for file in (folder / kind).iterdir())
            assert files == ["1.png", "11.png", "6.png"]
            assert picture(folder / kind / "6.png").shape == shape
            assert picture(folder / kind / "6.png").dtype == np.uint8
        with Image.open(folder / "walk.gif") as animation:
            assert (animation.n_frames, animation.size) == (FRAMES, (4 * WIDTH, HEIGHT))
    assert not list(exported.rglob("*.part*"))


def test_mask_is_that_of_the_network(exported, network, tracklets):
    for tracklet in (tracklets[0], tracklets[-1]):
        mask = silhouettes_of(network, tracklet.source[[2]]).mask
        expected = F.interpolate(mask, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0, 0] * 255
        written = picture(exported / tracklet.folder / "mask" / "11.png")
        assert np.abs(written - expected.numpy()).max() <= 0.51


def test_tracklet_looks_the_same_when_exported_alone(exported, network, tracklets, tmp_path):
    (tmp_path / "projection.npz").write_bytes((exported / "projection.npz").read_bytes())
    export_silhouettes(network, tracklets[5:6], tmp_path, progress=False)
    for kind in ("mask", "enriched"):
        name = tracklets[5].folder / kind / "6.png"
        difference = picture(tmp_path / name).astype(int) - picture(exported / name)
        assert np.abs(difference).max() <= 1


def test_both_modalities_share_one_projection(exported, network, tracklets):
    projection = Projection.load(exported / "projection.npz", 6)
    for tracklet in (tracklets[0], tracklets[3]):
        maps = silhouettes_of(network, tracklet.source[[0]])
        colours = F.interpolate(projection.colours(*maps[::-1]), (HEIGHT, WIDTH), mode="bilinear") * 255
        written = picture(exported / tracklet.folder / "enriched" / "1.png").transpose(2, 0, 1)
        assert np.abs(written - colours[0].numpy()).max() <= 0.51


def test_export_is_reproducible(exported, network, tracklets, tmp_path):
    export_silhouettes(network, tracklets, tmp_path, batch=7, progress=False)
    for name in ("mask/6.png", "enriched/6.png", "walk.gif"):
        file = tracklets[2].folder / name
        assert (tmp_path / file).read_bytes() == (exported / file).read_bytes()


def test_interrupted_export_resumes(exported, network, tracklets, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(exported, out)
    whole, stopped, torn, bare = (out / t.folder for t in tracklets[:4])
    stopped.rename(stopped.with_name(f".{stopped.name}.part"))
    (stopped.with_name(f".{stopped.name}.part") / "mask" / "1.png").write_bytes(b"half")
    (torn / "mask" / "6.png").unlink()
    (bare / "walk.gif").unlink()
    (whole / "mask" / "1.png").write_bytes(b"kept")
    summary = export_silhouettes(network, tracklets, out, progress=False)
    assert (summary.written, summary.kept, summary.frames) == (3, 5, 9)
    assert (whole / "mask" / "1.png").read_bytes() == b"kept"
    for folder in (stopped, torn, bare):
        name = folder.relative_to(out) / "mask" / "6.png"
        assert np.abs(picture(out / name).astype(int) - picture(exported / name)).max() <= 1
        assert (folder / "walk.gif").is_file()
    assert not list(out.rglob("*.part"))


def test_failed_tracklet_leaves_no_files(network, tracklets, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(export_module, "write_gif", full)
    with pytest.raises(OSError, match="disk full"):
        export_silhouettes(network, tracklets[:2], tmp_path, progress=False)
    assert not any((tmp_path / t.folder).exists() for t in tracklets[:2])


def test_other_frames_replace_an_earlier_export(exported, network, tracklets, data_cfg, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(exported, out)
    one = choose_tracklets(data_cfg, "test", tracklets=1, frames=1)
    assert export_silhouettes(network, one, out, gif=False, progress=False).written == 1
    assert [file.name for file in (out / one[0].folder / "mask").iterdir()] == ["1.png"]


def test_export_of_another_network_is_refused(exported, network, tracklets):
    other = DinoGRLNet.from_config(MODEL).eval()
    with pytest.raises(DataError, match="another checkpoint"):
        export_silhouettes(other, tracklets, exported, progress=False)
    other.silhouette_generator.load_state_dict(network.silhouette_generator.state_dict())
    with pytest.raises(DataError, match="another checkpoint"):  # the vision models still differ
        export_silhouettes(other, tracklets, exported, progress=False)


def test_error_names_a_damaged_frame(network, data_cfg, data, tmp_path):
    copy = tmp_path / "vcm"
    shutil.copytree(data, copy)
    (copy / "Test" / "0501" / "rgb" / "D2" / "6.jpg").write_bytes(b"")
    chosen = choose_tracklets(data_cfg | {"dataset_root": str(copy)}, "test")
    with pytest.raises(DataError, match="0501/rgb/D2/6.jpg"):
        export_silhouettes(network, chosen, tmp_path / "out", progress=False)
