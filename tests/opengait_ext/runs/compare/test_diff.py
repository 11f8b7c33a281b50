"""Differences between two runs."""

import copy
import json
import re

import pytest
from torch.utils.tensorboard import SummaryWriter

from opengait.engine.capsule import KIND
from opengait_ext.runs.compare import differences
from opengait_ext.runs.compare.outcome import first_logged_difference
from tests.opengait_ext.runs.stand_in_runs import command

compare = command("compare")

CAPSULE = {
    "kind": KIND,
    "phase": "train",
    "created": "2025-01-01T00:00:00+00:00",
    "command": "python main.py",
    "config": {"data_cfg": {"frame_size": [256, 128]}, "loss_cfg": [{"type": "A", "margin": 0.2}], "trainer_cfg": {}},
    "versions": {"torch": "2.6.0", "numpy": "2.0.0"},
    "data": [{"phase": "train", "name": "x", "settings": {}, "fingerprint": "aa"}],
    "files": {},
    "seed": 0,
    "world_size": 1,
    "hardware": {"gpus": []},
    "git": {"commit": "c" * 40, "dirty": False, "changes": None},
}


def capsule(folder, phase="train", stamp=1, **changes):
    content = copy.deepcopy(CAPSULE) | {"phase": phase, "created": f"2025-01-0{stamp}T00:00:00+00:00"} | changes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"capsule-{phase}-2025010{stamp}T000000Z.json").write_text(json.dumps(content))
    return folder


def write_tested(folder):
    """Write a run folder whose test names a capsule."""
    directions = ("infrared_to_visible", "visible_to_infrared")
    numbers = dict.fromkeys(("rank1", "rank5", "rank10", "rank20", "map", "minp"), 0.5)
    content = {"results": dict.fromkeys(directions, numbers), "capsule": "capsule-test-20250101T000000Z.json"}
    (folder / "logs").mkdir(parents=True)
    (folder / "logs/test-00007.json").write_text(json.dumps(content))
    return folder


class TestDiff:
    def test_sections_are_in_order_of_relevance(self, tmp_path):
        config = copy.deepcopy(CAPSULE["config"])
        config["loss_cfg"][0]["margin"] = 0.3
        changed = {
            "git": None,
            "hardware": {"gpus": ["H100"]},
            "seed": 1,
            "data": [{"phase": "train", "name": "x", "settings": {}, "fingerprint": "bb"}],
            "versions": {"torch": "2.7.0"},
            "config": config,
        }
        entries = differences(capsule(tmp_path / "a"), capsule(tmp_path / "b", **changed))
        assert [(entry.where, entry.first, entry.second) for entry in entries] == [
            ("config.loss_cfg.0.margin", 0.2, 0.3),
            ("versions.torch", "2.6.0", "2.7.0"),
            ("versions.numpy", "2.0.0", "not there"),
            ("data.train.fingerprint", "aa", "bb"),
            ("seed", 0, 1),
            ("hardware.gpus", [], ["H100"]),
            ("git.commit", "c" * 40, None),
            ("git.dirty", False, None),
        ]

    def test_difference_of_both_phases_is_listed_once(self, tmp_path):
        for name, seed in (("a", 0), ("b", 1)):
            capsule(tmp_path / name, seed=seed)
            capsule(tmp_path / name, phase="test", seed=seed, world_size=1 + seed)
        entries = differences(tmp_path / "a", tmp_path / "b")
        assert [(entry.phase, entry.where) for entry in entries] == [("train", "seed"), ("test", "world_size")]

    def test_locations_are_listed_last(self, tmp_path):
        config = {"trainer_cfg": {"output_root": "b", "lr": 2}, "data_cfg": {"dataset_root": "/b"}}
        other = {"trainer_cfg": {"output_root": "a", "lr": 1}, "data_cfg": {"dataset_root": "/a"}}
        entries = differences(
            capsule(tmp_path / "a", config=config), capsule(tmp_path / "b", config=other, command="other")
        )
        assert [entry.where.rpartition(".")[2] for entry in entries] == ["lr", "output_root", "dataset_root", "command"]

    def test_outcome_is_listed_after_the_inputs(self, tmp_path, capsys):
        folders = [capsule(tmp_path / name, command=name) for name in "ab"]
        for folder, loss, rank in zip(folders, (2.5, 2.25), (0.5, 0.75), strict=True):
            with SummaryWriter(folder / "summary") as writer:
                for iteration, value in ((10, 3.0), (20, loss), (30, loss - 1)):
                    writer.add_scalar("identity/loss", value, iteration)
            (folder / "logs").mkdir()
            content = {"results": {"infrared_to_visible": {"rank1": rank, "map": 0.5}}}
            (folder / "logs/test-00030.json").write_text(json.dumps(content))
        entries = differences(*folders)
        assert [(entry.phase, entry.where, entry.first, entry.second) for entry in entries] == [
            ("train", "logged.iteration 20.identity/loss", 2.5, 2.25),
            ("test", "results.infrared_to_visible.rank1", 0.5, 0.75),
            ("train", "command", "a", "b"),
        ]
        assert compare(["--diff", *map(str, folders)]) == 0
        assert capsys.readouterr().out.startswith("The outcomes differ")

    def test_newest_capsule_counts(self, tmp_path):
        capsule(tmp_path / "a", seed=9)
        capsule(tmp_path / "a", stamp=2, seed=3)
        capsule(tmp_path / "b", seed=3)
        assert differences(tmp_path / "a", tmp_path / "b") == []

    def test_test_file_names_its_capsule(self, tmp_path):
        for name, seed in (("a", 0), ("b", 4)):
            write_tested(tmp_path / name)
            capsule(tmp_path / name, phase="test", seed=seed)
        files = [tmp_path / name / "logs/test-00007.json" for name in ("a", "b")]
        assert [entry.where for entry in differences(*files)] == ["seed"]

    def test_printed_table_and_json(self, tmp_path, capsys):
        a, b = str(capsule(tmp_path / "a")), str(capsule(tmp_path / "b", seed=1, world_size=2))
        assert compare(["--diff", a, b]) == 0
        text = capsys.readouterr().out
        assert text.startswith(f"First difference: seed is 0 in {a} and 1 in {b} (train).")
        assert "All 2 differences" in text and "| world_size | train | 1 | 2 |" in text
        assert compare(["--diff", a, a]) == 0
        assert "do not differ in" in capsys.readouterr().out
        assert compare(["--diff", a, b, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["differences"][0] == {
            "phase": "train",
            "where": "seed",
            "first": 0,
            "second": 1,
        }

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda f: f / "none", "does not exist"),
            (lambda f: write_tested(f / "bare"), "has no capsule-<phase>-<time>.json"),
            (
                lambda f: write_tested(f / "bare") / "logs/test-00007.json",
                "capsule-test-20250101T000000Z.json is",
            ),
            (lambda f: capsule(f / "only", phase="test"), "no capsule of the same phase"),
            (
                lambda f: capsule(f / "odd", kind="something") / "capsule-train-20250101T000000Z.json",
                "odd/capsule-train-20250101T000000Z",
            ),
        ],
        ids=["missing", "no capsule", "lost capsule", "other phase", "other json"],
    )
    def test_bad_input_is_one_sentence(self, tmp_path, capsys, make, reason):
        good = capsule(tmp_path / "good")
        assert compare(["--diff", str(good), str(make(tmp_path))]) == 2
        captured = capsys.readouterr()
        assert re.search(reason, captured.err) and captured.err.count("\n") == 1 and captured.out == ""


def test_first_difference_of_several_curves(tmp_path):
    runs = [tmp_path / name for name in ("one", "two")]
    for run, late, early in zip(runs, (1.0, 2.0), (5.0, 6.0), strict=True):
        with SummaryWriter(run / "summary") as writer:
            for iteration in (10, 20):
                writer.add_scalar("late", late if iteration == 20 else 0.5, iteration)
                writer.add_scalar("early", early, iteration)
    assert first_logged_difference(*runs) == {"iteration 10.early": (5.0, 6.0)}
    assert first_logged_difference(runs[0], runs[0]) == {}
