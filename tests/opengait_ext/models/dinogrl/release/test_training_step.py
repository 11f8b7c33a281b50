"""A training step of a small network of the release against the release's procedure written out.

Only the convolutions of stems, stages and fusion use the network's modules; the golden numbers cover them. Tokens,
masks, batch norms over tokens, pooling, projections, PBMGE, heads and losses are written out.
"""

import copy

import pytest
import torch
import torch.nn.functional as F

from opengait.config import load_config
from opengait.modeling.loss_aggregator import LossAggregator
from opengait_ext.models.dinogrl.model import loss_terms
from tests.opengait_ext.models.dinogrl.release.small import small_batch, small_network
from tests.paths import ROOT

LABELS = torch.tensor([0, 3, 0, 3])
CONFIG = ROOT / "configs/dinogrl/hitsz_official.yaml"
WEIGHTS = {"mask_smoothness": 0.02, "mask": 1.0, "smoothness": 0.01, "diversity": 5.0}


def batch_norm(values: torch.Tensor, norm: torch.nn.Module) -> torch.Tensor:
    """Apply batch norm to the rows of (k, c), and update the running statistics."""
    mean = values.mean(dim=0)
    variance = (values - mean).square().mean(dim=0)
    with torch.no_grad():
        norm.running_mean += 0.1 * (mean - norm.running_mean)
        norm.running_var += 0.1 * (variance * len(values) / (len(values) - 1) - norm.running_var)
        norm.num_batches_tracked += 1
    normalised = (values - mean) / (variance + 1e-5).sqrt()
    return normalised if norm.weight is None else normalised * norm.weight + norm.bias


def enlarged(tokens: torch.Tensor) -> torch.Tensor:
    """Enlarge tokens (f, 32, c) on a grid of 8 x 4 to rows (f * 128, c) of maps of 16 x 8."""
    maps = tokens.view(len(tokens), 8, 4, -1).permute(0, 3, 1, 2)
    return F.interpolate(maps, (16, 8), mode="bilinear").permute(0, 2, 3, 1).reshape(len(tokens) * 128, -1)


def body(first: torch.Tensor) -> torch.Tensor:
    """Return a frame's silhouette, bool (16, 8), from the first channel's probability (16, 8), by loops."""
    border = first[:1].round().sum() + first[-1:].round().sum()
    person = (first if border <= 8 else 1 - first).round() > 0
    rows, columns = person.shape

    def near(marked, reach, combine):
        result = torch.zeros_like(marked)
        for y in range(rows):
            for x in range(columns):
                window = marked[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
                result[y, x] = combine(window)
        return result

    grown = near(person, 1, torch.any)
    shrunk = near(grown, 2, torch.all)
    return grown | shrunk


def sobel(maps: torch.Tensor) -> torch.Tensor:
    """The release's loss of maps (f, c, h, w), by shifted copies."""
    summed = F.pad(maps.sum(dim=1), (1, 1, 1, 1))
    down = summed[:, :-2] + 2 * summed[:, 1:-1] + summed[:, 2:]
    across = summed[:, :, :-2] + 2 * summed[:, :, 1:-1] + summed[:, :, 2:]
    along_x = (down[:, :, 2:] - down[:, :, :-2]).abs().sum()
    along_y = (across[:, 2:] - across[:, :-2]).abs().sum()
    return (along_x + along_y) / maps.numel()


def silhouettes(network, frames):
    """Steps 3 to 8 of the shape branch; gives E_g and E_a as maps, and the losses."""
    generator = network.silhouette_generator
    features = network.vision_model(frames.flatten(0, 1))
    count = len(features.last)
    tokens = enlarged(features.last)
    encoder = generator.mask_encoder
    linear, decoder = encoder.down_sampling, encoder.up_sampling
    rows = (batch_norm(tokens, encoder.bn_s) @ linear.weight.T + linear.bias).softmax(dim=1)
    decoded = rows @ decoder.weight.T + decoder.bias
    losses = {"mask": ((decoded - tokens) ** 2).mean(), "mask_smoothness": sobel(rows.view(count, 2, 16, 8))}

    first = rows.detach()[:, 0].view(count, 16, 8)
    selected = torch.stack([body(frame) for frame in first]).flatten()
    assert 0.1 < selected.float().mean() < 0.95, "the test is to cover selected tokens and others"
    layers = enlarged(features.layers)[selected]

    encoder = generator.gait_encoder
    enter, norm, _, leave = encoder.down_sampling
    hidden = batch_norm(batch_norm(layers, encoder.bn_s) @ enter.weight.T + enter.bias, norm)
    gait = (F.gelu(hidden) @ leave.weight.T + leave.bias).softmax(dim=1)
    encoder = generator.appearance_encoder
    linear = encoder.down_sampling
    codes = batch_norm(batch_norm(layers, encoder.bn_s) @ linear.weight.T + linear.bias, encoder.bn_t)

    maps = []
    for values in (gait, torch.sigmoid(codes)):
        canvas = torch.zeros(count * 128, values.shape[1]).index_put((selected.nonzero().flatten(),), values)
        maps.append(canvas.view(count, 16, 8, -1).permute(0, 3, 1, 2))
    usage = maps[0].sum(dim=(2, 3))
    share = usage / (usage.sum(dim=1, keepdim=True) + 1e-6)
    entropy = -(share * (share + 1e-6).log2()).sum(dim=1)
    losses["diversity"] = (torch.log2(torch.tensor(6.0)) - entropy).mean()
    losses["smoothness"] = sobel(maps[0][:, :5])
    return maps, losses


def parts(maps, projection):
    """Return the parts (n, 12, 7): maximum over frames, mean plus maximum of stripes, and a matrix per stripe."""
    pooled = maps.max(dim=1).values
    height = pooled.shape[2]
    features = []
    for count in (1, 2, 4):
        for stripe in range(count):
            rows = pooled[:, :, stripe * height // count : (stripe + 1) * height // count].flatten(2)
            features.append((rows.mean(dim=2) + rows.max(dim=2).values) @ projection.FCs.fc_bin[len(features)])
    return torch.stack(features, dim=2)


def enhance(step, query, stripe):
    """Compute LGE as the release does, with one-channel signals of length 12."""
    theta = query[:, None] * step.theta.weight[:, 0] + step.theta.bias[:, None]
    phi = stripe[:, None] * step.phi.weight[:, 0] + step.phi.bias[:, None]
    values = stripe[:, None] * step.g[0].weight[:, 0] + step.g[0].bias[:, None]
    affinity = torch.einsum("nci,ncj->nij", theta, phi) / query.shape[1]
    update = []
    for head, weights in ((step.W1, affinity.clamp(min=0)), (step.W2, (-affinity).clamp(min=0))):
        gathered = torch.einsum("nij,ncj->nci", weights, values)
        signal = torch.einsum("c,nci->ni", head[0].weight[0, :, 0], gathered) + head[0].bias
        update.append(batch_norm(signal.reshape(-1, 1), head[1]).view_as(signal))
    return query + update[0] - update[1]


def pbmge(module, gait, appearance):
    """Run both chains from the original globals at every granularity; the gait stream's step comes first."""
    enhanced_gait, enhanced_appearance = [], []
    for start, count in ((1, 2), (3, 4)):
        query_gait, query_appearance = gait[..., 0], appearance[..., 0]
        for stripe in range(start, start + count):
            query_gait = enhance(module.enhance_shape_net_3, query_gait, appearance[..., stripe])
            query_appearance = enhance(module.enhance_app_net_3, query_appearance, gait[..., stripe])
        enhanced_gait.append(query_gait)
        enhanced_appearance.append(query_appearance)
    stacked = (torch.stack([*all_parts.unbind(2), *extra], dim=2) for all_parts, extra in
               ((gait, enhanced_gait), (appearance, enhanced_appearance)))  # fmt: skip
    return tuple(stacked)


def identity_losses(features, heads):
    """Return cross entropy of scaled cosines with smoothed labels, and the triplet loss per part, by loops."""
    normed = batch_norm(features.reshape(len(features), -1), heads.bn1d).view_as(features)
    entropies, triplets = [], []
    for part in range(features.shape[2]):
        unit = F.normalize(normed[..., part], dim=1)
        scores = (16 * unit @ F.normalize(heads.fc_bin[part], dim=0)).log_softmax(dim=1)
        for row, label in enumerate(LABELS):
            entropies.append(-(0.9 * scores[row, label] + 0.1 * scores[row].mean()))
        hinges = []
        for a in range(4):
            for p in (p for p in range(4) if LABELS[p] == LABELS[a]):
                for n in (n for n in range(4) if LABELS[n] != LABELS[a]):
                    raw = features[..., part]
                    near = (raw[a] - raw[p]).norm() if a != p else torch.zeros(())
                    hinges.append((near - (raw[a] - raw[n]).norm() + 0.2).clamp(min=0))
        active = [hinge for hinge in hinges if hinge > 0]
        triplets.append(sum(active) / len(active) if active else torch.zeros(()))
    return sum(entropies) / len(entropies), sum(triplets) / len(triplets)


def step_written_out(network, frames):
    """Return the losses of one step, and update the running statistics of `network`."""
    (gait_prior, appearance_prior), losses = silhouettes(network, frames)
    # Visible tracklets first, then infrared ones, through stems of their own.
    stems = network.appearance.stems
    entered = torch.cat([stem(half.flatten(0, 1)) for stem, half in zip(stems, frames.chunk(2), strict=True)])
    tracklets = frames.shape[:2]
    appearance = parts(network.appearance.stages(entered).unflatten(0, tracklets), network.appearance_parts)
    fused = network.silhouette_generator.fusion(gait_prior, appearance_prior)
    gait = parts(network.gait.stages(fused).unflatten(0, tracklets), network.gait_parts)
    gait, appearance = pbmge(network.enhancement, gait, appearance)
    for stream, features in (("gait", gait), ("appearance", appearance)):
        entropy, triplet = identity_losses(features, getattr(network, f"{stream}_heads"))
        losses |= {f"{stream}_identity": entropy, f"{stream}_triplet": triplet}
    return losses


@pytest.fixture(scope="module")
def both() -> dict:
    """Run one step of the network and of the written procedure, with losses, gradients and buffers."""
    ours = small_network().train()
    theirs = copy.deepcopy(ours)
    frames, modality = small_batch()
    assert modality.tolist() == [0, 0, 1, 1]
    total, values = LossAggregator(load_config(CONFIG)["loss_cfg"])(loss_terms(ours(frames, modality), LABELS))
    total.backward()
    losses = {name.split("/")[1]: value.mean() for name, value in values.items() if name.endswith("/loss")}
    written = step_written_out(theirs, frames)
    sum(WEIGHTS.get(name, 1.0) * loss for name, loss in written.items()).backward()
    return {"ours": (ours, losses), "theirs": (theirs, written)}


def test_every_loss(both):
    losses, written = both["ours"][1], both["theirs"][1]
    assert losses.keys() == written.keys()
    for name, loss in written.items():
        assert float(losses[name]) == pytest.approx(float(loss.detach()), rel=1e-4, abs=1e-6), name


def test_every_gradient(both):
    """Compared per parameter, so that no part hides the error of another."""
    theirs = dict(both["theirs"][0].named_parameters())
    for name, parameter in both["ours"][0].named_parameters():
        if not parameter.requires_grad:
            continue
        written = theirs[name].grad
        # The gradient of a bias before a batch norm is a rounding error.
        assert float((parameter.grad - written).norm()) < 1e-3 * float(written.norm()) + 1e-5, name


def test_every_running_statistic(both):
    theirs = dict(both["theirs"][0].named_buffers())
    moved = 0
    for name, buffer in both["ours"][0].named_buffers():
        if "running" in name or "tracked" in name:
            moved += 1
            assert torch.allclose(buffer.double(), theirs[name].double(), rtol=1e-4, atol=1e-5), name
    assert moved > 50
    tracked = both["ours"][0].enhancement.enhance_app_net_3.W1[1].num_batches_tracked
    assert int(tracked) == 6, "one update for each of 2 + 4 stripes"


def test_reid_losses_do_not_reach_the_mask():
    network = small_network().train()
    out = network(*small_batch())
    (out.gait.logits.square().sum() + out.gait.supervised.square().sum()).backward()
    encoder = network.silhouette_generator.mask_encoder
    assert all(parameter.grad is None for parameter in encoder.parameters())
    reached = network.silhouette_generator.gait_encoder.down_sampling[0].weight.grad
    assert reached.abs().sum() > 0
