"""scripts/benchmarks/forms.py: the settings of the forms, a run from data to table, and the table itself."""

import json

import pytest

from opengait.config import load_config
from opengait.errors import UserError
from opengait_ext.data.synthetic_vvi import SyntheticConfig
from opengait_ext.models import DinoGRLNet
from scripts.benchmarks import forms
from tests.paths import ROOT


def test_one_form_is_that_of_the_papers_configuration():
    config = load_config(forms.CONFIG, forms.overrides("scaled"))
    paper = load_config(ROOT / "configs/dinogrl/hitsz.yaml")
    assert config["optimizer_cfg"] == paper["optimizer_cfg"]
    warm_up, decay = config["scheduler_cfg"]["schedulers"]
    assert (warm_up["total_iters"], decay["milestones"]) == (10, [35, 80]), "as many iterations as the paper's epochs"
    losses = {entry["log_prefix"]: entry for entry in paper["loss_cfg"]}
    assert config["loss_cfg"] == [losses[entry["log_prefix"]] for entry in config["loss_cfg"]]
    for key in ("normalise", "lge"):
        assert config["model_cfg"][key] == paper["model_cfg"][key]


def test_the_literal_form_makes_none_of_the_choices():
    config = load_config(forms.CONFIG, forms.overrides("literal"))
    assert not any(entry["normalise"] for entry in config["loss_cfg"] if entry["type"] == "TripletLoss")
    step = DinoGRLNet.from_config(config["model_cfg"]).enhancement.gait[0]
    assert step.divisor == 1 and not step.unit_stripes
    assert step.query.weight.count_nonzero() > step.query.weight.shape[0]


def test_only_a_loss_that_is_not_finite_counts_as_divergence(monkeypatch):
    def fail(message):
        def run(_):
            raise UserError(message)

        monkeypatch.setattr(forms.engine, "run", run)

    command = ["--cfgs", str(forms.CONFIG)]
    fail("The loss of iteration 2 is not finite (nan).")
    assert not forms.trained(command)
    fail("There is no folder of masks.")
    with pytest.raises(UserError, match="no folder"):
        forms.trained(command)


def test_a_row_by_hand():
    numbers = {
        direction: {"rank1": rank1, "map": 0.5} for direction, rank1 in zip(forms.DIRECTIONS, (0.2, 0.4), strict=True)
    }
    losses = {f"{stream}_identity/loss": [9.0, last] for stream, last in (("appearance", 1.0), ("gait", 2.0))}
    finished = {"finite": True, "norms": [1.0, 2.0, 3.0], "losses": losses, "results": numbers}
    diverged = {"finite": False, "norms": [4.0, 1000.0], "losses": {}, "results": {}}
    cells = "| literal | 1 of 2 | 3 | 1e+03 | 1.50 | 30.0 (30.0 to 30.0) | 50.0 (50.0 to 50.0) |"
    assert forms.row("literal", [finished, diverged]) == cells
    assert forms.row("literal", [diverged]).endswith("|  |  |  |")


@pytest.mark.slow
def test_a_run_from_data_to_table(tmp_path, monkeypatch, capsys):
    small = SyntheticConfig(train_identities=4, test_identities=2, cameras=2, frames=12, size=(128, 64))
    monkeypatch.setattr(forms, "DEMO", small)
    settings = ["model_cfg.num_classes=4", "trainer_cfg.sampler.batch_size=[4, 1]", "trainer_cfg.total_iter=2"]
    command = ["--out", str(tmp_path), "--forms", "scaled", "--seeds", "3"]
    assert forms.main([*command, "--set", *settings, "trainer_cfg.save_iter=2", "trainer_cfg.log_iter=1"]) == 0
    table = capsys.readouterr().out
    assert "| scaled | 1 of 1 |" in table
    result = json.loads((tmp_path / "scaled-3.json").read_text())
    assert len(result["norms"]) == 2 and min(result["norms"]) > 0
    monkeypatch.setattr(forms.engine, "run", None)
    assert forms.main(command) == 0, "what has been measured is not run again"
    assert capsys.readouterr().out.splitlines()[-3:] == table.splitlines()[-3:]
