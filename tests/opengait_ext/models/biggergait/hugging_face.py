"""Hugging Face's DINOv2: names and shapes, seeded weights, and a forward pass layer by layer."""

import torch
import torch.nn.functional as F

from opengait_ext.models.biggergait.backbone import Dinov2Config
from tests.golden import seeded

TINY = Dinov2Config(hidden_size=12, num_hidden_layers=3, num_attention_heads=2, patch_size=4, image_size=20)
SETTINGS = vars(TINY) | {"model_type": "dinov2", "hidden_act": "gelu", "qkv_bias": True, "use_swiglu_ffn": False}


def hugging_face_shapes(config: Dinov2Config) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of `Dinov2Model.state_dict()`, written out by hand."""
    c, hidden = config.hidden_size, int(config.hidden_size * config.mlp_ratio)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, c),
        "embeddings.mask_token": (1, c),
        "embeddings.position_embeddings": (1, 1 + (config.image_size // config.patch_size) ** 2, c),
        "embeddings.patch_embeddings.projection.weight": (c, 3, config.patch_size, config.patch_size),
        "embeddings.patch_embeddings.projection.bias": (c,),
    }
    for number in range(config.num_hidden_layers):
        layer = f"encoder.layer.{number}."
        linears = [
            ("attention.attention.query", c, c),
            ("attention.attention.key", c, c),
            ("attention.attention.value", c, c),
            ("attention.output.dense", c, c),
            ("mlp.fc1", hidden, c),
            ("mlp.fc2", c, hidden),
        ]
        for norm in ("norm1", "norm2"):
            shapes |= {f"{layer}{norm}.weight": (c,), f"{layer}{norm}.bias": (c,)}
        for name, out, into in linears:
            shapes |= {f"{layer}{name}.weight": (out, into), f"{layer}{name}.bias": (out,)}
        shapes |= {f"{layer}layer_scale1.lambda1": (c,), f"{layer}layer_scale2.lambda1": (c,)}
    return shapes | {"layernorm.weight": (c,), "layernorm.bias": (c,)}


def weights(config: Dinov2Config = TINY) -> dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(0.3 * seeded.normal(f"bigger:{name}", shape)).float()
        for name, shape in hugging_face_shapes(config).items()
    }


def reference(state: dict[str, torch.Tensor], frames: torch.Tensor, config: Dinov2Config) -> list[torch.Tensor]:
    """Return the outputs of all layers of Hugging Face's forward pass; positions are resampled to the grid's size."""

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scale = (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return centred / scale * state[f"{name}.weight"] + state[f"{name}.bias"]

    size = config.patch_size
    projection = "embeddings.patch_embeddings.projection"
    patches = frames.unfold(2, size, size).unfold(3, size, size)  # f, 3, h, w, size, size
    rows, columns = patches.shape[2:4]
    x = torch.einsum("fchwij,ocij->fhwo", patches, state[f"{projection}.weight"]) + state[f"{projection}.bias"]
    x = torch.cat([state["embeddings.cls_token"].expand(len(frames), 1, -1), x.flatten(1, 2)], dim=1)
    table = state["embeddings.position_embeddings"]
    side = config.image_size // size
    if (rows, columns) != (side, side):
        positions = table[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
        positions = F.interpolate(positions, size=(rows, columns), mode="bicubic", align_corners=False)
        table = torch.cat([table[:, :1], positions.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
    x = x + table
    outputs = []
    for number in range(config.num_hidden_layers):
        layer = f"encoder.layer.{number}"
        y = norm(x, f"{layer}.norm1")
        q, k, v = (
            linear(y, f"{layer}.attention.attention.{part}").unflatten(-1, (config.num_attention_heads, -1))
            for part in ("query", "key", "value")
        )
        attention = (torch.einsum("fqhc,fkhc->fhqk", q, k) / q.shape[-1] ** 0.5).softmax(-1)
        y = linear(torch.einsum("fhqk,fkhc->fqhc", attention, v).flatten(2), f"{layer}.attention.output.dense")
        x = x + state[f"{layer}.layer_scale1.lambda1"] * y
        y = linear(F.gelu(linear(norm(x, f"{layer}.norm2"), f"{layer}.mlp.fc1")), f"{layer}.mlp.fc2")
        x = x + state[f"{layer}.layer_scale2.lambda1"] * y
        outputs.append(x)
    return outputs


def version_5_name(name: str) -> str:
    """Return the name that transformers 5 gives to an entry of version 4."""
    for new, old in (("q_proj", "attention.query"), ("k_proj", "attention.key"), ("v_proj", "attention.value")):
        name = name.replace(f"attention.{old}", f"attention.{new}")
    return name.replace("attention.output.dense", "attention.o_proj")
