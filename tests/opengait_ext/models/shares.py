"""One training step of a small network of each configuration, on any number of processes, in double precision."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait import distributed
from opengait.config import load_config
from opengait.engine.critics import build_critics, train_critics
from opengait.engine.run_state import RunState
from opengait.engine.sync_batchnorm import convert_sync_batchnorm
from opengait.modeling.loss_aggregator import LossAggregator
from opengait.utils.tensors import get_ddp_module
from opengait_ext.data.sampler import CrossModalSampler
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.agw import model as agw
from opengait_ext.models.agw.network import AGWNet
from opengait_ext.models.auxnet import model as auxnet
from opengait_ext.models.auxnet.network import AuxNetNet
from opengait_ext.models.biggait import network as biggait
from opengait_ext.models.biggait.model import training_terms
from opengait_ext.models.biggergait.network import BiggerGaitNet
from opengait_ext.models.deen import model as deen
from opengait_ext.models.deen.network import DEENNet
from opengait_ext.models.dinogrl.model import loss_terms
from opengait_ext.models.m3_reid.model import loss_terms as m3_reid_terms
from opengait_ext.models.m3_reid.network import M3ReIDNet
from opengait_ext.models.mitml import model as mitml
from opengait_ext.models.mitml.modality_classifier import ModalityClassifier
from opengait_ext.models.mitml.network import MITMLNet
from opengait_ext.models.shared.vision_model import VisionFeatures
from opengait_ext.models.vld.model import loss_terms as vld_terms
from opengait_ext.models.vld.network import VLDNet
from tests.opengait_ext.models.biggait.tiny import tiny_network
from tests.opengait_ext.models.biggergait import tiny as tiny_bigger
from tests.opengait_ext.models.vld.tiny import model_cfg as tiny_vld
from tests.paths import ROOT

FRAMES = 2
METHODS = (
    "AGW",
    "AuxNet",
    "DEEN",
    "MITML",
    "DinoGRL",
    "BigGait__Dinov2_Gaitbase",
    "BiggerGait__DINOv2",
    "M3ReID",
    "VLD",
)
SMALL: dict[str, dict[str, Any]] = {
    "backbone": {"backbone": "resnet10", "width": 4, "weights": None},
    "appearance": {"backbone": "resnet10", "width": 4, "weights": None},
    "gait": {"backbone": "resnet10", "width": 4, "weights": None},
    "vision_model": {
        "name": "vit_tiny_patch16_224",
        "weights": None,
        "layers": [0, 1],
        "image_size": [64, 32],
        "arguments": {"patch_size": 8, "embed_dim": 6, "depth": 2, "num_heads": 1},
        "precision": "float32",
    },
    "silhouette": {"size": [16, 8], "channels": 4},
}
# Every draw of a rank's own random stream is left out, since it depends on the number of ranks.
SASG = {"priors": 4, "hidden": 8, "mask_weights": None, "mask_dropout": 0.0, "drop_prior": 0.0}


class Patches(nn.Module):
    """Stands in for the frozen vision model, whose features are float32: random projections of patches."""

    def __init__(self, channels: int, layers: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.channels, self.layers, self.grid = channels, range(layers), grid
        weights = torch.randn(1 + layers, channels, 3, 3, 3, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weights", weights, persistent=False)

    def tokens(self, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
        pooled = F.adaptive_avg_pool2d(frames, self.grid)
        last, *blocks = [F.conv2d(pooled, weight, padding=1).flatten(2).transpose(1, 2) for weight in self.weights]
        return last, blocks

    def forward(self, frames: Tensor) -> VisionFeatures:
        last, blocks = self.tokens(frames)
        layers = torch.cat(blocks, dim=-1)
        return VisionFeatures(last, F.layer_norm(layers, layers.shape[-1:]), self.grid)


class Step(nn.Module):
    """A network whose output is the arguments of the losses, as the engine's models return them."""

    def __init__(self, cfgs: dict[str, Any], people: int) -> None:
        super().__init__()
        model_cfg = cfgs["model_cfg"]
        self.method = model_cfg["model"]
        torch.manual_seed(0)
        if self.method == "DinoGRL":
            self.network: nn.Module = DinoGRLNet.from_config(shrunk(model_cfg, people))
            if self.network.vision_model is not None:
                self.network.vision_model = Patches(6, 2, (8, 4))
        elif self.method == "AGW":
            self.network = AGWNet.from_config(shrunk(model_cfg, people))
        elif self.method == "DEEN":
            # The dropout's draws are left out, too.
            self.network = stirred(DEENNet.from_config(shrunk(model_cfg, people) | {"dropout": 0.0}))
        elif self.method == "AuxNet":
            self.network = AuxNetNet.from_config(shrunk(model_cfg, people))
        elif self.method == "M3ReID":
            self.network = M3ReIDNet(people, backbone="resnet10", width=4)
        elif self.method == "MITML":
            self.network = MITMLNet.from_config(shrunk(model_cfg, people) | {"positions": FRAMES})
            self.modality_classifier = ModalityClassifier(self.network.channels)
        elif self.method == "VLD":
            self.network = VLDNet.from_config(tiny_vld(num_classes=people, frames=FRAMES, image_size=(64, 32)))
        elif self.method == "BiggerGait__DINOv2":
            cfg = tiny_bigger.model_cfg(image_size=14, total_layer_num=12, group_layer_num=4)
            cfg["SeparateBNNecks"]["class_num"] = people
            self.network = BiggerGaitNet.from_config(cfg)
            self.network.Backbone = Patches(384, 12, (8, 4))
        else:
            heads = {"class_num": people}
            self.network = tiny_network(SeparateBNNecks=heads, Mask_Branch={"p": 0})
            self.network.backbone = Patches(24, 4, (8, 4))
        # Late, so that every loss has begun.
        self.losses = self.loss_aggregator = LossAggregator(cfgs["loss_cfg"], RunState(iteration=10**9))
        # BigGait's branches return float32.
        self.dtype = torch.float32 if self.method.startswith("BigGait") else torch.float64
        self.to(self.dtype)
        self.critics = build_critics(self, cfgs.get("critic_cfg"))

    def forward(self, frames: Tensor, modality: Tensor, labels: Tensor) -> dict[str, Any]:
        frames = frames.to(self.dtype)
        if self.method == "DinoGRL":
            masks = None
            if self.network.gait is not None and self.network.vision_model is None:
                masks = (frames[:, :, :1] > 0.3).to(self.dtype)
            terms = loss_terms(self.network(frames, modality, masks), labels)
            return {name: arguments for name, arguments in terms.items() if name in self.losses.losses}
        if self.method == "AGW":
            return agw.loss_terms(self.network(frames, modality), labels)
        if self.method == "DEEN":
            return deen.loss_terms(self.network(frames, modality), labels, modality)
        if self.method == "AuxNet":
            return auxnet.loss_terms(self.network(frames, modality), labels)
        if self.method == "M3ReID":
            return m3_reid_terms(self.network(frames), labels, modality)
        if self.method == "VLD":
            return vld_terms(self.network(frames), labels)
        if self.method == "MITML":
            return mitml.loss_terms(self.network(frames, modality), labels, modality, self.modality_classifier)
        if self.method == "BiggerGait__DINOv2":
            output = self.network(frames)
            return {
                "triplet": {"embeddings": output.embeddings, "labels": labels},
                "softmax": {"logits": output.logits, "labels": labels},
            }
        with patch.object(biggait, "black_out", lambda *maps_and_lengths: maps_and_lengths[:2]):
            return training_terms(self.network(frames, learn_mask=True), labels)


def stirred(network: DEENNet) -> DEENNet:
    """Let blocks that start as the identity do something; otherwise most of their layers have no gradient."""
    for aggregation in network.aggregations:
        for block in aggregation.children():
            nn.init.normal_(block.norm.weight)
    return network


def shrunk(model_cfg: dict[str, Any], people: int) -> dict[str, Any]:
    small = {**model_cfg, "num_classes": people}
    if "dimension" in model_cfg:
        small["dimension"] = 6
        small["granularities"] = [stripes for stripes in model_cfg.get("granularities", ()) if stripes <= 4]
    for section, changes in SMALL.items():
        if model_cfg.get(section) is not None:
            small[section] = {**model_cfg[section], **changes}
            small[section].pop("strides", None)
    silhouette = small.get("silhouette")
    if silhouette is not None and silhouette.get("type") != "masks":
        silhouette |= SASG
    return small


def batch(people: int, tracklets: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return frames, modalities and labels of a whole batch in the order of `CrossModalSampler`."""
    size = 2 * people * tracklets
    run = torch.arange(size) // tracklets
    modality = (run + run // 2) % 2
    labels = run // 2
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn(size, FRAMES, 3, 64, 32, generator=generator, dtype=torch.float64)
    # Modalities differ, so that norms of one stem that meet those of the other change every gradient.
    frames = frames * (1 + modality.view(-1, 1, 1, 1, 1)) + 2 * modality.view(-1, 1, 1, 1, 1)
    return frames, modality, labels


def of_the_sampler(people: int, tracklets: int) -> Sequence[int]:
    kinds = (["visible"] * tracklets + ["infrared"] * tracklets) * people
    indices = {str(p): list(range(2 * tracklets * p, 2 * tracklets * (p + 1))) for p in range(people)}
    dataset = SimpleNamespace(types_list=kinds, indices_dict=indices, label_set=sorted(indices))
    return CrossModalSampler(dataset, [people, tracklets]).share(2 * people * tracklets)


def every_nth(people: int, tracklets: int) -> Sequence[int]:
    """As with OpenGait's samplers; of [16, 1] on 4 processes, each has one modality."""
    return range(distributed.rank(), 2 * people * tracklets, distributed.world_size())


def of_one_modality(people: int, tracklets: int) -> Sequence[int]:
    return cut(people, tracklets, 0.0)


def mixed(people: int, tracklets: int) -> Sequence[int]:
    """Two ranks have both modalities, and the others one."""
    return cut(people, tracklets, 0.5)


def cut(people: int, tracklets: int, offset: float) -> Sequence[int]:
    """Cut a batch into slices after sorting it by modality and rotating it by a part of a share."""
    modality = batch_modality(people, tracklets)
    share = len(modality) // distributed.world_size()
    start = distributed.rank() * share + int(offset * share)
    return [modality[(start + index) % len(modality)] for index in range(share)]


def batch_modality(people: int, tracklets: int) -> list[int]:
    runs = [position // tracklets for position in range(2 * people * tracklets)]
    return sorted(range(len(runs)), key=lambda position: (runs[position] + runs[position] // 2) % 2)


def step(config: str, size: tuple[int, int], shares: Callable[[int, int], Sequence[int]], **options: Any) -> dict:
    """Return the loss, the gradients and the buffers after one step on this rank's share of a batch.

    Args:
        config: name below `configs/`.
        size: [people, tracklets per modality].
        shares: returns the positions of this rank's share.
        **options: `sync` (true) and `unused` (as the configuration), for `sync_BN` and `find_unused_parameters`.
    """
    cfgs = load_config(ROOT / "configs" / config)
    module: nn.Module = Step(cfgs, size[0]).train()
    if options.get("sync", True):
        module = convert_sync_batchnorm(module)
    unused = options.get("unused", cfgs["trainer_cfg"]["find_unused_parameters"])
    model = get_ddp_module(module, unused)
    positions = torch.tensor(list(shares(*size)))
    terms = model(*(tensor[positions] for tensor in batch(*size)))
    critics: Any = module
    train_critics(critics, terms)
    loss, info = module.losses(terms)
    loss.backward()
    gradients = {n: p.grad for n, p in module.named_parameters() if p.requires_grad and p.grad is not None}
    # Critics have taken their step, so their parameters are compared as statistics are.
    buffers = dict(module.named_buffers()) | {
        f"critic.{number}": p.detach() for critic in module.critics for number, p in enumerate(critic.parameters)
    }
    return {"gradients": gradients, "buffers": buffers, "info": info, "loss": loss.detach()}


def difference(expected: dict[str, dict], ranks: Sequence[dict[str, dict]]) -> float:
    """Return the largest difference of ranks' gradients and statistics from the expected ones, in tolerances.

    A bias before a norm, or before a comparison of differences, has no gradient but rounding, so the tolerance has a
    part of the norm of all gradients.
    """
    gradients, buffers = expected["gradients"], expected["buffers"]
    double = next(iter(gradients.values())).dtype is torch.float64
    relative, floor = (1e-5, 1e-8) if double else (2e-2, 1e-5)
    floor *= float(torch.stack([gradient.norm() for gradient in gradients.values()]).norm())
    worst = [0.0]
    for rank in ranks:
        assert rank["gradients"].keys() == gradients.keys() and rank["buffers"].keys() == buffers.keys()
        pairs = [(value, rank["gradients"][name], floor) for name, value in gradients.items()]
        pairs += [(value.double(), rank["buffers"][name].double(), 1e-6) for name, value in buffers.items()]
        worst += [(other - value).norm() / (relative * value.norm() + least) for value, other, least in pairs]
    return float(torch.tensor(worst).max())  # not a number if any is not
