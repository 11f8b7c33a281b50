"""Rows of Tables 3 to 9 and Figure 4: each changes only its own settings, learns in all parts and lowers its loss."""

from pathlib import Path

import pytest
import torch

from opengait.config import load_config
from opengait.engine.optim import build_optimizer
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.ablation.jobs import DATA, MASKS, ROWS, compose
from opengait_ext.ablation.tables import FIGURE4, FULL, read_tables
from opengait_ext.experiments.jobs import first_difference
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.model import loss_terms
from tests.opengait_ext.ablation.tiny import TINY

TABLES = read_tables()
ALL = {row.name: row for table in TABLES.values() for row in table.rows}


def tiny(name: str, data: str = "synthetic") -> dict:
    overrides = [text.replace("None", "null") for text in TINY] if data == "synthetic" else []
    return compose(ALL[name], DATA[data], 1, Path("runs"), overrides)


def names_of(section: list[dict]) -> list[str]:
    return [entry.get("log_prefix", entry["type"]) for entry in section]


def test_the_tables_are_the_papers():
    assert [name for name in TABLES if name != FIGURE4] == list("3456789")
    for table in TABLES.values():
        shared = max(0, len(table.sweeps) - 1)  # the sweeps of Figure 4 meet in one network
        assert len({row.name for row in table.rows}) == len(table.rows) - shared
        assert all(len(row.cells) == len(table.columns) for row in table.rows)
        if table.name != FIGURE4:
            assert next(row for row in table.rows if row.config == FULL).paper == (72.5, 61.1, 76.1, 62.3)
    assert TABLES["9"].rows[5].cells == ("MS-G3D",) and TABLES["9"].rows[5].paper == (63.5, 49.1, 66.7, 49.6)


def test_every_file_is_a_row_and_every_row_a_file():
    files = {path.stem for path in ROWS.glob("*.yaml")} - {"synthetic"}
    assert files == {row.config for row in ALL.values()}
    for name in files:
        config = load_config(ROWS / f"{name}.yaml")
        assert config["trainer_cfg"]["save_name"] == config["evaluator_cfg"]["save_name"] == name


def test_figure_4_varies_the_papers_weights():
    weights = {cfg["log_prefix"]: cfg.get("loss_term_weight") for cfg in load_config(ROWS / f"{FULL}.yaml")["loss_cfg"]}
    for sweep in TABLES[FIGURE4].sweeps:
        assert sweep.centre == weights[sweep.loss] and sweep.centre in sweep.values
    changed = compose(ALL["figure4_smoothness_0.08"], DATA["hitsz"], 0, Path("runs"), [])["loss_cfg"]
    assert {cfg["log_prefix"]: cfg.get("loss_term_weight") for cfg in changed} == weights | {"smoothness": 0.08}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in ALL.items() if row.data is None or "synthetic" in row.data])
def test_all_parameters_learn_and_a_step_lowers_the_loss(name):
    config = tiny(name)
    torch.manual_seed(0)
    network = DinoGRLNet.from_config(config["model_cfg"]).train()
    labels = torch.tensor([0, 0, 1, 1])
    batch = torch.randn(4, 2, 3, 64, 32), torch.tensor([0, 1, 0, 1])
    masks = [(torch.rand(4, 2, 1, 64, 32) < 0.4).float()] if config["data_cfg"].get("mask_root") else []
    losses = LossAggregator(config["loss_cfg"])
    build_optimizer(network.named_parameters(), config["optimizer_cfg"])

    def total() -> torch.Tensor:
        terms = loss_terms(network(*batch, *masks), labels)
        return losses({key: value for key, value in terms.items() if key in losses.losses})[0]

    first = total()
    first.backward()
    trainable = {key: value for key, value in network.named_parameters() if value.requires_grad}
    without_gradient = {key for key, value in trainable.items() if value.grad is None}
    untrained = "silhouette_generator.appearance_encoder."
    assert all(key.startswith(untrained) for key in without_gradient)
    assert (
        bool(without_gradient)
        == config["trainer_cfg"].get("find_unused_parameters", False)
        == (name == "table6_separate")
    )
    with torch.no_grad():
        norm = torch.stack([value.grad.norm() for value in trainable.values() if value.grad is not None]).norm()
        for value in trainable.values():
            if value.grad is not None:
                value -= 0.01 * value.grad / norm
    assert total() < first


@pytest.mark.parametrize(
    ("data", "name"),
    [(data, name) for data in ("hitsz", "bupt") for name, row in ALL.items() if row.data is None or data in row.data],
)
def test_on_real_data_only_the_row_changes(data, name):
    config, whole = tiny(name, data), load_config(DATA[data].config)
    assert config["data_cfg"]["dataset_name"] == whole["data_cfg"]["dataset_name"]
    assert config["model_cfg"]["num_classes"] == whole["model_cfg"]["num_classes"]
    for section in ("scheduler_cfg", "extensions"):
        assert config[section] == whole[section]
    assert {"groups": []} | config["optimizer_cfg"] == {"groups": []} | whole["optimizer_cfg"]
    assert config["trainer_cfg"]["sampler"] == whole["trainer_cfg"]["sampler"]
    if data == "hitsz":
        row = load_config(ROWS / f"{ALL[name].config}.yaml")
        assert config["model_cfg"] == row["model_cfg"]
        assert names_of(config["loss_cfg"]) == names_of(row["loss_cfg"])


def test_a_row_applies_over_the_demos_configuration():
    demo = {cfg["log_prefix"]: cfg for cfg in load_config(ROWS / "synthetic.yaml")["loss_cfg"]}
    config = tiny("table3_b_pbmge")
    assert names_of(config["loss_cfg"]) == [key for key in demo if key.endswith(("identity", "triplet"))]
    assert all(cfg == demo[cfg["log_prefix"]] for cfg in config["loss_cfg"]), "cosine scores keep their scale of 16"
    assert names_of(config["trainer_cfg"]["transform"]) == ["CrossModalAugmentation", "MaskTransform"]
    assert config["trainer_cfg"]["transform"][0]["pad"] == 2, "the demo's value"
    assert config["model_cfg"]["granularities"] == [2, 4, 8, 16]
    assert config["data_cfg"]["dataset_root"] == "output/demo/data/seed-1"
    assert config["data_cfg"]["mask_root"] == "output/demo/data/seed-1/silhouettes"
    assert config["trainer_cfg"]["seed"] == 1 and config["evaluator_cfg"]["restore_hint"] == 220


def test_a_row_can_be_based_on_the_demos_sizes_by_hand(tmp_path):
    file = tmp_path / "mine.yaml"
    for name, row in ALL.items():
        if row.weights or (row.data and "synthetic" not in row.data):
            continue
        file.write_text(f"base: [{ROWS / 'synthetic.yaml'}, {ROWS / row.config}.yaml]")
        by_hand, planned = load_config(file), compose(row, DATA["synthetic"], 0, Path("runs"), [])
        for section in ("model_cfg", "loss_cfg", "optimizer_cfg", "scheduler_cfg"):
            assert by_hand[section] == planned[section], name
        assert by_hand["trainer_cfg"]["transform"] == planned["trainer_cfg"]["transform"]
        assert by_hand["trainer_cfg"]["save_name"] == by_hand["evaluator_cfg"]["save_name"] == "mine"


def test_masks_lie_beside_the_data_or_in_a_given_folder():
    root = ["data_cfg.dataset_root=/data/vcm"]
    schp = compose(ALL["table7_schp"], DATA["hitsz"], 0, Path("runs"), root)["data_cfg"]
    assert schp["mask_root"] == MASKS.format(root="/data/vcm") + "/SCHP"
    named = [*root, "data_cfg.mask_root=/masks"]
    assert compose(ALL["table7_schp"], DATA["hitsz"], 0, Path("runs"), named)["data_cfg"]["mask_root"] == "/masks/SCHP"
    assert compose(ALL["table3_b_pbmge"], DATA["bupt"], 0, Path("runs"), named)["data_cfg"]["mask_root"] == "/masks"
    assert "mask_root" not in compose(ALL[FULL], DATA["hitsz"], 0, Path("runs"), named)["data_cfg"]


def test_the_first_difference_is_named():
    assert first_difference({"a": {"b": [1]}}, {"a": {"b": [1]}}) is None
    assert first_difference({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}) == "a.c is 2 and 3"
