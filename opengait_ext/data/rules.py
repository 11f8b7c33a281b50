"""Rules about the tracklets of any dataset, each with one home: readers raise or warn, checks list everything.

They look at names and numbers only and open no frame, so that a training may afford them at its start.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from opengait.data.problems import Problem
from opengait_ext.data.files import line_problem
from opengait_ext.data.tracklet import FrameFiles, Modality, Role, Tracklet

ALONE, TWO_LISTS = "person in one modality only", "person in two lists"
TWICE, QUERY_IN_GALLERY = "frames in two tracklets", "query in the gallery"
NO_MATCH, ORDER = "query without a match in the gallery", "frames out of time order"
# A list file and its tracklets, whose `track` is the line.
Lists = Mapping[Path, Sequence[Tracklet]]


def shared_people(lists: Lists, may_share: Container[Path] = ()) -> Iterator[Problem]:
    """Yield each person who is in two of the lists, unless both of them are in `may_share`."""
    lines = {path: {int(t.person): t for t in reversed(tracklets)} for path, tracklets in lists.items()}
    for one, other in combinations(lists, 2):
        if one in may_share and other in may_share:
            continue
        for person in sorted(lines[one].keys() & lines[other].keys()):
            first, second = (f"{path.name} (line {lines[path][person].track})" for path in (one, other))
            what = f"in {first} and in {second}, which must not share a person; correct the lists"
            yield Problem(TWO_LISTS, f"person {lines[one][person].label}", what)


def one_modality(split: str, tracklets: Iterable[Tracklet]) -> Iterator[Problem]:
    """Yield each person of a split who is seen in one modality only."""
    for person, modality in people_in_one_modality((t.label, t.modality) for t in tracklets).items():
        yield Problem(ALONE, f"person {person}", f"{split} has {modality} tracklets only", fatal=False)


def people_in_one_modality(seen: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map the people that are seen in one modality only to that modality.

    Args:
        seen: (person, modality) of every tracklet.
    """
    modalities: dict[str, set[str]] = {}
    for person, modality in seen:
        modalities.setdefault(person, set()).add(modality)
    # Shorter names first, because names end in numbers.
    people = sorted((person for person, kinds in modalities.items() if len(kinds) == 1), key=lambda p: (len(p), p))
    return {person: next(iter(modalities[person])) for person in people}


def unmatched_queries(path: Path, queries: Sequence[Tracklet], gallery: Sequence[Tracklet]) -> Iterator[Problem]:
    """Yield each query of a list whose person has no tracklet of the other modality in the gallery."""
    in_gallery = {(t.person, t.modality) for t in gallery}
    for query in queries if in_gallery else ():
        other = Modality.INFRARED if query.modality is Modality.VISIBLE else Modality.VISIBLE
        if (query.person, other) not in in_gallery:
            what = f"person {query.label} has no {other} tracklet in the gallery"
            yield line_problem(NO_MATCH, path, query.track, what, fatal=False)


def repeated_frames(lists: Lists) -> Iterator[Problem]:
    """Yield each tracklet that shares frames with an earlier one.

    Tracklets of one person, modality and camera may overlap, with a warning; all else falsifies labels or metrics.
    """
    names: dict[Path, list[tuple[Path, Tracklet, FrameFiles]]] = {}
    for path, tracklets in lists.items():
        for tracklet in tracklets:
            if isinstance(tracklet.frames, FrameFiles):
                names.setdefault(tracklet.frames.base, []).append((path, tracklet, tracklet.frames))
    for members in names.values():
        # Sets of a million names are cheap; who shares them is asked only if someone does.
        if len({name for *_, files in members for name in files.names}) == sum(len(files) for *_, files in members):
            continue
        owners: dict[str, tuple[Path, Tracklet]] = {}
        for path, tracklet, files in members:
            shared = Counter(owner for owner in map(owners.get, files.names) if owner)
            if len(set(files.names)) < len(files):
                what = "it holds a frame twice; correct the lists"
                yield line_problem(TWICE, path, tracklet.track, what)
            for (list_, owner), count in shared.items():
                yield _shared(path, tracklet, list_, owner, count)
            for name in files.names:
                owners.setdefault(name, (path, tracklet))


def _shared(path: Path, one: Tracklet, other_path: Path, other: Tracklet, count: int) -> Problem:
    roles = {one.role, other.role}
    kind = QUERY_IN_GALLERY if Role.QUERY in roles and len(roles) > 1 else TWICE
    same = all(getattr(one, key) == getattr(other, key) for key in ("person", "modality", "camera", "role"))
    owner = f"line {other.track}" if other_path == path else f"{other_path.name}, line {other.track}"
    what = f"{count} of its {len(one.frames)} frames are also in {owner}, of person {other.label}; correct the lists"
    return line_problem(kind, path, one.track, what, fatal=not same or count == len(one.frames))


def frames_out_of_order(path: Path, tracklets: Iterable[Tracklet]) -> Iterator[Problem]:
    """Yield each tracklet whose frames' numbers do not increase, as in a list that is sorted by name (1, 11, 6)."""
    for tracklet in tracklets:
        if isinstance(tracklet.frames, FrameFiles):
            numbers = [frame_number(name) for name in tracklet.frames.names]
            for before, after in zip(numbers, numbers[1:], strict=False):
                if after <= before:
                    what = f"frame {after} follows frame {before}; frames are used in this order, so list them by time"
                    yield line_problem(ORDER, path, tracklet.track, what, fatal=False)
                    break


def frame_number(name: str) -> int:
    """Return the number that ends a frame's name, such as 31 of `0503/ir/D12/31.jpg`; -1 if there is none."""
    stem = name.rpartition(".")[0]
    digits = stem[len(stem.rstrip("0123456789")) :]
    return int(digits[-9:]) if digits else -1
