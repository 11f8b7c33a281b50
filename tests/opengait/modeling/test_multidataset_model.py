"""Training on several datasets."""

import pytest
import torch

from opengait import registry
from opengait.config import load_config
from opengait.errors import ConfigError
from opengait.modeling import models
from opengait.modeling.multidataset_model import MixedLoader, MultiDatasets, shares
from tests.opengait import tiny


@pytest.fixture(scope="module")
def cfgs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    tiny.write_dataset(folder / "data")
    entry = tiny.config(folder)["data_cfg"]
    entries = [{**entry, "dataset_name": "B"}, {**entry, "dataset_name": "A"}]
    config = load_config(tiny.write_config(folder, data_cfg=entries), ["model_cfg.SeparateBNNecks.class_num=8"])
    config["evaluator_cfg"]["restore_hint"] = 0
    return config


@pytest.fixture
def model_class():
    class TinyMulti(MultiDatasets):
        build_network = models.TinySil.build_network
        forward = models.TinySil.forward

    return TinyMulti


def first(loader, count):
    stream = iter(loader)
    return [next(stream) for _ in range(count)]


def test_shares_are_proportional_to_cube_roots():
    assert shares([8000, 1000, 10000], ["a", "b", "GaitLU-1M"]) == pytest.approx([0.5, 0.25, 0.25])


def test_labels_index_the_ids_of_all_datasets(cfgs, model_class):
    model = model_class(cfgs, True)
    loader = model.train_loader
    assert loader.dataset.label_set == [f"{name}-00{i}" for name in "AB" for i in range(1, 5)]
    batches = first(loader, 12)
    chosen = [loader.choose(number) for number in range(12)]
    assert set(chosen) == {0, 1}
    for index, batch in zip(chosen, batches, strict=True):
        # Entry 0 is B, whose ids follow those of A.
        assert {label // 4 for label in batch[1]} == {1 - index}


def test_starting_later_yields_the_same_batches(cfgs, model_class):
    whole = first(model_class(cfgs, True).train_loader, 8)
    late = model_class(cfgs, True).train_loader
    late.batch_sampler.start_at(5)
    for expected, batch in zip(whole[5:], first(late, 3), strict=True):
        assert torch.equal(expected[0][0], batch[0][0]) and expected[1:4] == batch[1:4]


def test_draws_follow_the_shares():
    loader = MixedLoader.__new__(MixedLoader)
    loader.shares = [0.8, 0.2]
    draws = [loader.choose(number) for number in range(500)]
    assert 0.15 < sum(draws) / 500 < 0.25
    generators = [torch.Generator().manual_seed(number) for number in range(9)]
    weights = torch.tensor([0.8, 0.2])
    assert draws[:9] == [int(torch.multinomial(weights, 1, generator=generator)) for generator in generators]


def test_it_trains_on_all_datasets_and_tests_the_first(cfgs, model_class, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = model_class(cfgs, True)
    model.engine_cfg = {**model.engine_cfg, "total_iter": 2, "save_iter": 10}
    logged = []
    monkeypatch.setattr(model.msg_mgr, "train_step", lambda info, summary: logged.append((info, summary)))
    model_class.run_train(model)
    assert model.iteration == 2
    # In the log line but not in TensorBoard, as upstream.
    assert [list(info)[-1] for info, _ in logged] == ["scalar/opt/lr"] * 2 and "scalar/opt/lr" not in logged[0][1]
    assert str(model.save_path).endswith("B_A/TinySil/tiny")
    result = model_class.run_test(model_class(cfgs, False))
    assert set(result["by_type"]) == set(tiny.TYPES)


def test_a_wrong_type_of_data_cfg_is_named(cfgs, model_class):
    with pytest.raises(ConfigError, match="data_cfg: expected a list"):
        model_class({**cfgs, "data_cfg": cfgs["data_cfg"][0]}, True)
    with pytest.raises(ConfigError, match="data_cfg: expected a dict, got a list"):
        registry.models.get("TinySil")(cfgs, True)
