"""The checks of datasets: an intact one has no problems, and every problem of a damaged one is listed."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opengait.data import layout
from opengait.data.packs.write import write_pack
from opengait.errors import DataError
from opengait_ext.data import HITSZVCM, BUPTCampus
from opengait_ext.data.bupt_campus import lists as bupt_lists
from opengait_ext.data.check import frames, pool
from opengait_ext.data.check.frames import FrameCheck, Look, odd_sizes
from opengait_ext.data.check.pool import check_all
from opengait_ext.data.check_data import check_dataset
from opengait_ext.data.files import BAD_LINE, LIST
from opengait_ext.data.hitsz_vcm import splits as hitsz
from opengait_ext.data.hitsz_vcm.lists import PAST
from opengait_ext.data.opengait_layout import check as opengait_check
from opengait_ext.data.opengait_layout import pickles
from opengait_ext.data.rules import ALONE, NO_MATCH, TWICE, TWO_LISTS
from tests.golden.vvi import mini_bupt, mini_hitsz
from tests.opengait_ext.runs.stand_in_runs import command
from tests.paths import ROOT

check_data = command("check-data")


@pytest.fixture(scope="module")
def hitsz_tree(tmp_path_factory):
    return mini_hitsz.write(tmp_path_factory.mktemp("hitsz"))


@pytest.fixture(scope="module")
def bupt_tree(tmp_path_factory):
    return mini_bupt.write(tmp_path_factory.mktemp("bupt"))


@pytest.fixture
def hitsz_copy(hitsz_tree, tmp_path):
    return copied(hitsz_tree, tmp_path / "hitsz")


@pytest.fixture
def bupt_copy(bupt_tree, tmp_path):
    return copied(bupt_tree, tmp_path / "bupt")


def copied(tree: Path, out: Path) -> Path:
    """Copy the lists and link the frames, which must be replaced and never be written to."""
    return Path(
        shutil.copytree(tree, out, copy_function=lambda a, b: (os.link if a.endswith("jpg") else shutil.copy)(a, b))
    )


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def locations(report) -> dict[str, list[str]]:
    """Return the locations of the problems by kind."""
    by_kind: dict[str, list[str]] = {}
    for problem in report.problems:
        by_kind.setdefault(problem.kind, []).append(problem.where)
    return by_kind


def edit(path: Path, number: int, line: str | None) -> str:
    lines = path.read_text().split("\n")
    former = lines[number - 1]
    lines[number - 1 : number] = [] if line is None else [line]
    path.write_text("\n".join(lines))
    return former


def break_frames(paths: list[Path]) -> dict[str, list[Path]]:
    """Break seven frames, each in a different way."""
    missing, empty, folder, text, cut, odd, tail = paths
    for path in (missing, folder):
        path.unlink()
    folder.mkdir()
    replace(empty, b"")
    replace(text, b"no image")
    noise = np.random.default_rng(0).integers(0, 256, (32, 16, 3), dtype=np.uint8)
    jpegs = [io.BytesIO(), io.BytesIO()]
    for jpeg, width in zip(jpegs, (16, 9), strict=True):
        Image.fromarray(noise[:, :width]).save(jpeg, "JPEG")
    replace(cut, jpegs[0].getvalue()[:-60])
    replace(odd, jpegs[1].getvalue())
    # Bytes after the end do no harm.
    replace(tail, tail.read_bytes() + b"\0\0")
    return {
        frames.MISSING: [missing],
        frames.EMPTY: [empty],
        frames.FOLDER: [folder],
        frames.UNREADABLE: [text],
        frames.TRUNCATED: [cut],
        frames.ODD: [odd],
    }


@pytest.mark.parametrize("name", ["hitsz", "bupt"])
def test_an_intact_dataset_has_no_problems(name, hitsz_tree, bupt_tree, tmp_path):
    tree = hitsz_tree if name == "hitsz" else bupt_tree
    write_pack(tree, tmp_path / "pack")
    reports = [
        check_dataset(name, root, fast, workers=1)[0] for root in (tree, tmp_path / "pack") for fast in (False, True)
    ]
    for report in reports:
        assert report.problems == [] and report.frames > 300 and report.sizes == {(32, 16): report.frames}
        assert [row.found for row in report.counts] == [row.found for row in reports[0].counts]
        assert "No problems found." in report.text()


def test_hitsz_counts_are_shown_with_the_published_ones(hitsz_tree):
    report, splits = check_dataset("hitsz", hitsz_tree, fast=True, workers=1)
    rows = {(row.split, row.modality): row for row in report.counts}
    visible = rows["train", "visible"]
    assert (visible.found["of 12+"], visible.published["of 12+"]) == (21, 5460)
    assert visible.found["their frames"] == 338 and visible.published["their frames"] == 126_543
    assert sum(row.found["tracklets"] for row in report.counts) == sum(map(len, splits.values()))
    assert "21 [5,460]*" in report.text() and "[6,142]" in report.text()
    assert all(len(row.cameras) > 1 for row in report.counts)


@pytest.mark.parametrize("fast", [False, True])
def test_every_broken_frame_is_listed(hitsz_copy, bupt_copy, fast):
    for name, root in (("hitsz", hitsz_copy), ("bupt", bupt_copy)):
        _, splits = check_dataset(name, root, fast=True, workers=1)
        some = [tracklet.frames[0] for tracklet in splits["train"][:7]]
        expected = break_frames(some)
        report, _ = check_dataset(name, root, fast, workers=1)
        assert locations(report) == {
            kind: [str(p.relative_to(root)) for p in paths] for kind, paths in expected.items()
        }
        odd = next(problem for problem in report.problems if problem.kind == frames.ODD)
        assert odd.what.startswith("32 x 9 where ")


def test_hitsz_lists_are_checked_to_their_end(hitsz_copy):
    info = hitsz_copy / "info"
    names, rows = info / "train_name.txt", info / "track_train_info.txt"
    count = len(names.read_text().split())
    lost = edit(names, 3, "0001M2D3T1.jpg")
    first = edit(rows, 1, "2 1 two 0001 3")
    edit(rows, 2, edit(rows, 2, "x").replace("2 ", "3 ", 1))
    edit(rows, 3, f"2 {count - 1} {count + 5} 0001 3")
    fields = edit(rows, 4, "x").split()
    edit(rows, 4, " ".join([*fields[:4], "11"]))
    overlapping = rows.read_text().split("\n")[5].split()
    edit(rows, 5, " ".join([overlapping[0], overlapping[1], overlapping[1], *overlapping[3:]]))
    query = info / "query_IDX.txt"
    twice = query.read_text().split()[0]
    query.write_text(query.read_text().strip() + f" {twice} 9999 one\n")
    assert lost and first
    report, _ = check_dataset("hitsz", hitsz_copy, workers=1)
    problems = locations(report)
    assert problems[BAD_LINE] == [
        "train_name.txt, line 3",
        "track_train_info.txt, line 1",
        "track_train_info.txt, line 2",
        "query_IDX.txt, line 1",
        "query_IDX.txt, line 1",
    ]
    assert problems[PAST] == ["track_train_info.txt, line 3", "query_IDX.txt, line 1"]
    assert problems[hitsz.AGAINST][0] == "track_train_info.txt, line 4"
    assert problems[TWICE] == ["track_train_info.txt, line 6"]
    assert any("belong to no row" in remark for remark in report.remarks)


def test_hitsz_people_in_two_splits_or_one_modality(hitsz_copy):
    rows, tests = hitsz_copy / "info/track_train_info.txt", hitsz_copy / "info/track_test_info.txt"
    person = tests.read_text().split()[3]
    lines = [line.split() for line in rows.read_text().strip().split("\n")]
    first, last = lines[0][3], lines[-1][3]
    moved = [[*line[:3], person, line[4]] if line[3] == first else line for line in lines]
    alone = [["2", *line[1:]] if line[3] == last else line for line in moved]
    rows.write_text("\n".join(" ".join(line) for line in alone) + "\n")
    problems = locations(check_dataset("hitsz", hitsz_copy, fast=True, workers=1)[0])
    assert problems[TWO_LISTS] == [f"person {person}"]
    assert problems[ALONE] == [f"person {last}"]
    assert all(line.startswith("track_train_info.txt") for line in problems[hitsz.AGAINST])


def test_hitsz_missing_lists_and_folders(hitsz_copy, tmp_path):
    (hitsz_copy / "info/test_name.txt").unlink()
    (hitsz_copy / "info/query_IDX.txt").write_text("")
    shutil.rmtree(hitsz_copy / "Train")
    problems = locations(check_dataset("hitsz", hitsz_copy, fast=True, workers=1)[0])
    assert problems[LIST] == ["test_name.txt", "query_IDX.txt"]
    assert problems[hitsz.SPLIT_FOLDER] == ["Train"]
    # Rows and frames that depend on missing files are not listed one by one.
    assert set(problems) == {LIST, hitsz.SPLIT_FOLDER}
    write_pack(hitsz_copy, tmp_path / "pack")
    assert locations(check_dataset("hitsz", tmp_path / "pack", fast=True, workers=1)[0])[hitsz.SPLIT_FOLDER] == [
        "Train"
    ]
    for root, folder in ((tmp_path / "none", "none"), (tmp_path, "info/")):
        with pytest.raises(DataError, match=f"not found at .*{folder}"):
            check_dataset("hitsz", root)


def test_hitsz_older_layout(tmp_path):
    tree = mini_hitsz.write(tmp_path / "flat", flat=True)
    write_pack(tree, tmp_path / "pack")
    for root in (tree, tmp_path / "pack"):
        assert check_dataset("hitsz", root, fast=True, workers=1)[0].problems == []


def test_hitsz_with_short_tracklets_only(hitsz_copy):
    path = hitsz_copy / "info/track_train_info.txt"
    rows = [line.split() for line in path.read_text().splitlines()]
    path.write_text("".join(f"{m} {first} {int(first) + 3} {person} {d}\n" for m, first, _, person, d in rows))
    report, _ = check_dataset("hitsz", hitsz_copy, fast=True, workers=1)
    assert report.problems == [] and "train tracklets has 12 frames or more" in report.text()
    assert "the reader's default" in report.text()
    for minimum, problems in ((12, {hitsz.SHORT: ["train"]}), (4, {})):
        configured, _ = check_dataset("hitsz", hitsz_copy, fast=True, workers=1, data_cfg={"minimum_frames": minimum})
        assert locations(configured) == problems and f"minimum_frames is {minimum} (as configured)" in configured.text()


def test_a_frame_cut_off_in_its_header_is_truncated(hitsz_copy):
    _, splits = check_dataset("hitsz", hitsz_copy, fast=True, workers=1)
    frame = splits["test"][0].frames[0]
    replace(frame, frame.read_bytes()[:300])
    for fast in (False, True):
        assert list(locations(check_dataset("hitsz", hitsz_copy, fast, workers=1)[0])) == [frames.TRUNCATED]


def test_bupt_lists_are_checked_to_their_end(bupt_copy):
    train, gallery, query = (bupt_copy / f"{name}.txt" for name in ("train", "gallery", "query"))
    edit(train, 1, "12 RGB/IR")
    person, _, camera, track = edit(train, 2, "1 IR LS3 1").split()
    edit(train, 3, "1 RGB/IR XX 1")
    edit(train, 4, f"{person} RGB/IR {camera} 99")
    repeated = train.read_text().split("\n")[4]
    edit(train, 6, repeated)
    person_of_query = query.read_text().split()[0]
    edit(train, 7, " ".join([person_of_query, *train.read_text().split("\n")[6].split()[1:]]))
    paths = json.loads((bupt_copy / "data_paths.json").read_text())
    unequal, wrong = (train.read_text().split("\n")[index].split() for index in (7, 8))
    paths[unequal[0]]["IR"][unequal[2]][unequal[3]].pop()
    paths[wrong[0]]["RGB"][wrong[2]][wrong[3]][0] = "elsewhere.jpg"
    (bupt_copy / "data_paths.json").write_text(json.dumps(paths))
    lone = gallery.read_text().split()[0]
    for path in (gallery, query):
        lines = [line for line in path.read_text().strip().split("\n") if line.split()[:2] != [lone, "IR"]]
        path.write_text("\n".join(lines) + "\n")
    (bupt_copy / "train_auxiliary.txt").unlink()
    report, _ = check_dataset("bupt", bupt_copy, workers=1)
    problems = locations(report)
    assert problems[BAD_LINE] == ["train.txt, line 1", "train.txt, line 2", "train.txt, line 3"]
    assert problems[bupt_lists.UNKNOWN][0] == "train.txt, line 4" and problems[bupt_lists.TWICE] == [
        "train.txt, line 6"
    ]
    assert problems[bupt_lists.UNEQUAL] == ["train.txt, line 8"] and problems[bupt_lists.AGAINST] == [
        "train.txt, line 9"
    ]
    assert problems[LIST] == ["train_auxiliary.txt"]
    assert f"person {lone}" in problems[ALONE] and problems[frames.MISSING] == ["DATA/elsewhere.jpg"]
    assert track


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("info/test_name.txt", "0501M2D3F1.jpg"),
        ("info/track_train_info.txt", "2 1 20 0001"),
        ("info/track_test_info.txt", "2 1 99999 0501 2"),
        ("info/query_IDX.txt", "99 7"),
        ("train.txt", "27 RGB LS3 2"),
        ("gallery.txt", "27 RGB Q9 2"),
        ("query.txt", "1901 RGB W4 99"),
    ],
)
def test_the_reader_raises_the_first_problem_of_the_check(file, line, hitsz_copy, bupt_copy):
    name, root, reader = ("hitsz", hitsz_copy, HITSZVCM) if "/" in file else ("bupt", bupt_copy, BUPTCampus)
    edit(root / file, 1, line)
    problem = next(
        p for p in check_dataset(name, root, fast=True, workers=1)[0].problems if p.where.startswith(Path(file).name)
    )
    with pytest.raises(DataError) as error:
        reader(root)
    assert str(error.value) == f"{(root / file).parent}/{problem}."


def test_bupt_queries_without_a_match(bupt_copy):
    person, modality, *_ = (bupt_copy / "query.txt").read_text().split()
    other = "IR" if modality == "RGB" else "RGB"
    gallery = bupt_copy / "gallery.txt"
    lines = [line for line in gallery.read_text().splitlines() if line.split()[:2] != [person, other]]
    gallery.write_text("\n".join(lines))
    assert locations(check_dataset("bupt", bupt_copy, fast=True, workers=1)[0])[NO_MATCH] == ["query.txt, line 1"]
    gallery.write_text("")
    assert NO_MATCH not in locations(check_dataset("bupt", bupt_copy, fast=True, workers=1)[0])


def test_bupt_people_in_two_lists(bupt_copy):
    query, train = bupt_copy / "query.txt", bupt_copy / "train.txt"
    person, _, camera, track = train.read_text().split("\n")[0].split()
    query.write_text(query.read_text() + f"{person} RGB {camera} {track}\n")
    problems = locations(check_dataset("bupt", bupt_copy, fast=True, workers=1)[0])
    assert problems[TWO_LISTS] == [f"person {person}"] and problems[ALONE] == [f"person {person}"]


def make_opengait(root: Path) -> Path:
    for label in ("001", "002", "003"):
        for kind in ("nm-01", "bg-01"):
            for view in ("000", "090"):
                folder = root / "data" / label / kind / view
                folder.mkdir(parents=True)
                for name, frame in (("sils", np.zeros((6, 4), np.uint8)), ("ratios", np.float32(0.5))):
                    (folder / f"{name}.pkl").write_bytes(pickle.dumps(np.stack([frame] * 5)))
    (root / "set.json").write_text(json.dumps({"TRAIN_SET": ["001"], "TEST_SET": ["002", "003"]}))
    return root / "data"


@pytest.mark.parametrize("fast", [False, True])
def test_opengaits_layout(tmp_path, fast):
    data = make_opengait(tmp_path)
    report, splits = check_dataset("opengait", data, fast, workers=1, partition=tmp_path / "set.json")
    assert report.problems == [] and report.frames == 24
    assert [row.found["tracklets"] for row in report.counts] == [4, 8] == [len(part) for part in splits.values()]
    assert [row.found["frames"] for row in report.counts] == ([0, 0] if fast else [20, 40])


def test_every_problem_of_opengaits_layout_is_listed(tmp_path):
    data = make_opengait(tmp_path)
    partition = {"TRAIN_SET": ["001", "009"], "TEST_SET": ["002", "001", "002"], "PROBE_SET": ["002-nm-01-000", "x"]}
    (tmp_path / "set.json").write_text(json.dumps(partition))
    one, two = data / "001/nm-01", data / "002"
    (one / "000/sils.pkl").write_bytes(b"")
    (one / "090/sils.pkl").write_bytes((one / "090/sils.pkl").read_bytes()[:-9])
    (two / "bg-01/000/sils.pkl").write_bytes(pickle.dumps(np.zeros((4, 6, 4), np.uint8)))
    (two / "bg-01/090/sils.pkl").write_bytes(pickle.dumps(np.zeros((0, 6, 4), np.uint8)))
    (two / "nm-01/000/sils.pkl").write_bytes(pickle.dumps(Counter()))
    for path in (two / "nm-01/090").iterdir():
        path.unlink()
    (data / "001/bg-01/000/ratios.pkl").unlink()
    (data / "001/bg-01/090/sils.pkl").unlink()
    (data / "001/bg-01/090/sils.pkl").mkdir()
    for fast in (False, True):
        problems = locations(check_dataset("opengait", data, fast, workers=1, partition=tmp_path / "set.json")[0])
        assert problems[layout.BOTH] == ["id 001"] and problems[layout.NO_FOLDER] == ["id 009"]
        assert problems[layout.PARTITION] == [str(tmp_path / "set.json")] and problems[layout.UNKNOWN] == ["x"]
        assert problems[layout.NO_FILES] == ["002/nm-01/090"]
        assert problems[layout.OTHER_NUMBER] == ["001-bg-01-000"] * 2  # 001 is in both lists
        assert problems[pickles.EMPTY] == ["001/nm-01/000/sils.pkl"]
        assert problems[pickles.FOLDER] == ["001/bg-01/090/sils.pkl"]
        if fast:
            assert problems[pickles.TRUNCATED] == ["001/nm-01/090/sils.pkl"]
        else:
            assert problems[pickles.UNREADABLE] == ["001/nm-01/090/sils.pkl", "002/nm-01/000/sils.pkl"]
            assert problems[pickles.NONE] == ["002/bg-01/090/sils.pkl"]
            assert problems[opengait_check.UNEQUAL] == ["002-bg-01-000"]


def test_odd_shapes_and_people_of_one_modality(tmp_path):
    data = make_opengait(tmp_path)
    for label in ("001", "002", "003"):
        for old, new in (("nm-01", "visible"), ("bg-01", "infrared")):
            (data / label / old).rename(data / label / new)
    for number in range(30):
        folder = data / "001/visible" / f"c{number}-t1"
        shutil.copytree(data / "001/visible/000", folder)
    (folder / "sils.pkl").write_bytes(pickle.dumps(np.zeros((5, 6, 3), np.uint8)))
    shutil.rmtree(data / "003/infrared")
    report, _ = check_dataset("opengait", data, workers=1, partition=tmp_path / "set.json")
    assert locations(report) == {pickles.ODD: ["001/visible/c29-t1/sils.pkl"], ALONE: ["id 003"]}
    assert [(row.split, row.modality) for row in report.counts] == [
        ("train", "infrared"),
        ("train", "visible"),
        ("test", "infrared"),
        ("test", "visible"),
    ]


def test_odd_sizes_need_a_common_one():
    mixed = [Look(100 + 10 * number, 50) for number in range(40)]
    assert list(odd_sizes(mixed)) == []
    assert list(odd_sizes([*mixed, Look(30, 60), Look(40, 6), Look()])) == [(40, "30 x 60"), (41, "40 x 6")]
    assert [index for index, _ in odd_sizes([Look(9, 9)] * 19 + [Look(9, 8)])] == [19]
    assert list(odd_sizes([Look()])) == []


def test_processes_give_the_same_results_in_the_same_order(hitsz_tree, monkeypatch):
    monkeypatch.setattr(pool, "CHUNK", 10)
    paths = [str(path) for path in sorted(hitsz_tree.rglob("*"))][:300]
    looks = check_all(paths, FrameCheck(fast=True))
    assert len(looks) == 300 and {look.kind for look in looks} == {"", frames.FOLDER}
    assert check_all(paths, FrameCheck(fast=True), workers=2) == looks


def test_the_command_line(hitsz_copy, tmp_path, capsys):
    report, preview = tmp_path / "out/report.json", tmp_path / "preview.png"
    arguments = ["hitsz", str(hitsz_copy), "--workers", "1", "--report", str(report), "--preview", str(preview)]
    assert check_data(arguments) == 0
    assert "No problems found." in capsys.readouterr().out
    broken = sorted((hitsz_copy / "Train").rglob("*.jpg"))[::40][:12]
    for path in broken:
        replace(path, b"")
    assert check_data([*arguments, "--show", "3"]) == 1
    out = capsys.readouterr().out
    content = json.loads(report.read_text())
    assert f"empty frame file: {len(broken)}" in out and f"... and {len(broken) - 3} more" in out
    assert out.count(".jpg") == 3 and content["problem_counts"] == {"empty frame file": len(broken)}
    assert len(content["problems"]) == len(broken)
    with Image.open(preview) as sheet:
        assert sheet.height > 16 * 128 and sheet.width > 500
    assert check_data(["hitsz", str(tmp_path / "none")]) == 2
    assert check_data(["opengait", str(tmp_path)]) == 2
    assert check_data(["hitsz", str(hitsz_copy), "--workers", "1", "--report", str(preview / "x.json")]) == 2
    assert [line[:7] for line in capsys.readouterr().err.split("\n")[:-1]] == ["error: "] * 3


def test_a_preview_of_pickles(tmp_path, capsys):
    data = make_opengait(tmp_path)
    (data / "001/nm-01/000/sils.pkl").write_bytes(b"")
    target = tmp_path / "preview.png"
    arguments = ["opengait", str(data), "--partition", str(tmp_path / "set.json"), "--workers", "1"]
    assert check_data([*arguments, "--preview", str(target)]) == 1
    assert target.is_file() and "1 problem." in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_does_not_import_torch(hitsz_tree):
    """Every checking process imports the modules of the command."""
    code = "import sys; from opengait_ext.commands import main; print(main(sys.argv[1:]), 'torch' in sys.modules)"
    arguments = ["check-data", "hitsz", str(hitsz_tree), "--fast", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "0 False"


def test_point_clouds_may_have_several_shapes(tmp_path):
    clouds = tmp_path / "clouds.pkl"
    clouds.write_bytes(pickle.dumps([np.zeros((3, 3)), np.zeros((5, 3))]))
    assert pickles.content_of(clouds) == pickles.PickleLook(2, ((3, 3), (5, 3)))
