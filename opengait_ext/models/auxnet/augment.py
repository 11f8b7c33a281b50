"""AuxNet's augmentation: every frame is cropped by itself, and both tracklets of an aligned pair are mirrored alike."""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from opengait.utils.typed import Share
from opengait_ext.data.augment import Flip, Frames, Normalise, PadCrop
from opengait_ext.data.tracklet import Modality


class PairAugmentation(Normalise):
    """Shifted crop of every frame, mirror image of the tracklet, normalisation.

    The tracklets of an aligned pair share the seed of their draws (`opengait_ext.data.pairs`). Each draws the mirroring
    and the crops of both modalities and takes its own, so a pair is mirrored alike but cropped apart.

    Args:
        pad: zeros on each side before the crop; fewer than the longer side of a frame has pixels.
        flip: probability of a mirrored tracklet.
    """

    needs_info = True

    def __init__(self, pad: Annotated[int, "non-negative int"] = 10, flip: Share = 0.5) -> None:
        super().__init__()
        self.crop = PadCrop(pad, per_frame=True)
        self.flip = Flip(flip)

    def __call__(self, x: Frames, seq_info: Sequence[Any]) -> Tensor:  # type: ignore[override]
        """Augment the frames `x`, uint8 (s, 3, h, w), of a tracklet [label, type, ...]; return float32, normalised."""
        frames, _, drawn = self.begin(x, seq_info)
        return self.finish(frames, drawn)

    def begin(self, frames: Frames, info: Any = None, masks: Any = None) -> tuple[Tensor, Any, Tensor]:
        """Draw everything; crop and mirror the frames, and masks alike, while they are bytes (`DeferrableTransform`).

        Raises:
            ConfigError: `pad` is not smaller than the frame.
        """
        height, width = frames.shape[-2:]
        self.crop.check(height, width, type(self).__name__)
        mirrored = self.flip.draw(len(frames))
        shifts = [self.crop.draw(len(frames)) for _ in Modality][Modality(info[1]).number]
        moved = [
            None if x is None else self.flip(self.crop(torch.as_tensor(x), shifts), mirrored) for x in (frames, masks)
        ]
        assert moved[0] is not None
        return moved[0], moved[1], torch.empty(len(frames), 0)
