"""HITSZ-VCM in its original folders: 927 people, 12 cameras, visible and infrared tracklets.

Frames are `ROOT/{Train,Test}/<person>/{ir,rgb}/D<camera>/<frame>.jpg`, lists are `ROOT/info/*.txt`; the older layout
has the people directly under ROOT. Nothing is converted, and a frame is read only when it is indexed.
"""

from collections.abc import Sequence
from pathlib import Path

from opengait.data.packs.read import open_pack
from opengait.data.problems import Strict
from opengait.errors import DataError
from opengait_ext.data.hitsz_vcm.layout import MINIMUM_FRAMES, NAME, PUBLISHED, README
from opengait_ext.data.hitsz_vcm.splits import read_queries, read_splits
from opengait_ext.data.summary import Count, Notes, counts_of, table_of_counts
from opengait_ext.data.tracklet import Modality, Tracklet


class HITSZVCM:
    """The tracklets of HITSZ-VCM in the order of the lists.

    Args:
        root: the folder of `info/`, `Train/` and `Test/` (or of `info/` and the people's folders), or a pack of it.
        minimum_frames: drop tracklets with fewer frames from train and test, as in every published result.
        discard_lists: text files with a frame name per line. These frames are removed before short tracklets are
            dropped. The authors of DinoGRL used two such lists, which are not public.
        name: the dataset's name, for messages.

    Attributes:
        train: list of `Tracklet`.
        query: the infrared tracklets of `query_IDX.txt`.
        gallery: all other test tracklets.
        pack: the pack that the frames are read from, under the same paths; None if they are files.
        warnings: a line for each kind of problem that reading goes on with.

    Raises:
        DataError: a file is missing, invalid or inconsistent; the message names the file and the line.
    """

    def __init__(
        self,
        root: str | Path,
        minimum_frames: int = MINIMUM_FRAMES,
        discard_lists: Sequence[str | Path] | None = None,
        name: str = NAME,
    ) -> None:
        self.root = Path(root).expanduser().absolute()
        self.minimum_frames = int(minimum_frames)
        self._check_root(name)
        self.pack = open_pack(self.root)
        findings = Strict(self.root)
        lists = [Path(path).expanduser().absolute() for path in discard_lists or ()]
        splits = read_splits(self.root, self.pack, findings, self.minimum_frames, lists)
        self._splits = splits
        for split, parts in splits.items():
            if not parts.kept:
                raise DataError(
                    f"{self.root}: none of the {len(parts.rows)} {split} tracklets has {self.minimum_frames} frames or "
                    f"more; lower data_cfg.minimum_frames or check data_cfg.discard_lists."
                )
        self.train = splits["train"].kept
        query_rows = read_queries(self.root, findings, splits["test"].rows)
        self.query = [t for t in splits["test"].kept if t.track in query_rows]
        self.gallery = [t for t in splits["test"].kept if t.track not in query_rows]
        self.warnings = findings.warnings()

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
            kept = {tracklet.track for tracklet in parts.kept}
            for modality in Modality:
                short = sum(row.modality is modality and row.number not in kept for row in parts.rows)
                notes.add(short, f"{split} {modality} tracklets dropped: fewer than {self.minimum_frames} frames")
            notes.add(parts.discarded_frames, f"{split} frames removed: named in the discard lists")
            seen = {modality: {t.person for t in parts.kept if t.modality is modality} for modality in Modality}
            alone = seen[Modality.VISIBLE] ^ seen[Modality.INFRARED]
            notes.add(len(alone), f"{split} identities with tracklets in one modality only")
        misplaced = sum(t.modality is not Modality.INFRARED for t in self.query)
        misplaced += sum(t.modality is not Modality.VISIBLE for t in self.gallery)
        notes.add(misplaced, "test tracklets whose modality contradicts query_IDX.txt (queries are infrared)")
        return notes

    def _check_root(self, name: str) -> None:
        """Raise an error that explains how to obtain the data if there is none."""
        if (self.root / "info").is_dir():
            return
        reason = "the folder does not exist" if not self.root.is_dir() else "the folder has no info/"
        obtain = (
            f"ask its authors for the archives Train, Test and info (see {README}), unpack them into one folder, and "
            f"pass it with --set data_cfg.dataset_root=PATH; or draw synthetic data in this layout (vvi synthesize)"
        )
        if not name.startswith(NAME):
            obtain = (
                f"draw synthetic data in HITSZ-VCM's layout with vvi synthesize --out {self.root} (the demo's with "
                f"--demo), or pass the folder of your own with --set data_cfg.dataset_root=PATH"
            )
        raise DataError(f"{name} was not found at {self.root}: {reason}; {obtain}.")
