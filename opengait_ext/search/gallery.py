"""A gallery as a folder that grows: descriptors in 16 bits that stay on disk, and a database of where they come from.

    gallery.json       version, network, frames per tracklet, shape and scale of the descriptors
    visible.f16        descriptors of visible tracklets, float16 [rows, c, p], read through a memory map
    infrared.f16       the same for infrared
    tracklets.sqlite   a row per tracklet: place, name, source, track, times, thumbnail, whether it was removed

A tracklet's place is 2 * its row in the file + its modality's number, and never changes. Rows are appended, and count
once the database has them, so what a killed process appended is cut off by the next. Distances from descriptors in 16
bits differ from those in 32 by less than a thousandth.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from opengait.errors import DataError, OutputError
from opengait_ext.data import Modality
from opengait_ext.search.descriptors import Described, Descriptors
from opengait_ext.search.index import Index, load_index
from opengait_ext.search.neighbours import Neighbours, block_rows, exact_neighbours, nearest_of
from opengait_ext.search.records import Record, key_of

# Beyond, float16 is infinite; the scale is chosen so that values of the first tracklets are at most 1.
_LARGEST = 65504.0


@dataclass(frozen=True, kw_only=True)
class Gallery(Described):
    """A gallery folder, opened for searching.

    Attributes:
        folder: the folder.
        scale: factor of the stored values, a power of 2.
    """

    folder: Path
    scale: float

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> Mapping[str, int]:
        """Return the number of tracklets of each modality that has any."""
        counts = {str(kind): self.rows(kind) - len(self._removed[kind]) for kind in Modality}
        return {kind: count for kind, count in counts.items() if count}

    def rows(self, modality: str) -> int:
        """Return the number of rows of a modality, with those of removed tracklets."""
        return self._rows[Modality(modality)]

    def stored(self, modality: str) -> np.ndarray:
        """Return the stored values float16 `[rows, c, p]`, which stay on disk; `scale` times the descriptors."""
        rows, file = self.rows(modality), self.folder / f"{modality}.f16"
        if not rows:
            return np.empty((0, *self.shape), np.float16)
        if not file.is_file() or file.stat().st_size < 2 * rows * int(np.prod(self.shape)):
            raise DataError(f"{file} is shorter than the {rows:,} tracklets of its gallery; copy the folder again.")
        return np.memmap(file, np.float16, "r", shape=(rows, *self.shape))

    def nearest(self, queries: np.ndarray, modality: str, top: int, metric: str) -> Neighbours:
        """Return the nearest tracklets of a modality for queries `[q, c, p]`: by the index, if there is one."""
        kind = Modality(modality)
        count = self.counts().get(modality, 0)
        index = self.indices[kind] if top < count else None
        if index is None or index.metric != metric:
            return exact_neighbours(queries, self._blocks(kind, 0, len(queries)), top, metric)
        found = index.candidates(queries * self.scale, top, len(self._removed[kind]))
        rest = exact_neighbours(queries, self._blocks(kind, index.rows, len(queries)), top, metric)
        removed = self._removed[kind]
        # Places and their distances again, since an index compares coarsely.
        rows = [np.setdiff1d(row[row >= 0], removed) for row in found]
        descriptors = [self._points(kind, row) for row in rows]
        near = nearest_of(queries, [_place(row, kind) for row in rows], descriptors, top, metric, rest)
        if near.places.shape[1] < top:
            # The cells that are visited hold fewer tracklets.
            return exact_neighbours(queries, self._blocks(kind, 0, len(queries)), top, metric)
        return Neighbours(near.places, near.distances, np.full(len(queries), -1), count)

    def tracklet(self, place: int) -> tuple[str, np.ndarray, Record]:
        """Return name, descriptor `[c, p]` and record of a tracklet."""
        ((name, record),) = self._entries([place])
        return name, self._points(tuple(Modality)[place % 2], np.array([place // 2]))[0], record

    def descriptors(self, most: int, seed: int = 0) -> Descriptors:
        """Return at most so many random tracklets of each modality in memory."""
        rng = np.random.default_rng(seed)
        places: list[int] = []
        types: list[str] = []
        points = [np.empty((0, *self.shape), np.float32)]
        for kind in Modality:
            alive = np.setdiff1d(np.arange(self.rows(kind)), self._removed[kind])
            rows = np.sort(rng.permutation(alive)[:most])
            places += _place(rows, kind).tolist()
            types += [str(kind)] * len(rows)
            points.append(self._points(kind, rows))
        names, records = zip(*self._entries(places), strict=True) if places else ((), ())
        return Descriptors(
            np.concatenate(points),
            np.array(names, dtype=np.str_),
            np.array(types, dtype=np.str_),
            np.array([record.source for record in records], dtype=np.str_),
            self.cfgs,
            self.checkpoint,
            self.checkpoint_sha256,
            self.frames,
            self.overrides,
            tuple(records),
        )

    def _entries(self, places: Sequence[int]) -> list[tuple[str, Record]]:
        """Return names and records of tracklets.

        Raises:
            DataError: the tracklet does not exist.
        """
        entries = []
        with closing(connect(self.folder)) as database:
            for place in places:
                row = database.execute(_ENTRY, (place,)).fetchone()
                if row is None:
                    raise DataError(f"{self.folder} has no tracklet {place}.")
                entries.append((str(row[0]), Record(*row[1:])))
        return entries

    def _points(self, kind: Modality, rows: np.ndarray) -> np.ndarray:
        """Return the descriptors float32 `[k, c, p]` of some rows."""
        return self.stored(kind)[rows].astype(np.float32) / np.float32(self.scale)

    def add(self, descriptors: Descriptors) -> tuple[int, int]:
        """Add tracklets; return how many were added, and how many were there already.

        Raises:
            DataError: another network described them, or their values are too large for 16 bits.
            OutputError: the folder cannot be written.
        """
        self.check(descriptors, str(self.folder))
        largest = float(np.abs(descriptors.embeddings).max(initial=0)) * self.scale
        if not largest < _LARGEST:
            raise DataError(f"A new descriptor has values {largest:.3g} times as large as those in {self.folder}.")
        tracklets = map(descriptors.tracklet, range(len(descriptors)))
        keys = [key_of(name, record) for name, _, record in tracklets]
        try:
            with closing(connect(self.folder)) as database, database:
                database.execute("BEGIN IMMEDIATE")
                present = {k for k in keys if database.execute(_PRESENT, (k,)).fetchone()}
                first = {key: number for number, key in reversed(list(enumerate(keys)))}
                fresh = sorted(number for key, number in first.items() if key not in present)
                for kind in Modality:
                    numbers = [n for n in fresh if descriptors.types[n] == kind]
                    if numbers:
                        self._append(database, kind, descriptors, numbers, keys)
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"Cannot add to {self.folder}: {getattr(error, 'strerror', None) or error}.") from error
        self._forget()
        return len(fresh), len(keys) - len(fresh)

    def remove(self, patterns: Sequence[str]) -> int:
        """Remove the tracklets whose name, source or `<source>#<track>` is among the texts; `*` and `?` are wild.

        Returns:
            The number of tracklets. Their rows stay on disk.
        """
        removed = 0
        with closing(connect(self.folder)) as database, database:
            for pattern in patterns:
                removed += database.execute(_REMOVE, (pattern,) * 3).rowcount
        self._forget()
        return removed

    def _append(
        self,
        database: sqlite3.Connection,
        kind: Modality,
        descriptors: Descriptors,
        numbers: list[int],
        keys: list[str],
    ) -> None:
        first = _next_row(database, kind)
        stored = (descriptors.embeddings[numbers] * np.float32(self.scale)).astype(np.float16)
        with (self.folder / f"{kind}.f16").open("ab") as file:
            # What a killed process appended, without telling the database, is cut off.
            file.truncate(2 * first * int(np.prod(self.shape)))
            file.seek(0, os.SEEK_END)
            stored.tofile(file)
            file.flush()
            os.fsync(file.fileno())
        rows = []
        for row, number in enumerate(numbers, start=first):
            record = descriptors.records[number] if descriptors.records else Record(str(descriptors.folders[number]))
            times = (record.start_seconds, record.end_seconds)
            name = str(descriptors.names[number])
            place = 2 * row + kind.number
            rows.append((place, keys[number], name, record.source, record.track, *times, record.thumbnail))
        database.executemany("INSERT INTO tracklets VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)", rows)

    def _blocks(self, kind: Modality, start: int, queries: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        stored, step = self.stored(kind), block_rows(queries, self.shape)
        alive = np.ones(len(stored), dtype=bool)
        alive[self._removed[kind]] = False
        for first in range(start, len(stored), step):
            rows = first + np.flatnonzero(alive[first : first + step])
            block = stored[first : first + step] if len(rows) == min(step, len(stored) - first) else stored[rows]
            yield _place(rows, kind), block.astype(np.float32) / np.float32(self.scale)

    @cached_property
    def indices(self) -> dict[Modality, Index | None]:
        """The approximate index of each modality, if one was built."""
        return {kind: load_index(self.folder, kind) for kind in Modality}

    @cached_property
    def _rows(self) -> dict[Modality, int]:
        with closing(connect(self.folder)) as database:
            return {kind: _next_row(database, kind) for kind in Modality}

    @cached_property
    def _removed(self) -> dict[Modality, np.ndarray]:
        with closing(connect(self.folder)) as database:
            places = [row[0] for row in database.execute("SELECT place FROM tracklets WHERE removed = 1")]
        places_array = np.array(sorted(places), dtype=np.int64)
        return {kind: places_array[places_array % 2 == kind.number] // 2 for kind in Modality}

    def _forget(self) -> None:
        for name in ("_rows", "_removed", "indices"):
            self.__dict__.pop(name, None)


_REMOVE = """UPDATE tracklets SET removed = 1
WHERE removed = 0 AND (name GLOB ? OR source GLOB ? OR source || '#' || track GLOB ?)"""
_ENTRY = "SELECT name, source, track, start_seconds, end_seconds, thumbnail FROM tracklets WHERE place = ?"
_PRESENT = "SELECT 1 FROM tracklets WHERE key = ? AND removed = 0"


def connect(folder: Path, mode: str = "rw") -> sqlite3.Connection:
    file = (folder / "tracklets.sqlite").absolute()
    try:
        # Transactions are begun by hand.
        database = sqlite3.connect(f"{file.as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=60)
        database.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise DataError(f"{file} cannot be opened ({error}); copy the gallery again.") from error
    return database


def _next_row(database: sqlite3.Connection, kind: Modality) -> int:
    # With the number in the text, the indices over either modality serve.
    query = f"SELECT place FROM tracklets WHERE place % 2 = {kind.number} ORDER BY place DESC LIMIT 1"
    row = database.execute(query).fetchone()
    return 0 if row is None else int(row[0]) // 2 + 1


def _place(rows: np.ndarray, kind: Modality) -> np.ndarray:
    return 2 * np.asarray(rows, dtype=np.int64) + kind.number
