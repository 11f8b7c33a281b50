"""DinoGRL as in Figure 2: an appearance and a gait stream, with PBMGE between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import CheckpointError, ConfigError
from opengait.modeling.modules import SeparateBNNecks
from opengait_ext.models.dinogrl.appearance import AppearanceEncoder
from opengait_ext.models.dinogrl.enhancement import BidirectionalEnhancement
from opengait_ext.models.dinogrl.gait import GaitExtractor
from opengait_ext.models.dinogrl.given_masks import GivenMasks, silhouette_source
from opengait_ext.models.dinogrl.release.enhancement import ReleaseEnhancement
from opengait_ext.models.dinogrl.silhouette import SilhouetteGenerator, Silhouettes
from opengait_ext.models.shared.build import build_part
from opengait_ext.models.shared.plain_network import Maps, PlainNetwork, without
from opengait_ext.models.shared.pooling import StripeProjection
from opengait_ext.models.shared.vision_model import FrozenVisionModel
from opengait_ext.weights.read import find_weights


@dataclass(frozen=True)
class StreamOutput:
    """One stream's features of n tracklets.

    Attributes:
        parts: f of the stream, (n, C, parts): the global feature, then the stripes of each granularity.
        supervised: the N_s features of Eq. 17, (n, C, N_s): the global feature and its enhanced versions.
        logits: their identity scores, (n, classes, N_s); None outside training or without classes.
        descriptor: the stream's part of the descriptor, (n, C, p).
    """

    parts: Tensor
    supervised: Tensor
    logits: Tensor | None
    descriptor: Tensor


@dataclass(frozen=True)
class DinoGRLOutput:
    """The network's output for n tracklets of s frames.

    Attributes:
        descriptor: for retrieval, (n, C, p), the gait stream's features before those of the appearance stream.
        appearance: the appearance stream.
        gait: the gait stream; None in a network without SASGL.
        silhouettes: SASG's maps of the n * s frames, tracklet by tracklet; None without SASGL.
    """

    descriptor: Tensor
    appearance: StreamOutput
    gait: StreamOutput | None
    silhouettes: Silhouettes | None


class DinoGRLNet(PlainNetwork):
    """The network of the paper (Section 3), for notebooks and for the engine.

    `DinoGRLNet.from_config(model_cfg)` builds it from the `model_cfg` of a configuration file.

    Args:
        appearance: E_app.
        vision_model, silhouette_generator, gait: the three parts of SASGL; all None for the appearance baseline.
            `GivenMasks` needs no vision model.
        dimension: C.
        granularities: n_s of PBMGE; stripes are left out if nothing uses them.
        enhancement: PBMGE, which needs both streams: true for the paper's, false for none, or a table with a `type` and
            its arguments (see `build_enhancement`).
        lge: form of the paper's enhancement step (see `LocalToGlobalEnhancement`); other types do not read it.
        num_classes: number of identities; None for a network without classifiers.
        joint_learning: whether the gait stream's losses train SASG's encoders (Eq. 10); false is Table 6's first row.
        supervised: "globals" supervises the N_s features of Eq. 17, "parts" also all stripes, as the authors' release
            does.
        descriptor: "supervised" is made of the supervised features, "parts" of all stripes and enhanced features.
        normalise: whether the descriptor's features have unit length, as in the triplet loss.
        cosine: whether identity scores are cosines, as in the authors' release and in gait models, rather than linear.
    """

    weight_files = (("appearance", "weights"), ("gait", "weights"), ("silhouette", "mask_weights"))
    frozen = ("vision_model.",)
    classifiers = ("appearance_heads.", "gait_heads.")
    silhouette_parts = ("vision_model", "silhouette_generator")

    def __init__(
        self,
        appearance: AppearanceEncoder,
        vision_model: FrozenVisionModel | None = None,
        silhouette_generator: SilhouetteGenerator | GivenMasks | None = None,
        gait: GaitExtractor | None = None,
        dimension: int = 256,
        granularities: Sequence[int] = (2, 4, 8, 16),
        enhancement: bool | Mapping[str, Any] = True,
        lge: Mapping[str, Any] | None = None,
        num_classes: int | None = None,
        joint_learning: bool = True,
        supervised: Literal["globals", "parts"] = "globals",
        descriptor: Literal["supervised", "parts"] = "supervised",
        normalise: bool = True,
        cosine: bool = False,
    ) -> None:
        super().__init__()
        for key, value, known in (
            ("supervised", supervised, ("globals", "parts")),
            ("descriptor", descriptor, ("supervised", "parts")),
        ):
            if value not in known:
                raise ConfigError(f"model_cfg.{key} is {value!r}; expected {known[0]!r} or {known[1]!r}.")
        if enhancement is not False and gait is None:
            raise ConfigError("model_cfg.enhancement needs both streams; set it to false for a network without gait.")
        if enhancement is False and "parts" not in (supervised, descriptor):
            granularities = ()  # the stripes would not be used
        self.joint_learning = joint_learning
        self.supervised = supervised
        self.descriptor = descriptor
        self.normalise = normalise
        self.appearance = appearance
        self.appearance_parts = StripeProjection(appearance.out_channels, dimension, granularities)
        self.vision_model = vision_model
        self.silhouette_generator = silhouette_generator
        self.gait = gait
        if gait is not None:
            self.gait_parts = StripeProjection(gait.out_channels, dimension, granularities)
        self.enhancement = build_enhancement(enhancement, dimension, granularities, lge)
        count = 1 if supervised == "globals" else sum((1, *granularities))
        count += len(granularities) if self.enhancement is not None else 0
        self.appearance_heads = self.gait_heads = None
        if num_classes is not None:
            self.appearance_heads = SeparateBNNecks(count, dimension, num_classes, norm=cosine)
            if gait is not None:
                self.gait_heads = SeparateBNNecks(count, dimension, num_classes, norm=cosine)

    @classmethod
    def from_config(cls, model_cfg: Mapping[str, Any]) -> "DinoGRLNet":
        """Build the network that a configuration file's `model_cfg` describes.

        Raises:
            ConfigError: a key is unknown, or a value is invalid.
            CheckpointError: a weight file is missing or belongs to another network.
        """
        sections = ("appearance", "vision_model", "silhouette", "gait")
        options = {key: value for key, value in model_cfg.items() if key not in ("model", *sections)}
        appearance = build_part(AppearanceEncoder, "appearance", model_cfg.get("appearance"))
        if model_cfg.get("gait") is None:
            return build_part(cls, "", options, appearance=appearance)
        source, settings = silhouette_source(model_cfg)
        if source == "masks":
            vision_model, generator = None, build_part(GivenMasks, "silhouette", settings)
        else:
            vision_model = build_part(
                FrozenVisionModel, "vision_model", model_cfg.get("vision_model"), original=None, frames_at_once=None
            )
            tokens = {"token_channels": vision_model.channels, "layers": len(vision_model.layers)}
            generator = build_part(SilhouetteGenerator, "silhouette", settings, **tokens)
        gait = build_part(GaitExtractor, "gait", model_cfg["gait"], in_channels=generator.channels)
        streams = {"vision_model": vision_model, "silhouette_generator": generator, "gait": gait}
        return build_part(cls, "", options, appearance=appearance, **streams)

    def forward(self, frames: Tensor, modality: Tensor, masks: Tensor | None = None) -> DinoGRLOutput:
        """Describe n tracklets.

        Args:
            frames: float (n, s, 3, height, width), ImageNet-normalised.
            modality: long (n), 0 visible, 1 infrared.
            masks: float (n, s, maps, height, width), 0 to 1, for a network with `GivenMasks`; otherwise None.
        """
        appearance = self.appearance_parts(self.appearance(frames, modality))
        if self.gait is None:
            stream = self.supervise(appearance, None, self.appearance_heads)
            return DinoGRLOutput(stream.descriptor, stream, None, None)
        silhouettes = self.silhouettes(frames, masks)
        gait = self.gait_parts(self.gait(silhouettes.enriched.unflatten(0, frames.shape[:2])))
        enhanced = self.enhancement(appearance, gait) if self.enhancement is not None else (None, None)
        appearance_stream = self.supervise(appearance, enhanced[0], self.appearance_heads)
        gait_stream = self.supervise(gait, enhanced[1], self.gait_heads)
        descriptor = torch.cat([gait_stream.descriptor, appearance_stream.descriptor], dim=-1)
        return DinoGRLOutput(descriptor, appearance_stream, gait_stream, silhouettes)

    def silhouettes(self, frames: Tensor, masks: Tensor | None = None) -> Silhouettes:
        """Return the maps of n * s frames, by SASG on `frames` (n, s, 3, height, width) or by `GivenMasks` on `masks`.

        Raises:
            ConfigError: masks are missing or not expected, or the network has no gait stream.
        """
        if isinstance(self.silhouette_generator, GivenMasks):
            if masks is None:
                raise ConfigError(
                    "This network reads given masks but got none; name their folder with data_cfg.mask_root and add "
                    "MaskTransform after the frames' transform."
                )
            return self.silhouette_generator(masks.flatten(0, 1))
        if masks is not None:
            raise ConfigError(
                "This network generates its own masks; remove data_cfg.mask_root, or set "
                "model_cfg.silhouette.type to masks."
            )
        if self.vision_model is None or self.silhouette_generator is None:
            raise ConfigError("This network has no gait stream, so it makes no silhouettes.")
        features = self.vision_model(frames.flatten(0, 1))
        return self.silhouette_generator(features, tracklet=frames.shape[1], joint=self.joint_learning)

    @classmethod
    def check_silhouettes(cls, model_cfg: Mapping[str, Any]) -> None:
        """Refuse networks without a gait stream, and those that read given masks."""
        if model_cfg.get("gait") is None:
            raise ConfigError(
                f"The model {model_cfg.get('model')} of this configuration has no gait stream (model_cfg.gait), so it "
                f"makes no silhouettes; choose a configuration with one."
            )
        if silhouette_source(model_cfg)[0] == "masks":
            raise ConfigError(
                "The network of this configuration reads given masks and generates none of its own; "
                "vvi given-silhouettes writes given masks as OpenGait folders."
            )

    def frame_silhouettes(self, frames: Tensor) -> Maps:
        """Return S of Eq. 4 and M of Eq. 6."""
        maps = self.silhouettes(frames.unsqueeze(0))
        return Maps(maps.mask, maps.enriched)

    def supervise(self, parts: Tensor, enhanced: Tensor | None, heads: SeparateBNNecks | None) -> StreamOutput:
        """Return the supervised features of a stream and, in training, their identity scores (Eq. 17)."""
        stream = parts[..., :1] if self.supervised == "globals" else parts
        features = stream if enhanced is None else torch.cat([stream, enhanced], dim=-1)
        logits = heads(features)[1] if heads is not None and self.training else None
        described = features
        if self.descriptor == "parts" and self.supervised == "globals":
            described = torch.cat([parts, features[..., 1:]], dim=-1)
        return StreamOutput(parts, features, logits, F.normalize(described, dim=1) if self.normalise else described)

    @classmethod
    def without_replaced_weights(
        cls, model_cfg: Mapping[str, Any], entries: Callable[[], Mapping[str, Tensor]]
    ) -> dict[str, Any]:
        """Return a copy of `model_cfg` without the weight files whose values a checkpoint replaces.

        Those of trained parts are always removed, the vision model's only if the file is missing and the checkpoint has
        its weights.
        """
        kept = without(model_cfg, cls.weight_files)
        vision_model = kept.get("vision_model")
        if isinstance(vision_model, dict) and vision_model.get("weights") is not None:
            try:
                find_weights(vision_model["weights"], "the vision model")
            except CheckpointError:
                # If the checkpoint lacks the weights too, building the network reports where to get the file.
                if any(name.startswith(cls.frozen) for name in entries()):
                    del vision_model["weights"]
        return kept

    @classmethod
    def without_weight_files(cls, model_cfg: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of `model_cfg` that names no weight file, for a network that is saved with all its weights."""
        return without(model_cfg, (*cls.weight_files, ("vision_model", "weights")))


def build_enhancement(
    settings: bool | Mapping[str, Any],
    dimension: int,
    granularities: Sequence[int],
    lge: Mapping[str, Any] | None = None,
) -> nn.Module | None:
    """Build the enhancement between the streams that `model_cfg.enhancement` describes.

    It maps both streams' parts (n, C, parts) to the enhanced global features of the appearance and of the gait stream,
    each (n, C, granularities).

    Args:
        settings: false for none, true for `{type: lge}`, or a table: `type` is "release" (`ReleaseEnhancement`) or a
            `step` of `BidirectionalEnhancement`; further keys are arguments of that class.
        dimension: C.
        granularities: n_s.
        lge: form of the step of type lge.

    Raises:
        ConfigError: the settings are invalid, or a type or an argument is unknown.
    """
    if settings is False:
        return None
    if not isinstance(settings, Mapping) and settings is not True:
        raise ConfigError(f"model_cfg.enhancement is {settings!r}; expected true, false or a table with a `type`.")
    arguments = {} if settings is True else dict(settings)
    kind = arguments.pop("type", "lge")
    if kind == "release":
        return build_part(ReleaseEnhancement, "enhancement", arguments, granularities=granularities)
    return build_part(
        BidirectionalEnhancement,
        "enhancement",
        arguments,
        channels=dimension,
        granularities=granularities,
        step=kind,
        lge=lge,
    )
