"""The engine's model of a trained network, without its data, and clips as its test set."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait import distributed, registry
from opengait.data.frame_picker import uniform
from opengait.data.frames import FrameSource
from opengait.engine.checkpoint import load_checkpoint
from opengait.errors import ConfigError
from opengait.modeling.base_model import BaseModel
from opengait_ext.models.load import usable_device
from opengait_ext.models.shared.plain_network import network_entries
from opengait_ext.search.inputs import Clip
from opengait_ext.search.video import VideoTrack, cut_tracks

# The most frames of a video that are held at once, so that memory does not grow with its length.
CUT_BYTES = 1 << 28


class ClipDataSet(torch.utils.data.Dataset):
    """Clips as a test set of the engine; tracks of one video are decoded together.

    Args:
        clips: the tracklets.
        frames: evenly spread frames of each that will be used; 0 for all.
    """

    def __init__(self, clips: Sequence[Clip] = (), frames: int = 0) -> None:
        self.clips = clips
        self.frames = frames
        self.seqs_info: list[list[Any]] = [[clip.name, str(clip.modality), "c1", []] for clip in clips]
        self.label_list, self.types_list, self.views_list = ([info[n] for info in self.seqs_info] for n in range(3))
        self.label_set = sorted(set(self.label_list))
        self._cut: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[list[FrameSource], list[Any]]:
        clip = self.clips[index]
        if clip.video is None:
            return list(clip.features), self.seqs_info[index]
        if index not in self._cut:
            self._cut = self._cut_video(index)
        return [self._cut[index]], self.seqs_info[index]

    def _cut_video(self, first: int) -> dict[int, np.ndarray]:
        """Return the frames of the next clips of one video, by index: as many as `CUT_BYTES` hold, at least one."""
        requests: dict[int, tuple[VideoTrack, Sequence[int]]] = {}
        total = 0
        for index in range(first, len(self)):
            track = self.clips[index].frames
            if not isinstance(track, VideoTrack) or track.video is not self.clips[first].video:
                break
            wanted = uniform(len(track), self.frames) if self.frames else range(len(track))
            total += len(wanted) * 3 * math.prod(track.video.size)
            if requests and total > CUT_BYTES:
                break
            requests[index] = (track, wanted)
        return dict(zip(requests, cut_tracks(list(requests.values())), strict=True))


def load_model(config: Mapping[str, Any], checkpoint: str | Path, device: str | None = None) -> BaseModel:
    """Return the engine's model of a configuration with the weights of a checkpoint, without its test set.

    Raises:
        ConfigError: the configuration cannot be used, or the device does not exist.
        CheckpointError: the checkpoint is missing or belongs to another model.
    """
    chosen = usable_device(device)
    model_class = registry.models.get(str(config["model_cfg"].get("model")))
    if not issubclass(model_class, BaseModel):
        raise ConfigError(f"{model_class.__name__} is not a BaseModel of the engine, so it cannot describe footage.")
    model_cfg, network = config["model_cfg"], getattr(model_class, "network_class", None)
    if network is not None:
        entries = network_entries(load_checkpoint(checkpoint), getattr(model_class, "network_prefix", ""))
        model_cfg = network.without_replaced_weights(model_cfg, lambda: entries)
    several = not isinstance(config["data_cfg"], Mapping)
    data_cfg = dict(config["data_cfg"][0] if several else config["data_cfg"], reader="ClipDataSet", num_workers=0)
    evaluator_cfg = dict(config["evaluator_cfg"], restore_hint=str(checkpoint), restore_ckpt_strict=True)
    cfgs = dict(config, model_cfg=model_cfg, data_cfg=[data_cfg] if several else data_cfg, evaluator_cfg=evaluator_cfg)
    # A vision model without a weight file has random weights, which the seed of the training run reproduces.
    with (
        registry.datasets.temporarily(lambda *_: ClipDataSet(), "ClipDataSet"),
        distributed.isolated_random(config["trainer_cfg"].get("seed", 0)),
    ):
        model = model_class(cfgs, False)
    if chosen != distributed.device():
        model.register_forward_pre_hook(lambda _, inputs: (_on_device(inputs[0], chosen),))
    return model.to(chosen).eval()


def _on_device(inputs: tuple[Any, ...], device: torch.device) -> tuple[Any, ...]:
    """Return an engine batch on a device other than that of this process."""
    ipts, labels, types, views, lengths = inputs
    return (
        [x.to(device) for x in ipts],
        labels.to(device),
        types,
        views,
        None if lengths is None else lengths.to(device),
    )
