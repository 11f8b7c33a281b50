"""Eq. 17 and 18: the objective with the weights of configs/dinogrl/hitsz.yaml."""

import pytest
import torch
import torch.nn.functional as F
import yaml

from opengait.extensions import load_extensions
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models.dinogrl.losses import diversity_loss, mask_loss, smoothness_loss
from opengait_ext.models.dinogrl.model import loss_terms
from opengait_ext.models.shared.modality import modality_indices
from tests.equations.networks import tiny_batch, tiny_network
from tests.paths import ROOT

LABELS = torch.tensor([0, 0, 3, 3])
WEIGHTS = {"mask": 1.0, "smoothness": 0.02, "diversity": 5.0}


@pytest.fixture(scope="module")
def entries() -> list[dict]:
    load_extensions(["opengait_ext"], ROOT)
    return yaml.safe_load((ROOT / "configs/dinogrl/hitsz.yaml").read_text())["loss_cfg"]


@pytest.fixture(scope="module")
def output():
    return tiny_network().train()(*tiny_batch())


def identity_terms(stream) -> torch.Tensor:
    """Return the mean of identity plus triplet loss over a stream's supervised features, by loops."""
    total = torch.zeros(())
    for feature in range(5):
        total = total + F.cross_entropy(stream.logits[..., feature], LABELS)
        unit = F.normalize(stream.supervised[..., feature], dim=1)
        hinges = []
        for anchor in range(4):
            for positive in (p for p in range(4) if LABELS[p] == LABELS[anchor]):
                for negative in (n for n in range(4) if LABELS[n] != LABELS[anchor]):
                    positive_distance = (unit[anchor] - unit[positive]).square().sum()
                    negative_distance = (unit[anchor] - unit[negative]).square().sum()
                    hinges.append(positive_distance - negative_distance + 0.2)
        active = [hinge for hinge in hinges if hinge > 0]
        total = total + sum(active) / len(active)
    return total / 5


def test_each_stream_has_five_supervised_features(output):
    assert output.appearance.supervised.shape[-1] == output.gait.supervised.shape[-1] == 5
    assert torch.equal(output.gait.supervised[..., 0], output.gait.parts[..., 0]), "the first is the global feature"


def test_the_objective_is_that_of_the_paper(entries, output):
    total, _ = LossAggregator(entries)(loss_terms(output, LABELS))
    identity = identity_terms(output.appearance) + identity_terms(output.gait)
    maps = output.silhouettes
    expected = (
        identity
        + 1 * mask_loss(maps.decoded, maps.target)
        + 0.02 * smoothness_loss(maps.gait_prior)
        + 5 * diversity_loss(maps.gait_prior)
    )
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_each_weight_scales_only_its_term(entries, output, name):
    """Figure 4 varies the weights; Table 4 leaves a term out."""
    terms = loss_terms(output, LABELS)
    doubled = [e | {"loss_term_weight": 2 * WEIGHTS[name]} if e["log_prefix"] == name else e for e in entries]
    without = [entry for entry in entries if entry["log_prefix"] != name]
    functions = {"mask": mask_loss, "smoothness": smoothness_loss, "diversity": diversity_loss}
    term = WEIGHTS[name] * functions[name](**terms[name]).item()
    total = LossAggregator(entries)(terms)[0].item()
    assert LossAggregator(doubled)(terms)[0].item() == pytest.approx(total + term, rel=1e-5)
    fewer = {key: value for key, value in terms.items() if key != name}
    assert LossAggregator(without)(fewer)[0].item() == pytest.approx(total - term, rel=1e-5)


def test_types_become_modalities():
    assert modality_indices(["infrared", "visible", "visible"]).tolist() == [1, 0, 0]
