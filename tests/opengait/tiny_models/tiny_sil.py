"""A silhouette model of a few hundred parameters, written like a model file for OpenGait."""

import torch
from modeling.base_model import BaseModel
from torch import nn
from utils import get_valid_args, is_list

from ..modules import SeparateBNNecks, SeparateFCs
from .tiny_helpers.pooling import frame_mean, frame_mean_packed


class TinySil(BaseModel):
    def build_network(self, model_cfg):
        assert not is_list(model_cfg)
        width = model_cfg["width"]
        self.conv = nn.Conv2d(1, width, 5, stride=4, padding=2, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(model_cfg.get("dropout", 0.0))
        self.fcs = SeparateFCs(**get_valid_args(SeparateFCs, model_cfg["SeparateFCs"]))
        self.necks = SeparateBNNecks(**model_cfg["SeparateBNNecks"])
        self.poison = model_cfg.get("poison_at")

    def forward(self, inputs):
        (sils,), labels, _, _, lengths = inputs
        n, s = sils.shape[:2]
        maps = torch.relu(self.bn(self.conv(sils.flatten(0, 1).unsqueeze(1))))
        rows = maps.mean(-1).unflatten(0, (n, s))  # [n, s, c, parts]
        pooled = frame_mean(rows) if lengths is None else frame_mean_packed(rows, lengths)
        embeddings = self.fcs(self.drop(pooled))
        _, logits = self.necks(embeddings)
        if self.training and self.poison == self.iteration:
            logits = logits * float("nan")
        return {
            "training_feat": {
                "triplet": {"embeddings": embeddings, "labels": labels},
                "softmax": {"logits": logits, "labels": labels},
            },
            "visual_summary": {"image/sils": sils.reshape(n * s, 1, *sils.shape[2:])[:4]},
            "inference_feat": {"embeddings": embeddings},
        }
