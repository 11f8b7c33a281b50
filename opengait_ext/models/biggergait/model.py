"""BiggerGait as an engine model, a gait baseline beside DinoGRL; see `BiggerGaitNet`.

It treats visible and infrared tracklets alike and ignores their modality.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from opengait.engine.checkpoint import load_checkpoint
from opengait.engine.restore import hinted_path
from opengait.errors import ConfigError
from opengait.modeling.base_model import BaseModel
from opengait.modeling.initialisation import xavier_init
from opengait.shipped import shipped
from opengait_ext.models.biggergait.network import BiggerGaitNet
from opengait_ext.models.shared.state_names import hide_child


class BiggerGait__DINOv2(BaseModel):  # noqa: N801 (upstream's name)
    """Engine model around `BiggerGaitNet`, with upstream's names in checkpoints.

    `training_feat` holds `triplet` (embeddings, labels) and `softmax` (logits, labels). For `model_cfg` see
    `BiggerGaitNet.from_config`.

    Raises:
        ConfigError: the numbers do not fit together, or a pretrained part has neither a weight file nor a checkpoint.
        CheckpointError: a weight file is missing or belongs to another network.
    """

    network_class = BiggerGaitNet
    network_prefix = ""

    def __init__(self, cfgs: dict[str, Any], training: bool) -> None:
        for key in ("pretrained_lvm", "pretrained_mask_branch"):
            engine_cfg = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
            if cfgs["model_cfg"].get(key) is None and not engine_cfg["restore_hint"]:
                raise ConfigError(
                    f"model_cfg.{key} is missing; BiggerGait__DINOv2 never trains that part, so set its weights, or "
                    f"restore_hint to a checkpoint that has them."
                )
        super().__init__(cfgs, training)

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        hint = self.engine_cfg["restore_hint"]
        files = [model_cfg.get(key) for key in ("pretrained_lvm", "pretrained_mask_branch")]
        if hint and not all(shipped(file).exists() for file in files if isinstance(file, str)):
            # A complete checkpoint needs no pretrained file.
            content = load_checkpoint(hinted_path(self, hint))
            model_cfg = BiggerGaitNet.without_replaced_weights(model_cfg, lambda: content.get("model", {}))
        self.network = BiggerGaitNet.from_config(model_cfg)
        hide_child(self, "network")

    def renamed_state(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Also take the names of transformers 5."""
        return BiggerGaitNet.renamed(state)

    def init_parameters(self) -> None:
        """Apply the engine's general rule to the trained parts; the others are pretrained."""
        for part in (self.network.Gait_Net, self.network.HumanSpace_Conv):
            xavier_init(part)

    def forward(self, inputs: tuple[Any, ...]) -> dict[str, Any]:
        """Describe RGB frames (n, s, 3, h, w), ImageNet-normalised; with `seqL` the tracklets are packed along s."""
        ipts, labels, _, _, lengths = inputs
        output = self.network(ipts[0], lengths)
        return {
            "training_feat": {
                "triplet": {"embeddings": output.embeddings, "labels": labels},
                "softmax": {"logits": output.logits, "labels": labels},
            },
            "visual_summary": {"image/mask": output.mask},
            "inference_feat": {"embeddings": output.embeddings},
        }
