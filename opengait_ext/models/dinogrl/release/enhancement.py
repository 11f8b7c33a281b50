"""PBMGE of the authors' release, without its C x C matrices.

The release's step differs from Eq. 11-16 (`dinogrl/enhancement.py`): a feature of C channels is a signal
of one channel and length C, positive and negative affinities have separate read-outs, and one step serves all stripes
of all granularities. `ReleaseLGE.forward` and `direct_enhancement` compute it as the release does;
`ReleaseEnhancement` gets the same numbers from sorted stripes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from opengait.errors import ConfigError
from opengait_ext.models.dinogrl.release.piecewise_sums import SortedKeys, rectified_sums
from opengait_ext.models.dinogrl.release.repeated_norm import RepeatedNorms
from opengait_ext.models.shared.full_precision import full_precision
from opengait_ext.models.shared.pooling import granularity_slices

Line = tuple[Tensor, Tensor]


class ReleaseLGE(nn.Module):
    """One stream's step, with the names and shapes of the release's state dict.

    Args:
        embedding: channels that theta, phi and g lift the signals to; 256 in the release, whatever C is.
    """

    def __init__(self, embedding: int = 256) -> None:
        super().__init__()
        self.g = nn.Sequential(nn.Conv1d(1, embedding, 1))
        self.W1 = nn.Sequential(nn.Conv1d(embedding, 1, 1), nn.BatchNorm1d(1))
        self.W2 = nn.Sequential(nn.Conv1d(embedding, 1, 1), nn.BatchNorm1d(1))
        self.theta = nn.Conv1d(1, embedding, 1)
        self.phi = nn.Conv1d(1, embedding, 1)
        for head in (self.W1, self.W2):
            nn.init.zeros_(head.get_parameter("1.weight"))
            nn.init.zeros_(head.get_parameter("1.bias"))

    def forward(self, query: Tensor, stripe: Tensor) -> Tensor:
        """Compute the step as the release does, (n, C) twice -> (n, C); the fast form is tested against it.

        q + W1(sum_j relu(f_ij) g(k)_j) - W2(sum_j relu(-f_ij) g(k)_j), f_ij = theta(q)_i . phi(k)_j / C.
        """
        query, stripe = query.unsqueeze(1), stripe.unsqueeze(1)
        affinity = self.theta(query).transpose(1, 2) @ self.phi(stripe) / query.shape[-1]
        values = self.g(stripe).transpose(1, 2)
        shared = self.W1((affinity.relu() @ values).transpose(1, 2))
        specific = self.W2(((-affinity).relu() @ values).transpose(1, 2))
        return (query + shared - specific).squeeze(1)

    def norm(self, head: str) -> _BatchNorm:
        """Return the batch norm of the read-out "W1" or "W2"."""
        norm = self.get_submodule(f"{head}.1")
        assert isinstance(norm, _BatchNorm)
        return norm


class ReleaseEnhancement(nn.Module):
    """Both directions and all granularities of the release's PBMGE, exactly, in O(C log C) per step.

    theta, phi and g are affine in scalars, so f_ij = u_i k_j + v_i with u, v affine in q_i, and a read-out is
    A sum_j relu(f_ij) k_j + B sum_j relu(f_ij) + w: see `rectified_sums`. So a step maps every channel of the query by
    the same scalar function, which depends on the stripe but not on the order of its channels.

    The chains of both streams and of all granularities start from the original global features and read original
    stripes. They are independent except for the running statistics of the shared batch norms, so they advance side
    by side, and `RepeatedNorms` orders the statistics afterwards. Everything is computed in float64, whatever the
    input's type: it costs little, and a half-precision affinity would move the roots.

    Args:
        granularities: n_s.
        embedding: inner channels of the steps; any number gives the same cost.
    """

    def __init__(self, granularities: Sequence[int] = (2, 4, 8, 16), embedding: int = 256) -> None:
        super().__init__()
        self.enhance_shape_net_3 = ReleaseLGE(embedding)
        self.enhance_app_net_3 = ReleaseLGE(embedding)
        self.granularities = tuple(granularities)
        self.parts = 1 + sum(granularities)
        # Chains sorted by length, longest first, so that those still running come first.
        self.chains = sorted(range(len(granularities)), key=lambda chain: -granularities[chain])
        self.running = [sum(count > step for count in granularities) for step in range(max(granularities, default=0))]
        slices = granularity_slices(granularities)
        schedule = [(chain, step) for step, running in enumerate(self.running) for chain in self.chains[:running]]
        order = [slices[chain].start + step for chain, step in schedule]
        self.stripe_order: Tensor
        self.call_order: Tensor
        self.register_buffer("stripe_order", torch.tensor(order, dtype=torch.long), persistent=False)
        self.register_buffer("call_order", self.stripe_order.argsort(), persistent=False)

    def forward(self, appearance: Tensor, gait: Tensor) -> tuple[Tensor, Tensor]:
        """Compute f-bar of both streams.

        Args:
            appearance, gait: (n, C, parts), the global feature first, then the stripes of each granularity.

        Returns:
            The enhanced global features of the appearance and of the gait stream, each (n, C, granularities), in the
            types of `appearance` and `gait`.

        Raises:
            ConfigError: the number of parts does not fit the granularities, or differs between the streams.
        """
        if appearance.shape != gait.shape or appearance.shape[-1] != self.parts:
            raise ConfigError(
                f"PBMGE of granularities {self.granularities} reads {self.parts} parts of both streams, not "
                f"{tuple(appearance.shape)} of appearance and {tuple(gait.shape)} of gait."
            )
        with full_precision(appearance.device):
            # Stream 0 is gait, which reads the stripes of appearance; stream 1 the other way round.
            query = torch.stack([gait[..., 0].double(), appearance[..., 0].double()], dim=1)
            stripes = [part[..., self.stripe_order].transpose(1, 2) for part in (appearance, gait)]
            enhanced = self.advance(query, SortedKeys.of(torch.stack(stripes, dim=1)))
        ours = enhanced.transpose(-1, -2)
        return ours[:, 1].to(appearance.dtype), ours[:, 0].to(gait.dtype)

    def advance(self, query: Tensor, stripes: SortedKeys) -> Tensor:
        """Run all chains: queries (n, 2, C) and stripes (n, 2, calls, C) in `stripe_order` -> (n, 2, chains, C)."""
        nets = (self.enhance_shape_net_3, self.enhance_app_net_3)
        slope, offset, by_key, plain, constant = coefficients(nets, query.shape[-1])
        norms = RepeatedNorms([[net.norm(head) for net in nets] for head in ("W1", "W2")])
        query = query.unsqueeze(2).expand(-1, -1, len(self.chains), -1)
        finished: list[Tensor] = []
        for running, keys in zip(self.running, stripes.split(self.running), strict=True):
            if running < query.shape[2]:
                finished.insert(0, query[:, :, running:])
                query = query[:, :, :running]
            u, v = (torch.addcmul(start, rate, query) for rate, start in (slope, offset))
            sums = rectified_sums(u, v, keys)
            update = norms(torch.addcmul(torch.addcmul(constant, by_key, sums[0]), plain, sums[1]))
            query = query + update[0] - update[1]
        norms.track(self.call_order)
        enhanced = torch.cat([query, *finished], dim=2)
        return enhanced[:, :, sorted(range(len(self.chains)), key=self.chains.__getitem__)]


def coefficients(nets: Sequence[ReleaseLGE], channels: int) -> tuple[Line, Line, Tensor, Tensor, Tensor]:
    """Return the coefficients that the convolutions of a step amount to, for two nets side by side, float64.

    Returns:
        slope and offset: u = rate q + start, v = rate q + start as pairs (rate, start), (nets, 1, 1) each;
        by_key, plain and constant: A, B and w of the two read-outs, (read-outs, 1, nets, 1, 1) each.
    """
    lines, heads, constants = [], [], []
    for net in nets:
        theta, phi, g = (torch.stack(affine(layer)).double() for layer in (net.theta, net.phi, net.g[0]))
        lines.append(theta @ phi.T / channels)  # [[a, b], [c, d]] / C
        weights, biases = zip(affine(net.W1[0]), affine(net.W2[0]), strict=True)
        heads.append(torch.stack(weights).double() @ g.T)
        constants.append(torch.cat(biases).double())
    rate, start = torch.stack(lines, dim=-1).view(2, 2, 2, 1, 1)
    by_key, plain = torch.stack(heads, dim=-1).transpose(0, 1).reshape(2, 2, 1, 2, 1, 1)
    constant = torch.stack(constants, dim=-1).view(2, 1, 2, 1, 1)
    return (rate[0], start[0]), (rate[1], start[1]), by_key, plain, constant


def affine(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the weights of a pointwise convolution from or to one channel, flat, and its bias."""
    assert isinstance(layer, nn.Conv1d) and layer.bias is not None
    return layer.weight.flatten(), layer.bias


def direct_enhancement(module: ReleaseEnhancement, appearance: Tensor, gait: Tensor) -> tuple[Tensor, Tensor]:
    """Compute `module(appearance, gait)` as the release does, one C x C step after another."""
    enhanced_appearance, enhanced_gait = [], []
    for stripes in granularity_slices(module.granularities):
        query_gait, query_appearance = gait[..., 0], appearance[..., 0]
        for stripe in range(stripes.start, stripes.stop):
            query_gait = module.enhance_shape_net_3(query_gait, appearance[..., stripe])
            query_appearance = module.enhance_app_net_3(query_appearance, gait[..., stripe])
        enhanced_gait.append(query_gait)
        enhanced_appearance.append(query_appearance)
    return torch.stack(enhanced_appearance, dim=-1), torch.stack(enhanced_gait, dim=-1)
