"""A model in a file whose name is not an identifier; it extends another model and builds its own optimiser."""

from os.path import join

import torch.optim as optim
from utils import get_attr_from, get_valid_args, is_list

from .pooling_tools.parts import PartGates
from .strips import Strips


class StripsPP(Strips):
    def build_network(self, model_cfg):
        super().build_network(model_cfg)
        self.gates = PartGates(model_cfg["SeparateFCs"]["out_channels"], model_cfg["SeparateFCs"]["parts_num"])

    def get_optimizer(self, optimizer_cfg):
        solver = get_attr_from([optim], optimizer_cfg["solver"])
        gates, others = [], []
        for name, parameter in self.named_parameters():
            (gates if name.startswith("gates") else others).append(parameter)
        groups = [{"params": others}, {"params": gates, "lr": optimizer_cfg["gate_lr"]}]
        return solver(groups, **get_valid_args(solver, optimizer_cfg, ["solver"]))

    def resume_ckpt(self, restore_hint):
        if is_list(restore_hint):
            for hint in restore_hint:
                self._load_ckpt(hint)
        else:
            self.iteration = restore_hint
            name = "checkpoints/{}-{:0>5}.pt".format(self.engine_cfg["save_name"], restore_hint)
            self._load_ckpt(join(self.save_path, name))  # noqa: PTH118

    def forward(self, inputs):
        retval = super().forward(inputs)
        embed = self.gates(retval["inference_feat"]["embeddings"])
        retval["training_feat"]["triplet"]["embeddings"] = embed
        retval["training_feat"]["gate"] = embed.square().mean(1) * 0.01
        retval["inference_feat"]["embeddings"] = embed
        return retval
