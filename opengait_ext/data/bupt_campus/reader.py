"""BUPTCampus in its original folders: 3,080 people, 6 cameras, aligned pairs of visible and infrared tracklets.

Frames are `ROOT/DATA/<person>/{RGB,IR,FakeIR}/<camera>/*.jpg`, which `ROOT/data_paths.json` assigns to tracklets; lists
are `train.txt`, `train_auxiliary.txt`, `query.txt` and `gallery.txt`. Nothing is converted, and a frame is read only
when it is indexed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.bupt_campus.layout import (
    CAMERAS,
    FAKE_FOLDER,
    FRAMES,
    INFRARED_CODE,
    LISTS,
    MODALITIES,
    NAME,
    PAIR_CODE,
    PUBLISHED,
    README,
    SOURCE,
    VISIBLE_CODE,
)
from opengait_ext.data.bupt_campus.lists import ListRow, parse_frames, parse_list, read_paths
from opengait_ext.data.files import check_disjoint, has_folder, read_lines, valid_entries
from opengait_ext.data.summary import Count, Notes, counts_of, table_of_counts
from opengait_ext.data.tracklet import FrameFiles, Modality, Role, Tracklet


class BUPTCampus:
    """The tracklets of BUPTCampus in the order of the lists.

    Args:
        root: the folder of `DATA/`, `data_paths.json` and the lists, or a pack of it.
        auxiliary: train on the pairs of `train_auxiliary.txt` too, each of whose people is seen by one camera only.
        fake_infrared: add an infrared tracklet for every visible training tracklet, from the frames in `FakeIR` that
            the authors of the dataset generated from the visible frames; its view ends in `-fake`.

    Attributes:
        train: list of `Tracklet`, for each line the infrared and then the visible tracklet of an aligned pair, which
            share camera, track and number of frames.
        query, gallery: tracklets of both modalities; queries have the role "query".
        pack: the pack that the frames are read from, under the same paths; None if they are files.

    Raises:
        DataError: a file is missing, invalid or inconsistent; the message names the file and the line.
    """

    def __init__(self, root: str | Path, auxiliary: bool = False, fake_infrared: bool = False) -> None:
        self.root = Path(root).expanduser().absolute()
        self.frames_root = self.root / FRAMES
        self.pack = open_pack(self.root)
        self.fake_infrared = fake_infrared
        self._shifted = 0
        self._check_root()
        paths = read_paths(self.root)
        splits = [split for split in LISTS if auxiliary or split != "auxiliary"]
        self._splits = {split: list(self._read_list(split, paths)) for split in splits}
        people = {split: {str(t.person) for t in tracklets} for split, tracklets in self._splits.items()}
        for split in ("query", "gallery"):
            # A test identity is in both of these lists.
            check_disjoint(self.root, {name: people[name] for name in splits if name in ("train", "auxiliary", split)})
        self._check_folders()

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
        gallery = Counter((t.person, t.camera) for t in self.gallery)
        return sum(gallery[t.person, t.camera] for t in self.query)

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
        return "\n".join([title, table_of_counts(read, PUBLISHED if beside_published else None), *self._notes()])

    def _notes(self) -> list[str]:
        notes = Notes()
        notes.add(self._shifted, "pairs whose frame numbers differ between the modalities: perhaps not aligned")
        single = sum(len(t.frames) == 1 for tracklets in self._splits.values() for t in tracklets)
        notes.add(single, "tracklets of a single frame, which is repeated")
        for query in Modality:
            for gallery in Modality:
                people = {t.person for t in self.gallery if t.modality is gallery}
                unmatched = sum(t.modality is query and t.person not in people for t in self.query)
                notes.add(unmatched, f"{query} queries without a match in the {gallery} gallery")
        pairs = self.same_camera_pairs()
        rule = "a camera rule would change nothing" if pairs == 0 else "a camera rule would remove them"
        return [*notes.lines(), f"  {pairs:,} pairs of a query and a gallery tracklet share person and camera: {rule}"]

    def _read_list(self, split: str, paths: dict[str, Any]) -> Iterator[Tracklet]:
        """Yield the tracklets of a list; for a pair the infrared, the visible and, if requested, the fake one."""
        name, codes = LISTS[split]
        file = self.root / name
        role = Role.QUERY if split == "query" else None
        for row in valid_entries(parse_list(file, read_lines(file, SOURCE), codes), self.root):
            frames = dict(valid_entries(parse_frames(paths, row, file), self.root))
            # IR comes before RGB.
            for code in sorted(frames):
                yield self._tracklet(row, MODALITIES[code], frames[code], role)
            if row.code == PAIR_CODE:
                self._shifted += _numbers(frames[VISIBLE_CODE]) != _numbers(frames[INFRARED_CODE])
                if self.fake_infrared:
                    # The generated files have the names of the visible frames.
                    fake = tuple(f.replace(f"/{VISIBLE_CODE}/", f"/{FAKE_FOLDER}/") for f in frames[VISIBLE_CODE])
                    yield self._tracklet(row, Modality.INFRARED, fake, Role.FAKE)

    def _tracklet(
        self, row: ListRow, modality: Modality, frames: tuple[str, ...], role: Role | None = None
    ) -> Tracklet:
        files = FrameFiles(self.frames_root, frames)
        return Tracklet(row.person, modality, CAMERAS[row.camera], files, row.number, role)

    def _check_root(self) -> None:
        """Raise an error that explains how to obtain the data if there is none."""
        if has_folder(self.frames_root, self.pack):
            return
        reason = "the folder does not exist" if not self.root.is_dir() else "the folder has no DATA/ in it"
        raise DataError(
            f"{NAME} was not found at {self.root}: {reason}; ask its authors for it (see {README}), unpack it into one "
            f"folder, and pass it with --set data_cfg.dataset_root=PATH."
        )

    def _check_folders(self) -> None:
        """Check that every listed folder exists; a missing frame is noticed when it is read."""
        folders = {t.frames[0].parent for tracklets in self._splits.values() for t in tracklets}
        missing = sorted(folder for folder in folders if not has_folder(folder, self.pack))
        if missing:
            more = f" and {len(missing) - 1} other folders" if len(missing) > 1 else ""
            raise DataError(
                f"{missing[0]}{more} should hold frames of listed tracklets but cannot be found; unpack DATA again "
                f"(see {README})."
            )


def _numbers(frames: Iterable[str]) -> list[str]:
    """Return the part of each frame file's name after the last underscore."""
    return [frame.rpartition("_")[2] for frame in frames]
