"""The four panels of a frame: frame, mask, overlay and enriched silhouette."""

import numpy as np

from opengait.errors import DataError

TINT = np.array([255, 40, 40], dtype=np.float32)
STRENGTH = 0.5
PANELS = ("frame", "mask", "overlay", "enriched")


def panels(frame: np.ndarray, mask: np.ndarray, enriched: np.ndarray) -> list[np.ndarray]:
    """Return `PANELS` as uint8 (..., h, w, 3), in the size of the frame.

    Args:
        frame: uint8 (..., h, w, 3).
        mask: uint8 (..., h, w).
        enriched: uint8 (..., h, w, 3).
    """
    return [frame, grey_to_colour(mask), overlay(frame, mask), enriched]


def overlay(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Blend `TINT` into the frame, weighted by `STRENGTH` times the mask.

    Args:
        frame: uint8 (..., h, w, 3).
        mask: uint8 (..., h, w), 255 for certain foreground.

    Returns:
        uint8, in the shape of the frame.
    """
    share = STRENGTH / 255 * mask[..., None].astype(np.float32)
    return np.rint(frame * (1 - share) + TINT * share).astype(np.uint8)


def grey_to_colour(picture: np.ndarray) -> np.ndarray:
    """Return grey (..., h, w) as (..., h, w, 3)."""
    return np.broadcast_to(picture[..., None], (*picture.shape, 3))


def as_pictures(frames: np.ndarray, name: str) -> np.ndarray:
    """Return a tracklet's frames as uint8 (k, h, w, 3); silhouettes become grey.

    Args:
        frames: uint8 (k, 3, h, w) or (k, h, w).
        name: the tracklet, for the message.

    Raises:
        DataError: the frames are not pictures.
    """
    frames = np.asarray(frames)
    if frames.ndim == 3 and frames.dtype == np.uint8:
        return np.ascontiguousarray(grey_to_colour(frames))
    if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != np.uint8:
        raise DataError(
            f"Tracklet {name} has no pictures to show: expected uint8 frames (k, 3, h, w), got {frames.dtype} "
            f"{frames.shape}."
        )
    return frames.transpose(0, 2, 3, 1)
