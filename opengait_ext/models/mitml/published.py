"""The names of MITML's published checkpoints, files with `net`, `net_modal_classifier`, `mAP` and `epoch`.

They hold whole ResNets, of which the forward pass reads the stems of the first two and the stages of the third.
"""

from collections.abc import Mapping

from torch import Tensor

from opengait_ext.models.mitml.network import MITMLNet
from opengait_ext.models.shared.published import PublishedLayout

STEMS = ("visible_module.visible.", "thermal_module.thermal.")
REFINED = "temporal_feat_learning."


def network_of(entries: Mapping[str, Tensor]) -> MITMLNet:
    """Return a network of the sizes of converted entries."""
    classifier = entries.get("neck.classifier.weight")
    return MITMLNet.from_config({"num_classes": 1 if classifier is None else len(classifier)})


LAYOUT = PublishedLayout(
    title="MITML",
    names={
        **{f"{s}{layer}.": f"backbone.stems.{n}.{layer}." for n, s in enumerate(STEMS) for layer in ("conv1", "bn1")},
        **{f"base_resnet.base.layer{stage}.": f"backbone.stages.layer{stage}." for stage in range(1, 5)},
        "base_resnet.layer4.": "temporal_stage.",
        "lstm.": "lstm.",
        **{f"{REFINED}{letter}.": f"refinements.{n}.transform." for n, letter in enumerate("abcdef")},
        **{f"{REFINED}se_{n + 1}.fc.": f"refinements.{n}.gate." for n in range(6)},
        "bottleneck.": "neck.norm.",
        "classifier.": "neck.classifier.",
    },
    unused=(*STEMS, "base_resnet.base.", REFINED, "bottleneck1.", "classifier1.", "classifier2."),
    network=network_of,
)
