"""The graph of a describer: frames as bytes and modalities in, descriptors out."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from opengait.errors import ConfigError
from opengait.utils.text import first_line
from opengait_ext.data.augment import Normalise
from opengait_ext.models.shared.plain_network import PlainNetwork
from opengait_ext.search.describer import Describer
from opengait_ext.search.inputs import Pictures

# Numbers of tracklets and frames that a graph with free numbers is traced with. They differ, and neither is 1, since
# torch would take equal numbers for the same one and 1 for a constant.
EXAMPLE = 2, 3
# Numbers without a bound are compared with the largest integer, which torch 2.6 takes for a condition on them.
MOST = 2**20


class FrameDescriber(nn.Module):
    """A network with the normalisation of its test.

    Args:
        network: in evaluation mode.
        transform: the test's transform.
        size: (height, width) of the frames.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: PlainNetwork, transform: Normalise, size: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.register_buffer("mean", transform.mean.view(-1, 1, 1))
        self.register_buffer("std", transform.std.view(-1, 1, 1))
        self.eval()

    def forward(self, frames: Tensor, modality: Tensor) -> Tensor:
        """Return the descriptors of n tracklets of s frames, float32 (n, c, p).

        Args:
            frames: uint8 (n, s, 3, height, width), RGB.
            modality: long (n), 0 visible, 1 infrared.
        """
        return self.network.describe((frames.float() / 255 - self.mean) / self.std, modality).float()


def frame_describer(describer: Describer) -> FrameDescriber:
    """Return the module of a describer that is exported.

    Raises:
        ConfigError: its model has no plain network, or reads something beside normalised frames.
    """
    network, transforms = getattr(describer.model, "network", None), describer.model.evaluator_trfs
    name = type(describer.model).__name__
    if not isinstance(network, PlainNetwork) or not isinstance(describer.kind, Pictures):
        raise ConfigError(f"{name} is not a network that reads frames of colour or infrared video; those are exported.")
    if len(transforms) != 1 or not isinstance(transforms[0], Normalise):
        names = ", ".join(type(transform).__name__ for transform in transforms)
        raise ConfigError(
            f"An exported network normalises its frames and reads nothing else, but evaluator_cfg.transform of this "
            f"one is {names}; expected a single Normalise."
        )
    return FrameDescriber(network, transforms[0], describer.kind.size)


def trace(module: FrameDescriber, tracklets: int | None = None, frames: int | None = None) -> ExportedProgram:
    """Return the graph of a module.

    Args:
        module: the describer; it is run once.
        tracklets, frames: the numbers that the graph takes; None for any.

    Raises:
        ConfigError: the network cannot be exported with these numbers.
    """
    required = module.network.tracklet_frames
    if required is not None and frames not in (None, required):
        raise ConfigError(f"This network takes tracklets of {required} frames, not of {frames}.")
    count = frames or required
    shape = (tracklets or EXAMPLE[0], count or EXAMPLE[1])
    example = torch.zeros(*shape, 3, *module.size, dtype=torch.uint8), torch.arange(shape[0]) % 2
    free: dict[int, Any] = {} if tracklets else {0: Dim("tracklets", max=MOST)}
    free_frames: dict[int, Any] = {} if count else {1: Dim("frames", max=MOST)}
    with torch.no_grad(), warnings.catch_warnings():
        # Position tables are resampled in an eager pass, since a graph cannot keep them.
        module(*example)
        # Of torch's own tracing; the verification says whether the graph is right.
        warnings.simplefilter("ignore")
        try:
            return torch.export.export(module, example, dynamic_shapes=(free | free_frames, free), strict=False)
        # torch has no base class for what its tracing, solver and decompositions raise.
        except Exception as error:
            numbers = f"{tracklets or 'any number of'} tracklets of {count or 'any number of'} frames"
            raise ConfigError(
                f"torch {torch.__version__} cannot export this network for {numbers} ({first_line(error)}); fix the "
                f"numbers with --tracklets and --frames."
            ) from error
