"""OpenGait's dataset on disk: `root/<id>/<type>/<view>/*.pkl`, split by a partition file."""

import json
import logging
from itertools import compress
from pathlib import Path
from typing import Any

import torch

from opengait.data.frames import PickledFrames, check_same_length, named_tracklet
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


def read_partition(path: str | Path) -> dict[str, list[str]]:
    """Read a partition file: a JSON object of lists, such as TRAIN_SET, TEST_SET, PROBE_SET.

    Raises:
        DataError: the file is missing or is not such an object.
    """
    try:
        partition = json.loads(Path(path).read_text())
    except OSError as error:
        raise DataError(f"Cannot read the partition file {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise DataError(f"The partition file {path} is not valid JSON: {error}.") from error
    if not isinstance(partition, dict):
        raise DataError(f"The partition file {path}: expected a JSON object with TRAIN_SET and TEST_SET.")
    return partition


def _find_tracklets(data_cfg: dict[str, Any], training: bool) -> list[list]:
    for key in ("dataset_root", "dataset_partition"):
        if not data_cfg.get(key):
            raise ConfigError(f"data_cfg.{key} is not set; set it to the dataset's {key.removeprefix('dataset_')}.")
    root = Path(data_cfg["dataset_root"])
    if not root.is_dir():
        raise DataError(f"The dataset root {root} does not exist; set data_cfg.dataset_root to the prepared data.")
    ids = _ids_on_disk(root, Path(data_cfg["dataset_partition"]), "TRAIN_SET" if training else "TEST_SET")
    _log_ids(ids, "Train" if training else "Test")

    tracklets = []
    empty = []
    for label in ids:
        for type_dir in _directories(root / label):
            for view_dir in _directories(type_dir):
                paths = files_in_use(sorted(view_dir.glob("*.pkl")), data_cfg.get("data_in_use"))
                if paths:
                    tracklets.append(_describe(data_cfg, training, label, type_dir.name, view_dir.name, paths))
                else:
                    empty.append(f"{label}-{type_dir.name}-{view_dir.name}")
    if empty:
        log.info("%d tracklets have no .pkl file in use and are skipped: %s", len(empty), _shortened(empty))
    if not tracklets:
        raise DataError(f"No tracklet of {root} is usable; expected files <id>/<type>/<view>/*.pkl below it.")
    return tracklets


def _ids_on_disk(root: Path, partition_file: Path, part: str) -> list[str]:
    partition = read_partition(partition_file)
    listed = partition.get(part)
    if not isinstance(listed, list):
        raise DataError(f"The partition file {partition_file} has no list named {part}.")
    on_disk = {path.name for path in _directories(root)}
    ids = [str(label) for label in listed if str(label) in on_disk]
    missing = [str(label) for label in listed if str(label) not in on_disk]
    if not ids:
        raise DataError(f"None of the {len(listed)} ids of {part} in {partition_file} has a directory under {root}.")
    if missing:
        log.info("%d ids of %s are not on disk and are skipped: %s", len(missing), part, _shortened(missing))
    return ids


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


def files_in_use(paths: list[Path], data_in_use: list | None) -> list[str]:
    """Return the files of a tracklet that `data_in_use` selects; see `DataSet`."""
    if data_in_use is None:
        return [str(path) for path in paths]
    if not isinstance(data_in_use, list) or not all(isinstance(use, int) for use in data_in_use):
        raise ConfigError(f"data_cfg.data_in_use: expected a list of bools or of file positions, got {data_in_use!r}.")
    if all(isinstance(use, bool) for use in data_in_use):
        return [str(path) for path in compress(paths, data_in_use)]
    return [str(paths[position]) for position in data_in_use if position < len(paths)]


def _directories(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir())


def _shortened(names: list[str], limit: int = 10) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")


def _log_ids(ids: list[str], phase: str) -> None:
    log.info("-------- %s Pid List --------", phase)
    shown = ids if len(ids) < 4 else [*ids[:2], "...", ids[-1]]
    log.info("[%s], Len: %d", ", ".join(shown), len(ids))
