"""BigGait (Ye et al., CVPR 2024) as an engine model, a gait baseline beside DinoGRL; see `BigGaitNet`.

It treats visible and infrared tracklets alike and ignores their modality.
"""

from typing import Any

import torch

from opengait import distributed
from opengait.errors import ConfigError
from opengait.modeling.base_model import BaseModel
from opengait.modeling.initialisation import xavier_init
from opengait_ext.models.biggait.network import LOSS_WEIGHTS, BigGaitNet, BigGaitOutput
from opengait_ext.models.shared.branch import read_mask_branch
from opengait_ext.models.shared.state_names import hide_child
from opengait_ext.weights.read import load_exactly

MASK_ITERATION = 500


class BigGait__Dinov2_Gaitbase(BaseModel):  # noqa: N801 (upstream's name)
    """Engine model around `BigGaitNet`, with upstream's names in checkpoints.

    Data: the first feature holds normalised RGB frames [n, s, 3, h, w]; an optional second one their ratios (width over
    height), which default to 0.5.

    `training_feat` holds `triplet` (embeddings, labels) and `softmax` (logits, labels) for `loss_cfg`, and the weighted
    losses `shape_connect`, `shape_mse`, `part_connect` and `part_diversity`.

    `model_cfg`: the keys of `BigGaitNet.from_config`, and

    - `pretrained_mask_branch`: a `.pt` file of a mask branch that replaces the learned one when it is frozen; null
      keeps the learned one.
    - `mask_branch_iteration`: the iteration from which the mask branch is frozen; 500, as in upstream's code.
    """

    network_class = BigGaitNet
    network_prefix = ""

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Build the network, and read the mask branch that training loads into it later."""
        training = self.phase == "train"
        if training and distributed.world_size() > 1 and not self.engine_cfg["find_unused_parameters"]:
            raise ConfigError(
                "trainer_cfg.find_unused_parameters is false; BigGait needs it true with several processes, since its "
                "mask branch stops learning."
            )
        self.mask_iteration = model_cfg.get("mask_branch_iteration", MASK_ITERATION)
        if not isinstance(self.mask_iteration, int) or self.mask_iteration < 0:
            raise ConfigError(
                f"model_cfg.mask_branch_iteration is {self.mask_iteration!r}; expected a non-negative integer."
            )
        self.network = BigGaitNet.from_config(model_cfg)
        hide_child(self, "network")
        self.mask_file = str(model_cfg.get("pretrained_mask_branch") or "")
        self.mask_state = None
        if training and ".pt" in self.mask_file:
            self.mask_state = read_mask_branch(self.mask_file, self.network.Mask_Branch)
        elif training and self.mask_file:
            self.msg_mgr.log_warning(
                f"model_cfg.pretrained_mask_branch {self.mask_file} is not a .pt file; the learned mask branch is kept."
            )

    def init_parameters(self) -> None:
        """Apply the engine's general rule to all but the vision model."""
        for name, part in self.network.named_children():
            if name != "backbone":
                xavier_init(part)

    def forward(self, inputs: tuple[Any, ...]) -> dict[str, Any]:
        """Describe tracklets; see the class for inputs and outputs."""
        ipts, labels, _, _, lengths = inputs
        if ipts[0].dim() != 5:
            raise ConfigError(
                f"BigGait expected RGB frames [n, s, 3, h, w] as the first feature, got {list(ipts[0].shape)}; check "
                f"data_cfg.data_in_use."
            )
        if self.training and self.iteration == self.mask_iteration:
            self.load_pretrained_mask()
        ratios = ipts[1] if len(ipts) > 1 else None
        output = self.network(ipts[0], ratios, lengths, learn_mask=self.iteration < self.mask_iteration)
        return {
            "training_feat": training_terms(output, labels) if self.training else None,
            "visual_summary": {"image/foreground": output.maps.foreground},
            "inference_feat": {"embeddings": output.embeddings},
        }

    def load_pretrained_mask(self) -> None:
        """Load the pretrained mask branch, if there is one, now that the branch is frozen."""
        if self.mask_state is not None:
            load_exactly(self.network.Mask_Branch, self.mask_state, self.mask_file, "BigGait's mask branch")
            self.msg_mgr.log_info(f"From now on, the mask branch of {self.mask_file} is used.")


def training_terms(output: BigGaitOutput, labels: torch.Tensor) -> dict[str, Any]:
    """Return the arguments of the losses by `log_prefix`, and the network's own weighted losses."""
    weighted = {name: weight * output.maps.losses[name] for name, weight in LOSS_WEIGHTS.items()}
    return weighted | {
        "triplet": {"embeddings": output.embeddings, "labels": labels},
        "softmax": {"logits": output.logits, "labels": labels},
    }
