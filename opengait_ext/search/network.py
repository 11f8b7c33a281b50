"""The engine's model of a trained network, without its data, and clips as its test set."""

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
from opengait_ext.search.video import VideoTrack


class ClipDataSet(torch.utils.data.Dataset):
    """Clips as a test set of the engine; the tracks of one video are decoded in one pass.

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
            return list(clip.sources), self.seqs_info[index]
        if index not in self._cut:
            self._cut = self._cut_video(index)
        return [self._cut[index]], self.seqs_info[index]

    def _cut_video(self, first: int) -> dict[int, np.ndarray]:
        """Return the frames of the consecutive clips of one video, by index."""
        boxes, counts = [], {}
        for index in range(first, len(self)):
            source = self.clips[index].source
            if not isinstance(source, VideoTrack) or source.video is not self.clips[first].video:
                break
            wanted = uniform(len(source), self.frames) if self.frames else range(len(source))
            boxes += [source.boxes[number] for number in wanted]
            counts[index] = len(wanted)
        video = self.clips[first].video
        assert video is not None
        ends = np.cumsum(list(counts.values()))[:-1]
        return dict(zip(counts, np.split(video.cut(boxes), ends), strict=True))


def load_model(config: Mapping[str, Any], checkpoint: str | Path, device: str | None = None) -> BaseModel:
    """Return the engine's model of a configuration with the weights of a checkpoint, without its test set.

    Raises:
        ConfigError: the configuration cannot be used, or there is no such device.
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
    data_cfg = dict(config["data_cfg"][0] if several else config["data_cfg"], reader="ClipDataSet")
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
