"""BigGait (Ye et al., CVPR 2024) as a plain network: gait from the features of a frozen vision model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait import distributed
from opengait.engine.sync_batchnorm import enough_rows
from opengait.errors import ConfigError, DataError
from opengait.modeling import modules
from opengait_ext.models.biggait.parts import FRAME_SIZE, Crop, NamedFusion, check_ratios, person_pixels, restore_ratio
from opengait_ext.models.shared.branch import Branch
from opengait_ext.models.shared.build import build_part
from opengait_ext.models.shared.connectivity import mask_connectivity_loss, prior_connectivity_loss
from opengait_ext.models.shared.diversity import diversity_loss
from opengait_ext.models.shared.foreground import border_channel, silhouette_band
from opengait_ext.models.shared.gaitbase import GaitBase, gait_backbone
from opengait_ext.models.shared.plain_network import Maps, PlainNetwork
from opengait_ext.models.shared.tokens import black_out, enlarge_all, enlarged_tokens, keep_tokens, scatter_tokens
from opengait_ext.models.shared.vision_model import FrozenVisionModel, OriginalState

# Weights of the four losses without labels, fixed in upstream's code.
LOSS_WEIGHTS = {"shape_connect": 0.02, "shape_mse": 1.0, "part_connect": 0.01, "part_diversity": 5.0}
BRANCHES = ("Denoising_Branch", "Appearance_Branch", "Mask_Branch")
# A frame takes about 12 MB in the vision model, three times the size of its features.
FRAMES_AT_ONCE = 256
# Keys of `model_cfg` that only the engine model reads.
ENGINE_KEYS = ("pretrained_mask_branch", "mask_branch_iteration")


@dataclass(frozen=True)
class BigGaitMaps:
    """BigGait's maps of f frames, on its grid of h x w pixels.

    Attributes:
        body: probability of the foreground, zero in padding, (f, 1, h, w).
        foreground: one inside, the probability in a band along the contour, zero outside, (f, 1, h, w).
        denoising, appearance: the two maps, zero outside the foreground, (f, c, h, w).
        losses: the unweighted losses of `LOSS_WEIGHTS`; empty outside training.
    """

    body: Tensor
    foreground: Tensor
    denoising: Tensor
    appearance: Tensor
    losses: dict[str, Tensor]


@dataclass(frozen=True)
class BigGaitOutput:
    """BigGait's output for n tracklets: embeddings (n, c, p), logits (n, classes, p), and the maps of all frames."""

    embeddings: Tensor
    logits: Tensor
    maps: BigGaitMaps


class BigGaitNet(PlainNetwork):
    """The network of `BigGait__Dinov2_Gaitbase`, for notebooks and for the engine.

    `BigGaitNet.from_config(model_cfg)` builds it from the `model_cfg` of a configuration file. Entries of its state
    have upstream's names.

    Args:
        backbone: the frozen vision model.
        branches: the branches named in `BRANCHES`.
        gait_net: GaitBase on the two maps.
        size: (h, w) of the maps.
        crop: part of a frame wider than 1:2 that is kept; see `restore_ratio`.
    """

    classifiers = ("gait_net.BNNecks.",)
    silhouette_parts = ("backbone", *BRANCHES)

    def __init__(
        self,
        backbone: FrozenVisionModel,
        branches: Mapping[str, Branch],
        gait_net: GaitBase,
        size: tuple[int, int],
        crop: Crop = "centre",
    ) -> None:
        super().__init__()
        self.Denoising_Branch, self.Appearance_Branch, self.Mask_Branch = (branches[name] for name in BRANCHES)
        self.gait_net = gait_net
        self.backbone = backbone
        self.size = size
        self.crop = crop

    @classmethod
    def from_config(cls, model_cfg: Mapping[str, Any]) -> "BigGaitNet":
        """Build the network that a configuration file's `model_cfg` describes.

        Upstream's keys: `pretrained_dinov2` (null for random weights), `image_size`, `sils_size`, `Mask_Branch`,
        `Denoising_Branch`, `Appearance_Branch`, `AttentionFusion`, `backbone_cfg`, `SeparateFCs`, `SeparateBNNecks`,
        `bin_num`. In addition, `vision_model` sets `name`, `layers`, `arguments` and `precision` of a
        `FrozenVisionModel` other than DINOv2's ViT-S/14 in float32, and `crop` is centre or left (`restore_ratio`).

        Raises:
            ConfigError: a key is unknown or missing, or a value is invalid.
            CheckpointError: a weight file is missing or belongs to another network.
        """
        settings = {key: value for key, value in model_cfg.items() if key not in ("model", *ENGINE_KEYS)}
        return build_part(build_network, "", settings)

    @classmethod
    def without_replaced_weights(
        cls, model_cfg: Mapping[str, Any], entries: Callable[[], Mapping[str, Tensor]]
    ) -> dict[str, Any]:
        """Return a copy of `model_cfg` without the vision model's weight file, if a checkpoint has the weights."""
        replaced = any(name.startswith("backbone.") for name in entries())
        return {key: value for key, value in model_cfg.items() if not (replaced and key == "pretrained_dinov2")}

    @classmethod
    def without_weight_files(cls, model_cfg: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of `model_cfg` that names no weight file, for a network that is saved with all its weights."""
        return dict(model_cfg) | {"pretrained_dinov2": None, "pretrained_mask_branch": None}

    def forward(
        self,
        frames: Tensor,
        ratios: Tensor | None = None,
        lengths: Tensor | None = None,
        learn_mask: bool = False,
    ) -> BigGaitOutput:
        """Describe n tracklets.

        Args:
            frames: float (n, s, 3, height, width), ImageNet-normalised.
            ratios: width over height of each frame's picture before it was padded or squeezed to this shape, (n, s);
                None for 0.5.
            lengths: None, or [1, k] lengths of k tracklets that are packed into one, (1, s, 3, height, width).
            learn_mask: whether the mask branch is trained; otherwise it is frozen and in evaluation mode.
        """
        counts = frames.shape[0], frames.shape[1]
        maps = self.silhouettes(frames, ratios, learn_mask)
        denoising, appearance = maps.denoising, maps.appearance
        if self.training:
            packed = None if lengths is None else torch.as_tensor(lengths[0]).tolist()
            denoising, appearance = black_out(denoising, appearance, packed or [counts[1]] * counts[0])
        gait_maps = self.gait_net.maps(denoising, appearance).unflatten(0, counts)
        embeddings, logits = self.gait_net.describe(gait_maps, lengths)
        return BigGaitOutput(embeddings, logits, maps)

    def describe(self, frames: Tensor, modality: Tensor) -> Tensor:
        """Return the embeddings alone, of pictures of ratio 0.5; the modality is ignored."""
        del modality
        return self(frames).embeddings

    def silhouettes(self, frames: Tensor, ratios: Tensor | None = None, learn_mask: bool = False) -> BigGaitMaps:
        """Return the maps of all n * s `frames` (n, s, 3, height, width), tracklet by tracklet; see `forward`.

        Raises:
            DataError: there is not one ratio per frame, or a ratio is not a positive number.
        """
        if ratios is None and torch.compiler.is_compiling() and not self.training:
            return self.dense_silhouettes(frames.flatten(0, 1))
        ratios = check_ratios(ratios, frames).flatten()
        frames = frames.flatten(0, 1)
        if frames.shape[-2] != 2 * frames.shape[-1]:
            frames = restore_ratio(frames, ratios, crop=self.crop)
        features = self.backbone(frames)
        valid = person_pixels(ratios, self.size)

        # Reading the counts is the first wait for the device, and also tells whether all ratios are valid.
        counts = valid.flatten(1).sum(dim=1).tolist()
        if 0 in counts:
            ratio = ratios[counts.index(0)].item()
            raise DataError(f"A frame's ratio (width over height) is {ratio}; expected a positive number.")
        tokens = enlarged_tokens(features.last, features.grid, self.size, valid, counts)
        body, losses = self.find_body(tokens, valid, learn_mask)
        del tokens
        foreground = silhouette_band(body)
        chosen = foreground[:, 0] != 0
        if self.training:
            # Batch norms need two rows, so all valid pixels are used if the batch has no foreground.
            chosen = torch.where(enough_rows(self.Denoising_Branch.bn_s, chosen.sum()), chosen, valid)
        tokens = enlarged_tokens(features.layers, features.grid, self.size, chosen)
        flat, shape = chosen.flatten(), body.shape
        denoising = scatter_tokens(self.Denoising_Branch(tokens), flat, shape)
        appearance = scatter_tokens(self.Appearance_Branch(tokens), flat, shape)
        if self.training:
            losses["part_connect"] = prior_connectivity_loss(denoising)
            losses["part_diversity"] = diversity_loss(denoising, eps=1e-6, count_empty=True)
        return BigGaitMaps(body, foreground, denoising, appearance, losses)

    def dense_silhouettes(self, frames: Tensor) -> BigGaitMaps:
        """Return the maps of `frames` (k, 3, height, width) of ratio 0.5, outside training.

        The branches read all pixels and then drop those that are not chosen: the numbers of `silhouettes`, but no shape
        depends on them, so the network can be exported.
        """
        if frames.shape[-2] != 2 * frames.shape[-1]:
            frames = F.interpolate(frames, size=FRAME_SIZE, mode="bilinear", align_corners=False)
        features = self.backbone(frames)
        codes = self.Mask_Branch(enlarge_all(features.last, features.grid, self.size).flatten(0, 1))
        body = border_channel(codes.unflatten(0, (frames.shape[0], -1)).transpose(1, 2).unflatten(2, self.size))
        foreground = silhouette_band(body)
        chosen = (foreground != 0).flatten()
        tokens = enlarge_all(features.layers, features.grid, self.size).flatten(0, 1)
        denoising = keep_tokens(self.Denoising_Branch(tokens), chosen, body.shape)
        appearance = keep_tokens(self.Appearance_Branch(tokens), chosen, body.shape)
        return BigGaitMaps(body, foreground, denoising, appearance, {})

    def frame_silhouettes(self, frames: Tensor) -> Maps:
        """Return the foreground and the two maps, one after the other, of frames that show pictures of ratio 0.5."""
        maps = self.silhouettes(frames.unsqueeze(0))
        return Maps(maps.foreground, torch.cat([maps.denoising, maps.appearance], dim=1))

    def find_body(self, tokens: Tensor, valid: Tensor, learn: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the foreground's probability (f, 1, h, w) from the k valid tokens (k, c), and the mask's losses.

        Args:
            tokens: of the pixels in `valid`, bool (f, h, w).
            learn: whether the mask branch is trained.
        """
        branch = self.Mask_Branch
        losses: dict[str, Tensor] = {}
        learn = learn and self.training
        branch.train(learn)
        with torch.set_grad_enabled(learn and torch.is_grad_enabled()):
            probabilities = branch(tokens)
            frames, height, width = valid.shape
            maps = scatter_tokens(probabilities, valid.flatten(), torch.Size((frames, 1, height, width)))
            if self.training:
                losses["shape_connect"] = mask_connectivity_loss(maps)
                losses["shape_mse"] = decoding_error(branch, probabilities, tokens)
        return border_channel(maps.detach()), losses


def decoding_error(branch: Branch, codes: Tensor, tokens: Tensor, rows: int = 65536) -> Tensor:
    """Return the mean squared error of the decoded codes (k, 2) against the tokens (k, c), in chunks of `rows`."""
    total = tokens.new_zeros(())
    for part, target in zip(codes.split(rows), tokens.split(rows), strict=True):
        total = total + F.mse_loss(branch.decode(part).float(), target, reduction="sum")
    # Ranks differ in the number of pixels that are not padding.
    return total / distributed.mean_over_ranks(total.new_full((), tokens.numel()))


def build_network(
    Mask_Branch: Mapping[str, Any],  # noqa: N803 (upstream's names)
    Denoising_Branch: Mapping[str, Any],  # noqa: N803
    Appearance_Branch: Mapping[str, Any],  # noqa: N803
    AttentionFusion: Mapping[str, Any],  # noqa: N803
    backbone_cfg: Mapping[str, Any],
    SeparateFCs: Mapping[str, Any],  # noqa: N803
    SeparateBNNecks: Mapping[str, Any],  # noqa: N803
    bin_num: list[int],
    pretrained_dinov2: str | None = None,
    image_size: int = 224,
    sils_size: int = 32,
    vision_model: Mapping[str, Any] | None = None,
    crop: Crop = "centre",
) -> BigGaitNet:
    """Build BigGait from the values of upstream's keys; see `BigGaitNet.from_config`."""
    backbone = build_part(
        FrozenVisionModel,
        "vision_model",
        vision_model,
        weights=pretrained_dinov2,
        image_size=(2 * image_size, image_size),
        original=OriginalState(),
        frames_at_once=FRAMES_AT_ONCE,
    )
    sections = {
        "Denoising_Branch": Denoising_Branch,
        "Appearance_Branch": Appearance_Branch,
        "Mask_Branch": Mask_Branch,
    }
    branches = {name: build_part(Branch, name, section) for name, section in sections.items()}
    stacked = len(backbone.layers) * backbone.channels
    channels = Denoising_Branch["target_dim"]
    layers = "the vision model's layers together"
    for key, value, expected, reason in (
        ("Denoising_Branch.source_dim", Denoising_Branch["source_dim"], stacked, layers),
        ("Appearance_Branch.source_dim", Appearance_Branch["source_dim"], stacked, layers),
        ("Mask_Branch.source_dim", Mask_Branch["source_dim"], backbone.channels, "the vision model"),
        ("Mask_Branch.target_dim", Mask_Branch["target_dim"], 2, "a foreground and a background"),
        ("Mask_Branch.Up", Mask_Branch.get("Up", False), True, "shape_mse, which decodes the mask"),
        ("Appearance_Branch.target_dim", Appearance_Branch["target_dim"], channels, "Denoising_Branch.target_dim"),
    ):
        if value != expected:
            raise ConfigError(f"model_cfg.{key} is {value!r}, but must be {expected!r} for {reason}.")
    fusion = build_part(NamedFusion, "AttentionFusion", AttentionFusion)
    heads = (
        build_part(modules.SeparateFCs, "SeparateFCs", SeparateFCs),
        build_part(modules.SeparateBNNecks, "SeparateBNNecks", SeparateBNNecks),
    )
    stems = {name: gait_backbone(backbone_cfg, channels) for name in ("pre_part", "pre_rgb")}
    gait_net = GaitBase(stems, *heads, bin_num, fusion)
    return BigGaitNet(backbone, branches, gait_net, (2 * sils_size, sils_size), crop)
