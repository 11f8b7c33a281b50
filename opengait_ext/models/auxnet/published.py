"""The names of AuxNet's published checkpoints, files with `model`, `optimizer` and `epoch`.

The optimiser is a pickled object, so such a file is read only if it is trusted (`read_published`).
"""

from collections.abc import Mapping

from torch import Tensor

from opengait_ext.models.auxnet.network import AuxNetNet
from opengait_ext.models.shared.published import PublishedLayout

# In the order of our stems: visible, infrared.
STEMS = ("rgb_module.", "ir_module.")
STAGES = "shared_module.backbone."


def network_of(entries: Mapping[str, Tensor]) -> AuxNetNet:
    """Return a network of the sizes of converted entries: ResNet-18, 34 or 50."""
    classifier = entries.get("neck.classifier.weight")
    backbone = "resnet34" if "backbone.stages.layer1.2.conv1.weight" in entries else "resnet18"
    if "backbone.stages.layer1.0.conv3.weight" in entries:
        backbone = "resnet50"
    classes = 1 if classifier is None else len(classifier)
    return AuxNetNet.from_config({"backbone": {"backbone": backbone}, "num_classes": classes})


LAYOUT = PublishedLayout(
    title="AuxNet",
    names={
        **{f"{s}{layer}.": f"backbone.stems.{n}.{layer}." for n, s in enumerate(STEMS) for layer in ("conv1", "bn1")},
        **{f"{STAGES}layer{stage}.": f"backbone.stages.layer{stage}." for stage in range(1, 5)},
        "bottleneck.bn.": "neck.norm.",
        "classifier.fc.": "neck.classifier.",
    },
    unused=(f"{STAGES}conv1.", f"{STAGES}bn1."),
    network=network_of,
)
