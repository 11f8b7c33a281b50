"""A tiny CLIP with OpenAI's names, VLD's network around it, and both written out with loops."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from opengait_ext.models.vld.network import VLDNet

SIZES: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"width": 12, "layers": 4, "head_width": 6, "patch_size": 8},
    "text_cfg": {"width": 8, "heads": 2, "layers": 2},
}
SIZE = (32, 16)


def model_cfg(**changes: Any) -> dict[str, Any]:
    clip = {"image_size": list(changes.pop("image_size", SIZE)), "arguments": SIZES, "weights": None}
    return {"model": "VLD", "num_classes": 5, "frames": 3, "clip": clip, **changes}


def network(**changes: Any) -> VLDNet:
    """Return a small network in double precision whose parameters are all random, norms and biases too."""
    torch.manual_seed(0)
    built = VLDNet.from_config(model_cfg(**changes)).double()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return built


def tracklets(count: int, frames: int = 3) -> Tensor:
    shape = (count, frames, 3, *SIZE)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def norm(state: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    spread = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    return spread * state[f"{name}.weight"] + state[f"{name}.bias"]


def attend(state: Mapping[str, Tensor], name: str, queries: Tensor, keys: Tensor, heads: int, causal: bool) -> Tensor:
    """Return what the queries (q, c) read from the keys (k, c), head by head and query by query."""
    w, b = state[f"{name}.in_proj_weight"].chunk(3), state[f"{name}.in_proj_bias"].chunk(3)
    q, k, v = (x @ w[i].T + b[i] for i, x in enumerate((queries, keys, keys)))
    size = q.shape[1] // heads
    rows = []
    for index in range(len(q)):
        seen = slice(index + 1) if causal else slice(None)
        parts = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            weights = torch.softmax(k[seen, part] @ q[index, part] / math.sqrt(size), 0)
            parts.append(weights @ v[seen, part])
        rows.append(torch.cat(parts))
    return torch.stack(rows) @ state[f"{name}.out_proj.weight"].T + state[f"{name}.out_proj.bias"]


def block(state: Mapping[str, Tensor], name: str, x: Tensor, heads: int, causal: bool = False) -> Tensor:
    """Return a residual block's output, with OpenAI's activation x sigmoid(1.702 x)."""
    y = norm(state, f"{name}.ln_1", x)
    x = x + attend(state, f"{name}.attn", y, y, heads, causal)
    y = norm(state, f"{name}.ln_2", x) @ state[f"{name}.mlp.c_fc.weight"].T + state[f"{name}.mlp.c_fc.bias"]
    y = y * torch.sigmoid(1.702 * y)
    return x + y @ state[f"{name}.mlp.c_proj.weight"].T + state[f"{name}.mlp.c_proj.bias"]


def written_out(
    state: Mapping[str, Tensor], clip: Tensor, prompts: str, attention: str, heads: int = 2
) -> dict[str, Tensor]:
    """Return a, v, p and s of one tracklet (s, 3, h, w) of a network of four blocks, three of which have hub tokens.

    Args:
        state: its entries; the image tower's start with `image_encoder.`.
        prompts, attention: names of the hub's prompts and of its attention.
        heads: of the blocks and of the attention.
    """
    tower = {key.removeprefix("image_encoder."): v for key, v in state.items() if key.startswith("image_encoder.")}
    kernel, count = tower["conv1.weight"], len(clip)
    size = kernel.shape[-1]
    frames = []
    for image in clip:
        tokens = [tower["class_embedding"]]
        for row in range(image.shape[1] // size):
            for column in range(image.shape[2] // size):
                patch = image[:, row * size : (row + 1) * size, column * size : (column + 1) * size]
                tokens.append((kernel * patch).sum((1, 2, 3)))
        frames.append(norm(tower, "ln_pre", torch.stack(tokens) + tower["positional_embedding"]))
    patches = frames[0].shape[0]
    before = frames
    for number in range(4):
        if number == 1:
            frames = [torch.cat([x, state[prompts][t]]) for t, x in enumerate(frames)]
        if number > 1:
            frames = [
                torch.cat([frames[t][:patches], torch.stack([frames[p][patches + t] for p in range(count)])])
                for t in range(count)
            ]
        before, frames = frames, [block(tower, f"transformer.resblocks.{number}", x, heads) for x in frames]
    hub = torch.cat([x[patches:] for x in frames])
    read = [attend(state, attention, x[:1], hub, heads, False)[0] for x in frames]
    v = sum(norm(tower, "ln_post", x[0]) for x in frames) / count
    return {
        "early": sum(x[0] for x in before) / count,
        "visual": v,
        "projected": v @ tower["proj"],
        "hub": sum(norm(tower, "ln_post", x) for x in read) / count,
    }
