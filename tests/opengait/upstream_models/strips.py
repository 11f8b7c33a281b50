"""A plain model in one file, with absolute and relative imports and unconditional `.cuda()` calls."""

import torch
import torch.nn as nn
from data.transform import get_transform
from utils import get_valid_args, is_list_or_tuple, list2var, np2var, ts2np

from ..base_model import BaseModel
from ..modules import HorizontalPoolingPyramid, PackSequenceWrapper, SeparateBNNecks, SeparateFCs, SetBlockWrapper


class Strips(BaseModel):
    def build_network(self, model_cfg):
        assert self.training and self.cfgs["model_cfg"] is model_cfg
        assert get_transform({"type": "NoOperation"})(3) == 3 and not is_list_or_tuple(model_cfg)
        self.Backbone = SetBlockWrapper(self.get_backbone(model_cfg["backbone_cfg"]))
        self.TP = PackSequenceWrapper(torch.max)
        self.HPP = HorizontalPoolingPyramid(bin_num=model_cfg["bin_num"])
        self.FCs = SeparateFCs(**get_valid_args(SeparateFCs, model_cfg["SeparateFCs"]))
        self.BNNecks = SeparateBNNecks(**model_cfg["SeparateBNNecks"])
        self.levels = nn.Parameter(torch.ones(1).cuda())

    def forward(self, inputs):
        ipts, labs, typs, vies, seqL = inputs
        sils = ipts[0].unsqueeze(1) * self.levels
        assert len(labs) == len(typs) == len(vies) and labs.dtype == torch.int64
        shift = np2var(ts2np(torch.zeros(1))) + list2var([0.0]).float().cuda()
        embed = self.FCs(self.HPP(self.TP(self.Backbone(sils), seqL, options={"dim": 2})[0])) + shift
        _, logits = self.BNNecks(embed)
        n, _, s, h, w = sils.size()
        return {
            "training_feat": {
                "triplet": {"embeddings": embed, "labels": labs},
                "softmax": {"logits": logits, "labels": labs},
            },
            "visual_summary": {"image/sils": sils.view(n * s, 1, h, w)},
            "inference_feat": {"embeddings": embed},
        }
