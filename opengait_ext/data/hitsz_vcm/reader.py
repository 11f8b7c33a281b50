"""HITSZ-VCM in its original folders: 927 people, 12 cameras, visible and infrared tracklets.

Frames are `ROOT/{Train,Test}/<person>/{ir,rgb}/D<camera>/<frame>.jpg`, lists are `ROOT/info/*.txt`; the older layout
has the people directly under ROOT. Nothing is converted, and a frame is read only when it is indexed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.files import check_disjoint, read_lines, read_text, valid_entries
from opengait_ext.data.hitsz_vcm.layout import (
    INFO_SOURCE,
    MINIMUM_FRAMES,
    NAME,
    PUBLISHED,
    README,
    bases_of,
    find_base,
    names_file,
    query_file,
    rows_file,
)
from opengait_ext.data.hitsz_vcm.lists import InfoRow, parse_names, parse_query, parse_rows
from opengait_ext.data.summary import Count, Notes, counts_of, table_of_counts
from opengait_ext.data.tracklet import FrameFiles, Modality, Tracklet


@dataclass
class Split:
    """A split: its rows, the tracklets that are kept, and counts of what was dropped."""

    rows: list[InfoRow]
    kept: list[Tracklet]
    short: Counter = field(default_factory=Counter)
    discarded_frames: int = 0
    disagreeing: int = 0


class HITSZVCM:
    """The tracklets of HITSZ-VCM in the order of the lists.

    Args:
        root: the folder of `info/`, `Train/` and `Test/` (or of `info/` and the people's folders), or a pack of it.
        minimum_frames: drop tracklets with fewer frames from train and test, as in every published result.
        discard_lists: text files with a frame name per line. These frames are removed before short tracklets are
            dropped. The authors of DinoGRL used two such lists, which are not public.

    Attributes:
        train: list of `Tracklet`.
        query: the infrared tracklets of `query_IDX.txt`.
        gallery: all other test tracklets.
        pack: the pack that the frames are read from, under the same paths; None if they are files.

    Raises:
        DataError: a file is missing, invalid or inconsistent; the message names the file and the line.
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
        splits = {split: self._read_split(split, discarded) for split in ("train", "test")}
        self._splits = splits
        check_disjoint(self.root, {split: {row.person for row in parts.rows} for split, parts in splits.items()})

        self.train = splits["train"].kept
        query_rows = self._read_query(splits["test"].rows)
        self.query = [t for t in splits["test"].kept if t.track in query_rows]
        self.gallery = [t for t in splits["test"].kept if t.track not in query_rows]
        self._misplaced = sum(t.modality is not Modality.INFRARED for t in self.query) + sum(
            t.modality is not Modality.VISIBLE for t in self.gallery
        )

    @property
    def test(self) -> list[Tracklet]:
        """Queries and gallery in the order of the list."""
        return self._splits["test"].kept

    def summary(self, beside_published: bool = True) -> str:
        """Format the counts per split and modality as a table, with remarks on what was dropped.

        Args:
            beside_published: show the published counts too; False for another dataset in the layout of HITSZ-VCM.
        """
        read: dict[tuple[str, str], Count] = {}
        for split, parts in self._splits.items():
            for modality in Modality:
                listed = sum(row.modality is modality for row in parts.rows)
                read[split, modality] = counts_of(parts.kept, modality, listed)
        published = None
        if beside_published:
            # The published counts of kept tracklets hold for the published rule only.
            same_rule = self.minimum_frames == MINIMUM_FRAMES
            published = {key: count if same_rule else count.only_listed() for key, count in PUBLISHED.items()}
        title = f"{NAME} at {self.root}" if beside_published else f"Tracklets at {self.root}"
        return "\n".join([title, table_of_counts(read, published), *self._notes().lines()])

    def _notes(self) -> Notes:
        """Collect remarks on dropped and inconsistent data."""
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
                f"{split} tracklets whose frame names have another person, modality or camera than their info row, "
                f"which is used",
            )
            seen = {modality: {t.person for t in parts.kept if t.modality is modality} for modality in Modality}
            alone = seen[Modality.VISIBLE] ^ seen[Modality.INFRARED]
            notes.add(len(alone), f"{split} identities with tracklets in one modality only")
        notes.add(self._misplaced, "test tracklets whose modality contradicts query_IDX.txt (queries are infrared)")
        return notes

    def _check_root(self) -> None:
        """Raise an error that explains how to obtain the data if there is none."""
        if (self.root / "info").is_dir():
            return
        reason = "the folder does not exist" if not self.root.is_dir() else "the folder has no info/"
        raise DataError(
            f"{NAME} was not found at {self.root}: {reason}; ask its authors for the archives Train, Test "
            f"and info (see {README}), unpack them into one folder, and pass it with --set data_cfg.dataset_root=PATH; "
            f"or draw synthetic data in this layout (vvi synthesize)."
        )

    def _read_split(self, split: str, discarded: set[str]) -> Split:
        path = names_file(self.root, split)
        names = list(valid_entries(parse_names(path, read_lines(path, INFO_SOURCE)), path.parent))
        path = rows_file(self.root, split)
        rows = list(valid_entries(parse_rows(path, read_lines(path, INFO_SOURCE), len(names)), path.parent))
        base = self._base_of(split, names[rows[0].first - 1].folder)
        parts = Split(rows=rows, kept=[])
        for row in rows:
            frames = names[row.first - 1 : row.last]
            parts.disagreeing += any(frame.folder != row.folder for frame in frames)
            left = [frame for frame in frames if frame.name not in discarded]
            parts.discarded_frames += len(frames) - len(left)
            if len(left) < max(1, self.minimum_frames):
                parts.short[row.modality] += 1
                continue
            files = FrameFiles(base, tuple(f"{frame.folder}/{frame.file}" for frame in left))
            parts.kept.append(Tracklet(row.person, row.modality, row.camera, files, row.number))
        if not parts.kept:
            raise DataError(
                f"{self.root}: none of the {len(rows)} {split} tracklets has {self.minimum_frames} frames or more; "
                f"lower data_cfg.minimum_frames or check data_cfg.discard_lists."
            )
        return parts

    def _read_query(self, rows: Sequence[InfoRow]) -> set[int]:
        path = query_file(self.root)
        known = {row.number for row in rows}
        return set(valid_entries(parse_query(path, read_lines(path, INFO_SOURCE), known), path.parent))

    def _base_of(self, split: str, folder: str) -> Path:
        """Return the folder that holds the people of a split, by the folder of its first tracklet."""
        base = find_base(self.root, split, [folder], self.pack)
        if base is None:
            tried = " and ".join(str(candidate / folder) for candidate in bases_of(self.root, split))
            raise DataError(
                f"The first {split} tracklet of {self.root} has no folder: tried {tried}. Unpack the "
                f"{split.capitalize()} archive beside info/ (see {README})."
            )
        return base


def read_discarded(paths: Iterable[str | Path]) -> set[str]:
    """Read the frame names in all of these lists.

    Raises:
        DataError: a file is missing or not text.
    """
    names: set[str] = set()
    for path in map(Path, paths):
        path = path.expanduser().absolute()
        if not path.is_file():
            raise DataError(f"data_cfg.discard_lists: {path} is not a file; correct or remove it.")
        names.update(read_text(path, "correct data_cfg.discard_lists", allow_empty=True).split())
    return names
