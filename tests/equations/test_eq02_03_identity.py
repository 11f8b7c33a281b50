"""Eq. 2 and 3: identity and triplet losses, as configured in configs/dinogrl/hitsz.yaml."""

import math

import pytest
import torch
import yaml

from opengait.modeling.losses import CrossEntropyLoss, TripletLoss
from tests.paths import ROOT

CONFIG = yaml.safe_load((ROOT / "configs/dinogrl/hitsz.yaml").read_text())


def configured(prefix: str):
    """Build the loss that the paper's configuration lists under that prefix."""
    entry = next(entry for entry in CONFIG["loss_cfg"] if entry["log_prefix"] == prefix)
    classes = {"CrossEntropyLoss": CrossEntropyLoss, "TripletLoss": TripletLoss}
    return classes[entry["type"]](**{key: value for key, value in entry.items() if key not in ("type", "log_prefix")})


@pytest.mark.parametrize("stream", ["appearance", "gait"])
def test_identity_loss_is_plain_cross_entropy_averaged_over_the_supervised_features(stream):
    logits = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]])
    # -log softmax of class 1 in two features: the first scores 0 against 1 and 0, the second 2 against 0 and 0.
    first = math.log(math.e + 1 + 1)
    second = math.log(1 + math.e**2 + 1) - 2
    loss, _ = configured(f"{stream}_identity")(logits=logits, labels=torch.tensor([1]))
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-6)


@pytest.mark.parametrize("stream", ["appearance", "gait"])
def test_triplet_loss_compares_squared_distances_of_unit_features(stream):
    # Unit vectors at 0, 60 and 90 degrees: squared distances 1, 2 and 2 - sqrt(3).
    angles = torch.tensor([0.0, math.pi / 3, math.pi / 2])
    directions = torch.stack([angles.cos(), angles.sin()], dim=1) * torch.tensor([[3.0], [0.5], [7.0]])
    labels = torch.tensor([0, 0, 1])
    far, near = 2.0, 2 - math.sqrt(3)
    # Anchor 0: positives at 0 and 1, negative at 2. Anchor 1: positives at 1 and 0, negative near. Anchor 2: none.
    hinges = [0 - far + 0.2, 1 - far + 0.2, 1 - near + 0.2, 0 - near + 0.2]
    active = [hinge for hinge in hinges if hinge > 0]
    loss, _ = configured(f"{stream}_triplet")(embeddings=directions[..., None], labels=labels)
    assert loss.tolist() == pytest.approx([sum(active) / len(active)], rel=1e-5)


def test_only_the_papers_triplet_loss_is_scale_invariant():
    torch.manual_seed(0)
    embeddings, labels = torch.randn(6, 4, 2), torch.tensor([0, 0, 1, 1, 2, 2])
    for loss, invariant in ((configured("gait_triplet"), True), (TripletLoss(margin=0.2), False)):
        before, after = (loss(embeddings=scale * embeddings, labels=labels)[0] for scale in (1, 9))
        assert torch.allclose(before, after) is invariant
