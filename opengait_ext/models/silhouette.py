"""SASG, the Semantic-Aware Silhouette Generator (Section 3.2, Eq. 4-8, Figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait_ext.models.foreground import centred_channel, covered_tokens
from opengait_ext.models.fusion import PriorFusion
from opengait_ext.models.token_encoder import TokenEncoder
from opengait_ext.models.vision_model import VisionFeatures


@dataclass(frozen=True)
class Silhouettes:
    """What SASG makes of f frames, on its own grid of h x w and on the vision model's of h' x w' tokens.

    Attributes:
        mask: S of Eq. 4, foreground probability, (f, 1, h, w).
        enriched: M of Eq. 6, (f, channels, h, w).
        decoded: D_m(S) of Eq. 5, (f, h'*w', c).
        target: f_{m,4}, what `decoded` must stay close to, (f, h'*w', c).
        gait_prior: E_g(f_{m,c}), zero where the mask covers no token, (f, priors, h', w'); None without E_g.
        appearance_prior: E_a(f_{m,c}), likewise.
    """

    mask: Tensor
    enriched: Tensor
    decoded: Tensor
    target: Tensor
    gait_prior: Tensor | None
    appearance_prior: Tensor | None


class SilhouetteGenerator(nn.Module):
    """Mask, priors and their fusion, from the features of a frozen vision model.

    E_m, E_g and E_a read tokens on the vision model's own grid, as the paper's HW x C says, and only their few output
    channels are enlarged; BigGait and the authors' release enlarge the tokens first, which projects four times as many.

    Args:
        token_channels: c, of one layer of the vision model.
        layers: number of concatenated layers.
        size: (h, w) of the silhouettes.
        priors: channels of E_g and E_a.
        channels: of the enriched silhouette M.
        hidden: width inside E_g; half of its input in BigGait.
        gait_prior, appearance_prior: whether E_g and E_a take part (Table 5).
        mask_dropout: see `TokenEncoder.dropout`, for E_m.

    Raises:
        ConfigError: neither prior is left.
    """

    def __init__(
        self,
        token_channels: int,
        layers: int = 4,
        size: Sequence[int] = (64, 32),
        priors: int = 16,
        channels: int = 64,
        hidden: int | None = None,
        gait_prior: bool = True,
        appearance_prior: bool = True,
        mask_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not (gait_prior or appearance_prior):
            raise ConfigError("silhouette needs gait_prior or appearance_prior: without both nothing is left to fuse.")
        stacked = layers * token_channels
        self.size = tuple(size)
        self.channels = channels
        self.mask_encoder = TokenEncoder(token_channels, 2, dropout=mask_dropout, decoder=True)
        # The tokens are centred, so without a bias neither channel starts with more of them than the other.
        nn.init.zeros_(self.mask_encoder.down_sampling.bias)
        self.gait_encoder = TokenEncoder(stacked, priors, hidden=hidden or stacked // 2) if gait_prior else None
        self.appearance_encoder = TokenEncoder(stacked, priors, out_norm=True) if appearance_prior else None
        self.fusion = PriorFusion(priors, channels, gait_prior, appearance_prior)

    def forward(self, features: VisionFeatures) -> Silhouettes:
        logits = encode_tokens(self.mask_encoder, features.last, features.grid)
        mask = centred_channel(self.enlarge(logits).softmax(dim=1))
        selected = covered_tokens(centred_channel(logits.softmax(dim=1)))
        gait_prior, appearance_prior = self.encode_priors(features, selected)
        fused = self.fusion(self.enlarge(gait_prior), self.enlarge(appearance_prior))
        codes = logits.softmax(dim=1).flatten(2).transpose(1, 2)
        return Silhouettes(
            mask=mask,
            enriched=mask * fused,
            decoded=self.mask_encoder.decode(codes),
            target=features.last,
            gait_prior=gait_prior,
            appearance_prior=appearance_prior,
        )

    def encode_priors(self, features: VisionFeatures, selected: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """E_g (softmax over its channels) and E_a (sigmoid) on the selected tokens, zero elsewhere."""
        chosen = selected.flatten()
        tokens = features.layers.flatten(0, 1)[chosen]
        gait = appearance = None
        if self.gait_encoder is not None:
            gait = scatter_tokens(self.gait_encoder(tokens).softmax(dim=1), chosen, selected.shape)
        if self.appearance_encoder is not None:
            appearance = scatter_tokens(self.appearance_encoder(tokens).sigmoid(), chosen, selected.shape)
        return gait, appearance

    def enlarge(self, maps: Tensor | None) -> Tensor | None:
        """Bilinear resize to the silhouettes' size."""
        if maps is None or maps.shape[-2:] == self.size:
            return maps
        return F.interpolate(maps, size=self.size, mode="bilinear", align_corners=False)


def encode_tokens(encoder: TokenEncoder, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Apply an encoder to every token: (f, h*w, c) -> (f, out_channels, h, w)."""
    return encoder(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2]).transpose(1, 2).unflatten(2, grid)


def scatter_tokens(values: Tensor, chosen: Tensor, shape: torch.Size) -> Tensor:
    """Put the values (k, c) of the chosen tokens (f*h*w, bool) back into maps (f, c, h, w) that are zero elsewhere."""
    frames, _, height, width = shape
    canvas = values.new_zeros(len(chosen), values.shape[1])
    canvas[chosen] = values
    return canvas.view(frames, height * width, -1).transpose(1, 2).unflatten(2, (height, width))
