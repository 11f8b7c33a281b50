"""HITSZ-VCM in its original folders: 927 people, 12 cameras, visible and infrared tracklets.

Frames are `ROOT/{Train,Test}/<person>/{ir,rgb}/D<camera>/<frame>.jpg`, lists are `ROOT/info/*.txt`; the older layout
has the people directly under ROOT. Nothing is converted, and a frame is read only when it is indexed.
"""

from collections.abc import Sequence
from pathlib import Path

from opengait.data.packs.read import open_pack
from opengait.data.problems import Strict
from opengait_ext.data.hitsz_vcm.layout import MINIMUM_FRAMES, NAME, PUBLISHED
from opengait_ext.data.hitsz_vcm.splits import check_root, read_queries, read_splits, remarks_of
from opengait_ext.data.summary import Count, counts_of, remark_lines, table_of_counts
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
        warnings: a line for each kind of problem that does not stop reading.

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
        check_root(self.root, name)
        self.pack = open_pack(self.root)
        findings = Strict(self.root)
        lists = [Path(path).expanduser().absolute() for path in discard_lists or ()]
        self._splits = read_splits(self.root, self.pack, findings, self.minimum_frames, lists)
        self._queries = read_queries(self.root, findings, self._splits["test"].rows)
        self.train = self._splits["train"].kept
        self.query = [tracklet for tracklet in self.test if tracklet.track in self._queries]
        self.gallery = [tracklet for tracklet in self.test if tracklet.track not in self._queries]
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
        remarks = remark_lines(remarks_of(self._splits, self._queries, self.minimum_frames))
        return "\n".join([title, table_of_counts(read, published), *(f"  {remark}" for remark in remarks)])
