"""The names of M3-ReID's checkpoints as its code writes them, plain state dicts `model_epoch-N.pth`."""

from collections.abc import Mapping

from torch import Tensor

from opengait_ext.models.m3_reid.network import M3ReIDNet
from opengait_ext.models.shared.published import PublishedLayout

# Their blocks by number, and where they are in ours.
BLOCKS = {"2.0": "layer2_2", "2.1": "layer2_3", "3.0": "layer3_3", "3.1": "layer3_4", "3.2": "layer3_5"}
LAYERS = {"theta": "query", "phi": "key", "g": "value", "W.0": "out", "W.1": "norm"}


def network_of(entries: Mapping[str, Tensor]) -> M3ReIDNet:
    """Return a network with the heads and the identities of converted entries."""
    head, classifier = entries.get("attention.hw.weight"), entries.get("classifier.weight")
    return M3ReIDNet(num_classes=1 if classifier is None else len(classifier), heads=2 if head is None else len(head))


LAYOUT = PublishedLayout(
    title="M3-ReID",
    names={
        **{f"backbone.{layer}.": f"stem.{layer}." for layer in ("conv1", "bn1")},
        **{f"backbone.layer{stage}.": f"stages.layer{stage}." for stage in range(1, 5)},
        **{
            f"NL_{block}.{theirs}.": f"non_local.{place}.{ours}."
            for block, place in BLOCKS.items()
            for theirs, ours in LAYERS.items()
        },
        **{f"mvl_attention.view_attention_{view}.": f"attention.{view}." for view in ("hw", "tw", "th")},
        "bn_neck.": "neck.",
        "classifier_frame.": "frame_classifier.",
        "classifier.": "classifier.",
    },
    unused=(),
    network=network_of,
)
