"""The report page: complete, self-contained, correct in its numbers, and free of errors in a browser."""

import base64
import html
import io
import json
import re
import shutil
import subprocess
from collections import Counter
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
from opengait_ext.runs.report import breakdown, build_report, summary
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
    images = re.findall(r'<img[^>]*src="data:image/(png|gif|jpeg);base64,([^"]+)"', text)
    return [(kind, Image.open(io.BytesIO(base64.b64decode(content)))) for kind, content in images]


def test_page_is_self_contained(tested):
    text = tested[1].read_text()
    for name in (
        "summary",
        "results",
        "open-set",
        "queries",
        "people",
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
        for file in (data / "Test").rglob("*.jpg"):
            file.write_bytes(b"\xff\xd8 damaged")
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


def query_data(text):
    return json.loads(re.search('<script type="application/json" id="query-data">(.*?)</script>', text).group(1))


def test_summary_says_how_the_numbers_were_measured(tested):
    run, text = open_run(tested[0]), tested[1].read_text()
    part = html.unescape(re.search('<section id="summary">.*?</section>', text, re.DOTALL).group())
    capsule = json.loads(run.capsule_file.read_text())
    facts = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", part))
    assert capsule["command"] in facts["Test"] and "DinoGRL" in facts["Method"]
    assert f"CPU, {capsule['hardware']['processor']}" in facts["Device"]
    assert facts["Time"].startswith("trained for ") and "tested in" in facts["Time"]
    assert capsule["created"][:10] in facts["Date"] and "torch" in facts["Versions"]
    if capsule["git"]:
        assert capsule["git"]["commit"].startswith(facts["Commit"].split()[0])
    assert run.card["checkpoint"]["sha256"][:12] in facts["Checkpoint"] and "iteration 4" in facts["Checkpoint"]
    assert "total_iter: 4" in part
    for direction in ("infrared_to_visible", "visible_to_infrared"):
        numbers, interval = (run.content[kind][direction] for kind in ("results", "intervals"))
        assert f"<b>{100 * numbers['map']:.1f} %</b>" in part
        assert "95 % interval {:.1f} to {:.1f}<".format(*(100 * end for end in interval["map"])) in part


def test_configuration_is_read_from_the_command():
    capsule = {"command": "python opengait/main.py --cfgs 'my configs/a.yaml' --phase test"}
    assert summary.configuration_of(capsule) == "my configs/a.yaml"
    assert [summary.configuration_of(one) for one in ({}, {"command": "x --cfgs"}, {"command": "x 'y"})] == [""] * 3


def test_every_query_with_its_answers(tmp_path):
    run = open_run(write_run(tmp_path / "run", planted(people=5, cameras=3, noise=1.2, seed=1)))
    content = query_data(build_report(run.file, tmp_path / "page").read_text())
    features, embeddings = run.features, run.features.embeddings.astype(float)
    assert [entry[:4] for entry in content["tracklets"]] == [
        [label, int(view[1]), view, kind]
        for label, view, kind in zip(features.labels, features.views, features.types, strict=True)
    ]
    wrong = 0
    for part, (one, other) in zip(
        content["directions"], (("infrared", "visible"), ("visible", "infrared")), strict=True
    ):
        assert part["title"] == f"{one} to {other}"
        assert sorted(query[0] for query in part["queries"]) == np.flatnonzero(features.types == one).tolist()
        for query, precision, first, answers, missed in part["queries"]:
            ranked = []
            for entry in np.flatnonzero(features.types == other):
                same = features.labels[entry] == features.labels[query]
                if not (same and features.views[entry][:2] == features.views[query][:2]):
                    distance = np.linalg.norm(embeddings[query] - embeddings[entry], axis=0).mean()
                    ranked.append((distance, int(entry), int(same)))
            ranked.sort()
            hits = [rank for rank, (_, _, same) in enumerate(ranked, 1) if same]
            assert first == hits[0]
            assert precision == pytest.approx(np.mean([(n + 1) / rank for n, rank in enumerate(hits)]), abs=6e-5)
            assert [(entry, same) for entry, _, same in answers] == [(entry, same) for _, entry, same in ranked[:5]]
            assert [distance for _, distance, _ in answers] == pytest.approx([d for d, _, _ in ranked[:5]], abs=1e-4)
            if first == 1:
                assert missed is None
            else:
                wrong += 1
                assert missed[:2] == [ranked[first - 1][1], first]
                assert missed[2] == pytest.approx(ranked[first - 1][0], abs=1e-4)
    assert 5 < wrong < 25


def test_queries_without_a_match_and_few_answers(tmp_path):
    data = planted(people=2, cameras=1)
    # With one camera, the camera rule removes every match, and leaves one answer.
    text = build_report(write_run(tmp_path / "run", data), tmp_path / "page").read_text()
    for part in query_data(text)["directions"]:
        assert [query[1:3] + query[4:] for query in part["queries"]] == [[None, 0, None]] * 2
        assert [len(query[3]) for query in part["queries"]] == [1, 1]


def test_people_by_hand(tmp_path):
    run = open_run(write_run(tmp_path / "run", planted(people=4, cameras=3, noise=1.6, seed=4)))
    ranking = Ranking(run, run.direction("visible_to_infrared"))
    rows, labels, confused = breakdown.by_person(ranking), run.features.labels, 0
    assert sorted(rows) == ["0000", "0001", "0002", "0003"]
    for person, (count, rank1, mean_ap, mistaken) in rows.items():
        queries = [row for row in range(12) if labels[ranking.query[row]] == person]
        firsts = [labels[ranking.gallery[ranking.order(row)[0]]] for row in queries]
        assert count == 3 and rank1 == pytest.approx(100 * np.mean([first == person for first in firsts]))
        assert mean_ap == pytest.approx(100 * np.mean([ranking.metrics.ap[row] for row in queries]))
        others = Counter(first for first in firsts if first != person)
        confused += len(others)
        name, _, number = mistaken.partition(" ")
        assert (number == f"({max(others.values())})" and others[name] == max(others.values())) if others else not name
    assert confused
    text = build_report(run.file, tmp_path / "page").read_text()
    part = re.search('<section id="people">.*?</section>', text).group()
    assert part.count("<tr>") == 5 and part.count('href="#queries" data-person="') == 4


def test_large_pages_keep_their_pictures_in_files(tested, tmp_path, monkeypatch, capsys):
    small = tested[1].read_text()
    assert not (tested[1].parent / "pictures").exists()
    monkeypatch.setattr("opengait_ext.runs.report.pictures.MOST_BYTES", 300_000)
    arguments = ["report", str(tested[0]), "--out", str(tmp_path), "--animations", "2", "--worst", "3"]
    capsys.readouterr()
    assert command(arguments[0])(arguments[1:]) == 0
    assert re.search(r"with \d+ pictures beside it \(\d+\.\d MB\)", capsys.readouterr().out)
    text = (tmp_path / "index.html").read_text()
    assert "base64" not in text and len(text) < 300_000
    addresses = re.findall(r'"(pictures/[^"]+)"', text)
    inside = [base64.b64decode(part) for part in re.findall(r"data:image/[a-z]+;base64,([^\"]+)", small)]
    assert [(tmp_path / address).read_bytes() for address in addresses] == inside
    files = {path for path in (tmp_path / "pictures").rglob("*") if path.is_file()}
    assert files == {tmp_path / address for address in addresses}
    # Another report into the same folder leaves nothing of the first, and touches no file of others.
    (tmp_path / "pictures/ab").mkdir(exist_ok=True)
    (tmp_path / "pictures/ab/mine.png").write_bytes(b"mine")
    monkeypatch.undo()
    build_report(write_run(tmp_path / "run", planted()), tmp_path)
    assert [path.name for path in (tmp_path / "pictures").rglob("*.*")] == ["mine.png"]


def test_one_missing_frame_costs_its_tracklet_alone(tested, world, tmp_path, caplog):
    data = shutil.copytree(world / "data", tmp_path / "data")
    lost = sorted(path for path in (data / "Test").rglob("*.jpg"))[0].parent
    for file in lost.iterdir():
        file.write_bytes(b"\xff\xd8 damaged")
    caplog.clear()
    page = build_report(tested[0], tmp_path / "page", overrides=[f"data_cfg.dataset_root={data}"])
    text, total = page.read_text(), len(open_run(tested[0]).features)
    assert '<section id="silhouettes">' in text and text.count("Frames of") == 1
    for place in (text, caplog.text):
        assert f"Frames of 1 of {total} tracklets cannot be shown" in place and lost.name in place
    entries = query_data(text)["tracklets"]
    assert sum(entry[4] == "" for entry in entries) == 1 and len(entries) == total


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
const shown = () => [...document.querySelectorAll("#query-list > li")];
const choose = (name, value) => {
  const field = document.getElementById("filters").elements[name];
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  return Number(document.getElementById("query-count").value.split(" ")[0]);
};
const press = element => { element.focus(); element.click(); return document.activeElement === element; };
addEventListener("load", async () => {
  const probe = { errors };
  const table = document.querySelector("#worst table");
  const column = () => [...table.tBodies[0].rows].map(row => Number(row.cells[2].dataset.value));
  const button = table.tHead.rows[0].cells[2].querySelector("button");
  probe.focused = press(button);
  probe.up = column();
  button.click();
  probe.down = column();
  probe.all = choose("answer", "");
  probe.wrong = choose("answer", "wrong");
  probe.missed = document.querySelectorAll("#query-list .part:nth-child(3)").length;
  probe.right = choose("answer", "right");
  choose("answer", "");
  probe.camera = choose("camera", "2");
  choose("camera", "");
  probe.person = choose("person", "0503");
  choose("person", "");
  probe.turned = choose("direction", "1");
  document.querySelector("#people a[data-person]").click();
  probe.linked = [document.getElementById("filters").elements.person.value, shown().length];
  choose("person", "");
  document.querySelector("#results figure button.zoom").click();
  probe.large = document.getElementById("large").open && document.querySelector("#large img").naturalWidth;
  document.querySelector("#large form button").click();
  probe.closed = !document.getElementById("large").open;
  for (const image of document.images) image.loading = "eager";
  const images = [...document.images];
  for (let tries = 0; tries < 60 && !images.every(image => image.complete); tries += 1)
    await new Promise(resolve => setTimeout(resolve, 100));
  probe.images = images.length;
  probe.broken = images.filter(image => !image.complete || !image.naturalWidth).length;
  probe.wide = document.documentElement.scrollWidth > innerWidth;
  document.title = JSON.stringify(probe);
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
    assert probe["focused"] and not probe["wide"]
    run = open_run(tested[0])
    ranking = Ranking(run, run.direction("infrared_to_visible"))
    first, cameras = ranking.metrics.first_hit, ranking.cameras[ranking.query]
    counts = [len(first), (first > 1).sum(), (first == 1).sum(), (cameras == 2).sum()]
    assert [probe[name] for name in ("all", "wrong", "right", "camera")] == counts
    assert probe["missed"] == probe["wrong"] > 0
    people = run.features.labels[ranking.query]
    assert probe["person"] == (people == "0503").sum() > 0
    assert probe["turned"] == (run.features.types == "visible").sum()
    assert probe["linked"] == [sorted(set(people))[0], 2]
    assert probe["large"] > 1000 and probe["closed"]
