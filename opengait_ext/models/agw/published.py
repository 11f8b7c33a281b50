"""The names of the published checkpoints of AGW and CAJ, files with `net`, `cmc`, `mAP`, `mINP` and `epoch`.

They hold three whole ResNets, of which the forward pass reads the stems of the first two and the stages of the third.
"""

from collections.abc import Mapping

from torch import Tensor

from opengait_ext.models.agw.network import AGWNet
from opengait_ext.models.shared.published import PublishedLayout

NETS = ("visible_module.visible.", "thermal_module.thermal.", "base_resnet.base.")
# Their blocks by number, and where they are in ours.
BLOCKS = {"2.0": "layer2_2", "2.1": "layer2_3", "3.0": "layer3_3", "3.1": "layer3_4", "3.2": "layer3_5"}
LAYERS = {"theta": "query", "phi": "key", "g.0": "value", "W.0": "out", "W.1": "norm"}


def network_of(entries: Mapping[str, Tensor]) -> AGWNet:
    """Return a network of the sizes of converted entries; those of the survey's baseline have no non-local blocks."""
    query = entries.get("backbone.stages.non_local.layer2_2.query.weight")
    classifier = entries.get("neck.classifier.weight")
    backbone = {"non_local": query is not None, "non_local_width": None if query is None else len(query)}
    return AGWNet.from_config({"backbone": backbone, "num_classes": 1 if classifier is None else len(classifier)})


LAYOUT = PublishedLayout(
    title="AGW or CAJ",
    names={
        **{
            f"{net}{layer}.": f"backbone.stems.{n}.{layer}."
            for n, net in enumerate(NETS[:2])
            for layer in ("conv1", "bn1")
        },
        **{f"{NETS[2]}layer{stage}.": f"backbone.stages.layer{stage}." for stage in range(1, 5)},
        **{
            f"NL_{block}.{theirs}.": f"backbone.stages.non_local.{place}.{ours}."
            for block, place in BLOCKS.items()
            for theirs, ours in LAYERS.items()
        },
        "bottleneck.": "neck.norm.",
        "classifier.": "neck.classifier.",
    },
    unused=NETS,
    network=network_of,
)
