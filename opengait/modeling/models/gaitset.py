"""GaitSet: a gait sequence as an unordered set of silhouettes."""

import copy
from typing import Any

import torch
from torch import nn

from opengait.modeling.base_model import BaseModel
from opengait.modeling.modules import (
    BasicConv2d,
    HorizontalPoolingPyramid,
    PackSequenceWrapper,
    SeparateFCs,
    SetBlockWrapper,
)


class GaitSet(BaseModel):
    """GaitSet (Chao et al., AAAI 2019), under upstream's names.

    Frames pass through three blocks; after each, the maximum over the set is added to a second stream, the multilayer
    global pipeline.

    `model_cfg`: `in_channels` (of the silhouette and of each block), `bin_num`, `SeparateFCs`.
    """

    config_keys: tuple[str, ...] = ()

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Build the network."""
        silhouette, first, second, third = model_cfg["in_channels"]
        block1 = _block(silhouette, first, kernel_size=5, pool=True)
        block2 = _block(first, second, pool=True)
        block3 = _block(second, third, pool=False)
        self.set_block1 = SetBlockWrapper(block1)
        self.set_block2 = SetBlockWrapper(block2)
        self.set_block3 = SetBlockWrapper(block3)
        self.gl_block2 = copy.deepcopy(block2)
        self.gl_block3 = copy.deepcopy(block3)
        self.set_pooling = PackSequenceWrapper(torch.max)
        self.Head = SeparateFCs(**model_cfg["SeparateFCs"])
        self.HPP = HorizontalPoolingPyramid(bin_num=model_cfg["bin_num"])

    def forward(self, inputs: tuple) -> dict[str, dict]:
        """Return embeddings `[n, c, p]` of silhouettes `[n, s, h, w]` or `[n, s, c, h, w]`."""
        (silhouettes, *_), labels, _, _, seqL = inputs
        frames = silhouettes.unsqueeze(1) if silhouettes.dim() == 4 else silhouettes.transpose(1, 2)

        out = self.set_block1(frames)
        pooled = self._pool(out, seqL)
        out = self.set_block2(out)
        pooled = self.gl_block2(pooled) + self._pool(out, seqL)
        out = self.set_block3(out)
        out = self._pool(out, seqL)
        pooled = self.gl_block3(pooled) + out

        embeddings = self.Head(torch.cat([self.HPP(out), self.HPP(pooled)], dim=-1))
        return {
            "training_feat": {"triplet": {"embeddings": embeddings, "labels": labels}},
            "visual_summary": {"image/sils": frames.transpose(1, 2).flatten(0, 1)},
            "inference_feat": {"embeddings": embeddings},
        }

    def _pool(self, x: torch.Tensor, seqL: torch.Tensor | None) -> torch.Tensor:
        """Return the maximum over the frames of each sequence, `[n, c, h, w]`."""
        return self.set_pooling(x, seqL, options={"dim": 2})[0]


def _block(in_channels: int, out_channels: int, kernel_size: int = 3, *, pool: bool) -> nn.Sequential:
    layers = [
        BasicConv2d(in_channels, out_channels, kernel_size, 1, kernel_size // 2),
        nn.LeakyReLU(inplace=True),
        BasicConv2d(out_channels, out_channels, 3, 1, 1),
        nn.LeakyReLU(inplace=True),
    ]
    return nn.Sequential(*layers, nn.MaxPool2d(kernel_size=2, stride=2)) if pool else nn.Sequential(*layers)
