"""SASG, the Semantic-Aware Silhouette Generator (Section 3.2, Eq. 4-8, Figure 3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.engine.sync_batchnorm import enough_rows
from opengait.errors import ConfigError
from opengait.utils.recompute import recomputed
from opengait_ext.models.shared.branch import Branch, read_mask_branch
from opengait_ext.models.shared.foreground import border_channel, centred_channel, covered_tokens, silhouette_band
from opengait_ext.models.shared.fusion import PriorFusion
from opengait_ext.models.shared.token_encoder import TokenEncoder
from opengait_ext.models.shared.tokens import (
    black_out,
    encode_tokens,
    enlarge_all,
    enlarged_tokens,
    keep_tokens,
    scatter_tokens,
)
from opengait_ext.models.shared.vision_model import VisionFeatures
from opengait_ext.weights.read import load_exactly

# Share of the rows that the border rule reads at the top and at the bottom: 5 of the release's 64.
BORDER = 5 / 64


@dataclass(frozen=True)
class Silhouettes:
    """SASG's maps of f frames, on the silhouettes' grid of h x w or the encoders' grid of h' x w' tokens.

    Attributes:
        mask: S of Eq. 4, foreground probability, (f, 1, h, w).
        enriched: M of Eq. 6, (f, channels, h, w).
        decoded: D_m(S) of Eq. 5, (f, h'*w', c).
        target: f_{m,4}, the target of `decoded`, (f, h'*w', c).
        gait_prior: E_g(f_{m,c}), zero at tokens outside the mask, (f, priors, h', w'); None without E_g.
        appearance_prior: E_a(f_{m,c}), likewise.
        probabilities: both channels of E_m's partition, (f, 2, h', w'), whose smoothness the release penalises; None
            if S is a factor of M.
    """

    mask: Tensor
    enriched: Tensor
    decoded: Tensor | None
    target: Tensor | None
    gait_prior: Tensor | None
    appearance_prior: Tensor | None
    probabilities: Tensor | None = None


class SilhouetteGenerator(nn.Module):
    """Generator of masks, priors and enriched silhouettes from the features of a frozen vision model.

    By default E_m, E_g and E_a read tokens on the vision model's grid, as the paper's HW x C implies, and only their
    few output channels are enlarged. The arguments from `enlarge_tokens` on set the choices of the authors' release.

    Args:
        token_channels: c, the channels of one layer of the vision model.
        layers: number of concatenated layers.
        size: (h, w) of the silhouettes.
        priors: channels of E_g and E_a.
        channels: channels of the enriched silhouette M.
        hidden: hidden width of E_g; half of its input by default, as in BigGait.
        gait_prior, appearance_prior: whether E_g and E_a are used (Table 5).
        mask_dropout: see `TokenEncoder.dropout`, for E_m.
        enlarge_tokens: enlarge the tokens to `size` before the encoders, four times the work with a ViT of patch 14.
        foreground: rule for the foreground's channel and the tokens that it covers: "centred" (`centred_channel`,
            `covered_tokens`) or "border" (`border_channel`, `silhouette_band`), as in BigGait.
        soft_mask: multiply by S as in Eq. 6, so that the ReID losses train E_m; otherwise S only selects tokens.
        mask_weights: file with BigGait's Mask_Branch to initialise E_m, or None.
        drop_prior: share of the tracklets that lose one prior in training; L_smo and L_div still see both.
        recompute: compute the activations of F_attn, the largest of SASG, again in the backward pass; see
            `ResNetStages`.

    Raises:
        ConfigError: neither prior is used, or a value is invalid.
        CheckpointError: the mask's weights are missing or of another size.
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
        enlarge_tokens: bool = False,
        foreground: Literal["centred", "border"] = "centred",
        soft_mask: bool = True,
        mask_weights: str | None = None,
        drop_prior: float = 0.0,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        if not (gait_prior or appearance_prior):
            raise ConfigError("silhouette needs gait_prior or appearance_prior: without both there is nothing to fuse.")
        if foreground not in ("centred", "border"):
            raise ConfigError(f"silhouette.foreground is {foreground!r}; expected 'centred' or 'border'.")
        if not 0 <= drop_prior <= 1 or (drop_prior and not (gait_prior and appearance_prior)):
            raise ConfigError(
                f"silhouette.drop_prior is {drop_prior}; expected a share from 0 to 1, and 0 with a single prior."
            )
        stacked = layers * token_channels
        height, width = size
        self.size = height, width
        self.channels = channels
        self.enlarge_tokens = enlarge_tokens
        self.foreground = foreground
        self.soft_mask = soft_mask
        self.drop_prior = drop_prior
        self.recompute = recompute
        self.mask_encoder = TokenEncoder(token_channels, 2, dropout=mask_dropout, decoder=True)
        # The tokens are centred, so with a zero bias both channels start with equal shares of them.
        nn.init.zeros_(self.mask_encoder.get_parameter("down_sampling.bias"))
        self.gait_encoder = TokenEncoder(stacked, priors, hidden=hidden or stacked // 2) if gait_prior else None
        self.appearance_encoder = TokenEncoder(stacked, priors, out_norm=True) if appearance_prior else None
        self.fusion = PriorFusion(priors, channels, gait_prior, appearance_prior)
        if mask_weights is not None:
            load_mask_encoder(self.mask_encoder, mask_weights)

    def forward(self, features: VisionFeatures, tracklet: int = 1, joint: bool = True) -> Silhouettes:
        """Return the maps of f frames.

        Args:
            features: features of the f frames, tracklet by tracklet.
            tracklet: number of frames per tracklet, for `drop_prior`.
            joint: whether the losses on M train E_m, E_g and E_a (Eq. 10). The fusion, part of the gait network in the
                authors' release, always learns.
        """
        grid, target = features.grid, features.last
        if self.enlarge_tokens:
            grid, target = self.size, enlarge_all(features.last, features.grid, self.size)
        logits = encode_tokens(self.mask_encoder, target, grid)
        probabilities = logits.softmax(dim=1)
        mask = self.choose(self.enlarge(logits).softmax(dim=1))
        gait_prior, appearance_prior = gait, appearance = self.encode_priors(features, self.select(probabilities))
        if self.training and self.drop_prior and gait is not None and appearance is not None:
            gait, appearance = black_out(gait, appearance, [tracklet] * (len(target) // tracklet), self.drop_prior)
        gait, appearance = (prior if prior is None else self.enlarge(prior) for prior in (gait, appearance))
        if not joint:
            mask = mask.detach()
            gait, appearance = (prior if prior is None else prior.detach() for prior in (gait, appearance))
        fused = recomputed(self.fusion, gait, appearance) if self.recompute else self.fusion(gait, appearance)
        return Silhouettes(
            mask=mask,
            enriched=mask * fused if self.soft_mask else fused,
            decoded=self.mask_encoder.decode(probabilities.flatten(2).transpose(1, 2)),
            target=target,
            gait_prior=gait_prior,
            appearance_prior=appearance_prior,
            probabilities=None if self.soft_mask else probabilities,
        )

    def choose(self, probabilities: Tensor) -> Tensor:
        """Return the foreground's probability (f, 1, h, w) from that of both channels (f, 2, h, w)."""
        if self.foreground == "centred":
            return centred_channel(probabilities)
        return border_channel(probabilities, rows=max(1, round(BORDER * probabilities.shape[-2])))

    def select(self, probabilities: Tensor) -> Tensor:
        """Return the tokens that E_g and E_a read, bool (f, 1, h', w'), from their partition (f, 2, h', w')."""
        mask = self.choose(probabilities)
        if self.foreground == "centred":
            return covered_tokens(mask)
        selected = silhouette_band(mask) != 0
        if self.training:
            # Frames without foreground have empty maps, but batch norm needs two tokens in the batch.
            selected = selected | ~enough_rows(self.mask_encoder.bn_s, selected.sum())
        return selected

    def encode_priors(self, features: VisionFeatures, selected: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Apply E_g (softmax over its channels) and E_a (sigmoid) to the selected tokens; the others are zero."""
        chosen = selected.flatten()
        dense = self.dense(selected.device)
        if self.enlarge_tokens and not dense:
            tokens = enlarged_tokens(features.layers, features.grid, self.size, selected[:, 0])
        else:
            layers = features.layers
            if self.enlarge_tokens:
                layers = enlarge_all(layers, features.grid, self.size)
            tokens = layers.flatten(0, 1) if dense else layers.flatten(0, 1)[chosen]

        def prior(encoder: TokenEncoder | None, activation: Callable[[Tensor], Tensor]) -> Tensor | None:
            if encoder is None:
                return None
            if dense:
                return keep_tokens(activation(encoder(tokens, chosen)), chosen, selected.shape)
            return scatter_tokens(activation(encoder(tokens)), chosen, selected.shape)

        return prior(self.gait_encoder, lambda codes: codes.softmax(dim=1)), prior(
            self.appearance_encoder, Tensor.sigmoid
        )

    def dense(self, device: torch.device) -> bool:
        """Return whether E_g and E_a read all tokens, and their norms the selected ones, instead of the latter alone.

        Both give the same numbers. To pick tokens, a GPU has to be waited for, and a graph cannot be exported; on a CPU
        it saves the work on the background, and so it does for enlarged tokens, which are four times as many.
        """
        return torch.compiler.is_compiling() or (device.type != "cpu" and not self.enlarge_tokens)

    def enlarge(self, maps: Tensor) -> Tensor:
        """Resize bilinearly to the silhouettes' size."""
        if maps.shape[-2:] == self.size:
            return maps
        return F.interpolate(maps, size=self.size, mode="bilinear", align_corners=False)


def load_mask_encoder(encoder: TokenEncoder, path: str) -> None:
    """Initialise E_m from BigGait's Mask_Branch, without its final norm, which neither BigGait nor SASG applies.

    Raises:
        CheckpointError: the file is missing, or the branch is for tokens of another width.
    """
    state = read_mask_branch(path, Branch(encoder.bn_s.num_features, 2, Up=True))
    state = {name: value for name, value in state.items() if not name.startswith("bn_t.")}
    load_exactly(encoder, state, path, "SASG's mask encoder")
