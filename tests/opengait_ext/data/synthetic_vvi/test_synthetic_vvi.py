"""The synthetic dataset: HITSZ-VCM's layout, determinism, true silhouettes, and the cues of identity."""

import hashlib
import json
import re
import shutil
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_ext.data.hitsz_vcm.reader import HITSZVCM
from opengait_ext.data.synthetic_vvi import BENCHMARK, DEMO, PRESETS, SettingsError, SyntheticConfig, generate
from opengait_ext.data.synthetic_vvi.lights import Lamp
from opengait_ext.data.synthetic_vvi.settings import INFRARED, VISIBLE
from opengait_ext.data.synthetic_vvi.tracklet import TrackletKey, render, who
from tests.opengait_ext.runs.stand_in_runs import command
from tests.paths import ROOT

SMALL = SyntheticConfig(train_identities=2, test_identities=2, cameras=2, tracklets=2, frames=12, size=(64, 32))
MEASURED = SyntheticConfig(
    cameras=3, frames=24, occlusion=0.0, crowd=0.0, turning=0.0, view_spread=0.0, outline_variety=1.0
)
PEOPLE = range(501, 513)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "data"
    generate(root, SMALL)
    return root


@pytest.fixture(scope="module")
def walks() -> dict[TrackletKey, list[tuple[np.ndarray, np.ndarray]]]:
    """Return every other frame of twelve people: infrared in camera 1, visible in cameras 2 and 3."""
    seen_by = ((INFRARED, 1), (VISIBLE, 2), (VISIBLE, 3))
    keys = [TrackletKey(pid, modality, cam, 1) for pid in PEOPLE for modality, cam in seen_by]
    return {key: [drawn[:2] for drawn in render(MEASURED, key)][::2] for key in keys}


def digest(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("split", "pids"), [("Train", [1, 2]), ("Test", [501, 502])])
def test_info_files_describe_the_tree(small: Path, split: str, pids: list[int]) -> None:
    names = (small / "info" / f"{split.lower()}_name.txt").read_text().split("\n")[:-1]
    rows = [line.split() for line in (small / "info" / f"track_{split.lower()}_info.txt").read_text().splitlines()]
    assert len(rows) == 2 * 2 * 2 * 2  # people, modalities, cameras, tracklets
    seen, expected_first = [], 1
    for modality, first, last, pid, cam in rows:
        assert int(first) == expected_first and int(last) - int(first) + 1 >= 12
        expected_first = int(last) + 1
        for name in names[int(first) - 1 : int(last)]:
            fields = re.fullmatch(r"(\d{4})M([12])D(\d+)T(\d+)F(\d+)\.jpg", name)
            assert fields and (fields[1], fields[2], fields[3]) == (pid, modality, cam)
            seen.append(f"{split}/{pid}/{'ir' if modality == '1' else 'rgb'}/D{cam}/{fields[5]}")
    assert expected_first == len(names) + 1
    assert sorted({int(row[3]) for row in rows}) == pids
    assert len(seen) == len(set(seen))
    on_disk = {str(path.relative_to(small).with_suffix("")) for path in (small / split).rglob("*.jpg")}
    masks = {
        str(p.relative_to(small / "silhouettes").with_suffix("")) for p in (small / "silhouettes" / split).rglob("*")
    }
    assert set(seen) == on_disk and on_disk <= masks
    first_folder = sorted(int(path.stem) for path in (small / split / f"{pids[0]:04d}/rgb/D1").iterdir())
    assert first_folder[:3] == [1, 6, 11]


def test_queries_are_the_infrared_rows(small: Path) -> None:
    lines = (small / "info" / "query_IDX.txt").read_text().splitlines()
    rows = (small / "info" / "track_test_info.txt").read_text().splitlines()
    assert len(lines) == 1
    assert [int(number) for number in lines[0].split()] == [i for i, row in enumerate(rows, 1) if row[0] == "1"]


def test_silhouettes_belong_to_the_frames(small: Path) -> None:
    for path in sorted((small / "Test").rglob("*.jpg"))[::5]:
        frame = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        mask_path = small / "silhouettes" / path.relative_to(small).with_suffix(".png")
        mask = cv2.imread(str(mask_path), cv2.IMREAD_UNCHANGED)
        assert mask.shape == frame.shape[:2] == (64, 32)
        assert set(np.unique(mask)) == {0, 255}
        assert frame.ndim == (2 if path.parts[-3] == "ir" else 3)


def test_people_fill_the_frame_and_stand_in_the_middle(walks) -> None:
    for pairs in walks.values():
        masks = np.stack([mask for _, mask in pairs]) > 0
        rows, columns = masks.any(axis=2), masks.any(axis=1)
        heights = rows.sum(axis=1) / rows.shape[1]
        assert 0.70 < heights.mean() < 0.97
        assert 0.10 < masks.mean() < 0.50
        middle = np.mean([np.flatnonzero(row).mean() for row in columns]) / columns.shape[1]
        assert abs(middle - 0.5) < 0.12


def test_the_silhouette_lies_on_the_person() -> None:
    """With an unchanged background, another palette changes only the pixels of the person."""
    key = TrackletKey(501, INFRARED, 1, 1)
    config = SyntheticConfig(occlusion=0.0, motion_blur=0.0, crowd=0.0)
    frame, mask, *_ = next(render(config, key))
    with pytest.MonkeyPatch.context() as patch:
        original = Lamp.palette
        patch.setattr(Lamp, "palette", lambda light, wardrobe: 0 * original(light, wardrobe))
        other, same_mask, *_ = next(render(config, key))
    change, person = cv2.absdiff(frame, other).reshape(mask.shape), mask > 0
    changed = change > np.median(change[person]) / 2
    assert np.array_equal(mask, same_mask)
    assert (changed & person).sum() / (changed | person).sum() > 0.85


def test_bytes_do_not_depend_on_workers(small: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", SMALL, workers=2)
    assert digest(tmp_path / "again") == digest(small)


def test_another_seed_gives_other_people_and_frames() -> None:
    key = TrackletKey(1, VISIBLE, 1, 1)
    other = SyntheticConfig(seed=1)
    assert who(SyntheticConfig(), 1)[0] != who(other, 1)[0]
    first, second = next(render(SyntheticConfig(), key))[0], next(render(other, key))[0]
    assert not np.array_equal(first, second)


def gait_energy(masks: list[np.ndarray]) -> np.ndarray:
    """Return the mean silhouette, scaled to the person's height and centred on the median column."""
    aligned = []
    for mask in masks:
        rows, columns = np.nonzero(mask)
        scale = 64 / (rows.max() - rows.min() + 1)
        shift = np.array([[scale, 0, 32 - scale * np.median(columns)], [0, scale, -scale * rows.min()]])
        aligned.append(cv2.warpAffine(mask, shift, (64, 64)) / 255)
    return np.mean(aligned, axis=0)


def rank1(features: dict[TrackletKey, np.ndarray], modality: int, *, mirror: bool) -> float:
    """Return the share of tracklets of `modality` whose nearest one of the other modality shows the same person.

    With `mirror`, the distance to a gallery entry is the smaller one of itself and its mirror image.
    """
    gallery = {key: feature for key, feature in features.items() if key.modality != modality}
    hits = []
    for key in features.keys() - gallery.keys():
        distances = {other: np.linalg.norm(features[key] - feature) for other, feature in gallery.items()}
        if mirror:
            flipped = {other: np.linalg.norm(features[key] - feature[:, ::-1]) for other, feature in gallery.items()}
            distances = {other: min(distance, flipped[other]) for other, distance in distances.items()}
        hits.append(min(distances, key=distances.get).pid == key.pid)
    return float(np.mean(hits))


def test_identity_is_in_shape_and_not_in_brightness(walks) -> None:
    """Across cameras and modalities, true silhouettes distinguish twelve people and grey values do not."""
    energies = {key: gait_energy([mask for _, mask in pairs]) for key, pairs in walks.items()}
    assert rank1(energies, INFRARED, mirror=True) >= 0.7
    assert rank1(energies, VISIBLE, mirror=True) >= 0.6  # one gallery tracklet per person

    brightness = {}
    for key, pairs in walks.items():
        grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) if frame.shape[2] == 3 else frame for frame, _ in pairs]
        brightness[key] = np.histogram(np.stack(grey), 16, (0, 256), density=True)[0]
    assert rank1(brightness, INFRARED, mirror=False) <= 0.35
    assert rank1(brightness, VISIBLE, mirror=False) <= 0.35


def test_finished_folder_is_kept_and_partial_one_drawn_again(tmp_path: Path) -> None:
    config = SyntheticConfig(train_identities=1, test_identities=1, cameras=1, frames=2, size=(32, 16))
    root = tmp_path / "data"
    generate(root, config)
    whole = digest(root)
    stamp = (root / "info" / "query_IDX.txt").stat().st_mtime_ns
    generate(root, config)
    assert (root / "info" / "query_IDX.txt").stat().st_mtime_ns == stamp
    (root / "synthetic.json").replace(root / "synthetic.partial.json")
    (root / "Train" / "0001" / "stray.jpg").write_bytes(b"half a frame")
    generate(root, config)
    assert digest(root) == whole
    assert json.loads((root / "synthetic.json").read_text())["frames"] == 2


def test_other_parameters_need_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthesize = command("synthesize")
    arguments = ["--out", str(tmp_path / "d"), "--train-identities", "1", "--test-identities", "1", "--cameras", "1"]
    arguments += ["--frames", "2", "--size", "32", "16"]
    assert synthesize(arguments) == 0
    assert synthesize([*arguments, "--seed", "4"]) == 2
    assert "seed 0 instead of 4" in capsys.readouterr().err
    assert synthesize([*arguments, "--seed", "4", "--force"]) == 0


def test_a_foreign_folder_is_never_cleared(tmp_path: Path) -> None:
    photograph = tmp_path / "Train" / "0001.jpg"
    photograph.parent.mkdir()
    photograph.write_bytes(b"real data")
    for force in (False, True):
        with pytest.raises(SettingsError, match="did not write"):
            generate(tmp_path, SMALL, force=force)
    assert photograph.read_bytes() == b"real data"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"cameras": 0}, "cameras: .* got 0"),
        ({"size": (16, 16)}, "size: .* got 16 16"),
        ({"test_identities": 9800}, "room for 9999"),
        ({"occlusion": 1.5}, "occlusion: .* got 1.5"),
        ({"appearance_link": -0.1}, "appearance_link: .* got -0.1"),
        ({"turning": 2}, "turning: .* got 2"),
        ({"crowd": 2}, "crowd: .* got 2"),
        ({"view_spread": 91}, "view_spread: expected 0 to 90 degrees, got 91"),
        ({"infrared": "far"}, "infrared: expected near or thermal, got 'far'"),
        ({"seed": -1}, "seed: .* got -1"),
        ({"seed": 2**63}, "seed: .* got 9223372036854775808"),
        ({"frames": 10**9}, "frames: .* got 1000000000"),
    ],
)
def test_bad_settings_are_named(setting: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SyntheticConfig(**setting)


@pytest.mark.parametrize("setting", [{"frames": 10**8}, {"cameras": 10**8}, {"tracklets": 10**8, "size": (1024, 1024)}])
def test_what_the_disk_cannot_hold_is_refused_at_once(tmp_path: Path, setting: dict) -> None:
    with pytest.raises(SettingsError, match=r"frames of .* GiB are free in"):
        generate(tmp_path / "d", SyntheticConfig(**setting))
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000, '{"seed": '])
def test_damaged_parameters_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "synthetic.json").write_text(content)
    with pytest.raises(SettingsError, match=r"synthetic\.json does not hold"):
        generate(tmp_path, SMALL)


def test_test_people_are_numbered_after_more_than_500_training_people() -> None:
    assert SyntheticConfig(train_identities=500).test_pids[0] == 501
    assert SyntheticConfig(train_identities=600, test_identities=3).test_pids == range(601, 604)


def test_opposite_is_the_share_that_walks_the_other_way(tmp_path):
    """With 0 and 1, all people walk in opposite directions, so the mean silhouettes are mirrored."""
    shapes = {}
    for opposite in (0.0, 1.0):
        root = tmp_path / str(opposite)
        config = SyntheticConfig(train_identities=2, test_identities=1, cameras=1, frames=12, opposite=opposite)
        generate(root, config)
        folder = root / "silhouettes" / "Train" / "0001" / "ir" / "D1"
        pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127 for path in sorted(folder.iterdir())]
        shapes[opposite] = np.mean(pictures, axis=0)
    same = np.abs(shapes[0.0] - shapes[1.0]).mean()
    mirrored = np.abs(shapes[0.0] - shapes[1.0][:, ::-1]).mean()
    assert mirrored < same


def test_the_readme_has_all_options_and_presets() -> None:
    text = (ROOT / "datasets/synthetic_vvi/README.md").read_text()
    rows = re.findall(r"^\| `--([a-z-]+)` \| (.+?) \| (.+?) \| (.+?) \| .+ \|$", text, re.MULTILINE)
    assert {name.replace("-", "_") for name, *_ in rows} == {field.name for field in fields(SyntheticConfig)}
    for column, config in enumerate((SyntheticConfig(), DEMO, BENCHMARK), 1):
        for name, *values in rows:
            value = getattr(config, name.replace("-", "_"))
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else value if isinstance(value, str) else None
            assert values[column - 1] == (shown or f"{value:g}"), (name, config)


def test_an_old_folder_is_read_but_not_replaced(tmp_path: Path) -> None:
    """Folders of the first edition lack parsing maps, joints and the newer parameters."""
    generate(tmp_path, SMALL)
    shutil.rmtree(tmp_path / "parsing")
    shutil.rmtree(tmp_path / "joints")
    parameters = json.loads((tmp_path / "synthetic.json").read_text())
    newer = ("infrared", "appearance_link", "view_spread", "turning", "crowd")
    old = {name: value for name, value in parameters.items() if name not in newer} | {"format": 2}
    (tmp_path / "synthetic.json").write_text(json.dumps(old))
    dataset = HITSZVCM(tmp_path)
    assert len(dataset.train) == len(dataset.query) + len(dataset.gallery) == 16
    before = digest(tmp_path)
    with pytest.raises(SettingsError, match="format 2 instead of 3.*--force"):
        generate(tmp_path, SMALL)
    assert digest(tmp_path) == before


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_the_defaults_of_the_command(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr("opengait_ext.data.synthetic_vvi.generate", lambda out, config, **_: drawn.append(config))
    assert command("synthesize")(["--out", "x", "--preset", preset, "--infrared", "thermal", "--crowd", "0.5"]) == 0
    assert drawn == [replace(PRESETS[preset], infrared="thermal", crowd=0.5)]
    assert command("synthesize")(["--out", "x", "--demo"]) == 0
    assert drawn[1] == DEMO
