"""A silhouette model with a critic, which exists in training only."""

import torch.nn as nn

from .tiny_sil import TinySil


class TinyCritic(TinySil):
    def build_network(self, model_cfg):
        super().build_network(model_cfg)
        if self.phase == "train":
            self.critic = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))

    def forward(self, inputs):
        result = super().forward(inputs)
        if self.training:
            features = result["inference_feat"]["embeddings"].mean(2)
            result["training_feat"]["guess"] = {"critic": self.critic, "features": features, "labels": inputs[1]}
            result["training_feat"]["deceive"] = {"critic": self.critic, "features": features}
        return result
