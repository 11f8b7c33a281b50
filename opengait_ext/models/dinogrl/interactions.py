"""The alternatives to LGE in Table 9: other ways to enhance a global feature by the other stream's stripes.

All have the interface of `LocalToGlobalEnhancement`: they map a global feature (n, C) and the stripes (n, C, n_s) of
one granularity to an enhanced global feature (n, C). The paper names its sources, but not how it adapted them to
vectors; each docstring says what comes from the source and what was decided here. All start at or near the global
feature, as LGE does, except for the attention fusion: a weighted mean by construction, it starts between the global
feature and the stripes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait_ext.models.shared.fusion import AttentionFusion


class ConcatenationInteraction(nn.Module):
    """Table 9's "w/o attention": concatenates the global feature and all stripes, and maps them to C by one matrix."""

    def __init__(self, channels: int, stripes: int) -> None:
        super().__init__()
        self.projection = nn.Linear((1 + stripes) * channels, channels)
        with torch.no_grad():
            self.projection.weight[:, :channels] = torch.eye(channels)
            self.projection.weight[:, channels:] *= 0.1
            self.projection.bias.zero_()

    def forward(self, global_feature: Tensor, stripes: Tensor) -> Tensor:
        return self.projection(torch.cat([global_feature, stripes.transpose(1, 2).flatten(1)], dim=1))


class NonLocalInteraction(nn.Module):
    """Non-local block, embedded Gaussian (Wang et al., CVPR 2018).

    As in the source, the inner width is half of the channels and the final norm starts at zero. Decided here: the
    global feature is the only query, and the stripes are keys and values.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.theta = nn.Linear(channels, inner)
        self.phi = nn.Linear(channels, inner)
        self.g = nn.Linear(channels, inner)
        self.W = nn.Sequential(nn.Linear(inner, channels), nn.BatchNorm1d(channels))
        nn.init.zeros_(self.W.get_parameter("1.weight"))

    def forward(self, global_feature: Tensor, stripes: Tensor) -> Tensor:
        stripes = stripes.transpose(1, 2)
        affinity = torch.einsum("nc,nsc->ns", self.theta(global_feature), self.phi(stripes)).softmax(dim=1)
        return global_feature + self.W(torch.einsum("ns,nsc->nc", affinity, self.g(stripes)))


class AttentionFusionInteraction(nn.Module):
    """SkeletonGait's attention fusion (Fan et al., AAAI 2024), which is also F_attn of Eq. 6.

    Decided here: the stripes form a column of n_s positions, each is fused with the global feature, and the result is
    the mean over the column.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fusion = AttentionFusion(channels)

    def forward(self, global_feature: Tensor, stripes: Tensor) -> Tensor:
        column = stripes.unsqueeze(-1)
        return self.fusion(global_feature[:, :, None, None].expand_as(column), column).mean(dim=(2, 3))


class GatedAggregationInteraction(nn.Module):
    """After IBAN (Li et al., TCSVT 2023), which aggregates two streams by weights derived from each other.

    Decided here: position weights (one per stripe) and channel weights (one per channel), both computed from the global
    feature and the stripe together, weight the stripes that are added.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 4, 1)
        self.joint = nn.Linear(2 * channels, inner)
        self.position = nn.Linear(inner, 1)
        self.channel = nn.Linear(inner, channels)
        self.output = nn.Linear(channels, channels)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, global_feature: Tensor, stripes: Tensor) -> Tensor:
        stripes = stripes.transpose(1, 2)
        pairs = torch.cat([global_feature.unsqueeze(1).expand_as(stripes), stripes], dim=2)
        joint = F.relu(self.joint(pairs))
        chosen = self.position(joint).softmax(dim=1) * self.channel(joint).sigmoid() * stripes
        return global_feature + self.output(chosen.sum(dim=1))


class SimilarityInteraction(nn.Module):
    """After SCRL's appearance feature enhancement (Li et al., 2024), where each stream emphasises what it shares
    with the other.

    Decided here: a stripe is weighted by its cosine with the global feature, mapped to 0..1. The weighted stripes only
    rescale the channels of the global feature, so nothing new enters the stream.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.weight = nn.Linear(channels, channels)
        nn.init.zeros_(self.weight.weight)
        nn.init.zeros_(self.weight.bias)

    def forward(self, global_feature: Tensor, stripes: Tensor) -> Tensor:
        stripes = stripes.transpose(1, 2)
        cosine = F.cosine_similarity(self.query(global_feature).unsqueeze(1), self.key(stripes), dim=2)
        shared = ((1 + cosine) / 2).unsqueeze(2) * stripes
        return global_feature * (1 + torch.tanh(self.weight(shared.mean(dim=1))))


class MultiScaleGraphInteraction(nn.Module):
    """MS-G3D's disentangled multi-scale aggregation (Liu et al., CVPR 2020) over a graph of body parts.

    One normalised adjacency matrix per distance 0..`scales`, each with its own weights; their sum passes a norm and a
    ReLU. Decided here: nodes are the stripes, each joined to its neighbours, and the global
    feature, joined to the middle of the column; the result is its node, added to the global feature.
    """

    def __init__(self, channels: int, stripes: int, scales: int = 3) -> None:
        super().__init__()
        self.adjacency: Tensor
        self.register_buffer("adjacency", scale_adjacency(stripes, scales), persistent=False)
        self.weights = nn.Linear((scales + 1) * channels, channels, bias=False)
        self.bn = nn.BatchNorm1d(channels)
        # A norm that starts at zero would leave the following ReLU without a gradient.
        self.scale = nn.Parameter(torch.zeros(channels))

    def forward(self, global_feature: Tensor, stripes: Tensor) -> Tensor:
        nodes = torch.cat([global_feature.unsqueeze(1), stripes.transpose(1, 2)], dim=1)
        # Only the global feature's row of each matrix is needed.
        gathered = torch.einsum("kv,nvc->nkc", self.adjacency[:, 0], nodes).flatten(1)
        return global_feature + self.scale * F.relu(self.bn(self.weights(gathered)))


def scale_adjacency(stripes: int, scales: int) -> Tensor:
    """Return the normalised adjacency (scales + 1, V, V) per shortest-path distance; node 0 is the global feature."""
    count = stripes + 1
    links = torch.zeros(count, count)
    for upper in range(1, stripes):
        links[upper, upper + 1] = links[upper + 1, upper] = 1
    middle = 1 + (stripes - 1) // 2
    for node in {middle, 1 + stripes // 2}:
        links[0, node] = links[node, 0] = 1
    reached = torch.eye(count)
    rings = [reached]
    for _ in range(scales):
        wider = ((reached + reached @ links) > 0).float()
        rings.append(wider - reached)
        reached = wider
    exact = torch.stack(rings)
    degree = exact.sum(dim=2).clamp(min=1).rsqrt()
    return degree.unsqueeze(2) * exact * degree.unsqueeze(1)


INTERACTIONS: dict[str, type[nn.Module]] = {
    "concatenation": ConcatenationInteraction,
    "non_local": NonLocalInteraction,
    "attention_fusion": AttentionFusionInteraction,
    "iban": GatedAggregationInteraction,
    "scrl": SimilarityInteraction,
    "ms_g3d": MultiScaleGraphInteraction,
}


def build_step(step: type[nn.Module], channels: int, stripes: int) -> nn.Module:
    """Build a step for one granularity; some classes need the number of stripes, the others accept any number."""
    if step in (ConcatenationInteraction, MultiScaleGraphInteraction):
        return step(channels, stripes)
    return step(channels)
