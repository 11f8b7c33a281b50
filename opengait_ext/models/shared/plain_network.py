"""Base class of the methods' networks, with what the engine and `load_network` rely on."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait.utils.state_dicts import find_state, is_plain, unwrapped
from opengait_ext.models.shared.build import build_part

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
        parts: sections of `model_cfg`, and what builds the argument of the same name from each.
        weight_files: keys of `model_cfg`, each with its section, that name weight files of trained parts, whose values
            every checkpoint replaces.
        frozen: prefixes of state entries that a checkpoint may lack, since they have a weight file of their own.
        classifiers: prefixes of state entries that descriptors do not need.
        silhouette_parts: children that make silhouettes of frames; empty in networks without silhouettes.
    """

    parts: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    weight_files: ClassVar[tuple[tuple[str, ...], ...]] = ()
    frozen: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    silhouette_parts: tuple[str, ...] = ()

    @property
    def tracklet_frames(self) -> int | None:
        """The number of frames that every tracklet must have; None if it is free."""
        return None

    def describe(self, frames: Tensor, modality: Tensor) -> Tensor:
        """Return the descriptors (n, c, p) of tracklets alone.

        Args:
            frames: float (n, s, 3, height, width), ImageNet-normalised.
            modality: long (n), 0 visible, 1 infrared; networks that treat both alike ignore it.
        """
        descriptors: Tensor = self(frames, modality).descriptor
        return descriptors

    @classmethod
    def from_config(cls, model_cfg: Mapping[str, Any]) -> Self:
        """Build the network that a configuration's `model_cfg` describes.

        Raises:
            ConfigError: a key is unknown or missing, or a value is invalid.
            CheckpointError: a weight file is missing or belongs to another network.
        """
        options = {key: value for key, value in model_cfg.items() if key not in ("model", *cls.parts)}
        parts = {name: build_part(part, name, model_cfg.get(name)) for name, part in cls.parts.items()}
        network: Self = build_part(cls, "", options, **parts)
        return network

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
        return without(model_cfg, cls.weight_files)

    @classmethod
    def without_weight_files(cls, model_cfg: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of `model_cfg` that names no weight file, for a network that is saved with all its weights."""
        return without(model_cfg, cls.weight_files)

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


def without(model_cfg: Mapping[str, Any], keys: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """Return a copy of `model_cfg` without some keys, each given after the sections that lead to it."""
    kept = copy.deepcopy(dict(model_cfg))
    for *sections, key in keys:
        table: Any = kept
        for section in sections:
            table = table.get(section) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table.pop(key, None)
    return kept


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
