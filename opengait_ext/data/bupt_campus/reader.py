"""BUPTCampus in its original folders: 3,080 people, 6 cameras, aligned pairs of visible and infrared tracklets.

Frames are `ROOT/DATA/<person>/{RGB,IR,FakeIR}/<camera>/*.jpg`, which `ROOT/data_paths.json` assigns to tracklets; lists
are `train.txt`, `train_auxiliary.txt`, `query.txt` and `gallery.txt`. Nothing is converted, and a frame is read only
when it is indexed.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from opengait.data.packs.read import open_pack
from opengait.data.problems import Strict
from opengait_ext.data.bupt_campus.layout import FAKE_FOLDER, FRAMES, LISTS, NAME, PUBLISHED
from opengait_ext.data.bupt_campus.lists import read_paths
from opengait_ext.data.bupt_campus.splits import check_root, read_splits, same_camera_pairs, single_frames
from opengait_ext.data.summary import Count, counts_of, remark_lines, table_of_counts
from opengait_ext.data.tracklet import Modality, Role, Tracklet


class BUPTCampus:
    """The tracklets of BUPTCampus in the order of the lists.

    Args:
        root: the folder of `DATA/`, `data_paths.json` and the lists, or a pack of it.
        auxiliary: train on the pairs of `train_auxiliary.txt` too, each of whose people is seen by one camera only;
            "apart" gives them the role "auxiliary", for methods that do not classify these people.
        fake_infrared: add an infrared tracklet for every visible training tracklet, from the frames in `FakeIR` that
            the authors of the dataset generated from the visible frames; its view ends in `-fake`.

    Attributes:
        train: list of `Tracklet`, for each line the infrared and then the visible tracklet of an aligned pair, which
            share camera, track and number of frames.
        query, gallery: tracklets of both modalities; queries have the role "query".
        pack: the pack that the frames are read from, under the same paths; None if they are files.
        warnings: a line for each kind of problem that does not stop reading.

    Raises:
        DataError: a file is missing, invalid or inconsistent; the message names the file and the line.
    """

    def __init__(
        self, root: str | Path, auxiliary: bool | Literal["apart"] = False, fake_infrared: bool = False
    ) -> None:
        self.root = Path(root).expanduser().absolute()
        self.frames_root = self.root / FRAMES
        self.pack = open_pack(self.root)
        check_root(self.root, self.pack)
        findings = Strict(self.root)
        names = [split for split in LISTS if auxiliary or split != "auxiliary"]
        self._splits = read_splits(self.root, read_paths(self.root), findings, names, self.pack, fake_infrared)
        self.warnings = findings.warnings()

        if auxiliary == "apart":
            # Generated tracklets keep their role; their visible partners tell where they belong.
            self._splits["auxiliary"] = [
                t if t.role is Role.FAKE else replace(t, role=Role.AUXILIARY) for t in self._splits["auxiliary"]
            ]
        self.train = [*self._splits["train"], *self._splits.get("auxiliary", ())]
        self.query = self._splits["query"]
        self.gallery = self._splits["gallery"]

    @property
    def test(self) -> list[Tracklet]:
        """The queries, then the gallery, each in file order."""
        return [*self.query, *self.gallery]

    def same_camera_pairs(self) -> int:
        """Count the pairs of a query and a gallery tracklet with equal person and camera, in any modalities.

        A camera rule would remove these pairs; if there are none, it would change nothing.
        """
        return same_camera_pairs(self._splits)

    def summary(self, beside_published: bool = True) -> str:
        """Format the counts per split and modality, and what looks inconsistent, as a table.

        Args:
            beside_published: show the published counts too; False for another dataset in the layout of BUPTCampus.
        """
        read: dict[tuple[str, str], Count] = {}
        for split, tracklets in self._splits.items():
            real = [t for t in tracklets if t.role is not Role.FAKE]
            for name, modality in (*((str(m), m) for m in Modality), ("both", None)):
                listed = sum(modality in (None, t.modality) for t in real)
                read[split, name] = counts_of(real, modality, listed)
            if len(real) < len(tracklets):
                fake = [t for t in tracklets if t.role is Role.FAKE]
                read[split, FAKE_FOLDER] = counts_of(fake, None, len(fake))
        title = f"{NAME} at {self.root}" if beside_published else f"Tracklets at {self.root}"
        pairs = self.same_camera_pairs()
        rule = "a camera rule would change nothing" if pairs == 0 else "a camera rule would remove them"
        remarks = [
            *remark_lines([single_frames(self._splits)]),
            f"{pairs:,} pairs of a query and a gallery tracklet share person and camera: {rule}",
        ]
        table = table_of_counts(read, PUBLISHED if beside_published else None)
        return "\n".join([title, table, *(f"  {remark}" for remark in remarks)])
