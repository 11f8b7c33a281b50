"""Visible-infrared datasets for the engine: labels, types, views and frame sources."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from opengait import distributed
from opengait.data.frames import FrameSource, ImageFrames
from opengait.data.packs.read import Pack
from opengait.errors import ConfigError
from opengait.utils.typed import setting
from opengait_ext.data.bupt_campus import reader as bupt_campus
from opengait_ext.data.bupt_campus.reader import BUPTCampus
from opengait_ext.data.hitsz_vcm import reader as hitsz_vcm
from opengait_ext.data.hitsz_vcm.reader import HITSZVCM, MINIMUM_FRAMES
from opengait_ext.data.masks import MASK_KEYS, MaskFolder, open_masks
from opengait_ext.data.tracklet import Role, Tracklet

log = logging.getLogger("opengait")

FRAME_SIZE = (256, 128)
# The keys of `data_cfg` that every reader of this package has, with their types.
READER_KEYS = {"frame_size": "list of 2 positive int", "reduced_decode": "bool", **MASK_KEYS}


class CrossModalDataSet(torch.utils.data.Dataset):
    """Visible and infrared tracklets for the engine: the type is the modality, the view is camera and track.

    Args:
        tracklets: the tracklets of this phase.
        labels: the label string of each; their sorted order is the order of the classes.
        frame_size: (height, width) that frames are resized to.
        masks: the folder of the frames' masks, a second feature of every tracklet; None for frames alone.
        pack: the pack that frames are read from; None reads files.
        reduced_decode: decode large JPEGs at reduced scale (see `ImageFrames`).

    Attributes:
        tracklets: the records, as given.
        seqs_info: list of [label, type, view, paths], the strings that the engine's batches and evaluators hold.
        label_list, types_list, views_list: one string per tracklet.
        label_set, types_set, views_set: the same, sorted and without repetition; the labels of people of an auxiliary
            set that is kept apart come last.
        classes: the labels of all other people, in the order of the classes.
        indices_dict: {label: indices of its tracklets}.
    """

    # What a trained network expects of its input, so tests on other data take it from the network's run.
    input_keys = ("frame_size",)

    def __init__(
        self,
        tracklets: Sequence[Tracklet],
        labels: Sequence[str],
        frame_size: tuple[int, int],
        *,
        masks: MaskFolder | None = None,
        pack: Pack | None = None,
        reduced_decode: bool = False,
    ) -> None:
        self.tracklets = list(tracklets)
        self.frame_size = frame_size
        self.masks = masks
        self.pack = pack
        self.reduced_decode = reduced_decode
        self.label_list = list(labels)
        self.types_list = [str(tracklet.modality) for tracklet in self.tracklets]
        self.views_list = [tracklet.view for tracklet in self.tracklets]
        frames = [tracklet.frames for tracklet in self.tracklets]
        columns = zip(self.label_list, self.types_list, self.views_list, frames, strict=True)
        self.seqs_info: list[list[Any]] = [list(info) for info in columns]
        apart = {
            label for tracklet, label in zip(self.tracklets, labels, strict=True) if tracklet.role is Role.AUXILIARY
        }
        self.classes = sorted(set(self.label_list) - apart)
        self.label_set = [*self.classes, *sorted(apart)]
        self.types_set = sorted(set(self.types_list))
        self.views_set = sorted(set(self.views_list))
        self.indices_dict: dict[str, list[int]] = {label: [] for label in self.label_set}
        for index, label in enumerate(self.label_list):
            self.indices_dict[label].append(index)

    def __len__(self) -> int:
        return len(self.tracklets)

    def __getitem__(self, index: int) -> tuple[list[FrameSource], list]:
        """Return the frame sources of a tracklet and its [label, type, view, paths].

        The first source holds RGB frames (uint8 `[k, 3, h, w]` when indexed), a second one the masks (uint8
        `[k, maps, h, w]`).
        """
        tracklet = self.tracklets[index]
        sources: list[FrameSource] = [self.frame_source(tracklet)]
        if self.masks is not None:
            sources.append(self.masks.source(tracklet.frames, self.frame_size))
        return sources, self.seqs_info[index]

    def frame_source(self, tracklet: Tracklet) -> FrameSource:
        """Return the frames of a tracklet, uint8 `[k, 3, h, w]`, RGB; they are decoded when indexed."""
        return ImageFrames(tracklet.frames, self.frame_size, self.pack, self.reduced_decode)


class InPlaceDataSet(CrossModalDataSet):
    """One phase of a benchmark that is read in its own layout; subclasses say how it is opened.

    Args:
        data_cfg: the `data_cfg` section.
        training: the training split, or the test split.

    Raises:
        ConfigError: a key of the section is invalid.
        DataError: the data is missing or damaged.
    """

    NAME = ""
    config_keys: dict[str, str] = READER_KEYS

    def __init__(self, data_cfg: dict[str, Any], training: bool) -> None:
        frame_size = frame_size_of(data_cfg)
        if not data_cfg.get("dataset_root"):
            raise ConfigError(f"data_cfg.dataset_root is not set; set it to {self.NAME}'s folder.")
        self.source = self.open_source(data_cfg)
        if distributed.is_main():
            log.info(self.source.summary(str(data_cfg.get("dataset_name", self.NAME)).startswith(self.NAME)))
            for line in self.source.warnings:
                log.warning(line)
        tracklets = self.source.train if training else self.source.test
        super().__init__(
            tracklets,
            [tracklet.label for tracklet in tracklets],
            frame_size,
            masks=open_masks(data_cfg, tracklets, self.source.pack),
            pack=self.source.pack,
            reduced_decode=setting(data_cfg, "reduced_decode", "bool", False),
        )

    def open_source(self, data_cfg: dict[str, Any]) -> Any:
        """Read the lists, which raises a `DataError` if they cannot be used."""
        raise NotImplementedError


class HITSZVCMDataSet(InPlaceDataSet):
    """HITSZ-VCM read in place: `reader: HITSZVCMDataSet` under `data_cfg`, with `dataset_root` its folder.

    Further keys: `frame_size` [height, width], `reduced_decode` (see `ImageFrames`), `minimum_frames`, `discard_lists`
    (see `HITSZVCM`), and `mask_root`, `mask_classes`, `mask_soft` (see `MaskFolder`). Labels are the person numbers
    with four digits. The test phase holds queries and gallery, which their types distinguish.
    """

    NAME = hitsz_vcm.NAME
    config_keys = READER_KEYS | {"minimum_frames": "positive int", "discard_lists": "list of path or null"}

    def open_source(self, data_cfg: dict[str, Any]) -> HITSZVCM:
        """Open HITSZ-VCM, or data in its layout.

        Raises:
            ConfigError: `minimum_frames` or `discard_lists` is invalid.
        """
        name = str(data_cfg.get("dataset_name", self.NAME))
        return HITSZVCM(data_cfg["dataset_root"], *hitsz_settings(data_cfg), name)


def hitsz_settings(data_cfg: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return `minimum_frames` and `discard_lists` of a `data_cfg` section.

    Raises:
        ConfigError: one of them is invalid.
    """
    kinds = HITSZVCMDataSet.config_keys
    minimum_frames = setting(data_cfg, "minimum_frames", kinds["minimum_frames"], MINIMUM_FRAMES)
    return minimum_frames, list(setting(data_cfg, "discard_lists", kinds["discard_lists"]) or [])


class BUPTCampusDataSet(InPlaceDataSet):
    """BUPTCampus read in place: `reader: BUPTCampusDataSet` under `data_cfg`, with `dataset_root` its folder.

    Further keys: `frame_size` [height, width], `reduced_decode` (see `ImageFrames`), `auxiliary`, `fake_infrared` (see
    `BUPTCampus`), and `mask_root`, `mask_classes`, `mask_soft` (see `MaskFolder`). Labels are the person numbers as
    written in the lists, so classes are sorted as strings, as in the public code; those of an auxiliary set that is
    kept apart (`auxiliary: apart`) come last. The test phase holds the queries and then the gallery, each in file order
    and in both modalities; views of queries end in `-query`.
    """

    NAME = bupt_campus.NAME
    config_keys = READER_KEYS | {"auxiliary": "bool or 'apart'", "fake_infrared": "bool"}

    def open_source(self, data_cfg: dict[str, Any]) -> BUPTCampus:
        """Open BUPTCampus.

        Raises:
            ConfigError: `auxiliary` or `fake_infrared` has another value.
        """
        kinds = self.config_keys
        switches = {key: setting(data_cfg, key, kinds[key], False) for key in ("auxiliary", "fake_infrared")}
        return BUPTCampus(data_cfg["dataset_root"], **switches)


def frame_size_of(data_cfg: Mapping[str, Any]) -> tuple[int, int]:
    """Return `frame_size` of a `data_cfg` section as (height, width).

    Raises:
        ConfigError: it is not two positive integers.
    """
    height, width = setting(data_cfg, "frame_size", READER_KEYS["frame_size"], FRAME_SIZE)
    return height, width
