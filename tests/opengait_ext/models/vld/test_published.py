"""A seeded checkpoint in VLD's published layout, against a forward pass that is written with its names."""

import pytest
import torch

from opengait.errors import CheckpointError
from opengait_ext import checkpoints
from opengait_ext.models import load_network
from opengait_ext.models.shared.published import convert_published
from opengait_ext.models.vld.published import LAYOUT
from tests.opengait_ext.models.vld.tiny import written_out

WIDTH, DIMENSION, FRAMES = 128, 24, 3
CONFIG = {
    "model_cfg": {
        "model": "VLD",
        "num_classes": 7,
        "frames": FRAMES,
        "clip": {
            "weights": "not there.safetensors",
            "image_size": [32, 16],
            "arguments": {
                "embed_dim": DIMENSION,
                "vision_cfg": {"width": WIDTH, "layers": 4, "patch_size": 8},
                "text_cfg": {"width": 8, "heads": 2, "layers": 1},
            },
        },
    }
}


def published() -> dict[str, torch.Tensor]:
    """Return random entries under the published names; frames have 4 x 2 patches, and heads are 64 wide."""
    torch.manual_seed(0)
    shapes = {
        "image_encoder.class_embedding": (WIDTH,),
        "image_encoder.positional_embedding": (9, WIDTH),
        "image_encoder.conv1.weight": (WIDTH, 3, 8, 8),
        "image_encoder.proj": (WIDTH, DIMENSION),
        "prompt_embedding": (FRAMES, FRAMES, WIDTH),
        "logit_scale": (),
        "prompt_learner.cls_ctx": (7, 4, 8),
        "prompt_learner.token_prefix": (1, 2, 8),
        "prompt_learner.token_suffix": (1, 71, 8),
        "text_encoder.text_projection": (8, DIMENSION),
    }
    norms = ["image_encoder.ln_pre", "image_encoder.ln_post", "ln_post2", "classifier.BN", "classifier2.BN"]
    attention = ["attn"]
    for number in range(4):
        place = f"image_encoder.transformer.resblocks.{number}"
        attention.append(f"{place}.attn")
        norms += [f"{place}.ln_1", f"{place}.ln_2"]
        for layer, size in (("c_fc", (4 * WIDTH, WIDTH)), ("c_proj", (WIDTH, 4 * WIDTH))):
            shapes |= {f"{place}.mlp.{layer}.weight": size, f"{place}.mlp.{layer}.bias": size[:1]}
    for name in attention:
        shapes |= {f"{name}.in_proj_weight": (3 * WIDTH, WIDTH), f"{name}.in_proj_bias": (3 * WIDTH,)}
        shapes |= {f"{name}.out_proj.weight": (WIDTH, WIDTH), f"{name}.out_proj.bias": (WIDTH,)}
    for name in norms:
        shapes |= {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
    shapes["classifier.classifier.weight"] = (7, WIDTH)
    return {name: torch.randn(shape) / max(shape[-1:] or (1,)) ** 0.5 for name, shape in shapes.items()}


def test_descriptors_are_those_of_the_published_names(tmp_path):
    theirs = published()
    torch.save({f"module.{name}": value for name, value in theirs.items()}, tmp_path / "best_model.pth")
    left_out = checkpoints.from_published_file("vld", tmp_path / "best_model.pth", tmp_path / "ours.pt")
    kept = ("image_encoder.", "attn.", "prompt_embedding")
    assert set(left_out) == {name for name in theirs if not name.startswith(kept)}
    # The checkpoint replaces CLIP's file, which is not there.
    net = load_network(CONFIG, tmp_path / "ours.pt", "cpu").double()
    frames = torch.randn(2, FRAMES, 3, 32, 16, dtype=torch.float64)
    descriptors = net(frames).descriptor
    for clip, descriptor in zip(frames, descriptors, strict=True):
        doubled = {name: value.double() for name, value in theirs.items()}
        expected = written_out(doubled, clip, "prompt_embedding", "attn", heads=2)
        torch.testing.assert_close(descriptor[:, 0], torch.cat([expected["visual"], expected["hub"]]))


def test_other_files_are_refused():
    state = published()
    with pytest.raises(CheckpointError, match=r"VLD: the entry head\.weight is unknown"):
        convert_published(state | {"head.weight": torch.zeros(1)}, LAYOUT)
    for name in ("prompt_embedding", "attn.in_proj_bias", "image_encoder.proj"):
        rest = {key: value for key, value in state.items() if key != name}
        with pytest.raises(CheckpointError, match="not a published checkpoint of VLD"):
            convert_published(rest, LAYOUT)
