"""Build callables from a configuration's `transform` section."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from opengait import registry
from opengait.data.deferred import apply_with_masks
from opengait.data.transform.basic import BaseSilCuttingTransform, NoOperation, RandomHorizontalFlip
from opengait.data.transform.parts import RandomPartBlur, RandomPartDilate
from opengait.data.transform.warp import RandomAffine, RandomPerspective
from opengait.errors import ConfigError
from opengait.utils.arguments import accepted_arguments
from opengait.utils.typed import Share


class _Composed:
    """Transforms in sequence; those that need the tracklet's info receive it."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = list(transforms)
        self.needs_info = any(getattr(transform, "needs_info", False) for transform in self.transforms)

    def __call__(self, frames: Any, info: list | None = None) -> Any:
        return self.with_masks(frames, info, None)[0]

    def with_masks(self, frames: Any, info: list | None, masks: Any) -> tuple[Any, Any]:
        """Transform frames and move their masks along (`opengait.data.deferred`)."""
        for transform in self.transforms:
            frames, masks = apply_with_masks(transform, frames, info, masks)
        return frames, masks


def get_transform(trf_cfg: dict[str, Any] | list | None = None) -> Any:
    """Build the transforms of a `transform` entry.

    None gives the identity; `{type: Name, ...}` a transform with those arguments; a list gives the list of its entries'
    transforms, one per feature (or nested, for models that take several views of a feature).

    Raises:
        ConfigError: the entry is not one of these, has no `type`, or names an unknown transform.
    """
    if trf_cfg is None:
        return NoOperation()
    if isinstance(trf_cfg, list | tuple):
        return [get_transform(entry) for entry in trf_cfg]
    if not isinstance(trf_cfg, dict):
        raise ConfigError(f"transform: expected a mapping with `type`, a list or nothing, got {trf_cfg!r}.")
    if "type" not in trf_cfg:
        raise ConfigError(f"The transform entry {trf_cfg!r} has no `type`.")
    part = registry.transforms.get(trf_cfg["type"])
    try:
        return part(**accepted_arguments(part, trf_cfg, ["type"]))
    except TypeError as error:
        raise ConfigError(f"The transform {trf_cfg['type']} cannot be built from {trf_cfg!r}: {error}.") from error


def Compose(trf_cfg: list) -> _Composed:  # noqa: N802
    """Build the listed transforms as one that applies them in sequence.

    Raises:
        ConfigError: `trf_cfg` is not a list, or holds a nested list.
    """
    if not isinstance(trf_cfg, list | tuple) or any(isinstance(entry, list | tuple) for entry in trf_cfg):
        raise ConfigError(f"Compose: expected a flat list as `trf_cfg`, got {trf_cfg!r}.")
    return _Composed(get_transform(list(trf_cfg)))


def DA4GaitSSB(  # noqa: N802
    cutting: int | None = None,
    ra_prob: Share = 0.2,
    rp_prob: Share = 0.2,
    rhf_prob: Share = 0.5,
    rpd_prob: Share = 0.2,
    rpb_prob: Share = 0.2,
    top_range: tuple[int, int] = (9, 20),
    bot_range: tuple[int, int] = (39, 50),
) -> Callable[[np.ndarray], np.ndarray]:
    """Build GaitSSB's augmentation of silhouettes `[s, h, w]`, 0..255 to 0..1."""
    return _Composed(
        [
            RandomAffine(prob=ra_prob),
            RandomPerspective(prob=rp_prob),
            BaseSilCuttingTransform(cutting=cutting),
            RandomHorizontalFlip(prob=rhf_prob),
            RandomPartDilate(prob=rpd_prob, top_range=top_range, bot_range=bot_range),
            RandomPartBlur(prob=rpb_prob, top_range=top_range, bot_range=bot_range),
        ]
    )
