"""The describer: a trained model that turns crops and tracklets of anybody's footage into descriptors."""

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from huggingface_hub import ModelHubMixin

from opengait.config import load_config
from opengait.data.frame_picker import FramePicker
from opengait.data.loader import build_loader
from opengait.engine.test import inference
from opengait.errors import DataError
from opengait.evaluation.distance import cuda_dist
from opengait.evaluation.features import check_finite
from opengait.modeling.base_model import BaseModel
from opengait.utils.files import sha256_of
from opengait_ext.data import Modality
from opengait_ext.search.arrays import Tracklets, blank_shape, clips_of
from opengait_ext.search.descriptors import Descriptors
from opengait_ext.search.inputs import Clip, Pictures, kind_of
from opengait_ext.search.network import ClipDataSet, load_model
from opengait_ext.search.records import Record
from opengait_ext.search.save import save_network
from opengait_ext.weights.find import Trained, find_trained


class Describer(ModelHubMixin):
    """A trained model with its configuration's settings for tracklets.

    `load` takes a name, a folder or a hub's OWNER/NAME; `save_pretrained` and `push_to_hub` write what it loads.

    Args:
        model: the engine's model, in evaluation mode.
        config: its configuration.
        trained: its files.
        overrides: changes to the configuration file, as `KEY=VALUE`.

    Attributes:
        checkpoint_sha256: digest of the checkpoint.
        kind: what the model takes.
        frames: frames per tracklet in its test; 0 if that depends on the tracklet.
        metric: metric that compares its descriptors.
        license: of the weights, as an identifier such as "cc-by-nc-4.0"; None if it is not stated.
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Create an instance without the mixin's record of its arguments; the configuration is a file here."""
        return object.__new__(cls)

    def __init__(
        self, model: BaseModel, config: Mapping[str, Any], trained: Trained, overrides: Sequence[str] = ()
    ) -> None:
        self.model = model
        self.config = config
        self.trained = trained
        self.overrides = tuple(overrides)
        self.checkpoint_sha256 = sha256_of(trained.checkpoint)
        self.kind = kind_of(config)
        self.frames = FramePicker.from_config(config["evaluator_cfg"]["sampler"]).fixed
        self.metric: str = config["evaluator_cfg"].get("metric", "euc")
        self.license: str | None = (trained.facts or {}).get("license")

    @classmethod
    def load(
        cls,
        source: str | Path,
        checkpoint: str | Path | None = None,
        overrides: Sequence[str] = (),
        device: str | None = None,
        **hub: Any,
    ) -> Self:
        """Load a trained model.

        Args:
            source: a name such as dinogrl-hitsz, the folder of a run or of `save_pretrained`, a checkpoint in a run
                folder, OWNER/NAME on a hub, or the configuration file of `checkpoint`.
            checkpoint: the weights, if `source` does not imply them.
            overrides: changes to the configuration, as `KEY=VALUE`.
            device: the GPU by default if there is one, otherwise the CPU.
            hub: options for a network on a hub (`opengait_ext.weights.hub.from_hub`).

        Raises:
            ConfigError: the configuration cannot be used.
            CheckpointError: the network is missing, damaged, or belongs to another model.
        """
        trained = find_trained(source, checkpoint, **hub)
        config = load_config(trained.cfgs, overrides)
        kind_of(config)  # refuses what cannot describe footage, before weights are read
        return cls(load_model(config, trained.checkpoint, device), config, trained, overrides)

    @property
    def reads_modality(self) -> bool:
        """Whether the descriptor depends on the modality that is stated for a tracklet."""
        network = getattr(self.model, "network_class", None)
        return isinstance(self.kind, Pictures) and (
            network is None or "modality" in inspect.signature(network.forward).parameters
        )

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Channels and parts of a descriptor, found by describing an empty picture."""
        shape = blank_shape(self.kind)
        if shape is None:
            raise DataError(f"The shape of a frame of {type(self.model).__name__} is unknown.")
        blank = np.zeros((1, *shape), np.uint8)
        _, channels, parts = self.describe([Clip("blank", Modality.VISIBLE, (blank,))]).embeddings.shape
        return channels, parts

    def encode(
        self,
        tracklets: Tracklets,
        modality: str | Sequence[str] | None = None,
        channels: str | None = None,
        batch: int = 8,
    ) -> np.ndarray:
        """Return the descriptors of crops or tracklets, float32 (n, channels, parts); see `distance`.

        Args:
            tracklets: one entry per descriptor. A crop is an array (h, w, 3) or (h, w), or the path of a picture; a
                tracklet is a list of crops, an array (frames, h, w, 3), or the path of a folder of frames. Arrays are
                uint8, or uint16, which is scaled per tracklet; sizes are free. Models on silhouettes take (h, w).
            modality: visible or infrared, for all or one each; models that do not read it need none.
            channels: order of the colours in arrays: rgb, or bgr as OpenCV decodes them.
            batch: tracklets per forward pass, where all have the same number of frames.

        Raises:
            ConfigError: the modality or the order of the colours is missing or unknown.
            DataError: an entry is not a crop or a tracklet.
        """
        modality = modality or (None if self.reads_modality else str(Modality.VISIBLE))
        clips = clips_of(tracklets, self.kind, modality, channels)
        if not clips:
            return np.empty((0, *self.shape), np.float32)
        return self.describe(clips, batch=batch).embeddings

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the distances (n, m) between descriptors (n, channels, parts) and (m, channels, parts)."""
        return cuda_dist(x, y, self.metric).cpu().numpy()

    def describe(self, clips: Sequence[Clip], frames: int | None = None, batch: int = 8) -> Descriptors:
        """Return the descriptors of clips, as the engine's test computes them.

        Args:
            clips: the clips to describe.
            frames: evenly spread frames of each, by default those of the test; short clips repeat some.
            batch: clips per forward pass, where all have the same number of frames.

        Raises:
            DataError: a clip cannot be read, or the model returns no descriptors or not a number.
        """
        frames = self.frames if frames is None else frames
        sampler = dict(self.model.cfgs["evaluator_cfg"]["sampler"], batch_size=batch)
        if frames and frames != self.frames:
            sampler |= {"sample_type": "fixed_uniform", "frames_num_fixed": frames}
        loader = build_loader(
            ClipDataSet(clips, frames),
            sampler,
            self.model.evaluator_trfs,
            training=False,
            seed=self.model.cfgs["trainer_cfg"].get("seed", 0),
            wants_raw=self.model.transforms_itself,
        )
        with torch.no_grad():
            embeddings = inference(self.model, 0, loader).get("embeddings")
        if embeddings is None or embeddings.ndim != 3:
            raise DataError(f"{type(self.model).__name__} returns no descriptors (embeddings of n tracklets, c x p).")
        check_finite(embeddings, [clip.name for clip in clips], str(self.trained.checkpoint))
        return Descriptors(
            embeddings=embeddings.astype(np.float32),
            names=np.array([clip.name for clip in clips]),
            types=np.array([str(clip.modality) for clip in clips]),
            folders=np.array(["" if clip.folder is None else str(clip.folder) for clip in clips]),
            cfgs=str(self.trained.cfgs.absolute()),
            checkpoint=str(self.trained.checkpoint.absolute()),
            checkpoint_sha256=self.checkpoint_sha256,
            frames=frames,
            overrides=self.overrides,
            records=tuple(
                Record(clip.source, clip.track, clip.start_seconds, clip.end_seconds, clip.thumbnail) for clip in clips
            ),
        )

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write the folder (the mixin's hook of `save_pretrained` and `push_to_hub`)."""
        shape = None if blank_shape(self.kind) is None else self.shape
        save_network(self.model, self.config, self.trained, save_directory, shape, self.license)

    @classmethod
    def from_pretrained(cls, source: str | Path, **options: Any) -> Self:  # type: ignore[override]
        """Load a trained model; see `load`, which takes the same options.

        The mixin's own method would pass entries of a stranger's `config.json`, such as `overrides`, to `load`.
        """
        return cls.load(source, **options)


def load_describer(
    source: str | Path, checkpoint: str | Path | None = None, overrides: Sequence[str] = (), device: str | None = None
) -> Describer:
    """Load a trained model; see `Describer.load`."""
    return Describer.load(source, checkpoint, overrides, device)
