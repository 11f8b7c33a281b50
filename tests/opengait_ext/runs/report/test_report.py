"""The report page: complete, self-contained, correct in its numbers, and free of errors in a browser."""

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from opengait.errors import DataError
from opengait_ext.models.dinogrl.enhancement import LocalToGlobalEnhancement
from opengait_ext.runs.figures.inside import chain_steps
from opengait_ext.runs.figures.of_runs import KINDS
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.report import breakdown, build_report
from opengait_ext.runs.tested_run import open_run
from tests.opengait_ext.runs.stand_in_runs import command, engine
from tests.opengait_ext.runs.stand_in_test import planted, write_run
from tests.opengait_ext.world import write_config

pytestmark = pytest.mark.slow

BROWSER = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)


@pytest.fixture(scope="module")
def tested(world, tmp_path_factory):
    """Return a run folder after four iterations and a test, and its report."""
    folder = tmp_path_factory.mktemp("report")
    file = write_config(world, folder)
    with engine(folder) as run:
        assert run(file, "train") == 0
        assert run(file, "test", "--set", "evaluator_cfg.save_features=true") == 0
    root = folder / "output/Synthetic-VVI/DinoGRL/DinoGRL"
    assert command("report")([str(root), "--out", str(folder / "page"), "--animations", "2", "--worst", "3"]) == 0
    return root, folder / "page/index.html"


def pictures(text):
    images = re.findall(r'<img[^>]*src="data:image/(png|gif);base64,([^"]+)"', text)
    return [(kind, Image.open(io.BytesIO(base64.b64decode(content)))) for kind, content in images]


def test_page_is_self_contained(tested):
    text = tested[1].read_text()
    for name in (
        "results",
        "training",
        "distances",
        "lists",
        "worst",
        "breakdown",
        "map",
        "silhouettes",
        "inside",
        "card",
    ):
        assert f'<section id="{name}">' in text and f'href="#{name}"' in text
    external = re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text)
    assert external == [] and "http" not in re.sub(r"base64,[^\"]+", "", text)
    shown = pictures(text)
    assert len(shown) == text.count("<img ")
    moving = [image for kind, image in shown if kind == "gif"]
    assert len(moving) == 4 and all(image.n_frames > 1 for image in moving)
    assert "fingerprint" in text and "AP, %" in text


def test_numbers_are_those_of_the_test(tested):
    run = open_run(tested[0])
    text = tested[1].read_text()
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        for key in ("rank1", "map"):
            assert f'data-value="{100 * run.content["results"][direction][key]}"' in text


def test_comparison_with_another_run_and_without_frames(tmp_path):
    write_run(tmp_path / "a", planted())
    write_run(tmp_path / "b", planted(noise=1.0))
    text = build_report(tmp_path / "a", tmp_path / "page", tmp_path / "b").read_text()
    assert "Compared with: b." in text and "Frames cannot be shown" in text and '<section id="training">' not in text
    with pytest.raises(DataError, match="different tracklets"):
        write_run(tmp_path / "c", planted(people=5))
        build_report(tmp_path / "a", tmp_path / "page", tmp_path / "c")
    with pytest.raises(DataError, match="no person 99; .* 0000 to 0005"):
        build_report(tmp_path / "a", tmp_path / "page", people=["3", "99"])
    assert command("report")([str(tmp_path / "none"), "--out", str(tmp_path)]) == 2


def test_open_set_identification(tmp_path, caplog):
    run = open_run(write_run(tmp_path / "run", planted(noise=0.8)))
    text = build_report(run.file, tmp_path / "page").read_text()
    part = re.search('<section id="open-set">.*?</section>', text).group()
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        saved = run.content["open_set"][direction]
        cells = "".join(f'<td data-value="{100 * rate}">.*?' for rate in saved["fnir"])
        counts = f'<td data-value="{saved["mated"]}">.*?<td data-value="{saved["non_mated"]}">'
        assert re.search(f"run: {direction.replace('_', ' ')}.*?{cells}{counts}", part)
    assert len(pictures(part)) == 1 and "Open-set identification cannot" not in text
    write_run(tmp_path / "again", planted(), rerank=True)
    text = build_report(tmp_path / "again", tmp_path / "page").read_text()
    assert '<section id="open-set">' not in text
    for place in (text, caplog.text):
        assert "Open-set identification cannot be shown" in place and "was re-ranked" in place


@pytest.mark.parametrize("damage", ["events", "frames", "data", "checkpoint"])
def test_what_is_damaged_costs_its_section_alone(tested, world, tmp_path, caplog, damage):
    root = shutil.copytree(tested[0], tmp_path / "run")
    data = shutil.copytree(world / "data", tmp_path / "data")
    lost = {"silhouettes", "inside"}
    if damage == "events":
        for file in (root / "summary").iterdir():
            file.write_bytes(b"\x00damaged" * 40)
        said, lost = "", {"training"}
    elif damage == "frames":
        for file in (data / "Test").rglob("1.jpg"):
            file.unlink()
        said = "Frames cannot be shown"
    elif damage == "data":
        shutil.rmtree(data)
        said = "Frames cannot be shown"
    else:
        content = json.loads(next(root.glob("logs/test-*.json")).read_text())
        next(root.glob("logs/test-*.json")).write_text(json.dumps(content | {"checkpoint": "none.pt"}))
        shutil.rmtree(root / "checkpoints")
        said = "Silhouettes cannot be shown: .*none.pt"
    caplog.clear()
    overrides = ["--set", f"data_cfg.dataset_root={data}"]
    assert command("report")([str(root), "--out", str(tmp_path / "page"), "--worst", "1", *overrides]) == 0
    text = (tmp_path / "page/index.html").read_text()
    assert {name for name in ("silhouettes", "inside") if f'<section id="{name}">' not in text} == lost - {"training"}
    assert ("event files are damaged" in text) == ("training" in lost)
    for place in (text, caplog.text):
        assert len(re.findall(said, place)) == 1 or not said
    assert '<section id="results">' in text and '<section id="card">' in text


def test_network_with_given_masks(world, tmp_path):
    content = yaml.safe_load(write_config(world, tmp_path).read_text())
    content["data_cfg"]["mask_root"] = str(world / "data/silhouettes")
    content["model_cfg"] |= {"vision_model": None}
    content["model_cfg"]["silhouette"] |= {"type": "masks", "hidden": None, "priors": None}
    augmentation = {"type": "CrossModalAugmentation", "pad": 2}
    content["trainer_cfg"] |= {"total_iter": 1, "transform": [augmentation, {"type": "MaskTransform"}]}
    content["evaluator_cfg"] = {
        "restore_hint": 1,
        "save_features": True,
        "transform": [{"type": "Normalise"}, {"type": "MaskTransform"}],
    }
    streams = ("appearance", "gait")
    content["loss_cfg"] = [{"type": "CrossEntropyLoss", "log_prefix": f"{stream}_identity"} for stream in streams]
    (tmp_path / "masks.yaml").write_text(yaml.safe_dump(content))
    with engine(tmp_path) as run:
        assert [run(tmp_path / "masks.yaml", phase) for phase in ("train", "test")] == [0, 0]
    root = tmp_path / "output/Synthetic-VVI/DinoGRL/DinoGRL"
    assert command("report")([str(root), "--out", str(tmp_path), "--worst", "1", "--queries", "1"]) == 0
    text = (tmp_path / "index.html").read_text()
    assert '<section id="worst">' in text and '<section id="silhouettes">' not in text
    assert text.count("cannot be shown") == 1 and "reads given masks and generates none" in text


def test_camera_pairs_by_hand(tmp_path):
    run = open_run(write_run(tmp_path / "run", planted(people=5, cameras=3, noise=1.3, seed=5)))
    ranking = Ranking(run, run.direction("infrared_to_visible"))
    rows = {row[0]: row[1:] for row in breakdown.by_camera_pair(ranking)}
    assert len(rows) == 9 and rows["1 to 1"][0] == 0 and np.isnan(rows["1 to 1"][1])
    first = []
    for row in np.flatnonzero(ranking.cameras[ranking.query] == 1):
        columns = np.flatnonzero(ranking.cameras[ranking.gallery] == 2)
        nearest = columns[np.argmin(ranking.distance[row, columns])]
        first.append(ranking.matches[row, nearest])
    assert rows["1 to 2"][:2] == (5, pytest.approx(100 * np.mean(first)))


def test_groups_by_value_cover_every_query(tmp_path):
    run = open_run(write_run(tmp_path / "run", planted(noise=1.3)))
    ranking = Ranking(run, run.direction("infrared_to_visible"))
    values = np.arange(len(run.features), dtype=float)
    rows = breakdown.by_value(ranking, values, bins=3)
    assert sum(row[1] for row in rows) == ranking.valid.sum() and len(rows) == 3
    whole = sum(row[1] * row[3] for row in rows) / ranking.valid.sum()
    assert whole == pytest.approx(100 * np.nanmean(ranking.metrics.ap))
    assert [row[0] for row in breakdown.by_value(ranking, np.ones(len(values)))] == ["1"]
    assert breakdown.by_value(ranking, np.full(len(values), np.nan)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_can_be_drawn_from_the_command_line(tested, tmp_path, kind):
    assert command("figures")([kind, str(tested[0]), "--out", str(tmp_path / kind)]) == 0
    picture = np.asarray(Image.open(tmp_path / f"{kind}.png").convert("RGB"))
    assert picture.std() > 5 and (tmp_path / f"{kind}.pdf").stat().st_size > 3000


def test_lge_steps_follow_the_recurrence():
    torch.manual_seed(0)
    lge = LocalToGlobalEnhancement(6)
    feature, stripes = torch.randn(2, 6), torch.randn(2, 6, 3)
    with torch.no_grad():
        lengths, angles = chain_steps(lge, feature, stripes)
        query = lge.query(feature[..., None])[..., 0]
        for j in range(3):
            unit = stripes[..., j] / stripes[..., j].pow(2).mean(1, keepdim=True).sqrt()
            key, value = lge.key(unit[..., None])[..., 0], lge.value(unit[..., None])[..., 0]
            after = query + (value * query).mean(1, keepdim=True) * key
            assert lengths[:, j] == pytest.approx((after.norm(dim=1) / query.norm(dim=1)).numpy(), rel=1e-4)
            cosine = (after * query).sum(1) / after.norm(dim=1) / query.norm(dim=1)
            assert angles[:, j] == pytest.approx(np.degrees(np.arccos(cosine.numpy())), abs=0.05)
            query = after


DUMP = ["--enable-logging=stderr", "--virtual-time-budget=8000", "--dump-dom"]
PROBE = """
<script>
const errors = [];
addEventListener("error", event => errors.push(event.message ?? "resource"), true);
console.error = text => errors.push(text);
addEventListener("load", () => {
  const images = [...document.images];
  const table = document.querySelector("#worst table");
  const column = () => [...table.tBodies[0].rows].map(row => Number(row.cells[2].dataset.value));
  table.tHead.rows[0].cells[2].querySelector("button").click();
  const up = column();
  table.tHead.rows[0].cells[2].querySelector("button").click();
  const down = column();
  document.title = JSON.stringify({
    errors, images: images.length, broken: images.filter(i => !i.complete || !i.naturalWidth).length, up, down,
    wide: document.documentElement.scrollWidth > innerWidth,
  });
});
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize("size", ["1200,900", "380,700"])
def test_browser_shows_and_sorts_the_page(tested, tmp_path, size):
    page = tmp_path / "probed.html"
    page.write_text(tested[1].read_text().replace("<title>", PROBE + "<title>", 1))
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        *quiet,
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    done = subprocess.run(
        [*command, f"--window-size={size}", *DUMP, f"file://{Path(page).resolve()}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    probe = json.loads(re.search(r"<title>(\{.*?\})</title>", done.stdout).group(1))
    assert "CONSOLE" not in done.stderr
    assert probe["errors"] == [] and probe["broken"] == 0 and probe["images"] > 10
    assert probe["up"] == sorted(probe["up"]) and probe["down"] == sorted(probe["up"], reverse=True)
    assert not probe["wide"]
