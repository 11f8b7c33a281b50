"""Ablations on the command line: parallel runs that continue where they stopped, and tables of their results."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opengait.errors import ConfigError
from opengait_ext.ablation.jobs import plan_jobs
from opengait_ext.ablation.results import measure
from opengait_ext.ablation.sweeps_figure import draw_sweeps
from opengait_ext.ablation.tables import read_tables
from opengait_ext.experiments import devices as devices_module
from opengait_ext.experiments.devices import Device
from opengait_ext.experiments.jobs import Job
from opengait_ext.experiments.launch import run_jobs
from tests.opengait_ext.ablation.tiny import TINY
from tests.opengait_ext.runs.stand_in_runs import command, draw_people
from tests.paths import ROOT

pytestmark = pytest.mark.slow

TABLES = read_tables()
ablate = command("ablate")
# A quick stand-in for the engine: writes checkpoints, then a test result whose Rank-1 depends on the seed.
ENGINE = """
import json, sys, time, yaml
from pathlib import Path
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
config = yaml.safe_load(Path(arguments["--cfgs"]).read_text())
trainer = config["trainer_cfg"]
run = Path(trainer["output_root"], config["data_cfg"]["dataset_name"], "DinoGRL", trainer["save_name"])
with Path(trainer["output_root"], "calls.txt").open("a") as calls:
    print(arguments["--phase"], arguments.get("--iter", 0), file=calls)
if trainer["save_name"] == FAILING:
    print("noise")
    print("error: HITSZ-VCM was not found.")
    sys.exit(2)
if SECONDS:
    Path(trainer["output_root"], "started").touch()
time.sleep(SECONDS)
if arguments["--phase"] == "train":
    for iteration in range(int(arguments.get("--iter", 0)) + 1, trainer["total_iter"] + 1):
        file = run / "checkpoints" / f"{trainer['save_name']}-{iteration:05d}.pt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
else:
    keys = dict.fromkeys(("rank1", "rank5", "rank10", "rank20", "map", "minp"), 0.25)
    numbers = {"infrared_to_visible": keys | {"rank1": 0.5 + trainer["seed"] / 10}, "visible_to_infrared": keys}
    file = run / "logs" / f"test-{int(arguments['--iter']):05d}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    card = {"protocol": "hitsz-vcm", "frames": {"frames_num_fixed": 6}}
    file.write_text(json.dumps({"results": numbers, "card": card}))
"""
SETTINGS = ["trainer_cfg.total_iter=2", "trainer_cfg.save_iter=1"]


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Replace the engine by a program; `make` takes the row that fails and the seconds that each phase takes."""

    def make(failing: str = "", seconds: float = 0) -> None:
        file = tmp_path / "engine.py"
        file.write_text(ENGINE.replace("FAILING", repr(failing)).replace("SECONDS", str(seconds)))
        monkeypatch.setattr(devices_module, "MAIN", file)

    make()
    return make


def plan(out: Path, table: str = "6", seeds: tuple[int, ...] = (0, 1), *settings: str) -> list[Job]:
    return plan_jobs(TABLES[table].on("hitsz"), "hitsz", seeds, out, [*SETTINGS, *settings])


def calls(job: Job) -> list[str]:
    return (job.folder / "calls.txt").read_text().splitlines()


def test_every_row_and_seed_is_trained_and_tested_once(stand_in, tmp_path):
    jobs, lines = plan(tmp_path / "runs"), []
    assert [(job.row, job.seed) for job in jobs] == [
        (row, seed) for seed in (0, 1) for row in ("table6_separate", "full")
    ]
    assert run_jobs(jobs, [Device(), Device()], lines.append) == {}
    assert all(job.done and calls(job) == ["train 0", "test 2"] for job in jobs)
    assert any(text.startswith("[4/4] ") for text in lines)
    assert run_jobs(jobs, [Device()], lines.append) == {}
    assert all(len(calls(job)) == 2 for job in jobs), "finished runs are skipped"
    shared = plan(tmp_path / "runs", "8")
    assert [job.row for job in shared if job.done] == ["full", "full"], "tables share their common rows"


def test_an_interrupted_run_continues_from_its_newest_checkpoint(stand_in, tmp_path):
    (job,) = plan(tmp_path, "6", (0,))[1:]
    run_jobs([job], [Device()], print)
    job.result_file.unlink()
    (job.run_folder / "checkpoints/full-00002.pt").unlink()
    run_jobs([job], [Device()], print)
    assert calls(job) == ["train 0", "test 2", "train 1", "test 2"]
    job.result_file.unlink()
    run_jobs([job], [Device()], print)
    assert calls(job)[4:] == ["test 2"], "a finished training is only tested"


def test_a_failed_run_does_not_stop_the_others(stand_in, tmp_path):
    stand_in(failing="table6_separate")
    jobs, lines = plan(tmp_path, "6", (0,)), []
    failures = run_jobs(jobs, [Device()], lines.append)
    assert {job.row: text for job, text in failures.items()} == {"table6_separate": "HITSZ-VCM was not found."}
    assert jobs[1].done
    text = measure(TABLES["6"], "hitsz", (0,), jobs, failures).as_markdown()
    assert "| without | - | - | - | - | *72.1* | *60.5* | *75.0* | *61.6* |" in text
    assert "- table6_separate, seed 0, failed: HITSZ-VCM was not found." in text


def test_the_table(stand_in, tmp_path):
    jobs = plan(tmp_path / "runs")
    run_jobs(jobs, [Device()], print)
    measured = measure(TABLES["6"], "hitsz", (0, 1), jobs, {})
    text = measured.as_markdown()
    assert "| with | 55.0 ± 7.1 | 25.0 ± 0.0 | 25.0 ± 0.0 | 25.0 ± 0.0 | *72.5* | *61.1* | *76.1* | *62.3* |" in text
    assert "| Joint learning | IR→VIS R@1 | mAP | VIS→IR R@1 | mAP | *paper* IR→VIS R@1 |" in text
    assert "Measured on HITSZ-VCM, mean ± standard deviation over seeds 0, 1; protocol hitsz-vcm; frames 6" in text
    assert "printed in Table 6 of the paper, measured by its authors on HITSZ-VCM; on the same dataset." in text
    content = json.loads(json.dumps(measured.as_json()))
    assert content["rows"][1]["runs"] == {"0": [50, 25, 25, 25], "1": [60, 25, 25, 25]}
    assert content["rows"][1]["mean"] == [55, 25, 25, 25] and content["rows"][1]["paper_on_hitsz_vcm"][0] == 72.5
    single = measure(TABLES["6"], "hitsz", (0,), jobs[:2], {}).as_markdown()
    assert "| with | 50.0 | 25.0 |" in single and "Measured on HITSZ-VCM, seed 0;" in single


def test_rows_missing_on_a_dataset_are_named(tmp_path):
    text = measure(TABLES["7"], "synthetic", (0,), [], {}).as_markdown()
    assert "- Not available on the synthetic data: SCHP, Grapy-ML, DINOv3 ViT-S/16, CLIP ViT-B/16" in text
    assert "| given masks (1) | - |" in text and "- (1) uses the generator's true silhouettes" in text


def test_figure_4_has_a_point_per_value(stand_in, tmp_path):
    jobs = plan(tmp_path, "figure4")
    run_jobs([job for job in jobs if job.row != "figure4_mask_0.8"], [Device(), Device()], lambda text: None)
    measured = measure(TABLES["figure4"], "hitsz", (0, 1), jobs, {})
    figure = draw_sweeps(measured)
    first, *others = figure.axes
    assert len(figure.axes) == 3 and first.get_xlabel() == "λ1"
    rank1 = first.containers[0].lines[0].get_xydata()
    assert rank1[:, 0].tolist() == [0.6, 0.8, 1.0, 1.2, 1.4]
    assert rank1[[0, 2], 1].tolist() == [55, 55] and rank1[1, 1] != rank1[1, 1], "an unfinished run leaves a gap"


def test_changed_settings_are_refused(stand_in, tmp_path):
    run_jobs(plan(tmp_path, "6", (0,)), [Device()], print)
    (job, _) = plan(tmp_path, "6", (0,), "optimizer_cfg.lr=0.3")
    with pytest.raises(ConfigError, match=r"\(optimizer_cfg.lr is 0.1 and 0.3\)"):
        job.check()


def test_an_interrupt_ends_running_processes(stand_in, tmp_path):
    stand_in(seconds=60)
    # A shell starts background jobs with SIGINT ignored, and processes inherit that.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import sys; sys.path.insert(0, sys.argv[1]); from opengait_ext.experiments import devices;"
        "from pathlib import Path; devices.MAIN = Path(sys.argv[2]);"
        "from opengait_ext.commands import main; sys.exit(main(['ablate', *sys.argv[3:]]))"
    )
    files = [str(ROOT), str(tmp_path / "engine.py")]
    options = ["--table", "6", "--data", "hitsz", "--repeats", "1", "--devices", "cpu", "--out", str(tmp_path / "runs")]
    command = [sys.executable, "-c", program, *files, *options, "--set", *SETTINGS]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    started = tmp_path / "runs/hitsz/table6_separate/seed-0/started"
    until = time.monotonic() + 60
    try:
        while not started.exists() and time.monotonic() < until and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=40)
    finally:
        process.kill()
    assert process.returncode == 130 and "the same command again" in errors, errors
    assert not [line for line in _processes() if str(tmp_path / "engine.py") in line and "--cfgs" in line]


def _processes() -> list[str]:
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            lines.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return lines


@pytest.mark.parametrize("seed", ["-1", "4294967296", "9" * 5000, "1.5", "0x10", "1e3", ""])
def test_a_first_seed_is_checked_before_runs_are_planned(capsys, seed):
    with pytest.raises(SystemExit) as stopped:
        ablate(["--table", "3", "--dry-run", f"--first-seed={seed}"])
    assert stopped.value.code == 2
    assert "--first-seed: expected an integer from 0" in capsys.readouterr().err


def test_the_command_line_trains_and_prints_the_table(tmp_path, monkeypatch, capsys):
    """With the real engine, on a small synthetic dataset in HITSZ-VCM's layout."""
    people = draw_people(tmp_path / "people", train=3, test=2)
    monkeypatch.chdir(tmp_path)
    settings = [text.replace("None", "null") for text in TINY]
    settings += [f"data_cfg.dataset_root={people}", "data_cfg.num_workers=0", "trainer_cfg.total_iter=1"]
    settings += ["trainer_cfg.save_iter=1", "trainer_cfg.sampler.batch_size=[2,1]"]
    settings += [f"{section}.sampler.frames_num_fixed=2" for section in ("trainer_cfg", "evaluator_cfg")]
    options = ["--table", "6", "--data", "hitsz", "--repeats", "1", "--devices", "cpu", "cpu"]
    arguments = [*options, "--out", "runs", "--set", *settings]
    assert ablate([*arguments, "--dry-run"]) == 0
    assert "to do  full, seed 0" in capsys.readouterr().err and not Path("runs").exists()
    assert ablate(arguments) == 0, Path("runs/hitsz/full/seed-0/log.txt").read_text()[-2000:]
    printed, progress = capsys.readouterr()
    assert printed.strip() == Path("runs/hitsz/table6.md").read_text().strip()
    assert "2 runs, 0 done" in progress and "[2/2]" in progress
    rows = json.loads(Path("runs/hitsz/table6.json").read_text())["rows"]
    assert all(0 <= value <= 100 for row in rows for value in row["runs"]["0"])
    assert list(Path("runs/hitsz/full/seed-0").glob("*/DinoGRL/full/logs/test-00001.npz")), "features for the figures"
    assert ablate(arguments) == 0
    assert "2 runs, 2 done" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--table 3"),
        (["--table", "6", "--devices", "gpu"], "'gpu'"),
        (["--table", "6", "--set", "model_cfg.dimensions=3"], "did you mean dimension"),
    ],
)
def test_errors_are_one_sentence(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ablate(arguments) == 2
    printed, errors = capsys.readouterr()
    assert message in errors.splitlines()[-1] and errors.splitlines()[-1].startswith("error: ") and not printed
    assert not list(tmp_path.iterdir())
