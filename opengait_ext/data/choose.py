"""Select tracklets of a dataset, and some of their frames."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from opengait import registry
from opengait.data.frame_picker import uniform
from opengait.data.frames import FrameSource
from opengait.errors import ConfigError, DataError
from opengait.utils.text import below

Split = Literal["train", "test", "query", "gallery"]
SPLITS: tuple[Split, ...] = ("train", "test", "query", "gallery")


@dataclass(frozen=True)
class ChosenTracklet:
    """A tracklet of the dataset and the frames selected from it.

    Attributes:
        label, type, view: as the dataset reader names it.
        source: decodes RGB frames, uint8 [k, 3, h, w].
        indices: 0-based indices of the selected frames.
        names: the names of the frames in outputs: their files' names, without suffix.
        paths: their image files; empty when the reader has none.
    """

    label: str
    type: str
    view: str
    source: FrameSource
    indices: tuple[int, ...]
    names: tuple[str, ...]
    paths: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """`<id>/<type>/<view>`, OpenGait's folders."""
        return below(self.label, self.type, self.view)


def choose_tracklets(
    data_cfg: Mapping[str, Any],
    split: Split = "test",
    people: Sequence[str] | None = None,
    tracklets: int | None = None,
    frames: int | None = None,
) -> list[ChosenTracklet]:
    """Return tracklets of a split, in the dataset's order.

    Args:
        data_cfg: the section of a loaded configuration; its `reader` opens the data.
        split: training, the whole test split, or the test split's queries or gallery.
        people: their numbers or names; leading zeros may be omitted. None selects everyone.
        tracklets: the number of tracklets, None for all; each person's first of each modality before anyone's second.
        frames: the number of frames of each tracklet, evenly spread; None for all.

    Raises:
        ConfigError: the reader does not know the split.
        DataError: the data is missing, or no tracklet matches.
    """
    dataset = registry.datasets.get(data_cfg.get("reader") or "DataSet")(dict(data_cfg), split == "train")
    indices = select_people(dataset, split_indices(dataset, split), people, split)
    if not indices:
        raise DataError(f"The {split} split has no tracklet of {', '.join(people or ['anyone'])}; try --split test.")
    if tracklets is not None:
        indices = sorted(interleave_people(dataset, indices)[:tracklets])
    return [choose_frames(dataset, index, frames) for index in indices]


def split_indices(dataset: Any, split: Split) -> list[int]:
    """Return the indices of a split's tracklets in the dataset of its phase.

    Raises:
        ConfigError: the reader does not separate queries from gallery.
    """
    if split in ("train", "test"):
        return list(range(len(dataset)))
    members = getattr(getattr(dataset, "source", None), split, None)
    if members is None:
        raise ConfigError(
            f"The reader {type(dataset).__name__} does not separate queries from gallery; choose --split train or test."
        )
    members = set(members)
    return [index for index, tracklet in enumerate(dataset.tracklets) if tracklet in members]


def select_people(dataset: Any, indices: Sequence[int], people: Sequence[str] | None, split: str) -> list[int]:
    """Return those of `indices` that belong to one of `people`; all of them if `people` is None.

    Raises:
        DataError: a person is not in the dataset.
    """
    if people is None:
        return list(indices)
    known = {strip_zeros(label) for label in dataset.label_set}
    for person in people:
        if strip_zeros(person) not in known:
            first, last = dataset.label_set[0], dataset.label_set[-1]
            raise DataError(
                f"The {split} split has no person {person}; its {len(known)} people are called {first} to {last}."
            )
    selected = {strip_zeros(person) for person in people}
    return [index for index in indices if strip_zeros(dataset.label_list[index]) in selected]


def strip_zeros(label: Any) -> str:
    """Return a label without leading zeros."""
    return str(label).lstrip("0")


def interleave_people(dataset: Any, indices: Sequence[int]) -> list[int]:
    """Reorder `indices`: everyone's first tracklet of each modality, then everyone's second, and so on."""
    counts: Counter = Counter()
    turns = []
    for index in indices:
        person, modality = dataset.label_list[index], dataset.types_list[index]
        counts[person, modality] += 1
        turns.append((counts[person, modality], person, index))
    return [index for *_, index in sorted(turns)]


def choose_frames(dataset: Any, index: int, frames: int | None) -> ChosenTracklet:
    """Return a tracklet of the dataset with `frames` of its frames, evenly spread; None for all."""
    sources, (label, kind, view, paths) = dataset[index]
    length = len(sources[0])
    indices = list(range(length)) if frames is None or frames >= length else uniform(length, frames)
    # A pickled tracklet is one file, so its frames are named by their index.
    files = tuple(Path(paths[number]) for number in indices) if len(paths) == length else ()
    names = tuple(file.stem for file in files)
    if len(set(names)) < len(indices):
        names = tuple(f"{number:05d}" for number in indices)
    return ChosenTracklet(str(label), str(kind), str(view), sources[0], tuple(indices), names, files)
