"""Files over files: `base`, lists of bases, overlays, and lists whose entries are changed by name."""

import pytest

from opengait.config import load_config
from opengait.errors import ConfigError

LOSSES = """
    loss_cfg:
      - {type: TripletLoss, log_prefix: triplet, margin: 0.2}
      - {type: CrossEntropyLoss, log_prefix: softmax, scale: 16}
"""


def trainer(cfg: dict, *keys: str) -> list:
    return [cfg["trainer_cfg"][key] for key in keys]


def test_base_is_relative_to_the_file_and_recursive(write):
    write("trainer_cfg: {log_iter: 1, save_iter: 1, seed: 5}", "deep/base.yaml")
    write("base: base.yaml\ntrainer_cfg: {save_iter: 2}", "deep/middle.yaml")
    cfg = load_config(write("base: deep/middle.yaml\ntrainer_cfg: {seed: 9}", "top.yaml"))
    assert trainer(cfg, "log_iter", "save_iter", "seed") == [1, 2, 9]
    assert "base" not in cfg


def test_later_bases_override_earlier_ones_and_the_file_overrides_all(write):
    write("trainer_cfg: {log_iter: 1, save_iter: 1, seed: 1}", "one.yaml")
    write("trainer_cfg: {save_iter: 2, seed: 2}", "two.yaml")
    cfg = load_config(write("base: [one.yaml, two.yaml]\ntrainer_cfg: {seed: 3}"))
    assert trainer(cfg, "log_iter", "save_iter", "seed") == [1, 2, 3]
    cfg = load_config(write("base: [two.yaml, one.yaml]\ntrainer_cfg: {seed: 3}"))
    assert trainer(cfg, "log_iter", "save_iter", "seed") == [1, 1, 3]


def test_a_shared_base_is_merged_below_both_files(write):
    write("trainer_cfg: {log_iter: 1, save_iter: 1, seed: 1}", "root.yaml")
    write("base: root.yaml\ntrainer_cfg: {log_iter: 2}", "one.yaml")
    write("base: root.yaml\ntrainer_cfg: {save_iter: 3}", "two.yaml")
    cfg = load_config(write("base: [one.yaml, two.yaml]"))
    assert trainer(cfg, "log_iter", "save_iter", "seed") == [2, 3, 1]


def test_overlays_override_the_command_line_and_share_bases_with_the_file(write):
    write("trainer_cfg: {log_iter: 1, save_iter: 1, seed: 1}", "root.yaml")
    change = write("base: root.yaml\ntrainer_cfg: {save_iter: 3}", "change.yaml")
    file = write("base: root.yaml\ntrainer_cfg: {log_iter: 2}")
    cfg = load_config(file, ["trainer_cfg.save_iter=7", "trainer_cfg.seed=7"], [change])
    assert trainer(cfg, "log_iter", "save_iter", "seed") == [2, 3, 7]


def test_a_base_that_leads_back_to_itself(write):
    write("base: [c.yaml, a.yaml]", "b.yaml")
    write("trainer_cfg: {seed: 1}", "c.yaml")
    with pytest.raises(ConfigError, match=r"a\.yaml: .*leads back"):
        load_config(write("base: b.yaml"))


@pytest.mark.parametrize("base", ["3", "{a: b}", "[a.yaml, 3]", "['']"])
def test_a_base_that_is_not_a_path(write, base):
    with pytest.raises(ConfigError, match=r"a\.yaml: `base` is"):
        load_config(write(f"base: {base}"))


def test_unknown_keys_of_a_base_in_a_list_name_its_line(write):
    write("evaluator_cfg:\n  metrics: cos", "two.yaml")
    write("trainer_cfg: {seed: 1}", "one.yaml")
    with pytest.raises(ConfigError, match=r"two.yaml, line 2.*did you mean metric"):
        load_config(write("base: [one.yaml, two.yaml]\nevaluator_cfg: {save_name: x}"))


def test_arguments_of_another_class_are_dropped_in_merging_order(write):
    write("optimizer_cfg: {solver: SGD, lr: 0.1, momentum: 0.9}", "sgd.yaml")
    write("optimizer_cfg: {solver: AdamW, betas: [0.8, 0.9]}", "adam.yaml")
    cfg = load_config(write("base: [sgd.yaml, adam.yaml]"))
    assert cfg["optimizer_cfg"] == {"solver": "AdamW", "lr": 0.1, "betas": [0.8, 0.9]}
    cfg = load_config(write("base: [adam.yaml, sgd.yaml]"))
    assert cfg["optimizer_cfg"] == {"solver": "SGD", "lr": 0.1, "momentum": 0.9}


def test_entries_of_a_list_are_changed_by_name(write):
    write(LOSSES, "base.yaml")
    cfg = load_config(
        write(
            """
            base: base.yaml
            loss_cfg:
              triplet: null
              softmax: {scale: 1}
              second: {type: TripletLoss, log_prefix: second, margin: 0.3}
            trainer_cfg:
              transform:
                BaseSilCuttingTransform: {cutting: 5}
            """
        )
    )
    assert cfg["loss_cfg"] == [
        {"type": "CrossEntropyLoss", "log_prefix": "softmax", "scale": 1},
        {"type": "TripletLoss", "log_prefix": "second", "margin": 0.3},
    ]
    assert cfg["trainer_cfg"]["transform"] == [{"type": "BaseSilCuttingTransform", "cutting": 5}]


def test_lines_follow_the_entries_of_a_changed_list(write, caplog):
    base = write(LOSSES.replace("scale: 16", "scalle: 16"), "base.yaml")
    load_config(write("base: base.yaml\nloss_cfg: {triplet: null}"))
    assert f"{base}, line 4: unknown key loss_cfg.0.scalle" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("tripet: null", r"line 3: loss_cfg\.tripet .*triplet"),
        ("tripet: {margin: 1}", r"line 3: loss_cfg\.tripet .*triplet"),
        ("triplet: 3", r"line 3: loss_cfg\.triplet is 3"),
    ],
)
def test_changes_of_entries_that_do_not_exist(write, change, message):
    write(LOSSES, "base.yaml")
    with pytest.raises(ConfigError, match=message):
        load_config(write(f"base: base.yaml\nloss_cfg:\n  {change}"))


def test_a_single_loss_or_transform_still_replaces_a_list(write):
    write(LOSSES, "base.yaml")
    cfg = load_config(write("base: base.yaml\nloss_cfg: {type: TripletLoss, log_prefix: triplet, margin: 0.4}"))
    assert cfg["loss_cfg"] == {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.4}


def test_overrides_can_name_entries(write):
    cfg = load_config(write(LOSSES), ["loss_cfg.triplet.margin=0.3", "loss_cfg.1.scale=8"])
    assert [cfg["loss_cfg"][0]["margin"], cfg["loss_cfg"][1]["scale"]] == [0.3, 8]
