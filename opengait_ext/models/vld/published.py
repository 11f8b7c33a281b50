"""The names of VLD's published checkpoints, state dicts `best_model.pth`.

Only what describes a tracklet is read. Four classifiers, the texts and the text tower serve training alone; a copy of
the last norm and a scale are never read.
"""

from collections.abc import Mapping

from torch import Tensor

from opengait_ext.models.shared.published import PublishedLayout
from opengait_ext.models.vld.network import VLDNet

# CLIP's width of a head.
HEAD = 64


def network_of(entries: Mapping[str, Tensor]) -> VLDNet:
    """Return a network of the sizes of converted entries, for frames twice as high as wide."""
    kernel, projection = entries.get("image_encoder.conv1.weight"), entries.get("image_encoder.proj")
    positions, prompts = entries.get("image_encoder.positional_embedding"), entries.get("hub.prompts")
    blocks = [name for name in entries if name.startswith("image_encoder.") and name.endswith("attn.in_proj_weight")]
    if kernel is None or projection is None or positions is None or prompts is None:
        return VLDNet.from_config({})
    width, patch, patches = kernel.shape[0], kernel.shape[-1], len(positions) - 1
    columns = max(round((patches / 2) ** 0.5), 1)
    vision = {"width": width, "layers": len(blocks), "patch_size": patch, "head_width": min(HEAD, width)}
    clip = {
        "image_size": [patches // columns * patch, columns * patch],
        "arguments": {"embed_dim": projection.shape[-1], "vision_cfg": vision},
    }
    return VLDNet.from_config({"clip": clip, "frames": len(prompts)})


LAYOUT = PublishedLayout(
    title="VLD",
    names={
        "image_encoder.": "image_encoder.",
        "prompt_embedding": "hub.prompts",
        "attn.": "hub_attention.attention.",
    },
    unused=("classifier", "text_encoder.", "prompt_learner.", "ln_post2.", "logit_scale"),
    network=network_of,
)
