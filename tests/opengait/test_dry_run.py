"""`python -m opengait.dry_run`: one batch through the whole model, without writing anything."""

import json
import sys

import pytest
import torch

from opengait import dry_run
from opengait.config import load_config
from opengait.errors import ConfigError
from tests.opengait import tiny
from tests.paths import ROOT


@pytest.fixture
def file(tmp_path):
    tiny.write_dataset(tmp_path / "data")
    return tiny.write_config(tmp_path)


def listing(folder):
    return sorted(str(path) for path in folder.rglob("*"))


def test_the_report_describes_the_model(file):
    report = dry_run.check(load_config(file))
    stages = {stage.name: stage for stage in report.stages}
    assert report.inputs == "4x3x64x44"
    assert (stages["conv"].shape, stages["fcs"].shape) == ("12x6x16x11", "4x5x16")
    assert stages["fcs"].parameters == stages["fcs"].trainable == 16 * 6 * 5
    assert [stage.name for stage in report.stages][-1] == "necks"
    assert set(report.seconds) == {"load", "forward", "loss", "backward", "test"}
    assert report.losses["triplet/loss"] > 0 and report.memory > 2**20
    assert report.outputs == "embeddings 1x5x16"
    assert report.without_gradient == []
    assert (
        report.parameters
        == report.trainable
        == sum(stage.parameters for stage in report.stages if "." not in stage.name)
    )
    # A 5 x 5 convolution on five frames, the parts' projections, and their classifiers.
    assert report.gflops == pytest.approx(2e-9 * (5 * 6 * (16 * 11) * 25 + 16 * 6 * 5 + 16 * 5 * 4))


def test_frozen_and_unreached_parameters_are_distinguished(file, monkeypatch):
    cfgs = load_config(file)
    model = dry_run.registry.models.get("TinySil")
    build_network = model.build_network

    def build(self, model_cfg):
        build_network(self, model_cfg)
        self.conv.weight.requires_grad_(False)
        self.left_out = torch.nn.Linear(2, 3)

    monkeypatch.setattr(model, "build_network", build)
    report = dry_run.check(cfgs)
    stages = {stage.name: stage for stage in report.stages}
    assert stages["conv"].parameters - stages["conv"].trainable == 6 * 25
    assert report.without_gradient == ["left_out.weight", "left_out.bias"]
    assert report.parameters - report.trainable == 6 * 25
    assert "find_unused_parameters" in dry_run.text_of(report, "TinySil")


@pytest.mark.slow
def test_the_command_line_writes_nothing(file, tmp_path):
    before = listing(tmp_path)
    result = tiny.trained(tmp_path, file, script=(str(ROOT / "opengait/dry_run.py"),))
    assert "TinySil: a training batch of 4x3x64x44" in result.stdout
    assert "softmax/accuracy" in result.stdout and "at its peak" in result.stdout
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("model_cfg.model=TinySill", "TinySill"),
        ("data_cfg.dataset_root=nowhere", "nowhere"),
        ("model_cfg.SeparateBNNecks.class_num=2", "class"),
    ],
)
def test_errors_are_one_line(file, change, expected, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["dry_run"])
    assert dry_run.main([str(file), "--set", change]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("error: ") and expected in message and "\n" not in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model_cfg.SeparateFCs.in_channels=many", r"TinySil cannot be built: .*model_cfg"),
        ("model_cfg.SeparateFCs=3", "TinySil cannot be built"),
        ("model_cfg.SeparateFCs.in_channels=7", "TinySil fails on a batch: RuntimeError"),
    ],
)
def test_wrong_values_in_model_cfg_are_a_sentence(file, change, message):
    with pytest.raises(ConfigError, match=message) as error:
        dry_run.check(load_config(file, [change]))
    assert "\n" not in str(error.value)


def test_the_report_as_json(file, tmp_path, capsys):
    assert dry_run.main(["--cfgs", str(file), "--out", str(tmp_path / "report.json")]) == 0
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["inputs"] == "4x3x64x44" and content["stages"][0]["name"] == "conv"
    assert f"{content['parameters']:,} parameters, {content['trainable']:,} of them trained" in capsys.readouterr().out


def test_operations_of_attention_are_counted():
    attention = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
    tokens = torch.randn(3, 5, 8)
    with torch.no_grad(), dry_run.counted_operations() as operations:
        attention(tokens, tokens, tokens, need_weights=False)
    # Four projections at least; the products of queries, keys and values are counted where the counter knows them.
    projections = 2 * 3 * 5 * 8 * 8 * 4
    assert operations.get_total_flops() in (projections, projections + 2 * 2 * 3 * 5 * 5 * 8)
    assert torch.backends.mha.get_fastpath_enabled()
