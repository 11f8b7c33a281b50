"""OpenGait's dataset on disk: `root/<id>/<type>/<view>/*.pkl`, split by a partition file."""

import logging
from pathlib import Path
from typing import Any

import torch

from opengait.data import layout
from opengait.data.folders import subfolders
from opengait.data.frames import PickledFrames, check_same_length, named_tracklet
from opengait.data.layout import files_in_use, read_partition
from opengait.data.problems import Problem, Strict
from opengait.errors import ConfigError, DataError
from opengait.utils.messages import get_msg_mgr

log = logging.getLogger("opengait")


class DataSet(torch.utils.data.Dataset):
    """Tracklets of the ids that the partition file lists for this phase, in the partition's order.

    Args:
        data_cfg: `dataset_name`, `dataset_root`, `dataset_partition` (JSON with TRAIN_SET and TEST_SET); optional
            `data_in_use` (a list of bools masks the sorted file names of a directory, a list of ints selects from them
            in the order of the list), `cache` (read everything at once), `self_supervised` (each tracklet is its own
            label), `trust_pickles` (files may hold any object, and run code; `opengait.data.safe_pickle`).
        training: use TRAIN_SET, and prefix labels with the dataset's name so that datasets can be mixed.

    Attributes:
        seqs_info: `[label, type, view, paths]` of every tracklet; `label_list`, `types_list`, `views_list` its columns.
        label_set, types_set, views_set: the sorted distinct values.
        indices_dict: label -> indices of its tracklets.

    Raises:
        DataError: root or partition cannot be read, or no listed id is on disk.
    """

    config_keys: tuple[str, ...] = ()

    def __init__(self, data_cfg: dict[str, Any], training: bool) -> None:
        self.seqs_info = _find_tracklets(data_cfg, training)
        self.label_list = [info[0] for info in self.seqs_info]
        self.types_list = [info[1] for info in self.seqs_info]
        self.views_list = [info[2] for info in self.seqs_info]
        self.label_set = sorted(set(self.label_list))
        self.types_set = sorted(set(self.types_list))
        self.views_set = sorted(set(self.views_list))
        self.indices_dict: dict[str, list[int]] = {label: [] for label in self.label_set}
        for index, label in enumerate(self.label_list):
            self.indices_dict[label].append(index)
        self._trusted = data_cfg.get("trust_pickles", False) is True
        if self._trusted:
            get_msg_mgr().log_warning(
                f"data_cfg.trust_pickles is set: the files under {data_cfg.get('dataset_root')} may run code."
            )
        self._cached: list[tuple[list[PickledFrames], list]] | None = None
        if data_cfg.get("cache"):
            self._cached = [self._open(index) for index in range(len(self))]

    def __len__(self) -> int:
        return len(self.seqs_info)

    def __getitem__(self, index: int) -> tuple[list[PickledFrames], list]:
        """Return a tracklet's frame sources, one per file, and its `[label, type, view, paths]`.

        Raises:
            DataError: a file cannot be read, or files of the tracklet differ in their number of frames.
        """
        return self._cached[index] if self._cached is not None else self._open(index)

    def _open(self, index: int) -> tuple[list[PickledFrames], list]:
        info = self.seqs_info[index]
        tracklet = "-".join(info[:3])
        sources = [PickledFrames(path, self._trusted) for path in info[3]]
        with named_tracklet(tracklet):
            check_same_length(sources, tracklet)
        return sources, info


def _find_tracklets(data_cfg: dict[str, Any], training: bool) -> list[list]:
    for key in ("dataset_root", "dataset_partition"):
        if not data_cfg.get(key):
            raise ConfigError(f"data_cfg.{key} is not set; set it to the dataset's {key.removeprefix('dataset_')}.")
    root, partition = (Path(data_cfg[key]) for key in ("dataset_root", "dataset_partition"))
    content = read_partition(partition)
    findings = Strict(root)
    part = layout.TRAIN if training else layout.TEST
    ids = layout.ids_of(content, part, partition, findings)
    if not data_cfg.get("self_supervised"):
        findings.collect(layout.problems_between_lists(partition, content))
    stored = layout.find_tracklets(root, ids, f"{part} in {partition}", findings)
    if not training:
        findings.collect(layout.unknown_tracklets(partition, content, stored))
    tracklets = []
    for tracklet in stored:
        paths = files_in_use(list(tracklet.files), data_cfg.get("data_in_use"))
        if paths:
            tracklets.append(_describe(data_cfg, training, tracklet.label, tracklet.type, tracklet.view, paths))
        else:
            unused = Problem(layout.NO_FILES, str(tracklet), "skipped: data_in_use selects none of its files", False)
            findings.collect([unused])
    if not tracklets:
        raise DataError(f"No tracklet of {root} is usable; expected files <id>/<type>/<view>/*.pkl below it.")
    for line in findings.warnings():
        get_msg_mgr().log_warning(line)
    on_disk = {folder.name for folder in subfolders(root)}
    _log_ids([label for label in ids if label in on_disk], "Train" if training else "Test")
    return tracklets


def _describe(
    data_cfg: dict[str, Any], training: bool, label: str, kind: str, view: str, paths: list[str]
) -> list[Any]:
    name = str(data_cfg.get("dataset_name", ""))
    # The types of D-Gait repeat across ids; prefixed with the label they identify a recording.
    kind = f"{label}-{kind}" if "d-gait" in name.lower() else kind
    if training:
        label = f"{label}-{kind}-{view}" if data_cfg.get("self_supervised") else label
        label = f"{name}-{label}"
    return [label, kind, view, paths]


def _log_ids(ids: list[str], phase: str) -> None:
    log.info("-------- %s Pid List --------", phase)
    shown = ids if len(ids) < 4 else [*ids[:2], "...", ids[-1]]
    log.info("[%s], Len: %d", ", ".join(shown), len(ids))
