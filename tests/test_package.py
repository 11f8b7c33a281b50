"""The wheel, installed outside the checkout, with every command in another folder."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import opengait
from tests.paths import ROOT

pytestmark = pytest.mark.slow

CONFIG = "configs/dinogrl/demo.yaml"
SETTINGS = (
    *("data_cfg.dataset_root=data", "data_cfg.num_workers=0", "model_cfg.num_classes=3", "model_cfg.dimension=16"),
    *("trainer_cfg.sampler.batch_size=[2,1]", "trainer_cfg.sampler.frames_num_fixed=2", "trainer_cfg.output_root=runs"),
    *("trainer_cfg.total_iter=2", "trainer_cfg.save_iter=2", "evaluator_cfg.restore_hint=2"),
    *("evaluator_cfg.sampler.frames_num_fixed=2", "evaluator_cfg.save_features=true"),
)
MASKS = "data_cfg.mask_root=data/silhouettes"
RUN = "runs/Synthetic-VVI/DinoGRL/DinoGRL"
NETWORK = ("--cfgs", CONFIG, "--checkpoint", f"{RUN}/checkpoints/DinoGRL-00002.pt", "--set", *SETTINGS)
# Commands that need torch share a process, since importing it takes most of their time.
PROGRAM = """
import json, sys
import opengait, opengait_ext
from opengait_ext.commands import main
print(opengait.__file__, opengait_ext.__file__)
for arguments in json.loads(sys.argv[1]):
    print("$ vvi", *arguments[:2], flush=True)
    if main(arguments):
        sys.exit(f"failed: {arguments}")
"""
COMMANDS = (
    ("dry-run", "--cfgs", CONFIG, "--set", *SETTINGS),
    ("compare", RUN, "--out", "table.md"),
    ("report", RUN, "--out", "page", "--animations", "1", "--queries", "1", "--worst", "1"),
    ("figures", "cmc", RUN, "--out", "cmc"),
    ("export-silhouettes", *NETWORK, "--out", "masks", "--frames", "1", "--tracklets", "2", "--no-gif"),
    ("given-silhouettes", "--out", "given", "--cfgs", CONFIG, "--set", *SETTINGS, MASKS),
    ("embed", *NETWORK, "--input", "data/Test/0501", "--out", "gallery.npz"),
    ("search", "--gallery", "gallery.npz", "--query", "data/Test/0502/ir", "--top", "1"),
    ("ablate", "--table", "3", "--repeats", "1", "--devices", "cpu", "--dry-run"),
    ("download", "--list"),
    ("plug", "checkout", "--cfgs", CONFIG, "--force"),
    ("pack", "data", "--out", "packed", "--verify"),
    ("prepare", "hitsz", "data", "--out", "prepared", "--size", "16", "8", "--workers", "1"),
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the folder that the wheel was installed into."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "site"))
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("opengait", "opengait_ext", "configs", "pretrained"):
        shutil.copytree(ROOT / name, source / name, ignore=leave_out)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "-w", "dist"]
    subprocess.run([*pip, *build], cwd=source, check=True)
    (wheel,) = (source / "dist").glob("*.whl")
    assert opengait.__version__ in wheel.name
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], check=True)
    return target


@pytest.fixture(scope="module")
def run(installed, tmp_path_factory):
    """Return a function that runs a program in another folder, with the installed packages only."""
    folder = tmp_path_factory.mktemp("elsewhere")
    environment = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

    def run(*command: object) -> str:
        done = subprocess.run(
            [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout

    run.folder = folder
    return run


def test_contents_of_the_wheel(installed):
    for shipped in (*ROOT.glob("configs/**/*.yaml"), *ROOT.glob("pretrained/*.safetensors")):
        assert (installed / "opengait/assets" / shipped.relative_to(ROOT)).read_bytes() == shipped.read_bytes()
    for pattern in ("**/*.json", "**/*.yaml", "**/py.typed"):
        for package in ("opengait", "opengait_ext"):
            for data in (ROOT / package).glob(pattern):
                assert (installed / data.relative_to(ROOT)).is_file(), data
    assert sorted(path.name for path in installed.iterdir() if path.is_dir() and "dist-info" not in path.name) == [
        "bin",
        "opengait",
        "opengait_ext",
    ]


def test_every_command_of_the_installed_package(installed, run):
    vvi, engine = (installed / "bin" / name for name in ("vvi", "opengait"))
    assert "check-data" in run(vvi, "--help")
    people = ("--train-identities", 3, "--test-identities", 3, "--cameras", 2, "--frames", 12, "--size", 64, 32)
    run(vvi, "synthesize", "--out", "data", *people)
    run(vvi, "check-data", "hitsz", "data", "--workers", 1)
    run(engine, "--cfgs", CONFIG, "--phase", "train", "--set", *SETTINGS)
    run(engine, "--cfgs", CONFIG, "--phase", "test", "--set", *SETTINGS)
    results = json.loads((run.folder / RUN / "logs/test-00002.json").read_text())["results"]
    assert 0 <= results["infrared_to_visible"]["rank1"] <= 1

    checkout = run.folder / "checkout/opengait"
    (checkout / "modeling/models").mkdir(parents=True)
    (checkout / "main.py").write_text("")
    output = run(sys.executable, "-c", PROGRAM, json.dumps(COMMANDS))
    assert output.startswith(str(installed / "opengait/__init__.py"))
    for written in ("table.md", "page/index.html", "cmc.png", "masks/contact_sheet.png", "packed", "prepared"):
        assert (run.folder / written).exists(), written
    assert (checkout.parent / "configs/opengait_ext/dinogrl_demo.yaml").is_file()
