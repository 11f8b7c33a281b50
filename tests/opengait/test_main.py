"""The command line: training, testing and resuming, on one process and on two, and its error messages."""

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from opengait.engine import test as test_loop
from opengait.engine.checkpoint import load_checkpoint
from opengait.engine.run_folder import RunFolder
from opengait.engine.times import training_seconds
from opengait.main import main
from opengait.utils import messages
from tests.opengait import tiny
from tests.paths import ROOT

RUN = "CASIA-B/TinySil/tiny"


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
    assert all(content["test_seconds"] > 0 for content in contents)
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
    assert training_seconds(tmp_path / "output" / RUN, 6) > training_seconds(tmp_path / "output" / RUN, 3) > 0
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
    # The last line of torchrun's own report, above its border.
    assert process.stderr.splitlines()[-2].strip() == f"traceback : {message}"


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


def snapshot(folder) -> dict[str, tuple[bytes, int]]:
    """Return content and time of every file and folder, named relative to the folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in [folder, *sorted(folder.rglob("*"))]
    }


FAILING = {
    "classes": ["model_cfg.SeparateBNNecks.class_num=2"],
    "data": ["data_cfg.dataset_root=no/such/place"],
    "loss": ["loss_cfg=null"],
    "loss type": ["loss_cfg=[{type: NoLoss, log_prefix: x}]"],
    "solver": ["optimizer_cfg.solver=NoSolver"],
    "learning rate": ["optimizer_cfg.lr=-1"],
    "schedule": ["scheduler_cfg.scheduler=NoSchedule"],
    "sampler": ["trainer_cfg.sampler.batch_size=[2, 2, 2]"],
    "transform": ["trainer_cfg.transform=[{type: NoTransform}]"],
    "not finite at once": ["model_cfg.poison_at=0"],
    "weights": ["trainer_cfg.restore_hint=none.pt"],
    "iteration": ["trainer_cfg.restore_hint=5"],
}


@pytest.mark.parametrize("settings", FAILING.values(), ids=FAILING.keys())
def test_a_start_that_fails_changes_nothing(run_main, tmp_path, capsys, settings):
    """Neither a new folder nor that of a finished run, which is to be overwritten or continued."""
    total = ["--set", "trainer_cfg.total_iter=3"]
    assert run_main("--set", *settings) == 2
    assert list(tmp_path.iterdir()) == []
    assert run_main(*total) == 0
    before = snapshot(tmp_path)
    mode = [] if "restore_hint" in settings[0] else ["--overwrite"]
    assert run_main(*mode, "--set", *settings) == 2
    assert snapshot(tmp_path) == before
    assert error_of(capsys)


def test_a_finished_run_is_not_replaced_unasked(run_main, tmp_path, capsys):
    total = ["--set", "trainer_cfg.total_iter=3"]
    assert run_main(*total) == 0
    before = snapshot(tmp_path)
    assert run_main(*total) == 2
    assert "--resume" in (message := error_of(capsys)) and "--overwrite" in message and "iteration 3" in message
    assert run_main(*total, "--set", "trainer_cfg.restore_hint=output/x.pt") == 2
    assert snapshot(tmp_path) == before
    assert run_main("--set", "trainer_cfg.save_name=other", *total) == 0


def test_overwriting_removes_checkpoints_curves_and_results(run_main, tmp_path):
    run = tmp_path / "output" / RUN
    assert run_main() == 0
    assert run_main(phase="test") == 0
    (run / "notes.txt").write_text("mine")
    old = {path for path in run.rglob("*") if path.is_file()}
    old -= {run / name for name in (".lock", "config.yaml", "times.txt")}
    # A log is named after its second, so the new run's may have the name of an old one.
    old -= set(run.glob("logs/*.txt"))
    assert run_main("--overwrite", "--set", "trainer_cfg.total_iter=3") == 0
    assert sorted(path.name for path in old if path.exists()) == ["notes.txt", "tiny-00003.pt"]
    assert len(list((run / "summary").iterdir())) == 1


def test_overwriting_keeps_the_checkpoint_that_the_run_starts_from(run_main, tmp_path, capsys):
    total = ["--set", "trainer_cfg.total_iter=3"]
    assert run_main(*total) == 0
    file = tmp_path / "output" / RUN / "checkpoints/tiny-00003.pt"
    (tmp_path / "link.pt").symlink_to(file)
    before = snapshot(tmp_path)
    for path in (file, tmp_path / "link.pt"):
        assert run_main("--overwrite", *total, f"trainer_cfg.restore_hint={path}") == 2
        assert f"starts from, {path}; move it" in error_of(capsys)
    assert snapshot(tmp_path) == before
    file.rename(tmp_path / "mine.pt")
    assert run_main("--overwrite", *total, f"trainer_cfg.restore_hint={tmp_path / 'mine.pt'}") == 0


def test_resuming_takes_the_newest_checkpoint(run_main, tmp_path, capsys):
    assert run_main("--resume") == 2
    assert "tiny-<iteration>.pt" in error_of(capsys)
    assert list(tmp_path.iterdir()) == []
    assert run_main("--set", "trainer_cfg.total_iter=3") == 0
    assert run_main("--resume") == 0
    assert final(tmp_path / "output")["iteration"] == 6
    assert run_main("--iter", "last", phase="test", evaluator_cfg={"restore_hint": 3}) == 0
    assert (tmp_path / "output" / RUN / "logs/test-00006.json").is_file()


def test_a_damaged_newest_checkpoint_names_another(run_main, tmp_path, capsys):
    assert run_main() == 0
    (tmp_path / "output" / RUN / "checkpoints/tiny-00006.pt").write_bytes(b"PK")
    assert run_main("--resume") == 2
    assert "its folder also has tiny-00003.pt" in error_of(capsys)


def test_continuing_earlier_sets_later_results_aside(run_main, tmp_path, capsys):
    run = tmp_path / "output" / RUN
    assert run_main() == 0
    assert run_main(phase="test") == 0
    later = (run / "checkpoints/tiny-00006.pt").read_bytes()
    assert run_main("--iter", "3", "--set", "trainer_cfg.total_iter=4") == 0
    assert "iteration 3 were moved to" in capsys.readouterr().err
    (aside,) = run.glob("replaced-*")
    assert sorted(file.name for file in aside.iterdir()) == ["test-00006.json", "tiny-00006.pt"]
    assert (aside / "tiny-00006.pt").read_bytes() == later
    assert not (run / "checkpoints/tiny-00006.pt").exists()


def test_a_failing_start_keeps_the_curves(run_main, tmp_path):
    """TensorBoard drops all curves of a folder whose newest event file starts again at 0."""
    from opengait_ext.runs.compare.outcome import read_curves

    run = tmp_path / "output" / RUN
    assert run_main() == 0
    before = {tag: curve[0].tolist() for tag, curve in read_curves(run).items()}
    assert before["triplet/loss"] == [2, 4, 6]
    assert run_main("--overwrite", "--set", "model_cfg.SeparateBNNecks.class_num=2") == 2
    assert {tag: curve[0].tolist() for tag, curve in read_curves(run).items()} == before


def test_a_resumed_run_keeps_every_point_of_its_curves(run_main, tmp_path):
    from opengait_ext.runs.compare.outcome import read_curves

    every = ["--set", "trainer_cfg.log_iter=1", "trainer_cfg.save_iter=1"]
    assert run_main(*every, "trainer_cfg.total_iter=4") == 0
    assert run_main("--iter", "2", *every) == 0
    steps, losses = read_curves(tmp_path / "output" / RUN)["triplet/loss"]
    assert (steps.tolist(), len(losses)) == ([1, 2, 3, 4, 5, 6], 6)


def test_a_second_training_in_a_folder_is_refused(run_main, tmp_path, capsys):
    """The owner is another process, since locks are those of processes."""
    run = tmp_path / "output" / RUN
    assert run_main("--set", "trainer_cfg.total_iter=3") == 0
    program = (
        "import sys; from pathlib import Path; from opengait.engine.run_folder import RunFolder;"
        "folder = RunFolder(Path(sys.argv[1]), 'tiny', 3); folder.claim(); folder.begin(); print('owned', flush=True);"
        "sys.stdin.read()"
    )
    owner = subprocess.Popen([sys.executable, "-c", program, run], stdin=-1, stdout=-1, cwd=ROOT)
    assert owner.stdout.readline() == b"owned\n"
    for mode in ("--resume", "--overwrite"):
        assert run_main(mode) == 2
        assert f"process {owner.pid} on" in error_of(capsys)
    owner.kill()
    owner.communicate()
    assert run_main("--resume", "--set", "trainer_cfg.total_iter=4") == 0


def test_of_two_trainings_that_start_at_once_one_continues(run_main, tmp_path, capsys, monkeypatch):
    """The other takes the folder while this one computes its first iteration."""
    run = tmp_path / "output" / RUN
    begin = RunFolder.begin

    def late(folder):
        (run / "checkpoints").mkdir(parents=True)
        (run / "checkpoints/tiny-00003.pt").touch()
        return begin(folder)

    monkeypatch.setattr(RunFolder, "begin", late)
    assert run_main() == 2
    assert "already holds a run" in error_of(capsys)
    assert not (run / "config.yaml").exists()


@pytest.mark.parametrize("at", ["output", "output/CASIA-B", f"output/{RUN}", f"output/{RUN}/checkpoints"])
@pytest.mark.parametrize("phase", ["train", "test"])
def test_a_file_where_a_folder_belongs(run_main, tmp_path, capsys, at, phase):
    (tmp_path / at).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / at).write_text("mine")
    assert run_main(phase=phase) == 2
    assert at in error_of(capsys)
    assert (tmp_path / at).read_text() == "mine"


def test_each_tested_checkpoint_has_results_of_its_own(run_main, tmp_path):
    run = tmp_path / "output" / RUN
    assert run_main() == 0
    named = {"a/best.pt": "tiny-00003.pt", "b/best.pt": "tiny-00006.pt", "00006.pt": "tiny-00003.pt"}
    for copy, source in named.items():
        (tmp_path / copy).parent.mkdir(exist_ok=True)
        shutil.copy(run / "checkpoints" / source, tmp_path / copy)
        assert run_main("--set", f"evaluator_cfg.restore_hint={copy}", phase="test") == 0
    own = f"evaluator_cfg.restore_hint=output/{RUN}/checkpoints/tiny-00003.pt"
    assert run_main("--set", own, phase="test") == 0
    assert run_main("--set", "evaluator_cfg.restore_hint=a/best.pt", phase="test") == 0
    contents = {file.stem: json.loads(file.read_text()) for file in (run / "logs").glob("*.json")}
    assert len(contents) == 4
    assert contents["test-best"]["checkpoint"] == "a/best.pt"
    assert contents["test-checkpoint-00006"]["checkpoint"] == "00006.pt"
    assert contents["test-00003"]["checkpoint"].endswith("tiny-00003.pt")
    (other,) = (name for name in contents if name.startswith("test-best-"))
    assert contents[other]["checkpoint"] == "b/best.pt"


def test_the_results_are_the_last_of_a_test(run_main, capsys):
    assert run_main() == 0
    lines = capsys.readouterr().err.splitlines()
    assert "tiny-00006.pt" in lines[-2] and "--phase test --iter 6 --set trainer_cfg.output_root=output" in lines[-1]
    assert any("Device: CPU" in line for line in lines)
    assert sum("no usable GPU" in line for line in lines) == (torch.version.cuda is not None)
    assert run_main("--device", "cpu", phase="test", evaluator_cfg={"eval_func": "evaluate_indoor_dataset"}) == 0
    lines = capsys.readouterr().err.splitlines()
    (card,) = (number for number, line in enumerate(lines) if "Card: " in line)
    assert "Results written to" in lines[card + 1]
    assert any("NM@R1" in line for line in lines[card + 2 :]) and len(lines) < 30
    assert not any("no usable GPU" in line for line in lines)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_numbers_are_refused(run_main, tmp_path, capsys, monkeypatch, value):
    assert run_main("--set", "trainer_cfg.total_iter=3") == 0
    inference = test_loop.inference

    def broken(model, rank):
        features = inference(model, rank)
        features["embeddings"][1, 0, 0] = value
        return features

    monkeypatch.setattr(test_loop, "inference", broken)
    before = snapshot(tmp_path)
    assert run_main("--iter", "3", phase="test") == 2
    assert "embeddings of the test: 1 of 47" in (message := error_of(capsys)) and "005-bg-01-090" in message
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("option", [["--iter", "-3"], ["--iter", "0"], ["--iter", "x"], ["--iter", "1.5"]])
def test_iterations_are_positive(run_main, capsys, option):
    with pytest.raises(SystemExit):
        run_main(*option)
    assert "expected a positive integer or last, got" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [["--resume", "--overwrite"], ["--resume", "--iter", "3"], ["--overwrite", "--iter", "3"], ["--device", "tpu"]],
)
def test_options_that_exclude_each_other(run_main, option):
    with pytest.raises(SystemExit):
        run_main(*option)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signum", "world", "status"), [(signal.SIGTERM, 0, 143), (signal.SIGINT, 0, 130), (signal.SIGTERM, 2, 1)]
)
def test_a_signal_ends_a_training_with_a_checkpoint(folder, tmp_path, signum, world, status):
    """Of two processes, torchrun signals each; its own status is 1. The data worker gets the signal as well."""
    config = tiny.write_config(
        folder, "long.yaml", trainer_cfg={"total_iter": 10**6, "save_iter": 10**6, "log_iter": 5}
    )
    options = ["--cfgs", config, "--set", f"trainer_cfg.output_root={tmp_path}", "data_cfg.num_workers=1"]
    process = tiny.started(*options, world=world, cwd=folder)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Iteration 00005" in line:
            # As a terminal and as schedulers do, to the whole group.
            os.killpg(process.pid, signum)
            break
    lines += process.stderr.readlines()
    process.stderr.close()
    assert process.wait(60) == status, lines[-20:]
    (stopped,) = (line for line in lines if "Stopped at iteration" in line)
    iteration = int(re.search(r"iteration (\d+)", stopped)[1])
    assert "--resume" in stopped and final(tmp_path, iteration)["iteration"] == iteration
    assert sum("Traceback" in line for line in lines) <= bool(world)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"RANK": "0", "WORLD_SIZE": "2"}, "MASTER_ADDR, MASTER_PORT"),
        ({"WORLD_SIZE": "4"}, "not RANK"),
        ({"RANK": "x", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}, "RANK is 'x'"),
        ({"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}, "RANK is 2"),
        ({"RANK": "1"}, "not WORLD_SIZE"),
    ],
)
def test_variables_of_a_launcher_without_a_launcher(monkeypatch, capsys, variables, named):
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: False)
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("opengait.main.HEAD_START", 0)
    assert main(["--cfgs", "nowhere.yaml"]) == 2
    assert named in (error := capsys.readouterr().err) and error.count("\n") == 1
