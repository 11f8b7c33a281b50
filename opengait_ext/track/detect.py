"""Detectors of people: what moves before a fixed camera, or a network of torchvision."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from opengait.errors import CheckpointError, ConfigError
from opengait.utils.tensor_files import UnreadableError, read_tensors

# Boxes (k, 4), left, top, right, bottom in pixels, and scores (k).
Detections = tuple[np.ndarray, np.ndarray]
# COCO's number of a person, in torchvision's detectors.
_PERSON = 1


class Detector(Protocol):
    """Finds people in frames, which come in order."""

    def learn(self, frames: Iterable[np.ndarray], rate: float) -> None:
        """Look at some frames of a video of `rate` frames a second, before the first one is asked for."""

    def __call__(self, frame: np.ndarray) -> Detections:
        """Return the people in a frame, uint8 RGB (h, w, 3)."""


class Motion:
    """People as upright areas that differ from the background: a mixture of Gaussians per pixel (MOG2), no weights.

    The camera must not move. Who stands still for about `memory` seconds joins the background, and people who walk
    side by side are one box.

    Args:
        least: least height of a person, as a share of the picture's height.
        memory: seconds after which a change is background.
    """

    # Work on pictures of at most this height, since the shape of an area needs no more.
    HEIGHT = 480
    # Height of a person by their width: a wide stride, and arms at the sides.
    SHAPE = (1.15, 5.5)
    # A person is at most this share of the picture's height, and covers at least this share of their box.
    MOST, FILLED = 0.95, 0.3
    _SHADOW = 127

    def __init__(self, least: float = 0.08, memory: float = 60) -> None:
        self.least = least
        self.memory = memory
        self.model = cv2.createBackgroundSubtractorMOG2(varThreshold=25, detectShadows=True)

    def learn(self, frames: Iterable[np.ndarray], rate: float) -> None:
        """Learn the background from frames spread over the video's beginning, in which people are elsewhere."""
        self.learning_rate = 1 / max(50.0, rate * self.memory)
        for number, frame in enumerate(frames):
            self.model.apply(self._small(frame)[0], learningRate=1 / (number + 1))

    def __call__(self, frame: np.ndarray) -> Detections:
        """Return the moving people in a frame; the score is the share of the box that moves."""
        small, scale = self._small(frame)
        mask: Any = (self.model.apply(small, learningRate=self.learning_rate) > self._SHADOW).astype(np.uint8)
        height = mask.shape[0]
        # Parts of a person that look like the background split them, mostly into upper and lower body.
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        tall = max(3, round(height * self.least / 2))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((tall, max(3, tall // 3)), np.uint8))
        count, _, areas, _ = cv2.connectedComponentsWithStats(mask)
        left, top, w, h, filled = areas[1:count].T
        share = filled / (w * h)
        kept = (h >= height * self.least) & (h <= height * self.MOST) & (share >= self.FILLED)
        kept &= (h >= w * self.SHAPE[0]) & (h <= w * self.SHAPE[1])
        boxes = np.stack([left, top, left + w, top + h], axis=1)[kept] / scale
        return boxes, share[kept]

    def _small(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        scale = min(1.0, self.HEIGHT / frame.shape[0])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        return cv2.GaussianBlur(small, (3, 3), 0), scale


class TorchvisionDetector:
    """People found by a detector of torchvision, trained on COCO.

    Args:
        name: such as `fasterrcnn_mobilenet_v3_large_fpn`; see torchvision.models.detection.
        weights: a file of its parameters; None lets torchvision download its own.
        device: the torch.device that computes.
        threshold: least score.
    """

    def __init__(self, name: str, weights: str | Path | None, device: Any, threshold: float = 0.5) -> None:
        from torchvision.models import detection as models
        from torchvision.models import get_model, list_models

        if name not in list_models(models):
            raise ConfigError(f"The detector {name!r} is unknown; choose motion or {', '.join(list_models(models))}.")
        self.threshold = threshold
        self.device = device
        try:
            network = get_model(name, weights=None if weights else "DEFAULT", weights_backbone=None)
            if weights:
                network.load_state_dict(read_tensors(Path(weights)))
        except (OSError, RuntimeError, TypeError, AttributeError, UnreadableError) as error:
            hint = "" if weights else " Give --weights a file of its parameters."
            raise CheckpointError(f"The weights of {name} cannot be loaded: {str(error):.200}.{hint}") from error
        self.network: Any = network.to(self.device).eval()

    def learn(self, frames: Iterable[np.ndarray], rate: float) -> None:
        """Need no frames."""

    def __call__(self, frame: np.ndarray) -> Detections:
        """Return the people in a frame with their scores."""
        import torch

        picture = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1))).to(self.device).float() / 255
        with torch.inference_mode():
            (found,) = self.network([picture])
        kept = (found["labels"] == _PERSON) & (found["scores"] >= self.threshold)
        return found["boxes"][kept].cpu().numpy(), found["scores"][kept].cpu().numpy()
