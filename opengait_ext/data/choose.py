"""Which tracklets, and which of their frames."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from opengait import registry
from opengait.data.frame_picker import uniform
from opengait.data.frames import FrameSource
from opengait.errors import ConfigError, DataError

Split = Literal["train", "test", "query", "gallery"]
SPLITS: tuple[Split, ...] = ("train", "test", "query", "gallery")


@dataclass(frozen=True)
class ChosenTracklet:
    """A tracklet of the data set with the frames that are looked at.

    Attributes:
        label, type, view: as the data set reader names it.
        source: decodes RGB frames, uint8 [k, 3, h, w].
        indices: 0-based places of the chosen frames.
        names: what the frames are called in outputs: their files' names, without suffix.
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
        return Path(self.label) / self.type / self.view


def choose_tracklets(
    data_cfg: Mapping[str, Any],
    split: Split = "test",
    people: Sequence[str] | None = None,
    tracklets: int | None = None,
    frames: int | None = None,
) -> list[ChosenTracklet]:
    """Tracklets of a split, in the data set's order.

    Args:
        data_cfg: the section of a loaded configuration; its `reader` opens the data.
        split: training, the whole test split, or the test split's queries or gallery.
        people: their numbers or names; leading zeros may be left out. None takes everybody.
        tracklets: how many, None for all: each person's first of each modality before anybody's second.
        frames: how many of each tracklet, evenly spread; None for all.

    Raises:
        ConfigError: the reader does not know the split.
        DataError: the data is missing, or nothing in it is what was asked for.
    """
    dataset = registry.datasets.get(data_cfg.get("reader") or "DataSet")(dict(data_cfg), split == "train")
    indices = list(of_people(dataset, of_split(dataset, split), people, split))
    if not indices:
        raise DataError(f"The {split} split has no tracklet of {', '.join(people or ['anybody'])}; try --split test.")
    if tracklets is not None:
        indices = sorted(in_turns(dataset, indices)[:tracklets])
    return [describe(dataset, index, frames) for index in indices]


def of_split(dataset: Any, split: Split) -> list[int]:
    """Indices of the split's tracklets in the data set of its phase.

    Raises:
        ConfigError: the reader does not tell queries from gallery.
    """
    if split in ("train", "test"):
        return list(range(len(dataset)))
    wanted = getattr(getattr(dataset, "source", None), split, None)
    if wanted is None:
        raise ConfigError(
            f"The reader {type(dataset).__name__} does not tell queries from gallery; choose train or test as the "
            f"split."
        )
    wanted = set(wanted)
    return [index for index, tracklet in enumerate(dataset.tracklets) if tracklet in wanted]


def of_people(dataset: Any, indices: Sequence[int], people: Sequence[str] | None, split: str) -> Iterator[int]:
    """Those of `indices` that show one of `people`.

    Raises:
        DataError: the data set has nobody of that name.
    """
    if people is None:
        yield from indices
        return
    asked = {bare(person) for person in people}
    known = {bare(label) for label in dataset.label_set}
    for person in people:
        if bare(person) not in known:
            first, last = dataset.label_set[0], dataset.label_set[-1]
            raise DataError(
                f"The {split} split has no person {person}; its {len(known)} people are called {first} to {last}."
            )
    yield from (index for index in indices if bare(dataset.label_list[index]) in asked)


def bare(label: Any) -> str:
    """A label without leading zeros."""
    return str(label).lstrip("0")


def in_turns(dataset: Any, indices: Sequence[int]) -> list[int]:
    """`indices` reordered: everybody's first tracklet of each modality, then everybody's second, and so on."""
    seen: Counter = Counter()
    turns = []
    for index in indices:
        whose = dataset.label_list[index], dataset.types_list[index]
        seen[whose] += 1
        turns.append((seen[whose], dataset.label_list[index], index))
    return [index for *_, index in sorted(turns)]


def describe(dataset: Any, index: int, frames: int | None) -> ChosenTracklet:
    """One tracklet of the data set with `frames` of its frames."""
    sources, (label, kind, view, paths) = dataset[index]
    length = len(sources[0])
    places = list(range(length)) if frames is None or frames >= length else uniform(length, frames)
    # A pickled tracklet is one file, and then frames go by their place.
    files = tuple(Path(paths[place]) for place in places) if len(paths) == length else ()
    names = tuple(file.stem for file in files)
    if len(set(names)) < len(places):
        names = tuple(f"{place:05d}" for place in places)
    return ChosenTracklet(str(label), str(kind), str(view), sources[0], tuple(places), names, files)
