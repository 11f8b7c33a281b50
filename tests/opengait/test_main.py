"""The command line: training, testing and resuming, on one process and on two, and its error messages."""

import json
import pickle
import re
import shutil

import pytest
import torch

from opengait.engine.checkpoint import load_checkpoint
from opengait.main import main
from opengait.utils import messages
from tests.opengait import tiny

RUN = "CASIA-B/TinySil/tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    tiny.write_dataset(folder / "data")
    return folder


@pytest.fixture
def run_main(folder, tmp_path, monkeypatch):
    """Return a function that runs the command line in this process, with run folders below `tmp_path / "output"`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, phase: str = "train", **changes) -> int:
        config = tiny.write_config(folder, **changes)
        return main(["--cfgs", str(config), "--phase", phase, "--set", "trainer_cfg.output_root=output", *arguments])

    yield run
    messages.reset()
    torch.backends.cudnn.deterministic = False


def final(root, iteration=6):
    return load_checkpoint(root / RUN / "checkpoints" / f"tiny-{iteration:05d}.pt")


def same(a, b) -> bool:
    """Return whether parts of two checkpoints are equal bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.slow
def test_one_process_and_two_agree(folder):
    """Compare the parameters after three steps with synchronised batch norm, and all results of the evaluation."""
    # With this margin every triplet is active; at the kink of the hinge, rounding errors would change the weights.
    losses = tiny.config(folder)["loss_cfg"]
    losses[0]["margin"] = 5.0
    config = tiny.write_config(folder, "worlds.yaml", data_cfg={"num_workers": 1}, loss_cfg=losses)
    checkpoints, contents = [], []
    for world in (0, 2):
        root = folder / f"world{world}"
        options = ["--cfgs", config, "--set", f"trainer_cfg.output_root={root}"]
        process = tiny.trained(folder, *options, "--phase", "train", world=world)
        assert process.stderr.count("Model Initialization Finished!") == 1
        checkpoints.append(final(root, 3)["model"])
        # Both test the same weights, so only the test itself can differ.
        if world:
            shutil.copytree(folder / "world0" / RUN / "checkpoints", root / RUN / "checkpoints", dirs_exist_ok=True)
        tiny.trained(folder, *options, "--phase", "test", world=world)
        contents.append(json.loads((root / RUN / "logs" / "test-00006.json").read_text()))
    for name, value in checkpoints[0].items():
        torch.testing.assert_close(checkpoints[1][name], value, rtol=0, atol=5e-5, msg=name)
    assert contents[0]["checkpoint"] == f"world0/{RUN}/checkpoints/tiny-00006.pt"
    assert (contents[0]["dataset"], contents[0]["iteration"]) == ("CASIA-B", 6)
    assert contents[0]["results"] == contents[1]["results"]
    assert set(contents[0]["results"]["by_type"]) == set(tiny.TYPES)


def test_a_resumed_run_equals_an_uninterrupted_one(run_main, tmp_path):
    """Compare bit for bit, with dropout, momentum and a schedule that steps after the interruption."""
    dropout = {"dropout": 0.3}
    assert run_main(model_cfg=dropout) == 0
    whole = final(tmp_path / "output")
    (tmp_path / "output").rename(tmp_path / "whole")
    assert run_main("--set", "trainer_cfg.total_iter=3", model_cfg=dropout) == 0
    assert run_main("--iter", "3", model_cfg=dropout) == 0
    resumed = final(tmp_path / "output")
    assert same(whole["model"], resumed["model"])
    assert same(whole["optimizer"], resumed["optimizer"])
    assert same(whole["rank_states"], resumed["rank_states"])
    assert resumed["iteration"] == resumed["batches_drawn"] == 6
    assert not same(whole["model"], final(tmp_path / "output", 3)["model"])


def test_the_seed_determines_the_run(run_main, tmp_path):
    for seed in (1, 1, 2):
        assert run_main("--set", f"trainer_cfg.seed={seed}", "--set", "trainer_cfg.total_iter=3") == 0
        (tmp_path / "output").rename(tmp_path / f"seed{seed}{len(list(tmp_path.iterdir()))}")
    first, second, other = (final(path, 3)["model"] for path in sorted(tmp_path.iterdir()))
    assert same(first, second) and not same(first, other)


def test_files_and_log_lines_of_a_run(run_main, tmp_path, capsys):
    evaluator = {"eval_func": "evaluate_indoor_dataset"}
    assert run_main("--log_to_file", "--set", "trainer_cfg.with_test=true", evaluator_cfg=evaluator) == 0
    run = tmp_path / "output" / RUN
    assert sorted(file.name for file in (run / "checkpoints").iterdir()) == ["tiny-00003.pt", "tiny-00006.pt"]
    assert "optimizer_cfg" in (run / "config.yaml").read_text()
    assert list((run / "summary").glob("events*"))
    (log,) = (run / "logs").glob("*.txt")
    text = log.read_text()
    assert re.search(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[INFO\]: -------- Train Pid List --------$", text, re.M)
    assert re.search(r"Parameters Count: 0\.\d{5}M$", text, re.M)
    line = (
        r"Iteration 00002, Cost \d+\.\d\ds, triplet_loss=\d+\.\d{4}, triplet_hard_loss=\S+, triplet_loss_num=\S+, "
        r"triplet_mean_dist=\S+, softmax_loss=\S+, softmax_accuracy=\d+\.\d{4}\n"
        r"\[.*\]: lr=0\.02, data=\S+s, step=\S+s, .*left=0:00:0"
    )
    assert re.search(line, text)
    assert "NM@R1" in text
    assert text.splitlines()[-1] in capsys.readouterr().err

    assert run_main(phase="test", evaluator_cfg=evaluator) == 0
    content = json.loads((run / "logs" / "test-00006.json").read_text())
    assert content["checkpoint"] == f"output/{RUN}/checkpoints/tiny-00006.pt"
    assert 0 <= content["results"]["scalar/test_accuracy/NM@R1"] <= 100


def test_a_non_finite_loss_stops_the_run(run_main, capsys):
    assert run_main(model_cfg={"poison_at": 2}) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "loss of iteration 3 is not finite (nan)" in message
    assert "the term is softmax/loss" in message and "triplet/" not in message
    assert len(re.findall(r"CASIA-B-00\d/\w\w-0\d/0[09]0", message)) == 4


def error_of(capsys) -> str:
    """Return the error line at the end of a failed command line's output."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    line = text.splitlines()[-1]
    assert line.startswith("error: ")
    return line


def test_a_checkpoint_of_another_model(run_main, capsys):
    assert run_main("--set", "trainer_cfg.total_iter=3") == 0
    narrow = {"SeparateFCs": {"in_channels": 6, "out_channels": 4, "parts_num": 16}}
    narrow["SeparateBNNecks"] = {"class_num": 4, "in_channels": 4, "parts_num": 16}
    assert run_main("--iter", "3", phase="test", model_cfg=narrow) == 2
    assert "fcs.fc_bin" in (message := error_of(capsys)) and "16x6x5 in the file and 16x6x4 in" in message
    assert run_main("--iter", "5", phase="test") == 2
    assert "no checkpoint" in (message := error_of(capsys)) and "tiny-00003.pt" in message


def test_missing_data(run_main, capsys, tmp_path):
    assert run_main("--set", "data_cfg.dataset_root=no/such/place") == 2
    assert "no/such/place" in error_of(capsys)
    assert run_main("--set", "data_cfg.dataset_partition=none.json") == 2
    assert "none.json" in error_of(capsys)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_tracklet_is_named(folder, run_main, capsys, tmp_path, workers):
    shutil.copytree(folder / "data", tmp_path / "data")
    for file in (tmp_path / "data" / "001").rglob("*.pkl"):
        file.write_bytes(pickle.dumps("no frames")[:-3])
    arguments = ["--set", f"data_cfg.dataset_root={tmp_path / 'data'}", "--set", f"data_cfg.num_workers={workers}"]
    assert run_main(*arguments) == 2
    assert "CASIA-B-001-" in (message := error_of(capsys)) and ".pkl" in message


def test_invalid_command_lines(run_main, capsys):
    assert run_main("--set", "trainer_cfg.totl_iter=3") == 2
    assert "did you mean total_iter" in error_of(capsys)
    assert run_main("--set", "model_cfg.model=TinySill") == 2
    assert "no model called 'TinySill'; did you mean TinySil" in error_of(capsys)
    assert run_main("--set", "loss_cfg=null") == 2
    assert "no loss_cfg" in error_of(capsys)


@pytest.mark.slow
def test_a_batch_that_cannot_be_divided_among_processes(folder):
    """Under torchrun, rank 0 reports the error and every rank exits."""
    config = tiny.write_config(folder, "odd.yaml", trainer_cfg={"output_root": "odd"})
    options = ["--cfgs", config, "--set", "trainer_cfg.sampler.batch_size=[1, 3]"]
    process = tiny.launch(*options, world=2, cwd=folder)
    assert process.returncode != 0
    (message,) = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert "batch of 3 tracklets" in message and "2 processes" in message


def test_errors_of_other_ranks_name_the_rank(capsys, monkeypatch):
    monkeypatch.setattr("opengait.distributed.rank", lambda: 1)
    monkeypatch.setattr("opengait.main.HEAD_START", 0)
    assert main(["--cfgs", "nowhere.yaml"]) == 2
    assert capsys.readouterr().err.startswith("[rank 1] error: Cannot read the configuration nowhere.yaml")


@pytest.mark.slow
def test_it_runs_as_a_module():
    process = tiny.launch("--cfgs", "nowhere.yaml", script=("-m", "opengait.main"))
    assert process.returncode == 2
    assert process.stderr.strip() == "error: Cannot read the configuration nowhere.yaml: No such file or directory."
