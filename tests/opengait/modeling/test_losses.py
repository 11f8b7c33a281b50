"""The losses against upstream's numbers and cases computed by hand, and several ranks against one process."""

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from opengait import distributed
from opengait.errors import ConfigError
from opengait.modeling import losses
from opengait.modeling.losses import triplet
from opengait.modeling.losses.base import BaseLoss, gather_and_scale_wrapper
from tests.golden.compare import FOLDER, assert_golden, normals, uniforms
from tests.opengait.ranks import on_ranks

GOLDEN = json.loads((FOLDER / "opengait" / "losses.json").read_text())
IDENTITIES = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
CLASSES = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])


def cases(device: str = "cpu") -> dict[str, tuple[BaseLoss, dict[str, torch.Tensor]]]:
    """Return loss and arguments of each golden case, with this rank's rows; the first argument gets the gradient."""
    embeddings, logits = normals("loss:embeddings", 8, 16, 4), 0.25 * normals("loss:logits", 8, 5, 4)
    views = F.normalize(embeddings[:, :, :2].transpose(1, 2), dim=-1)

    def arguments_of(first: str, tensor: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        world, rank = distributed.world_size(), distributed.rank()
        return {first: tensor.chunk(world)[rank].clone().requires_grad_(), "labels": labels.chunk(world)[rank]}

    masks = {
        "logits": uniforms("loss:bce", 2, 1, 8, 6),
        "labels": (uniforms("loss:bce_labels", 2, 1, 8, 6) > 0.5) * 1.0,
    }
    smooth = GOLDEN["world_1"][0]
    return {
        "triplet": (losses.TripletLoss(0.2), arguments_of("embeddings", embeddings, IDENTITIES)),
        "triplet_inactive": (losses.TripletLoss(-100), arguments_of("embeddings", embeddings, IDENTITIES)),
        "supcon_lp": (losses.SupConLoss_Lp(1.0), arguments_of("features", embeddings[:, :, 0], IDENTITIES)),
        "supcon_re": (losses.SupConLoss_Re(0.07), arguments_of("features", views, IDENTITIES)),
        "bce": (losses.BinaryCrossEntropyLoss(), masks),
    } | {
        name: (losses.CrossEntropyLoss(**smooth[name]["kwargs"]), arguments_of("logits", logits, CLASSES))
        for name in ("ce_smooth", "ce_plain", "ce_scale1")
    }


def outcomes(device: str = "cpu") -> dict[str, dict]:
    """Return loss, info and gradient norms of every golden case on this rank."""
    results = {}
    for name, (loss_module, arguments) in cases(device).items():
        loss, info = loss_module(**arguments)
        results[name] = {"loss": loss.tolist(), "info": {key: value.tolist() for key, value in info.items()}}
        first = next(iter(arguments.values()))
        if first.requires_grad:
            loss.mean().backward()
            results[name] |= {"grad_l2": first.grad.norm().item(), "grad_sum_abs": first.grad.abs().sum().item()}
    return results


class Network(nn.Module):
    """A linear layer, for losses on its outputs under DDP."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(6, 8).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def network_gradient(squared: bool) -> torch.Tensor:
    """Return the gradient of the linear layer's weight; each rank holds its half of the rows."""
    world, rank = distributed.world_size(), distributed.rank()
    rows = torch.randn(8, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64).chunk(world)[rank]
    labels = torch.tensor([0, 0, 1, 2, 0, 1, 1, 3]).chunk(world)[rank]
    network = Network()
    wrapped = DistributedDataParallel(network) if world > 1 else network
    out = wrapped(rows)
    triplet, _ = losses.TripletLoss(0.5, squared=squared)(embeddings=out.view(-1, 4, 2), labels=labels)
    identity, _ = losses.CrossEntropyLoss()(logits=out.view(-1, 4, 2), labels=labels)
    (triplet.mean() + identity.mean()).backward()
    return network.linear.weight.grad


def on_rank() -> dict:
    return {"golden": outcomes(), "plain": network_gradient(False), "squared": network_gradient(True)}


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    return on_ranks(on_rank, tmp_path_factory.mktemp("ranks"))


def check(results: dict[str, dict], golden: dict[str, dict]) -> None:
    for name, result in results.items():
        expected = dict(golden[name])
        expected.pop("kwargs", None)
        if name == "triplet_inactive":
            assert result["info"]["loss_num"] == expected.pop("loss_num")
        for key, value in expected.pop("info", {}).items():
            # Upstream's mean distance holds rounding noise of the rows' distances to themselves, which are 0 here.
            assert_golden(result["info"][key], value, 1e-3 if key == "mean_dist" else 1e-4)
        for key, value in expected.items():
            assert_golden(result[key], value)
    assert set(results) | {"aggregator"} == set(golden)


def test_equals_upstream_in_one_process() -> None:
    check(outcomes(), GOLDEN["world_1"][0])


@pytest.mark.cuda
def test_equals_upstream_on_cuda() -> None:
    check(outcomes("cuda"), GOLDEN["world_1"][0])


@pytest.mark.slow
def test_equals_upstream_on_two_ranks(two_ranks: list[dict]) -> None:
    for results, golden in zip(two_ranks, GOLDEN["world_2"], strict=True):
        check(results["golden"], golden)


@pytest.mark.slow
def test_gradient_on_two_ranks_is_that_of_the_whole_batch(two_ranks: list[dict]) -> None:
    for squared, tag in ((False, "plain"), (True, "squared")):
        expected = network_gradient(squared)
        for rank in two_ranks:
            torch.testing.assert_close(rank[tag], expected)


def test_rows_gathered_without_gradient_are_constants_on_one_process_too() -> None:
    rows = torch.ones(2, 3, requires_grad=True)
    assert distributed.gather_rows(rows).requires_grad
    assert not distributed.gather_rows(rows, requires_grad=False).requires_grad


def test_only_keyword_arguments_are_gathered_and_errors_propagate() -> None:
    class Broken(BaseLoss):
        @gather_and_scale_wrapper
        def forward(self, embeddings: torch.Tensor, note: str) -> tuple[torch.Tensor, dict]:
            raise KeyError(note)

    with pytest.raises(KeyError, match="a distinct message"):
        Broken()(embeddings=torch.zeros(1), note="a distinct message")
    with pytest.raises(TypeError):
        losses.TripletLoss(0.2)(embeddings=torch.zeros(2, 3, 1), label=torch.zeros(2))


LINE = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64).view(3, 1, 1)


@pytest.mark.parametrize(
    ("squared", "margin", "loss", "number", "hardest"),
    [
        # Rows 0 and 1 are one identity, row 3 another: distances 1 (same), 3 and 2 (other).
        # Anchor 0: [0 - 3 + 3, 1 - 3 + 3], anchor 1: [0 - 2 + 3, 1 - 2 + 3], anchor 3 (itself): [0 - 3 + 3, 0 - 2 + 3].
        (False, 3.0, (1 + 1 + 2 + 1) / 4, 4, 2),
        # Squared 1, 9, 4. Anchor 0: none; anchor 1: [0 - 4 + 6, 1 - 4 + 6]; anchor 3: [0 - 9 + 6, 0 - 4 + 6].
        (True, 6.0, (2 + 3 + 2) / 3, 3, 3),
    ],
)
def test_triplet_by_hand(squared: bool, margin: float, loss: float, number: int, hardest: float) -> None:
    value, info = losses.TripletLoss(margin, squared=squared)(embeddings=LINE, labels=torch.tensor([7, 7, 9]))
    assert value.tolist() == pytest.approx([loss])
    assert info["loss_num"].tolist() == [number] and info["hard_loss"].tolist() == pytest.approx([hardest])
    assert info["mean_dist"].tolist() == pytest.approx([2 * (14 if squared else 6) / 9])


@pytest.mark.parametrize("squared", [False, True])
def test_triplet_equals_a_loop_with_unequal_numbers_of_positives(squared: bool) -> None:
    x = torch.randn(7, 4, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    labels = [0, 1, 1, 0, 0, 2, 0]
    expected = []
    for part in range(2):
        terms = []
        for a in range(7):
            for p in range(7):
                for n in range(7):
                    if labels[a] == labels[p] and labels[a] != labels[n]:
                        near, far = (float((x[a] - x[b])[:, part].norm()) for b in (p, n))
                        power = 2 if squared else 1
                        terms.append(max(near**power - far**power + 0.7, 0))
        active = [term for term in terms if term > 0]
        assert 0 < len(active) < len(terms)
        expected.append(sum(active) / len(active))
    loss_module = losses.TripletLoss(0.7, squared=squared)
    assert loss_module(embeddings=x, labels=torch.tensor(labels))[0].tolist() == pytest.approx(expected)

    def loss_of(y: torch.Tensor) -> torch.Tensor:
        return loss_module(embeddings=y, labels=torch.tensor(labels))[0]

    assert torch.autograd.gradcheck(loss_of, x.requires_grad_())


@pytest.mark.parametrize("squared", [False, True])
def test_triplet_gradients_at_distance_zero_are_zero(squared: bool) -> None:
    x = torch.randn(4, 64, 2, generator=torch.Generator().manual_seed(4)) * 50
    x[1] = x[0]
    x.requires_grad_()
    # Every triplet is active, so each row's distance to itself takes part.
    loss, info = losses.TripletLoss(1e6, squared=squared)(embeddings=x, labels=torch.tensor([0, 0, 1, 1]))
    loss.sum().backward()
    assert info["loss_num"].tolist() == [16, 16]
    alone = loss.new_tensor([0])
    assert losses.TripletLoss(1, squared=squared)(embeddings=x[2:3], labels=alone)[1]["mean_dist"].tolist() == [0, 0]
    reference = x.detach().double().requires_grad_()
    # The shift keeps the root finite; what it adds to a pair's gradient cancels with the pair in reverse.
    gaps = (reference[:, None] - reference[None] + 1e-30).square().sum(2)
    distances = gaps if squared else gaps.sqrt()
    same = torch.tensor([[1, 1, 0, 0]] * 2 + [[0, 0, 1, 1]] * 2).bool()
    hinge = (distances[:, :, None] - distances[:, None] + 1e6)[same[:, :, None] & ~same[:, None]]
    (hinge.sum() / 16).backward()
    torch.testing.assert_close(x.grad, reference.grad.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_triplet_edge_cases() -> None:
    loss_module = losses.TripletLoss(0.2)
    for rows, labels in ((1, [0]), (3, [0, 0, 0]), (3, [0, 1, 2])):
        x = torch.ones(rows, 4, 2, requires_grad=True)
        # Anomaly detection rejects a NaN even if a later operation would drop it.
        with torch.autograd.detect_anomaly(check_nan=True):
            loss, info = loss_module(embeddings=x, labels=torch.tensor(labels))
            loss.mean().backward()
        assert x.grad.abs().max() == 0
        # Three equal rows of three identities: six triplets (each row its arguments_of positive), all at the margin.
        expected = 0.2 if labels == [0, 1, 2] else 0.0
        assert loss.tolist() == pytest.approx([expected] * 2)
        assert info["loss_num"].tolist() == [6.0 if expected else 0.0] * 2
    with pytest.raises(ValueError, match=r"got \[4, 3\] and \[4\]"):
        loss_module(embeddings=torch.zeros(4, 3), labels=torch.zeros(4))


def test_half_precision_is_computed_in_float32() -> None:
    x = normals("half", 6, 16, 4).half()
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    for loss_module, name in ((losses.TripletLoss(0.2), "embeddings"), (losses.CrossEntropyLoss(), "logits")):
        assert loss_module(**{name: x}, labels=labels)[0].equal(loss_module(**{name: x.float()}, labels=labels)[0])


def test_cross_entropy_by_hand() -> None:
    # One sequence, two classes, two parts; scale ln 3 turns logits (1, 0) and (0, 1) into shares 3/4 and 1/4.
    logits = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
    scale = torch.tensor(3.0, dtype=torch.float64).log().item()
    right, wrong = torch.tensor([4 / 3, 4.0], dtype=torch.float64).log().tolist()
    plain = losses.CrossEntropyLoss(scale, label_smooth=False, log_accuracy=True)
    loss, info = plain(logits=logits, labels=torch.tensor([0]))
    assert loss.item() == pytest.approx((right + wrong) / 2) and info["accuracy"].item() == 0.5
    only_right = losses.CrossEntropyLoss(scale, eps=0.2)(logits=logits[:, :, :1], labels=torch.tensor([0]))
    assert only_right[0].item() == pytest.approx(0.9 * right + 0.1 * wrong)
    assert "accuracy" not in only_right[1]
    with pytest.raises(ValueError, match=r"got \[4, 3\] and \[4\]"):
        plain(logits=torch.zeros(4, 3), labels=torch.zeros(4).long())


def test_contrast_by_hand_and_without_positives() -> None:
    # Three one-view features, rows 0 and 1 alike: anchor 0 gives -log(e^1 / (e^1 + e^0)) at temperature 1.
    features = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]]], dtype=torch.float64)
    expected = math.log(1 + math.exp(-1))
    loss_module = losses.SupConLoss_Re(temperature=1.0, base_temperature=0.5)
    loss, _ = loss_module(features=features, labels=torch.tensor([0, 0, 1]))
    assert loss.item() == pytest.approx(2 * expected), "anchor 2 has no positive and does not count"
    assert loss_module(features=features, mask=torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]))[0].equal(loss)
    # Without labels, only the two views of a sequence are positives.
    two_views = features[[0, 2]].expand(2, 2, 2)
    loss, _ = losses.SupConLoss_Re(1.0, base_temperature=1.0)(features=two_views)
    assert loss.item() == pytest.approx(math.log(1 + 2 * math.exp(-1)))
    first = losses.SupConLoss_Re(1.0, "one", 1.0)(features=two_views)
    assert first[0].item() == pytest.approx(loss.item()), "both views are alike here"
    with pytest.raises(ValueError, match="got both"):
        loss_module(features=features, labels=IDENTITIES[:3], mask=torch.eye(3))
    with pytest.raises(ConfigError, match="'half'"):
        losses.SupConLoss_Re(contrast_mode="half")


def test_contrast_of_distances_has_finite_gradients_at_distance_zero() -> None:
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.5, 0.5]], requires_grad=True)
    loss, _ = losses.SupConLoss_Lp(0.5)(features=features, labels=torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss > 0 and features.grad.isfinite().all()
    # Anchors 0 and 1 find each other at distance 0 and row 2 at sqrt(2); anchor 2 has no positive and does not count.
    three, _ = losses.SupConLoss_Lp(1.0)(features=features[:3], labels=torch.tensor([0, 0, 1]))
    assert three.item() == pytest.approx(math.log(1 + math.exp(-math.sqrt(2))))
    alone, info = losses.SupConLoss_Lp()(features=features, labels=torch.arange(4))
    assert alone == 0 and info["loss"] == 0
    apart = normals("apart", 5, 3).double().requires_grad_()
    loss_module = losses.SupConLoss_Lp(0.5)
    assert torch.autograd.gradcheck(lambda x: loss_module(features=x, labels=IDENTITIES[:5])[0], apart)


def test_binary_cross_entropy_is_finite_at_the_ends() -> None:
    probabilities = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).requires_grad_()
    loss, info = losses.BinaryCrossEntropyLoss()(logits=probabilities, labels=torch.tensor([0, 1]).view(1, 1, 1, 2))
    loss.backward()
    assert loss.abs() < 1e-6 and probabilities.grad.isfinite().all() and info["miou"].tolist() == [1.0]
    empty = losses.BinaryCrossEntropyLoss()(logits=torch.zeros(1, 1, 2, 2), labels=torch.zeros(1, 1, 2, 2))
    assert empty[1]["miou"].tolist() == [0.0]


def test_base_loss_is_zero_and_the_folder_is_scanned(tmp_path: Path) -> None:
    loss, info = BaseLoss(2.0)(logits=torch.ones(2, requires_grad=True), labels=torch.zeros(2))
    assert loss == 0 and loss.requires_grad and info == {} and BaseLoss(2.0).loss_term_weight == 2.0
    assert {"BaseLoss", "TripletLoss", "CrossEntropyLoss", "SupConLoss_Re", "SupConLoss_Lp"} <= set(vars(losses))
    with pytest.raises(AttributeError, match="NoSuchLoss"):
        _ = losses.NoSuchLoss


@pytest.mark.parametrize("labels", [[0, 1, 0, 2, 1, 0], [3, 3, 3], [0, 1, 2]])
def test_hinges_of_all_triples_give_the_loss_of_the_positives(labels: list[int]) -> None:
    """On a GPU the positions of the positives would have to be waited for."""
    distances = torch.rand(2, len(labels), len(labels), generator=torch.Generator().manual_seed(0))
    same = torch.tensor(labels)[:, None] == torch.tensor(labels)
    expected = triplet.mean_of_nonzero(triplet.hinges_of_positives(distances, same, 0.3))
    torch.testing.assert_close(triplet.mean_of_nonzero(triplet.all_hinges(distances, same, 0.3)), expected)
