"""VLD's network: CLIP's image tower with a space-time hub, and in training the texts of all people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait_ext.models.shared.clip import build_clip, image_tokens
from opengait_ext.models.shared.neck import BNNeck
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.models.vld.hub import HubAttention, SpaceTimeHub
from opengait_ext.models.vld.text import PROMPT, PersonTexts, TextTower


@dataclass(frozen=True)
class VLDOutput:
    """The network's output for n tracklets; all vectors are means over the frames, and none is normalised.

    Attributes:
        early: a, the class tokens before the last block, (n, c).
        visual: v, the class tokens behind the last norm, (n, c).
        projected: p, v in the space of the texts, (n, d).
        hub: s, what the class tokens read from the hub, (n, c).
        logits: identity scores (n, classes) of `visual`, `projected` and `hub`, behind their necks, and of `text`, the
            products of p with the texts; None outside training or without classes.
        descriptor: for retrieval, v and s, (n, 2 c, 1).
    """

    early: Tensor
    visual: Tensor
    projected: Tensor
    hub: Tensor
    logits: Mapping[str, Tensor] | None
    descriptor: Tensor


class VLDNet(PlainNetwork):
    """VLD, for notebooks and for the engine; `VLDNet.from_config(model_cfg)` builds it.

    Args:
        clip: the `CLIP` that the towers are taken from.
        num_classes: number of identities; None for a network without classifiers and texts.
        frames: s, of a tracklet; the hub has s tokens in each frame.
        hub_blocks: last blocks that hub tokens pass; frames exchange them before each of these but the first.
        prompt: the texts, with a word X for each learned token.
        text_scale: None to compare p and the texts by their products, as in the release; a number for cosines times it,
            as in CLIP, whose own factor is 100.

    Raises:
        ConfigError: the image tower has fewer blocks, or the prompt is invalid.
    """

    parts = {"clip": build_clip}
    weight_files = (("clip", "weights"),)
    classifiers = ("necks.", "text_encoder.", "texts.")

    def __init__(
        self,
        clip: Any,
        num_classes: int | None = None,
        frames: Annotated[int, "positive int"] = 6,
        hub_blocks: Annotated[int, "positive int"] = 3,
        prompt: str = PROMPT,
        text_scale: float | None = None,
    ) -> None:
        super().__init__()
        self.image_encoder = clip.visual
        channels, dimension = self.image_encoder.proj.shape
        blocks = self.image_encoder.transformer.resblocks
        if hub_blocks > len(blocks):
            raise ConfigError(f"model_cfg.hub_blocks is {hub_blocks}, but the image tower has {len(blocks)} blocks.")
        self.hub_blocks = hub_blocks
        self.frames = frames
        self.text_scale = text_scale
        self.hub = SpaceTimeHub(frames, channels)
        self.hub_attention = HubAttention(channels, blocks[0].attn.num_heads)
        self.necks = self.text_encoder = self.texts = None
        if num_classes is not None:
            sizes = {"visual": channels, "projected": dimension, "hub": channels}
            self.necks = nn.ModuleDict({name: BNNeck(size, num_classes, bias=True) for name, size in sizes.items()})
            self.text_encoder = TextTower(clip, prompt)
            self.texts = PersonTexts(num_classes, self.text_encoder.learned, self.text_encoder.width)

    @property
    def tracklet_frames(self) -> int | None:
        """The number of hub tokens in a frame."""
        return self.frames

    def forward(self, frames: Tensor, modality: Tensor | None = None) -> VLDOutput:
        """Describe n tracklets.

        Args:
            frames: float (n, s, 3, height, width), ImageNet-normalised.
            modality: ignored; other networks need it.

        Raises:
            ConfigError: s or the frames' size is not the network's.
        """
        del modality
        if frames.shape[1] != self.frames:
            raise ConfigError(
                f"VLD's hub is for {self.frames} frames, got tracklets of {frames.shape[1]}; set model_cfg.frames and "
                f"sampler.frames_num_fixed alike."
            )
        before, last = self.encode(frames.flatten(0, 1))
        shape = (-1, self.frames)
        early = before[:, 0].unflatten(0, shape).mean(1)
        classes = last[:, 0].unflatten(0, shape)
        visual = self.image_encoder.ln_post(classes).mean(1)
        hub = self.image_encoder.ln_post(self.hub_attention(classes, self.hub.gathered(last))).mean(1)
        projected = visual @ self.image_encoder.proj
        descriptor = torch.cat([visual, hub], dim=1)
        logits = self.scores(visual, projected, hub) if self.training else None
        return VLDOutput(early, visual, projected, hub, logits, descriptor.unsqueeze(2))

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens of frames (n * s, 3, height, width) before and after the last block.

        Of both, (n * s, 1 + patches + s, c), the first is the class token, and the last s are the frame's hub tokens.
        """
        blocks = self.image_encoder.transformer.resblocks
        first = len(blocks) - self.hub_blocks
        before = tokens = image_tokens(self.image_encoder, images)
        for number, block in enumerate(blocks):
            if number == first:
                tokens = self.hub.enter(tokens)
            elif number > first:
                tokens = self.hub.exchange(tokens)
            before, tokens = tokens, block(tokens)
        return before, tokens

    def scores(self, visual: Tensor, projected: Tensor, hub: Tensor) -> dict[str, Tensor] | None:
        """Return the identity scores of v, p and s and those of p by the texts; None without classes."""
        if self.necks is None or self.text_encoder is None or self.texts is None:
            return None
        vectors = {"visual": visual, "projected": projected, "hub": hub}
        scores = {name: self.necks[name](vector)[1] for name, vector in vectors.items()}
        texts = self.text_encoder(self.texts.tokens)
        if self.text_scale is not None:
            projected, texts = F.normalize(projected) * self.text_scale, F.normalize(texts)
        return scores | {"text": projected @ texts.T}
