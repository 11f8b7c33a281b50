"""HITSZ-VCM from its original folders: 927 people, 12 cameras, visible and infrared tracklets.

Section 1 of the data set facts: `ROOT/{Train,Test}/<person>/{ir,rgb}/D<camera>/<frame>.jpg` with `ROOT/info/*.txt`; the
older layout has the people directly under ROOT. Nothing is converted and no frame is touched before it is asked for.
"""

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.hitsz_vcm.lists import (
    INFRARED_CODE,
    FrameNames,
    InfoRow,
    read_discarded,
    read_names,
    read_query,
    read_rows,
)
from opengait_ext.data.summary import Count, Notes, counts_of, table_of_counts
from opengait_ext.data.tracklet import Modality, Tracklet

NAME = "HITSZ-VCM"
MINIMUM_FRAMES = 12

# What the data page and the public code bases print: rows of the info files, and what the 12-frame rule keeps.
PUBLISHED = {
    ("train", Modality.VISIBLE): Count(identities=500, listed=6142, kept=5460, frames=126_543),
    ("train", Modality.INFRARED): Count(identities=500, listed=4919, kept=4291, frames=98_214),
    ("test", Modality.VISIBLE): Count(identities=427, listed=5643, kept=5099, frames=118_137),
    ("test", Modality.INFRARED): Count(identities=427, listed=5159, kept=4584, frames=105_979),
}


@dataclass
class Split:
    """One split as listed: the tracklets that stay, and what became of the others."""

    rows: list[InfoRow]
    kept: list[Tracklet]
    short: Counter = field(default_factory=Counter)
    discarded_frames: int = 0
    disagreeing: int = 0


class HITSZVCM:
    """The tracklets of HITSZ-VCM, in info-file order.

    Args:
        root: the folder that holds `info/` and `Train/`, `Test/` (or the people's folders directly), or a pack of it.
        minimum_frames: tracklets with fewer frames are dropped, in train and test, as every published number does.
        discard_lists: text files of frame names, one a line, that are removed before the short tracklets are; the
            authors of DinoGRL used two such lists that they did not publish.

    Attributes:
        train: list of `Tracklet`.
        query: the infrared tracklets of `query_IDX.txt`.
        gallery: all other test tracklets.
        pack: the pack that frames are read from, under the same paths; None where they are files.

    Raises:
        DataError: something is missing or contradicts itself; the message names the file, the line and what to do.
    """

    def __init__(
        self,
        root: str | Path,
        minimum_frames: int = MINIMUM_FRAMES,
        discard_lists: Sequence[str | Path] | None = None,
    ) -> None:
        self.root = Path(root).expanduser().absolute()
        self.minimum_frames = int(minimum_frames)
        self._check_root()
        self.pack = open_pack(self.root)
        discarded = read_discarded(discard_lists or ())
        with _no_collection():
            splits = {split: self._read_split(split, discarded) for split in ("train", "test")}
        self._splits = splits
        self._check_people_apart()

        self.train = splits["train"].kept
        asking = set(read_query(self.root / "info" / "query_IDX.txt", len(splits["test"].rows)))
        self.query = [t for t in splits["test"].kept if t.track in asking]
        self.gallery = [t for t in splits["test"].kept if t.track not in asking]
        self._misplaced = sum(t.modality is not Modality.INFRARED for t in self.query) + sum(
            t.modality is not Modality.VISIBLE for t in self.gallery
        )

    @property
    def test(self) -> list[Tracklet]:
        """Query and gallery together, in info-file order."""
        return self._splits["test"].kept

    def summary(self, beside_published: bool = True) -> str:
        """Identities, tracklets and frames of each modality and split, and what was dropped and why, as a table.

        Args:
            beside_published: put HITSZ-VCM's published counts beside what was read; off for another data set in its
                layout.
        """
        read = {}
        for split, parts in self._splits.items():
            for modality in Modality:
                listed = sum(modality_of(row) is modality for row in parts.rows)
                read[split, modality] = counts_of(parts.kept, modality, listed)
        published = None
        if beside_published:
            # The published counts of what stays hold for the published rule alone.
            same_rule = self.minimum_frames == MINIMUM_FRAMES
            published = {key: count if same_rule else count.only_listed() for key, count in PUBLISHED.items()}
        title = f"{NAME} at {self.root}" if beside_published else f"Tracklets at {self.root}"
        return "\n".join([title, table_of_counts(read, published), *self._notes().lines()])

    def _notes(self) -> Notes:
        """What was dropped or looks odd, and why."""
        notes = Notes()
        for split, parts in self._splits.items():
            for modality in Modality:
                notes.add(
                    parts.short[modality],
                    f"{split} {modality} tracklets dropped: fewer than {self.minimum_frames} frames",
                )
            notes.add(parts.discarded_frames, f"{split} frames removed: named in the discard lists")
            notes.add(
                parts.disagreeing,
                f"{split} tracklets whose frame names tell another person, modality or camera than their info row; "
                f"the row is followed",
            )
            seen = {modality: {t.person for t in parts.kept if t.modality is modality} for modality in Modality}
            alone = seen[Modality.VISIBLE] ^ seen[Modality.INFRARED]
            notes.add(len(alone), f"{split} identities without a partner: tracklets left in one modality only")
        notes.add(self._misplaced, "test tracklets that query_IDX.txt places against their modality")
        return notes

    def _check_root(self) -> None:
        """Say in one sentence that the data is not there, before a single file is opened."""
        if self.root.is_dir() and (self.root / "info").is_dir():
            return
        found = "there is no such folder" if not self.root.is_dir() else "the folder has no info/ in it"
        raise DataError(
            f"{NAME} was not found at {self.root}: {found}; ask its authors for the archives Train, Test and info (see "
            f"datasets/HITSZ-VCM/README.md), unpack the three into one folder and name that folder with "
            f"--set data_cfg.dataset_root=PATH."
        )

    def _read_split(self, split: str, discarded: set[str]) -> Split:
        info = self.root / "info"
        names = read_names(info / f"{split}_name.txt")
        rows = read_rows(info / f"track_{split}_info.txt", len(names.names))
        if not rows:
            raise DataError(f"{info / f'track_{split}_info.txt'} is empty; unpack the info archive again.")
        base = self._base_of(split, names.folders[rows[0].first - 1])
        folders = {folder: base / folder for folder in set(names.folders)}
        paths = [folders[folder] / file for folder, file in zip(names.folders, names.files, strict=True)]
        parts = Split(rows=rows, kept=[])
        for number, row in enumerate(rows, start=1):
            span = slice(row.first - 1, row.last)
            frames = paths[span]
            if discarded:
                frames = [p for p, name in zip(frames, names.names[span], strict=True) if name not in discarded]
                parts.discarded_frames += row.last - row.first + 1 - len(frames)
            parts.disagreeing += disagrees(row, names, span)
            modality = modality_of(row)
            if len(frames) < max(1, self.minimum_frames):
                parts.short[modality] += 1
                continue
            parts.kept.append(Tracklet(row.person, modality, row.camera, tuple(frames), number))
        if not parts.kept:
            raise DataError(
                f"{self.root}: none of the {len(rows)} {split} tracklets has {self.minimum_frames} frames or more; "
                f"lower data_cfg.minimum_frames or check data_cfg.discard_lists."
            )
        return parts

    def _base_of(self, split: str, first_folder: str) -> Path:
        """The folder that the split's people lie in, found by the first tracklet's folder."""
        candidates = [self.root / split.capitalize(), self.root]
        for base in candidates:
            if self.pack.has_folder(base / first_folder) if self.pack else (base / first_folder).is_dir():
                return base
        raise DataError(
            f"The first {split} tracklet of {self.root} has no folder: neither {candidates[0] / first_folder} nor "
            f"{candidates[1] / first_folder} exists. Unpack the {split.capitalize()} archive beside info/ (see "
            f"datasets/HITSZ-VCM/README.md)."
        )

    def _check_people_apart(self) -> None:
        people = {split: {row.person for row in parts.rows} for split, parts in self._splits.items()}
        both = sorted(people["train"] & people["test"])
        if both:
            some = ", ".join(map(str, both[:5])) + (", ..." if len(both) > 5 else "")
            raise DataError(
                f"{self.root / 'info'}: {len(both)} people are in both track_train_info.txt and track_test_info.txt "
                f"({some}); nothing measured on them would count."
            )


def modality_of(row: InfoRow) -> Modality:
    """The modality of a tracklet, which its info row tells, not the frame names."""
    return Modality.INFRARED if row.modality == INFRARED_CODE else Modality.VISIBLE


def disagrees(row: InfoRow, names: FrameNames, span: slice) -> bool:
    """Whether a frame name of the row lies in another folder than person, modality and camera of the row say."""
    sensor = "ir" if row.modality == INFRARED_CODE else "rgb"
    return set(names.folders[span]) != {f"{row.person:04d}/{sensor}/D{row.camera}"}


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the garbage collector: half a million new paths, none of them garbage, cost as much again to search."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
