"""The files that the configurations name: those with a public address, and those to be fetched by hand."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class WeightFile:
    """A file with a public address.

    Attributes:
        name: name on the command line and in configurations.
        file: file name at the publisher and in `pretrained/`.
        purpose: description of the contents.
        address: address of the file at its publisher.
        shapes: returns the shapes of its tensors; None if they are not known beforehand.
    """

    name: str
    file: str
    purpose: str
    address: str
    shapes: Callable[[], Shapes] | None

    @property
    def sha256_start(self) -> str:
        """First digits of its SHA-256 if the file's name has them, otherwise "".

        The names of torch's model files have eight digits. DINOv2's publisher gives no checksum.
        """
        match = re.search(r"-([0-9a-f]{8})\.pth$", self.file)
        return match[1] if match else ""

    @property
    def mebibytes(self) -> float | None:
        """Size of its tensors in float32, if they are known; the file is slightly larger."""
        if self.shapes is None:
            return None
        return 4 * sum(map(math.prod, self.shapes().values())) / 2**20


@dataclass(frozen=True)
class Released:
    """A trained network that its authors publish in several files, which are converted to a network's folder.

    Attributes:
        name: name on the command line, and of its folder in `pretrained/`.
        purpose: description of the contents.
        address: folder of the files at their publisher.
        config: the configuration that the files go with, but for sizes that are read from the tensors.
    """

    name: str
    purpose: str
    address: str
    config: str

    files = ("best_model.pth", "best_model2.pth", "best_shape.pth")

    def entries(self) -> list[WeightFile]:
        """Return its files; how many people, parts and channels they are for is read from their tensors."""
        return [
            WeightFile(self.name, file, f"{self.purpose} ({file})", f"{self.address}/{file}", None)
            for file in self.files
        ]


@dataclass(frozen=True)
class HandFetched:
    """Files without a public address, or with terms that a person must accept.

    Attributes:
        name: name on the command line.
        files: file names.
        purpose: description of the contents.
        source: where to get them.
        folder: folder where the configurations expect them.
        known: size and checksum, as far as they are known.
    """

    name: str
    files: tuple[str, ...]
    purpose: str
    source: str
    folder: str = "pretrained"
    known: str = ""


def dinov2_shapes(channels: int, depth: int) -> Shapes:
    """Return the shapes of a DINOv2 ViT/14 without registers, with positions of 37 x 37 patches."""
    shapes: Shapes = {
        "cls_token": (1, 1, channels),
        "pos_embed": (1, 1 + 37 * 37, channels),
        "mask_token": (1, channels),
        "patch_embed.proj.weight": (channels, 3, 14, 14),
        "patch_embed.proj.bias": (channels,),
        "norm.weight": (channels,),
        "norm.bias": (channels,),
    }
    linear = {
        "attn.qkv": (3 * channels, channels),
        "attn.proj": (channels, channels),
        "mlp.fc1": (4 * channels, channels),
        "mlp.fc2": (channels, 4 * channels),
    }
    for block in range(depth):
        for layer, (out_channels, in_channels) in linear.items():
            shapes[f"blocks.{block}.{layer}.weight"] = (out_channels, in_channels)
            shapes[f"blocks.{block}.{layer}.bias"] = (out_channels,)
        for entry in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "ls1.gamma", "ls2.gamma"):
            shapes[f"blocks.{block}.{entry}"] = (channels,)
    return shapes


def clip_shapes(channels: int, patch: int, text_channels: int, dimension: int, depth: int = 12) -> Shapes:
    """Return the shapes of OpenAI's CLIP with a vision transformer for 224 x 224 pixels, under its names."""
    shapes: Shapes = {
        "logit_scale": (),
        "positional_embedding": (77, text_channels),
        "text_projection": (text_channels, dimension),
        "token_embedding.weight": (49408, text_channels),
        "visual.class_embedding": (channels,),
        "visual.positional_embedding": (1 + (224 // patch) ** 2, channels),
        "visual.proj": (channels, dimension),
        "visual.conv1.weight": (channels, 3, patch, patch),
    }
    for layer, width in (("ln_final", text_channels), ("visual.ln_pre", channels), ("visual.ln_post", channels)):
        shapes |= {f"{layer}.weight": (width,), f"{layer}.bias": (width,)}
    for tower, width in (("", text_channels), ("visual.", channels)):
        linear = {"attn.out_proj": (width, width), "mlp.c_fc": (4 * width, width), "mlp.c_proj": (width, 4 * width)}
        for block in range(depth):
            place = f"{tower}transformer.resblocks.{block}"
            shapes |= {f"{place}.attn.in_proj_weight": (3 * width, width), f"{place}.attn.in_proj_bias": (3 * width,)}
            for layer, size in linear.items():
                shapes |= {f"{place}.{layer}.weight": size, f"{place}.{layer}.bias": size[:1]}
            for layer in ("ln_1", "ln_2"):
                shapes |= {f"{place}.{layer}.weight": (width,), f"{place}.{layer}.bias": (width,)}
    return shapes


def resnet_shapes(name: str) -> Shapes:
    """Return the shapes of torchvision's ResNet of that name, without the batch norms' counters."""
    import torch
    import torchvision

    with torch.device("meta"):
        state = torchvision.models.get_model(name).state_dict()
    return {key: tuple(value.shape) for key, value in state.items() if not key.endswith("num_batches_tracked")}


def _dinov2(name: str, size: str, channels: int, depth: int) -> WeightFile:
    address = f"https://dl.fbaipublicfiles.com/dinov2/{name}/{name}_pretrain.pth"
    purpose = f"DINOv2 ViT-{size}/14, without registers"
    return WeightFile(name, f"{name}_pretrain.pth", purpose, address, lambda: dinov2_shapes(channels, depth))


def _resnet(name: str, digits: str) -> WeightFile:
    file = f"{name}-{digits}.pth"
    purpose = f"torchvision's {name.replace('resnet', 'ResNet-')}, ImageNet, V1"
    return WeightFile(name, file, purpose, f"https://download.pytorch.org/models/{file}", lambda: resnet_shapes(name))


FILES = (
    _dinov2("dinov2_vits14", "S", 384, 12),
    _dinov2("dinov2_vitb14", "B", 768, 12),
    _dinov2("dinov2_vitl14", "L", 1024, 24),
    _resnet("resnet50", "0676ba61"),
    _resnet("resnet34", "b627a593"),
    _resnet("resnet18", "f37072fd"),
    WeightFile(
        "clip_vitb16",
        "open_clip_model.safetensors",
        "CLIP ViT-B/16 of OpenAI, both towers, as published for open_clip",
        "https://huggingface.co/timm/vit_base_patch16_clip_224.openai/resolve/main/open_clip_model.safetensors",
        lambda: clip_shapes(768, 16, 512, 512),
    ),
)

# The files that configs/dinogrl/hitsz.yaml and bupt.yaml need.
DEFAULT = ("dinov2_vits14", "resnet50")

_DINOGRL = "https://github.com/yyj-001/DinoGRL/releases/download"
RELEASED = (
    Released(
        "dinogrl_hitsz",
        "DinoGRL on HITSZ-VCM, by its authors",
        f"{_DINOGRL}/HITSZ-VCM",
        "configs/dinogrl/hitsz_official.yaml",
    ),
    Released(
        "dinogrl_bupt",
        "DinoGRL on BUPTCampus, by its authors",
        f"{_DINOGRL}/BUPT",
        "configs/dinogrl/bupt_official.yaml",
    ),
)

BY_HAND = (
    HandFetched(
        "biggait",
        ("MaskBranch_vits14.pt", "BigGait's own checkpoints"),
        "BigGait's pretrained mask branch and trained models",
        "the model links of BigGait in the documentation of ShiqiYu/OpenGait on GitHub, or its authors",
        known="the branch about 14 KiB by its tensors; no SHA-256 known, every tensor's shape is checked",
    ),
    HandFetched(
        "parsing",
        ("one mask per frame",),
        "masks of a parsing network (SCHP), for given silhouettes (Table 7)",
        "run the parsing network yourself on the frames; datasets/MASKS.md describes the layout",
        "your mask folder",
    ),
    HandFetched(
        "hitsz-vcm",
        ("Train", "Test", "info"),
        "the dataset HITSZ-VCM",
        "its authors, on request; datasets/HITSZ-VCM/README.md says how",
        "data/HITSZ-VCM",
    ),
    HandFetched(
        "bupt-campus",
        ("DATA", "data_paths.json", "*.txt"),
        "the dataset BUPTCampus",
        "its authors, on request; datasets/BUPTCampus/README.md says how",
        "data/BUPTCampus",
    ),
)


def published(name: str) -> WeightFile | None:
    """Return the entry with a public address of that name or file name, or None."""
    return next((entry for entry in FILES if name in (entry.name, entry.file)), None)


def released(name: str) -> Released | None:
    """Return the authors' network of that name, in which - and _ are the same, or None."""
    return next((entry for entry in RELEASED if entry.name == name.replace("-", "_")), None)


def catalogued(name: str) -> list[WeightFile | Released | HandFetched]:
    """Return all entries that a name, a file name or a path stands for; none if it is unknown."""
    file = PurePath(name).name
    networks = [
        entry
        for entry in RELEASED
        if released(name) is entry or file in entry.files or name == entry.name.partition("_")[0]
    ]
    single = [published(name) or published(file), hand_fetched(name) or hand_fetched(file)]
    return [*networks, *(entry for entry in single if entry is not None)]


def hand_fetched(name: str) -> HandFetched | None:
    """Return the entry to be fetched by hand of that name or file name, or None."""
    return next((entry for entry in BY_HAND if name == entry.name or name in entry.files), None)
