"""Seeded checkpoints under the names of published code, with which their forward passes are written."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

NORM = ("weight", "bias", "running_mean", "running_var")


class PublishedState:
    """Random entries under published names.

    Attributes:
        state: the entries.
    """

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.state: dict[str, Tensor] = {}

    def add_norm(self, name: str, channels: int) -> None:
        """Add a batch norm far from the identity."""
        values = torch.rand(4, channels) + 0.5
        self.state |= {f"{name}.{key}": value for key, value in zip(NORM, values, strict=True)}
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def norm(self, x: Tensor, name: str) -> Tensor:
        """Apply a batch norm outside training."""
        weight, bias, mean, var = (self.state[f"{name}.{key}"] for key in NORM)
        return F.batch_norm(x, mean, var, weight, bias)


class ThreeResNets(PublishedState):
    """Three whole ResNet-50s, of which the code of AGW and its successors reads two stems and the third's stages.

    Attributes:
        nets: the networks by the prefix of their entries: the visible stem's, the infrared stem's and the stages'.
    """

    PREFIXES = ("visible_module.visible", "thermal_module.thermal", "base_resnet.base")

    def __init__(self, prepare: Callable[[nn.Module], nn.Module] = nn.Module.eval) -> None:
        super().__init__()
        self.nets = {prefix: prepare(torchvision.models.resnet50()) for prefix in self.PREFIXES}
        first = self.nets[self.PREFIXES[2]].layer4[0]
        first.conv2.stride = first.downsample[0].stride = (1, 1)
        for prefix, net in self.nets.items():
            self.state |= {f"{prefix}.{k}": v for k, v in net.state_dict().items() if not k.startswith("fc.")}

    def stem(self, images: Tensor, modality: int) -> Tensor:
        """Return the maps of images (k, 3, h, w) behind the stem of a modality, 0 visible or 1 infrared."""
        net = self.nets[self.PREFIXES[modality]]
        maps: Tensor = net.maxpool(net.relu(net.bn1(net.conv1(images))))
        return maps

    @property
    def stages(self) -> nn.Module:
        """The network whose stages are read."""
        return self.nets[self.PREFIXES[2]]
