"""The interactions of Table 9: shapes, gradients, invariances, and independent references."""

import pytest
import torch
import torch.nn.functional as F

from opengait_ext.models.dinogrl.interactions import (
    INTERACTIONS,
    MultiScaleGraphInteraction,
    build_step,
    scale_adjacency,
)


@pytest.fixture(params=sorted(INTERACTIONS))
def name(request):
    return request.param


def make(name, channels=12, stripes=4):
    torch.manual_seed(0)
    module = build_step(INTERACTIONS[name], channels, stripes)
    for parameter in module.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
        else:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return module


@pytest.mark.parametrize("stripes", [1, 2, 5, 16])
def test_shapes_and_gradients(name, stripes):
    module = make(name, stripes=stripes)
    feature = torch.randn(3, 12, requires_grad=True)
    parts = torch.randn(3, 12, stripes, requires_grad=True)
    out = module(feature, parts)
    assert out.shape == (3, 12)
    out.square().sum().backward()
    assert feature.grad.abs().sum() > 0 and parts.grad.abs().sum() > 0
    # A shift before a norm or softmax may have a zero gradient; weights must not.
    without_gradient = [
        n for n, p in module.named_parameters() if p.dim() > 1 and (p.grad is None or not p.grad.abs().sum())
    ]
    assert not without_gradient or stripes == 1


def test_training_lowers_the_loss(name):
    torch.manual_seed(1)
    module = build_step(INTERACTIONS[name], 12, 4)
    feature, parts, target = torch.randn(16, 12), torch.randn(16, 12, 4), torch.randn(16, 12)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        loss = F.mse_loss(module(feature, parts), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]


@pytest.mark.parametrize("kind", ["non_local", "iban", "scrl", "ms_g3d"])
def test_new_interactions_return_the_global_feature(kind):
    feature = torch.randn(3, 12)
    assert torch.equal(build_step(INTERACTIONS[kind], 12, 4)(feature, torch.randn(3, 12, 4)), feature)


def test_tracklets_are_independent_in_evaluation_mode(name):
    module = make(name).eval()
    features, parts = torch.randn(3, 12), torch.randn(3, 12, 4)
    together = module(features, parts)
    alone = torch.cat([module(features[i : i + 1], parts[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "invariant"), [("non_local", True), ("iban", True), ("scrl", True), ("ms_g3d", False)]
)
def test_invariance_to_the_order_of_the_stripes(kind, invariant):
    module = make(kind, stripes=5).eval()
    feature, parts = torch.randn(2, 12), torch.randn(2, 12, 5)
    shuffled = module(feature, parts[:, :, [4, 2, 0, 1, 3]])
    assert torch.allclose(module(feature, parts), shuffled, atol=1e-6) == invariant


def test_non_local_against_a_loop():
    module = make("non_local").eval()
    feature, parts = torch.randn(2, 12), torch.randn(2, 12, 4)
    out = module(feature, parts)
    for i in range(2):
        scores = torch.stack([module.theta(feature[i]) @ module.phi(parts[i, :, j]) for j in range(4)]).softmax(0)
        aggregated = sum(scores[j] * module.g(parts[i, :, j]) for j in range(4))
        assert torch.allclose(out[i], feature[i] + module.W(aggregated[None])[0], atol=1e-5)


def test_graph_distances_by_breadth_first_search():
    stripes, scales = 6, 4
    neighbours = {node: set() for node in range(stripes + 1)}
    pairs = [(i, i + 1) for i in range(1, stripes)] + [(0, 3), (0, 4)]
    for a, b in pairs:
        neighbours[a].add(b)
        neighbours[b].add(a)
    matrices = scale_adjacency(stripes, scales)
    for start in neighbours:
        distance, edge = {start: 0}, [start]
        while edge:
            edge = [
                b
                for a in edge
                for b in neighbours[a]
                if b not in distance and not distance.update({b: distance[a] + 1})
            ]
        for node, steps in distance.items():
            for scale in range(scales + 1):
                assert (matrices[scale, start, node] > 0) == (steps == scale)


def test_the_graph_reads_only_the_global_features_row():
    module = MultiScaleGraphInteraction(6, 4, scales=1).eval()
    torch.nn.init.ones_(module.scale)
    feature, parts = torch.randn(1, 6), torch.randn(1, 6, 4)
    far = parts.clone()
    far[:, :, 0] += 1  # two links away from the global feature
    near = parts.clone()
    near[:, :, 1] += 1
    assert torch.equal(module(feature, parts), module(feature, far))
    assert not torch.equal(module(feature, parts), module(feature, near))
