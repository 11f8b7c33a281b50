"""GaitBase: a residual network on silhouettes."""

from typing import Any

import torch

from opengait.modeling.base_model import BaseModel
from opengait.modeling.modules import (
    HorizontalPoolingPyramid,
    PackSequenceWrapper,
    SeparateBNNecks,
    SeparateFCs,
    SetBlockWrapper,
)


class Baseline(BaseModel):
    """GaitBase (Fan et al., CVPR 2023), under upstream's names.

    `model_cfg`: `backbone_cfg` (of the network applied to each frame), `bin_num`, `SeparateFCs`, `SeparateBNNecks`.
    """

    config_keys: tuple[str, ...] = ()

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Build the network."""
        self.Backbone = SetBlockWrapper(self.get_backbone(model_cfg["backbone_cfg"]))
        self.FCs = SeparateFCs(**model_cfg["SeparateFCs"])
        self.BNNecks = SeparateBNNecks(**model_cfg["SeparateBNNecks"])
        self.TP = PackSequenceWrapper(torch.max)
        self.HPP = HorizontalPoolingPyramid(bin_num=model_cfg["bin_num"])

    def forward(self, inputs: tuple) -> dict[str, dict]:
        """Return embeddings `[n, c, p]` and logits of silhouettes `[n, s, h, w]` or images `[n, s, c, h, w]`."""
        (silhouettes, *_), labels, _, _, seqL = inputs
        frames = silhouettes.unsqueeze(1) if silhouettes.dim() == 4 else silhouettes.transpose(1, 2)

        maps = self.Backbone(frames)
        pooled = self.TP(maps, seqL, options={"dim": 2})[0]
        embeddings = self.FCs(self.HPP(pooled))
        _, logits = self.BNNecks(embeddings)
        return {
            "training_feat": {
                "triplet": {"embeddings": embeddings, "labels": labels},
                "softmax": {"logits": logits, "labels": labels},
            },
            "visual_summary": {"image/sils": frames.transpose(1, 2).flatten(0, 1)},
            "inference_feat": {"embeddings": embeddings},
        }
