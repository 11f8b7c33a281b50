"""Base class of the methods' networks, with what the engine and `load_network` rely on."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait.utils.state_dicts import find_state, is_plain, unwrapped

# Prefix of the network's entries in the engine's model and its checkpoints; methods with upstream's names have none.
PREFIX = "network."
# The engine saves trainable losses beside the network.
LOSSES = "loss_aggregator."


class Maps(NamedTuple):
    """What a network makes of k frames, on its own grid of h x w.

    Attributes:
        mask: probability of the person, (k, 1, h, w).
        enriched: the enriched silhouette: the channels that describe the person, zero outside, (k, channels, h, w).
    """

    mask: Tensor
    enriched: Tensor


class PlainNetwork(nn.Module):
    """Network of a published method, built from the `model_cfg` of a configuration.

    Attributes:
        frozen: prefixes of state entries that a checkpoint may lack, since they have a weight file of their own.
        classifiers: prefixes of state entries that descriptors do not need.
        silhouette_parts: children that make silhouettes of frames; empty in networks without silhouettes.
    """

    frozen: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    silhouette_parts: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, model_cfg: Mapping[str, Any]) -> Self:
        """Build the network that a configuration's `model_cfg` describes."""
        raise NotImplementedError

    @classmethod
    def without_replaced_weights(
        cls, model_cfg: Mapping[str, Any], entries: Callable[[], Mapping[str, Tensor]]
    ) -> dict[str, Any]:
        """Return a copy of `model_cfg` without the weight files whose values a checkpoint replaces.

        Args:
            model_cfg: section that describes the network.
            entries: returns the checkpoint's entries of the network; called only if the result depends on them.
        """
        del entries
        return dict(model_cfg)

    @staticmethod
    def renamed(entries: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return a checkpoint's entries under this network's names, if other programs name them differently."""
        return entries

    @classmethod
    def check_silhouettes(cls, model_cfg: Mapping[str, Any]) -> None:
        """Check that the network of `model_cfg` makes silhouettes of frames.

        Raises:
            ConfigError: it makes none.
        """
        if not cls.silhouette_parts:
            raise ConfigError(f"The model {model_cfg.get('model')} makes no silhouettes.")

    def frame_silhouettes(self, frames: Tensor) -> Maps:
        """Return the silhouettes of `frames` (k, 3, height, width), ImageNet-normalised; each frame stands alone."""
        raise NotImplementedError


def network_entries(checkpoint: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    """Return the entries of an engine checkpoint under `prefix`, with the prefix and those of wrappers removed."""
    state = find_state(checkpoint)
    if state is None:
        return {}
    entries = unwrapped(state, lambda name: name.startswith(prefix) and (bool(prefix) or is_plain(name)))
    return {
        name.removeprefix(prefix): value
        for name, value in entries.items()
        if name.startswith(prefix) and not name.startswith(LOSSES)
    }
