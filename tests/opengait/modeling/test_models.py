"""GaitSet and GaitBase against upstream's outputs."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from opengait import registry
from opengait.modeling.loss_aggregator import LossAggregator
from tests.golden import seeded
from tests.golden.compare import FOLDER, assert_golden, filled


def read(name: str) -> dict:
    return json.loads((FOLDER / "opengait" / f"{name}.json").read_text())


def network(model_cfg: dict) -> nn.Module:
    """Build only the network of a model, whose constructor would also need data, losses and an optimiser."""
    kind = registry.models.get(model_cfg["model"])
    model = kind.__new__(kind)
    nn.Module.__init__(model)
    model.build_network(model_cfg)
    return model


@pytest.fixture(scope="module", params=["gaitset", "gaitbase"])
def golden_and_model(request: pytest.FixtureRequest) -> tuple[dict, nn.Module]:
    golden = read(request.param)
    return golden, filled(network(golden["model_cfg"]))


def test_state_has_the_names_shapes_and_order_of_upstream(golden_and_model: tuple[dict, nn.Module]) -> None:
    golden, model = golden_and_model
    ours = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert list(ours.items()) == list(golden["state"].items())
    assert sum(parameter.numel() for parameter in model.parameters()) == golden["parameters"]


@pytest.mark.parametrize("case", ["fixed", "packed"])
def test_outputs_equal_upstream(golden_and_model: tuple[dict, nn.Module], case: str) -> None:
    golden, model = golden_and_model
    name = golden["input"]["case"]
    expected = np.load(FOLDER / "opengait" / f"{name}.npz")
    silhouettes = torch.from_numpy(seeded.silhouettes(name, golden["input"]["shape"]))
    lengths = golden["input"]["seqL"][case]
    if lengths is not None:
        silhouettes = silhouettes.reshape(1, -1, *silhouettes.shape[2:])
        lengths = torch.tensor(lengths, dtype=torch.int32)
    with torch.no_grad():
        out = model(([silhouettes], torch.tensor([0, 1]), ["a", "a"], ["b", "c"], lengths))
        images = model(([silhouettes.unsqueeze(2)], torch.tensor([0, 1]), ["a", "a"], ["b", "c"], lengths))
    assert_golden(out["inference_feat"]["embeddings"], expected[f"{case}__embeddings"])
    assert images["inference_feat"]["embeddings"].equal(out["inference_feat"]["embeddings"])
    assert out["visual_summary"]["image/sils"].shape == (8, 1, 64, 44)
    if f"{case}__logits" in expected.files:
        assert_golden(out["training_feat"]["softmax"]["logits"], expected[f"{case}__logits"])


@pytest.mark.slow
def test_two_training_steps_equal_upstream() -> None:
    golden = read("gaitbase_train")
    # In double precision, since in single precision the CPU decides which of two almost equal values is the maximum,
    # and gradients differ by 1e-3 between machines. The remaining error is the rounding of upstream's single precision,
    # which the second step amplifies.
    model = filled(network(read("gaitbase")["model_cfg"])).train().double()
    losses = LossAggregator(golden["loss_cfg"])
    settings = dict(golden["optimizer"])
    optimizer = getattr(torch.optim, settings.pop("solver"))(model.parameters(), **settings)
    labels = torch.tensor(golden["labels"])
    limits = ({"info": 1e-3, "gradient": 2e-4, "parameter": 2e-5}, {"info": 5e-3, "gradient": 1e-2, "parameter": 2e-3})
    for name, expected, limit in zip(golden["inputs"], golden["steps"], limits, strict=True):
        silhouettes = torch.from_numpy(seeded.silhouettes(name, golden["shape"])).double()
        out = model(([silhouettes], labels, ["a"] * 6, ["b"] * 6, None))
        total, info = losses(out["training_feat"])
        optimizer.zero_grad()
        total.backward()
        assert total.item() == pytest.approx(expected["total"], rel=1e-4)
        assert list(info) == list(expected["info"])
        for key, value in expected["info"].items():
            # Embeddings have norms near 70, so distances as differences of squares give a loss accurate to 1e-4.
            assert_golden(info[key], value, 5e-3 if key.endswith("mean_dist") else limit["info"])
        gradients = {key: parameter.grad.norm().item() for key, parameter in model.named_parameters()}
        assert gradients == pytest.approx(expected["grad_l2"], rel=limit["gradient"])
        optimizer.step()
        after = {key: value.float().norm().item() for key, value in model.state_dict().items()}
        assert after == pytest.approx(expected["param_l2_after"] | expected["buffers_l2_after"], rel=limit["parameter"])
