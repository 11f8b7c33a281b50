"""The contract between a method's plain network and whatever builds it or loads its checkpoints."""

from collections.abc import Callable, Mapping
from typing import Any, Self

from torch import Tensor, nn

# The engine saves trainable losses beside the network.
LOSSES = "loss_aggregator."


class PlainNetwork(nn.Module):
    """A published method as a plain module, built from the `model_cfg` of a configuration.

    Attributes:
        frozen: prefixes of state entries that a checkpoint may lack, since they have a weight file of their own.
        classifiers: prefixes of state entries that descriptors do not need.
    """

    frozen: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, model_cfg: Mapping[str, Any]) -> Self:
        """Build the network that a configuration's `model_cfg` describes."""
        raise NotImplementedError

    @classmethod
    def without_starts(
        cls, model_cfg: Mapping[str, Any], entries: Callable[[], Mapping[str, Tensor]]
    ) -> dict[str, Any]:
        """Return a copy of `model_cfg` without the weight files whose values a checkpoint replaces.

        Args:
            model_cfg: of the network.
            entries: returns the checkpoint's entries of the network; called only where the answer depends on them.
        """
        del entries
        return dict(model_cfg)


def network_entries(checkpoint: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    """Return the entries of an engine checkpoint that stand under `prefix`, without it."""
    entries = checkpoint.get("model")
    if not isinstance(entries, Mapping):
        return {}
    return {
        name.removeprefix(prefix): value
        for name, value in entries.items()
        if name.startswith(prefix) and not name.startswith(LOSSES)
    }
