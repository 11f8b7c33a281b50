"""BUPTCampus from its original folders: 3,080 people, 6 cameras, aligned pairs of visible and infrared tracklets.

Section 2 of the data set facts: `ROOT/DATA/<person>/{RGB,IR,FakeIR}/<camera>/*.jpg` with `ROOT/data_paths.json` and the
lists `train.txt`, `train_auxiliary.txt`, `query.txt` and `gallery.txt`. Nothing is converted and no frame is touched
before it is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from opengait.data.packs.read import open_pack
from opengait.errors import DataError
from opengait_ext.data.bupt_campus.lists import (
    CAMERAS,
    INFRARED_CODE,
    PAIR_CODE,
    README,
    VISIBLE_CODE,
    ListRow,
    frames_of,
    read_list,
    read_paths,
)
from opengait_ext.data.summary import Count, Notes, counts_of, table_of_counts
from opengait_ext.data.tracklet import FrameFiles, Modality, Role, Tracklet

NAME = "BUPTCampus"
MODALITY_OF = {VISIBLE_CODE: Modality.VISIBLE, INFRARED_CODE: Modality.INFRARED}
FAKE_FOLDER = "FakeIR"

# As the data set's authors print them: lines and people of the lists by modality, frames of both together.
PUBLISHED = {
    ("train", "visible"): Count(identities=1074, listed=3574, kept=3574, frames=None),
    ("train", "infrared"): Count(identities=1074, listed=3574, kept=3574, frames=None),
    ("train", "both"): Count(identities=1074, listed=7148, kept=7148, frames=796_138),
    ("auxiliary", "visible"): Count(identities=930, listed=930, kept=930, frames=None),
    ("auxiliary", "infrared"): Count(identities=930, listed=930, kept=930, frames=None),
    ("auxiliary", "both"): Count(identities=930, listed=1860, kept=1860, frames=209_150),
    ("query", "visible"): Count(identities=540, listed=540, kept=540, frames=None),
    ("query", "infrared"): Count(identities=536, listed=536, kept=536, frames=None),
    ("query", "both"): Count(identities=1076, listed=1076, kept=1076, frames=101_938),
    ("gallery", "visible"): Count(identities=None, listed=2422, kept=2422, frames=None),
    ("gallery", "infrared"): Count(identities=None, listed=2422, kept=2422, frames=None),
    ("gallery", "both"): Count(identities=1076, listed=4844, kept=4844, frames=597_542),
}


class BUPTCampus:
    """The tracklets of BUPTCampus, in list-file order.

    Args:
        root: the folder that holds `DATA/`, `data_paths.json` and the lists, or a pack of it.
        auxiliary: train on the pairs of `train_auxiliary.txt` too; each of its people is seen by one camera only.
        fake_infrared: a further infrared tracklet for every visible training tracklet, of the frames in `FakeIR` that
            its authors made from the visible ones; its view ends in `-fake`.

    Attributes:
        train: list of `Tracklet`, for each line the infrared and then the visible one of an aligned pair, which have
            camera and track in common and equally many frames.
        query, gallery: of both modalities; queries have the role "query".
        pack: the pack that frames are read from, under the same paths; None where they are files.

    Raises:
        DataError: something is missing or contradicts itself; the message names the file, the line and what to do.
    """

    def __init__(self, root: str | Path, auxiliary: bool = False, fake_infrared: bool = False) -> None:
        self.root = Path(root).expanduser().absolute()
        self.frames_root = self.root / "DATA"
        self.pack = open_pack(self.root)
        self.fake_infrared = fake_infrared
        self._shifted = 0
        self._check_root()
        paths = read_paths(self.root / "data_paths.json")
        self._splits = {"train": list(self._pairs("train.txt", paths))}
        if auxiliary:
            self._splits["auxiliary"] = list(self._pairs("train_auxiliary.txt", paths))
        self._splits["query"] = list(self._singles("query.txt", paths, Role.QUERY))
        self._splits["gallery"] = list(self._singles("gallery.txt", paths, None))
        self._check_people_apart()
        self._check_folders()

        self.train = [*self._splits["train"], *self._splits.get("auxiliary", ())]
        self.query = self._splits["query"]
        self.gallery = self._splits["gallery"]

    @property
    def test(self) -> list[Tracklet]:
        """The queries and then the gallery, each in file order."""
        return [*self.query, *self.gallery]

    def same_camera_pairs(self) -> int:
        """How many times a query and a gallery tracklet show one person at one camera, whatever their modalities.

        A camera rule would remove these; where there are none, it changes nothing.
        """
        gallery = Counter((t.person, t.camera) for t in self.gallery)
        return sum(gallery[t.person, t.camera] for t in self.query)

    def summary(self, beside_published: bool = True) -> str:
        """Identities, tracklets and frames of each modality and split, and what looks odd, as a table.

        Args:
            beside_published: put BUPTCampus's published counts beside what was read; off for another data set in its
                layout.
        """
        read: dict[tuple[str, str], Count] = {}
        for split, tracklets in self._splits.items():
            true = [t for t in tracklets if t.role is not Role.FAKE]
            for name, modality in (*((str(m), m) for m in Modality), ("both", None)):
                listed = sum(modality in (None, t.modality) for t in true)
                read[split, name] = counts_of(true, modality, listed)
            if len(true) < len(tracklets):
                fake = [t for t in tracklets if t.role is Role.FAKE]
                read[split, FAKE_FOLDER] = counts_of(fake, None, len(fake))
        title = f"{NAME} at {self.root}" if beside_published else f"Tracklets at {self.root}"
        return "\n".join([title, table_of_counts(read, PUBLISHED if beside_published else None), *self._notes()])

    def _notes(self) -> list[str]:
        notes = Notes()
        notes.add(self._shifted, "pairs whose frames have other numbers in the two modalities: perhaps not aligned")
        lone = sum(len(t.frames) == 1 for tracklets in self._splits.values() for t in tracklets)
        notes.add(lone, "tracklets of a single frame, which is repeated")
        for asks in Modality:
            for found in Modality:
                people = {t.person for t in self.gallery if t.modality is found}
                alone = sum(t.modality is asks and t.person not in people for t in self.query)
                notes.add(alone, f"{asks} queries without a match in the {found} gallery")
        pairs = self.same_camera_pairs()
        rule = "a camera rule would change nothing" if pairs == 0 else "a camera rule would remove them"
        return [*notes.lines(), f"  {pairs:,} times a query and a gallery tracklet share person and camera: {rule}"]

    def _pairs(self, name: str, paths: dict[str, Any]) -> Iterator[Tracklet]:
        """Infrared, visible and, on request, made infrared tracklet of each line of a training list."""
        file = self.root / name
        for row in read_list(file, (PAIR_CODE,)):
            visible, infrared = (frames_of(paths, row, code, file) for code in (VISIBLE_CODE, INFRARED_CODE))
            if len(visible) != len(infrared):
                raise DataError(
                    f"{file}, line {row.number}: data_paths.json has {len(visible)} RGB and {len(infrared)} IR frames; "
                    f"the two of a pair show the same moments, so unpack the data again."
                )
            self._shifted += _numbers(visible) != _numbers(infrared)
            yield self._tracklet(row, Modality.INFRARED, infrared)
            yield self._tracklet(row, Modality.VISIBLE, visible)
            if self.fake_infrared:
                # The files keep the visible frames' names.
                made = tuple(frame.replace(f"/{VISIBLE_CODE}/", f"/{FAKE_FOLDER}/") for frame in visible)
                yield self._tracklet(row, Modality.INFRARED, made, Role.FAKE)

    def _singles(self, name: str, paths: dict[str, Any], role: Role | None) -> Iterator[Tracklet]:
        file = self.root / name
        for row in read_list(file, (VISIBLE_CODE, INFRARED_CODE)):
            yield self._tracklet(row, MODALITY_OF[row.modality], frames_of(paths, row, row.modality, file), role)

    def _tracklet(
        self, row: ListRow, modality: Modality, frames: tuple[str, ...], role: Role | None = None
    ) -> Tracklet:
        files = FrameFiles(self.frames_root, frames)
        return Tracklet(row.person, modality, CAMERAS[row.camera], files, row.number, role)

    def _check_root(self) -> None:
        """Say in one sentence that the data is not there, before a single file is opened."""
        if self._has_folder(self.frames_root):
            return
        found = "there is no such folder" if not self.root.is_dir() else "the folder has no DATA/ in it"
        raise DataError(
            f"{NAME} was not found at {self.root}: {found}; ask its authors for it (see {README}), unpack it into one "
            f"folder and name that folder with --set data_cfg.dataset_root=PATH."
        )

    def _check_people_apart(self) -> None:
        people = {split: {t.person for t in tracklets} for split, tracklets in self._splits.items()}
        for one, other in combinations(people, 2):
            both = sorted(people[one] & people[other], key=lambda person: int(person))
            if both and {one, other} != {"query", "gallery"}:
                some = ", ".join(map(str, both[:5])) + (", ..." if len(both) > 5 else "")
                raise DataError(
                    f"{self.root}: {len(both)} people are in both the {one} and the {other} list ({some}); "
                    f"no person belongs to two of them, and nothing measured on trained people would count."
                )

    def _check_folders(self) -> None:
        """Every folder that frames are listed in is there; single frames are missed when they are read."""
        folders = {t.frames[0].parent for tracklets in self._splits.values() for t in tracklets}
        missing = sorted(folder for folder in folders if not self._has_folder(folder))
        if missing:
            more = f" and {len(missing) - 1} other folders" if len(missing) > 1 else ""
            raise DataError(
                f"{missing[0]}{more} should hold frames of listed tracklets but cannot be found; unpack DATA again "
                f"(see {README})."
            )

    def _has_folder(self, folder: Path) -> bool:
        """Whether frames can lie in this folder."""
        return self.pack.has_folder(folder) if self.pack else folder.is_dir()


def _numbers(frames: Iterable[str]) -> list[str]:
    """What follows the last underscore of each frame file's name."""
    return [frame.rpartition("_")[2] for frame in frames]
