"""Classifiers with fewer classes than identities give a clear message instead of an index error."""

import pytest
import torch

from opengait import registry
from opengait.config import load_config
from opengait.engine.train import check_classes
from opengait.errors import ConfigError
from opengait.modeling.losses import CrossEntropyLoss
from tests.opengait import tiny


@pytest.fixture(scope="module")
def model(folder):
    """TinySil on four training identities, with three classes."""
    necks = "model_cfg.SeparateBNNecks.class_num=3"
    cfgs = load_config(tiny.write_config(folder), [necks, "trainer_cfg.total_iter=1"])
    torch.manual_seed(0)
    return registry.models.get("TinySil")(cfgs, True)


def test_a_run_with_too_few_classes_stops_before_its_first_step(model):
    before = model.conv.weight.detach().clone()
    with pytest.raises(ConfigError) as caught:
        type(model).run_train(model)
    assert "training set has 4 identities, but TinySil gives 'softmax' logits of 3 classes" in str(caught.value)
    assert "model_cfg.SeparateBNNecks.class_num) to 4." in str(caught.value)
    assert model.iteration == 0 and torch.equal(model.conv.weight, before)


def test_identities_outside_the_batch_count(model):
    labels = torch.tensor([0, 1])
    feat = {"softmax": {"logits": torch.zeros(2, 3, 1), "labels": labels}}
    with pytest.raises(ConfigError, match="4 identities"):
        check_classes(model, feat, ([], labels, [], [], None))


@pytest.mark.parametrize(
    "feat",
    [
        {"softmax": {"logits": torch.zeros(2, 4, 1)}},  # enough classes
        {"other": {"logits": torch.zeros(2, 3, 1), "labels": torch.tensor([0, 1])}},  # not the identities
        {"triplet": {"embeddings": torch.zeros(2, 3, 1)}},
        {"weighted": torch.zeros(())},
    ],
)
def test_other_classifiers_are_ignored(model, feat):
    labels = torch.tensor([0, 1])
    for value in feat.values():
        if isinstance(value, dict):
            value.setdefault("labels", labels)
    if "triplet" in feat:
        feat["triplet"]["labels"] = labels
    check_classes(model, feat, ([], labels, [], [], None))


@pytest.mark.parametrize("label_smooth", [True, False])
def test_the_error_of_the_loss_names_label_and_classes(label_smooth):
    loss = CrossEntropyLoss(label_smooth=label_smooth)
    logits = torch.zeros(3, 5, 2)
    with pytest.raises(ConfigError, match="label 5, .*5 classes.*class_num"):
        loss(logits=logits, labels=torch.tensor([0, 5, 1]))
    assert loss(logits=logits, labels=torch.tensor([0, 4, 1]))[0].isfinite()


def test_logits_with_swapped_axes_are_not_blamed_on_class_num(model):
    """GLN's second phase in OpenGait gives [n, 1, classes], with a class_num that is right."""
    labels = torch.tensor([0, 3])
    logits = torch.zeros(2, 1, 4)
    with pytest.raises(ConfigError, match=r"expected logits .*\[2, 1, 4\]: swap") as caught:
        check_classes(model, {"softmax": {"logits": logits, "labels": labels}}, ([], labels, [], [], None))
    assert "class_num" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"label 3, .*\[2, 1, 4\]: swap"):
        CrossEntropyLoss()(logits=logits, labels=labels)


def test_logits_that_are_not_a_tensor_are_ignored(model):
    labels = torch.tensor([0, 1])
    check_classes(model, {"heads": {"logits": [torch.zeros(2, 3)], "labels": labels}}, ([], labels, [], [], None))
