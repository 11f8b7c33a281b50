"""Features of the halves of test tracklets, which a temporal re-ranking reads."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from opengait import registry
from opengait.engine.test import inference_of_halves, run_test
from opengait.modeling.base_model import BaseModel

LENGTHS = [1, 2, 5, 8, 12]


class Tracklets:
    """Tracklets of one number per frame."""

    label_set = label_list = ["a"] * 5
    types_list, views_list = ["visible"] * 5, ["c1"] * 5

    def __len__(self):
        return len(LENGTHS)

    def __getitem__(self, index):
        frames = (np.arange(LENGTHS[index])[:, None] + 100 * index).astype(np.float32)
        return [frames], ["a", "visible", "c1", []]


class Model:
    """Describes a tracklet by its frames' numbers."""

    training = transforms_itself = False
    inputs_pretreament, _to_input = BaseModel.inputs_pretreament, BaseModel._to_input

    def __init__(self, sampler, rerank):
        self.cfgs = {
            "trainer_cfg": {},
            "evaluator_cfg": {"sampler": sampler, "rerank": rerank, "eval_func": "recorded", "enable_float16": False},
            "data_cfg": {"num_workers": 0, "dataset_name": "x", "test_dataset_name": "x"},
        }
        self.evaluator_trfs = [lambda frames: frames]
        self.test_loader = SimpleNamespace(dataset=Tracklets())
        self.run_state = SimpleNamespace(test_seconds=None)
        self.msg_mgr = SimpleNamespace(begin=lambda: None, evaluating=torch.no_grad)

    def __call__(self, inputs):
        ipts, *_, lengths = inputs
        frames = ipts[0] if lengths is None else ipts[0].mean(1, keepdim=True)
        return {"inference_feat": {"embeddings": frames}}

    def inference(self, rank):
        return {"embeddings": np.zeros((5, 1, 1), dtype=np.float32)}


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_each_half_is_described_by_its_frames(batch):
    model = Model({"sample_type": "fixed_uniform", "frames_num_fixed": 2, "batch_size": batch}, "temporal")
    found = inference_of_halves(model, 0)
    first = [[0, 0], [100, 100], [200, 201], [300, 302], [400, 403]]
    second = [[0, 0], [101, 101], [202, 203], [304, 306], [406, 409]]
    for half, expected in (("first_half", first), ("second_half", second)):
        assert found[f"embeddings_{half}"][:, :, 0].tolist() == expected


def test_halves_may_have_any_length():
    found = inference_of_halves(Model({"sample_type": "all_ordered"}, "temporal"), 0)
    assert found["embeddings_first_half"].ravel().tolist() == [0, 100, 200.5, 301.5, 402.5]
    assert found["embeddings_second_half"].ravel().tolist() == [0, 101, 203, 305.5, 408.5]


@pytest.mark.parametrize("rerank", ["temporal", True, False])
def test_only_a_temporal_re_ranking_gets_them(rerank, monkeypatch):
    seen = []

    def recorded(data, dataset):
        seen.append(sorted(key for key in data if key.startswith("embeddings")))
        return {}

    monkeypatch.setattr(registry.evaluators, "get", lambda name: recorded)
    run_test(Model({"sample_type": "fixed_uniform", "frames_num_fixed": 2}, rerank))
    halves = ["embeddings_first_half", "embeddings_second_half"] if rerank == "temporal" else []
    assert seen == [["embeddings", *halves]]
