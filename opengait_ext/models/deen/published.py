"""The names of DEEN's published checkpoints, files with `net` and scores.

They hold three whole ResNets, of which the forward pass reads the stems of the first two and the stages of the third.
"""

from collections.abc import Mapping

from torch import Tensor

from opengait_ext.models.deen.expansion import BRANCHES, DILATIONS
from opengait_ext.models.deen.network import DEENNet
from opengait_ext.models.shared.published import PublishedLayout

NETS = ("visible_module.visible.", "thermal_module.thermal.", "base_resnet.base.")
BLOCKS = {"CNL": "channel", "PNL": "position"}
LAYERS = {"theta": "query", "phi": "key", "g": "value", "W.0": "out", "W.1": "norm"}


def network_of(entries: Mapping[str, Tensor]) -> DEENNet:
    """Return a network of the sizes of converted entries."""
    classifier = entries.get("neck.classifier.weight")
    return DEENNet.from_config({"num_classes": 1 if classifier is None else len(classifier)})


LAYOUT = PublishedLayout(
    title="DEEN",
    names={
        **{
            f"{net}{layer}.": f"backbone.stems.{n}.{layer}."
            for n, net in enumerate(NETS[:2])
            for layer in ("conv1", "bn1")
        },
        **{f"{NETS[2]}layer{stage}.": f"backbone.stages.layer{stage}." for stage in range(1, 5)},
        **{
            f"MFA{stage}.{block}.{theirs}.": f"aggregations.{stage - 1}.{name}.{ours}."
            for stage in range(1, 4)
            for block, name in BLOCKS.items()
            for theirs, ours in LAYERS.items()
        },
        **{
            f"DEE.FC{branch + 1}{rate}.": f"expansion.branches.{branch}.dilated.{n}."
            for branch in range(BRANCHES)
            for n, rate in enumerate(DILATIONS)
        },
        **{f"DEE.FC{branch + 1}.": f"expansion.branches.{branch}.project." for branch in range(BRANCHES)},
        "bottleneck.": "neck.norm.",
        "classifier.": "neck.classifier.",
    },
    unused=NETS,
    network=network_of,
)
