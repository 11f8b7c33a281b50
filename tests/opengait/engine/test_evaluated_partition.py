"""Evaluators that take a list of probes receive the partition file of the test set."""

import json
import logging

import pytest

from opengait import registry
from opengait.config import load_config
from opengait.engine.test import evaluated_set
from tests.opengait import tiny

TEST_IDS = ("005", "006", "007")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write the tiny dataset, whose partition lists the first view of every test identity as a probe."""
    folder = tmp_path_factory.mktemp("tiny")
    partition = tiny.write_dataset(folder / "data")
    probes = [f"{label}-{tiny.TYPES[0]}-{tiny.VIEWS[0]}" for label in TEST_IDS]
    gallery = [f"{label}-{kind}-{tiny.VIEWS[1]}" for label in TEST_IDS for kind in tiny.TYPES[:4]]
    partition.write_text(json.dumps(json.loads(partition.read_text()) | {"PROBE_SET": probes, "GALLERY_SET": gallery}))
    return folder


def evaluate(folder, *overrides):
    cfgs = load_config(tiny.write_config(folder), ["evaluator_cfg.restore_hint=0", *overrides])
    model = registry.models.get("TinySil")(cfgs, False)
    return type(model).run_test(model)


@pytest.mark.parametrize("name", ["evaluate_Gait3D", "evaluate_FreeGait", "evaluate_CCGR_MINI"])
def test_the_partition_of_the_dataset_is_passed(folder, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)  # away from ./datasets/<name>/<name>.json, the default
    numbers = evaluate(folder, f"evaluator_cfg.eval_func={name}")
    assert 0 < numbers["scalar/test_accuracy/Rank-1"] <= 100


def test_the_key_of_the_evaluator_takes_precedence(folder, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("opengait"), "propagate", True)
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"PROBE_SET": ["unknown"]}))
    numbers = evaluate(folder, "evaluator_cfg.eval_func=evaluate_Gait3D", f"evaluator_cfg.dataset_partition={other}")
    assert numbers["scalar/test_accuracy/Rank-1"] == 0 and f"check PROBE_SET of {other}" in caplog.text


def test_evaluators_without_a_partition_argument(folder):
    assert "scalar/test_accuracy/all" in evaluate(folder)


def test_the_first_of_several_datasets_is_tested():
    one, two = {"dataset_name": "A"}, {"dataset_name": "B"}
    assert evaluated_set({"data_cfg": [one, two]}) is one and evaluated_set({"data_cfg": two}) is two


def test_a_missing_test_dataset_name_is_logged(folder, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("opengait"), "propagate", True)
    notice = "data_cfg.test_dataset_name is not set; evaluating as "
    with caplog.at_level(logging.INFO, "opengait"):
        evaluate(folder, "data_cfg.test_dataset_name=null", "data_cfg.dataset_name=Mine")
        assert f"{notice}Mine." in caplog.text
        caplog.clear()
        evaluate(folder, "data_cfg.test_dataset_name=Tiny")
        assert notice not in caplog.text
