"""Every network on frames as an exported file: the descriptors of the network itself, for any numbers."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from opengait_ext.data.augment import Normalise
from opengait_ext.export import FORMATS, FrameDescriber, open_exported, trace
from opengait_ext.models.agw.network import AGWNet
from opengait_ext.models.auxnet.network import AuxNetNet
from opengait_ext.models.deen.network import DEENNet
from opengait_ext.models.m3_reid.network import M3ReIDNet
from opengait_ext.models.mitml.network import MITMLNet
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.models.vld.network import VLDNet
from tests.equations.networks import tiny_network
from tests.opengait_ext.models.biggait.tiny import tiny_network as tiny_biggait
from tests.opengait_ext.models.biggergait import tiny as biggergait
from tests.opengait_ext.models.biggergait.hugging_face import TINY
from tests.opengait_ext.models.vld.tiny import model_cfg as tiny_vld

pytestmark = pytest.mark.slow
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BACKBONE = {"backbone": "resnet10", "width": 4}
RELEASE = {
    "enhancement": {"type": "release", "embedding": 6},
    "granularities": [1, 2],
    "supervised": "parts",
    "descriptor": "parts",
    "normalise": False,
    "silhouette": {
        "size": [32, 16],
        "channels": 8,
        "priors": 6,
        "enlarge_tokens": True,
        "foreground": "border",
        "soft_mask": False,
    },
}
# Each with the size of its frames.
NETWORKS: dict[str, tuple[Callable[[], PlainNetwork], tuple[int, int]]] = {
    "paper": (lambda: tiny_network(granularities=[2, 4]), (128, 64)),
    "release": (lambda: tiny_network(**RELEASE), (128, 64)),
    "agw": (lambda: AGWNet.from_config({"backbone": BACKBONE}), (64, 32)),
    "auxnet": (lambda: AuxNetNet.from_config({"backbone": BACKBONE}), (64, 32)),
    "deen": (lambda: DEENNet.from_config({"backbone": BACKBONE}), (64, 32)),
    "m3_reid": (lambda: M3ReIDNet.from_config(BACKBONE), (64, 32)),
    "mitml": (lambda: MITMLNet.from_config({"backbone": BACKBONE, "positions": 2}), (64, 32)),
    "vld": (lambda: VLDNet.from_config(tiny_vld(frames=2)), (32, 16)),
    "biggait": (tiny_biggait, (64, 32)),
    "biggergait": (lambda: biggergait.network(biggergait.model_cfg(pretrained_lvm=TINY)), (64, 32)),
}


def build(name: str) -> FrameDescriber:
    """Return a network whose norms have the statistics of its frames, and do not start at zero."""
    make, size = NETWORKS[name]
    torch.manual_seed(0)
    network = make().train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.momentum = 1.0
            if module.affine:
                nn.init.uniform_(module.weight, 0.3, 0.6)
                nn.init.uniform_(module.bias, -0.1, 0.1)
    with torch.no_grad():
        network.describe(torch.randn(4, network.tracklet_frames or 3, 3, *size), torch.arange(4) % 2)
    return FrameDescriber(network, Normalise(), size)


def inputs(module: FrameDescriber, tracklets: int, frames: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (tracklets, frames, 3, *module.size), dtype=np.uint8)
    return pictures, (np.arange(tracklets) % 2).astype(np.int64)


def eager(module: FrameDescriber, frames: np.ndarray, modality: np.ndarray) -> np.ndarray:
    """Return the descriptors of the network itself, of frames that are normalised here."""
    mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in (MEAN, STD))
    normalised = torch.from_numpy((frames.astype(np.float32) / 255 - mean) / std)
    with torch.no_grad():
        return module.network.describe(normalised, torch.from_numpy(modality)).numpy()


@pytest.fixture(scope="module")
def traced():
    """Return a function that gives a network's module and graph, traced once for all formats."""
    made: dict[str, tuple[FrameDescriber, torch.export.ExportedProgram]] = {}

    def make(name: str) -> tuple[FrameDescriber, torch.export.ExportedProgram]:
        if name not in made:
            module = build(name)
            made[name] = module, trace(module)
        return made[name]

    return make


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("format", FORMATS)
def test_a_file_describes_as_its_network(traced, tmp_path, name, format):
    if format == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package)
        if torch.__version__.startswith("2.6."):
            pytest.skip("with onnxscript 0.5 and onnx_ir 1.1, the exporter of torch 2.6 fails")
    module, program = traced(name)
    path = tmp_path / f"network.{format}"
    FORMATS[format][0](program, path)
    run = open_exported(path)
    required = module.network.tracklet_frames
    for tracklets, frames in ((2, 3), (1, 1), (3, 5), (5, 1), (1, 4)):
        pictures, modality = inputs(module, tracklets, required or frames)
        expected, described = eager(module, pictures, modality), run(pictures, modality)
        assert described.dtype == np.float32 and described.shape == expected.shape
        errors = np.linalg.norm((described - expected).reshape(tracklets, -1), axis=1)
        norms = np.linalg.norm(expected.reshape(tracklets, -1), axis=1)
        assert (errors <= 1e-4 * norms).all(), (errors / norms).max()
