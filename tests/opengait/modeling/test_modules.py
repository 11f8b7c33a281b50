"""Building blocks against upstream's outputs, slow references and hand-computed cases."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from opengait import distributed
from opengait.errors import ConfigError
from opengait.modeling import modules as m
from tests.golden.compare import FOLDER, assert_golden, filled, normals, uniforms

GOLDEN = np.load(FOLDER / "opengait" / "modules.npz")
VOLUME = normals("modules:x5", 2, 6, 5, 16, 8)
IMAGE = VOLUME[:, :, 0]
PARTS = normals("modules:x3", 3, 6, 4)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def align_mask() -> torch.Tensor:
    mask = (uniforms("modules:align", 2, 1, 32, 24) > 0.6).float()
    mask[:, :, :4] = mask[:, :, -6:] = mask[..., :5] = 0
    return mask


CASES = {
    "HPP": lambda: m.HorizontalPoolingPyramid([4, 2, 1])(IMAGE),
    "SeparateFCs": lambda: filled(m.SeparateFCs(4, 6, 5))(PARTS),
    "SeparateFCs_norm": lambda: filled(m.SeparateFCs(4, 6, 5, norm=True))(PARTS),
    "BNNecks_feature": lambda: filled(m.SeparateBNNecks(4, 6, 7))(PARTS)[0],
    "BNNecks_logits": lambda: filled(m.SeparateBNNecks(4, 6, 7))(PARTS)[1],
    "BNNecks_serial_feature": lambda: filled(m.SeparateBNNecks(4, 6, 7, False, False))(PARTS)[0],
    "BNNecks_serial_logits": lambda: filled(m.SeparateBNNecks(4, 6, 7, False, False))(PARTS)[1],
    "PackSequence_max": lambda: m.PackSequenceWrapper(torch.max)(VOLUME[:1], torch.tensor([[2, 3]]), 2, {"dim": 2})[0],
    "FocalConv2d": lambda: filled(m.FocalConv2d(6, 3, 3, halving=2, stride=1, padding=1))(IMAGE),
    "BasicConv3d": lambda: filled(m.BasicConv3d(6, 3))(VOLUME),
    "ParallelBN1d": lambda: filled(m.ParallelBN1d(4, 6))(PARTS),
    "BasicBlockP3D": lambda: filled(m.BasicBlockP3D(6, 6, stride=[1, 1]))(VOLUME),
    "BasicBlock3D": lambda: filled(m.BasicBlock3D(6, 6))(VOLUME),
    "Set_BasicBlock2D": lambda: filled(m.SetBlockWrapper(m.BasicBlock2D(6, 6)))(VOLUME),
    "FlowFunc": lambda: m.FlowFunc(radius=2)(VOLUME, VOLUME.roll(1, dims=2)),
    "GaitAlign": lambda: m.GaitAlign(16, 11)(align_mask(), align_mask(), torch.tensor([0.5, 0.7])),
    "Graph_coco": lambda: m.Graph("coco", max_hop=3).A,
    "Graph_openpose": lambda: m.Graph("openpose", max_hop=2).A,
    "Graph_coco-no-head": lambda: m.Graph("coco-no-head", max_hop=2).A,
}


@pytest.mark.parametrize("name", GOLDEN.files)
def test_equals_upstream(name: str) -> None:
    assert_golden(CASES[name](), GOLDEN[name])


def test_pyramid_adds_mean_and_maximum_of_each_stripe() -> None:
    x = torch.tensor([[1.0, 3.0], [0.0, 0.0], [5.0, 1.0], [2.0, 0.0]]).view(1, 1, 4, 2)
    # Stripes of two rows: (1, 3, 0, 0) and (5, 1, 2, 0); then all rows.
    expected = torch.tensor([1.0 + 3, 2.0 + 5, 1.5 + 5]).view(1, 1, 3)
    torch.testing.assert_close(m.HorizontalPoolingPyramid([2, 1])(x), expected)
    assert m.HorizontalPoolingPyramid()(torch.zeros(2, 3, 16, 1)).shape == (2, 3, 31)


def test_pyramid_rejects_an_indivisible_height() -> None:
    with pytest.raises(ValueError, match="16 equal stripes"):
        m.HorizontalPoolingPyramid([16])(torch.zeros(1, 1, 15, 11))


def test_set_block_runs_per_frame_and_may_drop_axes() -> None:
    x = random(2, 3, 4, 6, 5)
    frames = torch.stack([m.HorizontalPoolingPyramid([2])(x[:, :, i]) for i in range(4)], dim=2)
    wrapper = m.SetBlockWrapper(m.HorizontalPoolingPyramid([2]))
    torch.testing.assert_close(wrapper(x), frames)
    assert wrapper(x).is_contiguous()
    assert not wrapper.state_dict()
    assert m.SetBlockWrapper(lambda y, factor: y * factor)(x, factor=2.0).equal(2 * x)


def test_packed_sequences_are_pooled_separately() -> None:
    x = random(1, 3, 7, 2)
    pool = m.PackSequenceWrapper(torch.max)
    values, indices = pool(x, torch.tensor([[1, 4, 2]], dtype=torch.int32), 2, {"dim": 2})
    for row, (start, stop) in enumerate([(0, 1), (1, 5), (5, 7)]):
        expected = x[:, :, start:stop].max(dim=2)
        assert values[row].equal(expected.values[0]) and indices[row].equal(expected.indices[0])
    mean = m.PackSequenceWrapper(torch.mean)
    torch.testing.assert_close(mean(x, [[7]], options={"dim": 2}), mean(x, None, options={"dim": 2}))
    with pytest.raises(ValueError, match="needs 8 frames"):
        pool(x, [[4, 4]], 2, {"dim": 2})


def test_separate_fcs_has_a_matrix_per_part() -> None:
    layer, x = m.SeparateFCs(3, 4, 5).double(), random(2, 4, 3)
    expected = torch.stack([x[:, :, part] @ layer.fc_bin[part] for part in range(3)], dim=2)
    torch.testing.assert_close(layer(x), expected)
    unit = m.SeparateFCs(3, 4, 5, norm=True).double()
    assert torch.autograd.gradcheck(unit, x.requires_grad_())


def test_parallel_and_separate_batch_norms_agree_in_training() -> None:
    x = random(5, 4, 3)
    parallel, serial = (m.SeparateBNNecks(3, 4, 6, parallel_BN1d=flag).double() for flag in (True, False))
    serial.fc_bin = parallel.fc_bin
    torch.testing.assert_close(parallel(x), serial(x))
    feature, logits = parallel(x)
    torch.testing.assert_close(feature.norm(dim=1), torch.ones(5, 3).double())
    assert logits.abs().max() <= 1 and logits.shape == (5, 6, 3)
    assert "bn1d.2.running_mean" in serial.state_dict()


@pytest.mark.parametrize("parallel", [True, False])
def test_the_norm_before_the_classifiers_needs_two_tracklets(parallel, monkeypatch) -> None:
    necks, one = m.SeparateBNNecks(3, 4, 6, parallel_BN1d=parallel), torch.randn(1, 4, 3)
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    with pytest.raises(ConfigError, match="sync_BN"):
        necks(one)
    assert necks.eval()(one)[1].shape == (1, 6, 3)
    # With `fix_BN` the norms are in evaluation mode.
    necks.train()
    for norm in necks.modules():
        norm.train("BatchNorm" not in type(norm).__name__)
    assert necks(one)[1].shape == (1, 6, 3)


def test_focal_strips_are_independent() -> None:
    layer = m.FocalConv2d(2, 3, 3, halving=1, stride=1, padding=1).double()
    x = random(1, 2, 6, 4)
    changed = x.clone()
    changed[:, :, 3:] += 1
    assert layer(x)[:, :, :3].equal(layer(changed)[:, :, :3])
    assert not layer(x)[:, :, 3:].equal(layer(changed)[:, :, 3:])
    whole = m.FocalConv2d(2, 3, 3, halving=0, padding=1).double()
    whole.load_state_dict(layer.state_dict())
    torch.testing.assert_close(whole(x), F.conv2d(x, layer.conv.weight, padding=1))
    with pytest.raises(ValueError, match="8 strips"):
        m.FocalConv2d(2, 3, 1, halving=3)(x.float())


def test_residual_blocks_take_strides_and_any_callable_shortcut() -> None:
    x = random(2, 3, 6, 8, 4).float()
    p3d = m.BasicBlockP3D(3, 5, [2, 2], lambda y: y.new_zeros(2, 5, 6, 4, 2)).train()
    assert p3d(x).shape == (2, 5, 6, 4, 2)
    pooled = m.BasicBlock3D(3, 5, [3, 2, 2], nn.Conv3d(3, 5, (3, 1, 1), (3, 2, 2))).train()
    assert pooled(x).shape == (2, 5, 2, 4, 2)
    # Without padding, the first output frame sees the frames 0, 1 and 2.
    torch.testing.assert_close(pooled.conv1(x)[:, :, :1], pooled.conv1(x[:, :, :3]))
    assert not pooled.conv1(x)[:, :, :1].allclose(pooled.conv1(x[:, :, [0, 1, 4]]))
    flat = m.BasicBlock2D(3, 3).eval()
    nn.init.zeros_(flat.bn2.weight)
    torch.testing.assert_close(flat(x[:, :, 0]), x[:, :, 0].relu())
    with pytest.raises(ValueError, match="frame stride of 1 or 3.* 2"):
        m.BasicBlock3D(3, 3, [2, 1, 1])


def test_align_crops_the_box_of_the_mask() -> None:
    feature = torch.arange(12.0).view(1, 1, 1, 12).expand(2, 1, 8, 12).clone()
    mask = torch.zeros(2, 1, 8, 12)
    mask[0, :, 2:6, 4:8] = 1
    out = m.GaitAlign(4, 4)(feature, mask, torch.tensor([1.5, 1.5]))
    # Half the area is reached in column 5, or 7 with two columns of padding; four of eight rows give half the width.
    boxes = m.GaitAlign(4, 4).boxes(mask, torch.tensor([1.5, 1.5]))
    assert boxes[0].tolist() == [4.0, 2.0, 10.0, 6.0]
    # Columns 2 to 8 of the map itself in four bins, sampled at their centres; pixel i lies at i (aligned is False).
    expected = torch.tensor([2.75, 4.25, 5.75, 7.25])
    torch.testing.assert_close(out[0, 0], expected.expand(4, 4))
    assert out[1].abs().max() == 0, "an empty mask must crop zeros"


def test_align_is_differentiable_in_the_feature() -> None:
    mask = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    mask[:, :, 1:5, 2:4] = 1
    align = m.GaitAlign(4, 2)
    ratio = torch.tensor([0.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: align(x, mask, ratio), random(1, 2, 6, 6).requires_grad_())


def test_flow_recovers_a_shift_and_stays_inside() -> None:
    f0 = torch.eye(30).view(1, 30, 1, 5, 6) * 40
    f1 = f0.roll((1, -2), dims=(3, 4))
    flow = m.FlowFunc(radius=2)(f0, f1)[0, :, 0]
    assert flow.shape == (2, 5, 6)
    torch.testing.assert_close(flow[:, :4, 2:], torch.tensor([-2.0, 1.0]).view(2, 1, 1).expand(2, 4, 4))
    uniform = m.FlowFunc(radius=1)(torch.zeros(1, 1, 1, 3, 3), torch.zeros(1, 1, 1, 3, 3))[0, :, 0]
    # In a corner only right, down and diagonal stay inside: the mean displacement is half a pixel.
    torch.testing.assert_close(uniform[:, 0, 0], torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(uniform[:, 1, 1], torch.tensor([0.0, 0.0]))
    small = random(1, 2, 1, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(m.FlowFunc(radius=1), (small, random(1, 2, 1, 3, 3, seed=1)))
    with pytest.raises(ConfigError, match="'reflect'"):
        m.FlowFunc(padding_mode="reflect")


@pytest.mark.parametrize("layout", ["coco", "coco-no-head", "alphapose", "openpose"])
def test_graph_is_normalised_and_symmetric_under_flipping(layout: str) -> None:
    graph = m.Graph(layout, max_hop=3)
    np.testing.assert_allclose(graph.A.sum((0, 1)), 1)
    assert ((graph.A > 0).sum(0) <= 1).all(), "a pair has one distance"
    assert graph.A[0].nonzero()[0].tolist() == list(range(graph.num_node))
    flipped = graph.A[:, graph.flip_idx][:, :, graph.flip_idx]
    np.testing.assert_allclose(flipped, graph.A)
    assert sorted(np.concatenate(graph.parts)) == sorted(set(np.concatenate(graph.parts)))
    assert len(graph.connect_joint) == graph.num_node == len({i for i, j in graph.edge if i == j})


def test_graph_dilation_and_unknown_layout() -> None:
    every, second = m.Graph(max_hop=2).A, m.Graph(max_hop=2, dilation=2).A
    assert second.shape == (2, 17, 17)
    assert ((second[1] > 0) == (every[2] > 0)).all()
    with pytest.raises(ConfigError, match="coco-no-head"):
        m.Graph("h36m")


def test_graph_convolution_equals_its_formula() -> None:
    layer, x = m.SpatialGraphConv(3, 4, 2).double(), random(2, 3, 5, 6)
    adjacency = random(4, 6, 6, seed=1)
    hops = layer.gcn(x)
    expected = torch.zeros(2, 4, 5, 6, dtype=torch.float64)
    for hop in range(3):
        for joint in range(6):
            expected += hops[:, 4 * hop : 4 * hop + 4, :, joint, None] * adjacency[hop, joint]
    torch.testing.assert_close(layer(x, adjacency), expected)


@pytest.mark.parametrize("block", [m.SpatialBasicBlock, m.SpatialBottleneckBlock])
def test_spatial_block_shortcuts(block: type[nn.Module]) -> None:
    x, adjacency = random(2, 8, 5, 6), random(3, 6, 6, seed=1).abs()
    same, other, none = block(8, 8, 2, True), block(8, 4, 2, True), block(8, 8, 2, False)
    last = "bn" if block is m.SpatialBasicBlock else "bn_up"
    for layer in (same, none):
        nn.init.zeros_(getattr(layer, last).weight)
    torch.testing.assert_close(same.double().eval()(x, adjacency), x.relu())
    assert none.double().eval()(x, adjacency).abs().max() == 0
    assert other.double()(x, adjacency).shape == (2, 4, 5, 6)
    assert {"residual.0.weight", "residual.1.weight", "conv.gcn.weight"} <= set(other.state_dict())


@pytest.mark.parametrize("block", [m.TemporalBasicBlock, m.TemporalBottleneckBlock])
def test_temporal_block_shortcuts(block: type[nn.Module]) -> None:
    x = random(2, 8, 5, 6).float()
    same = block(8, 9, residual=True).eval()
    nn.init.zeros_((same.bn if block is m.TemporalBasicBlock else same.bn_up).weight)
    torch.testing.assert_close(same(x, 0.5), (x + 0.5).relu())
    halved = block(8, 9, stride=2, residual=True)(x, 0)
    assert halved.shape == (2, 8, 3, 6)
    frames = 3 if block is m.TemporalBottleneckBlock else 5
    assert block(8, 9, get_res=True)(x, 0).shape == (2, 8, frames, 6)


def test_attention_equals_a_loop_over_heads() -> None:
    layer, x = m.SpatialAttention(3, 8, None, 6, dk_factor=0.5, Nh=2).double(), random(2, 3, 2, 6)
    query, key, value = layer.qkv_conv(x).flatten(2).split([4, 4, 8], dim=1)
    heads = []
    for head in range(2):
        q, k, v = query[:, 2 * head : 2 * head + 2], key[:, 2 * head : 2 * head + 2], value[:, 4 * head : 4 * head + 4]
        weights = torch.softmax(q.transpose(1, 2) @ k / 2**0.5, dim=2)
        heads.append((weights @ v.transpose(1, 2)).transpose(1, 2))
    torch.testing.assert_close(layer(x), layer.attn_out(torch.cat(heads, dim=1).view(2, 8, 2, 6)))
    with pytest.raises(ConfigError, match="8 heads"):
        m.SpatialAttention(3, 8, None, 6)


def test_affine_of_batch_norms_can_be_frozen() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.BatchNorm1d(2), nn.BatchNorm2d(2, affine=False))
    m.RmBN2dAffine(network)
    assert [parameter.requires_grad for parameter in network.parameters()] == [True, True, False, False, True, True]


@pytest.mark.cuda
def test_blocks_that_create_tensors_work_on_cuda() -> None:
    mask, ratio = align_mask(), torch.tensor([0.5, 0.7])
    align, flow = m.GaitAlign(16, 11), m.FlowFunc(radius=2)
    assert_golden(align(mask.cuda(), mask.cuda(), ratio.cuda()), GOLDEN["GaitAlign"])
    assert_golden(flow(VOLUME.cuda(), VOLUME.cuda().roll(1, dims=2)), GOLDEN["FlowFunc"])
    pooled = m.PackSequenceWrapper(torch.max)(VOLUME[:1].cuda(), torch.tensor([[2, 3]]).cuda(), 2, {"dim": 2})[0]
    assert_golden(pooled, GOLDEN["PackSequence_max"])
