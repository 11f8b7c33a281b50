"""Overlays, panels, animations and contact sheets."""

import numpy as np
from PIL import Image

from opengait_ext.runs.silhouettes import draw_contact_sheets
from opengait_ext.runs.silhouettes.image_files import write_gif
from opengait_ext.runs.silhouettes.panels import overlay, panels
from tests.opengait_ext.runs.silhouettes.tiny import picture


def test_overlay_by_hand():
    frame = np.zeros((1, 3, 3), np.uint8)
    frame[0, :, :] = (100, 200, 10)
    mask = np.array([[0, 255, 51]], np.uint8)
    # Half of (255, 40, 40) for a mask of 1, a tenth of it for a mask of one fifth.
    expected = [[100, 200, 10], [178, 120, 25], [116, 184, 13]]
    np.testing.assert_allclose(overlay(frame, mask)[0], expected, atol=0.51)


def test_panels():
    frame, enriched = np.full((2, 4, 3), 9, np.uint8), np.full((2, 4, 3), 5, np.uint8)
    mask = np.zeros((2, 4), np.uint8)
    mask[0, 1] = 255
    whole, grey, mixed, colour = panels(frame, mask, enriched)
    assert (whole == 9).all() and (colour == 5).all()
    assert grey[0, 1].tolist() == [255, 255, 255] and grey.sum() == 3 * 255
    assert (mixed != frame).any(axis=-1).sum() == 1


def test_animation_keeps_colours_and_order(tmp_path):
    frames = np.zeros((3, 16, 24, 3), np.uint8)
    frames[0, :, :8] = (255, 0, 0)
    frames[1, :, 8:16] = (0, 130, 60)
    frames[2, :, 16:] = (70, 80, 255)
    write_gif(tmp_path / "walk.gif", frames)
    with Image.open(tmp_path / "walk.gif") as animation:
        assert (animation.n_frames, animation.info["loop"], animation.info["duration"]) == (3, 0, 120)
        for number, frame in enumerate(frames):
            animation.seek(number)
            np.testing.assert_array_equal(np.asarray(animation.convert("RGB")), frame)


def test_animation_of_a_tracklet(exported, tracklets):
    folder = exported / tracklets[1].folder
    frame = tracklets[1].source[[1]][0].transpose(1, 2, 0)
    expected = panels(frame, picture(folder / "mask" / "6.png"), picture(folder / "enriched" / "6.png"))
    with Image.open(folder / "walk.gif") as animation:
        animation.seek(1)
        shown = np.asarray(animation.convert("RGB")).astype(int)
    assert np.abs(shown - np.concatenate(expected, axis=1)).mean() < 8


def test_contact_sheet(exported, tracklets):
    (page,) = draw_contact_sheets(exported, tracklets, frames=2)
    sheet = picture(page)
    assert page.name == "contact_sheet.png"
    step = 64 + 2  # tiles keep 96:48 at a height of 128
    assert sheet.shape == (44 + 2 * (128 + 8), 64 + 2 * (2 * (4 * step + 8)) + 24, 3)
    mask = picture(exported / tracklets[0].folder / "mask" / "1.png")
    tile = np.asarray(Image.fromarray(mask).resize((64, 128), Image.Resampling.BILINEAR))
    shown = sheet[44 : 44 + 128, 64 + step : 64 + step + 64]
    assert np.abs(shown.astype(int) - tile[..., None]).max() <= 1


def test_several_pages_and_people_of_one_modality(exported, tracklets, tmp_path):
    chosen = [t for t in tracklets if t.type == "visible"]
    pages = draw_contact_sheets(exported, chosen, frames=5, people=1)
    assert [page.name for page in pages] == ["contact_sheet-01.png", "contact_sheet-02.png"]
    assert sorted(file.name for file in exported.glob("contact*")) == [page.name for page in pages]
