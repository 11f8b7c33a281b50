"""An approximate index over one modality of a gallery, by faiss, for galleries that an exact search reads too slowly.

A descriptor's parts are joined to one vector, so the index compares by the root of the summed squares over the parts
rather than by their mean; for "cos" the parts are normalised, and the order is that of the metric. Its candidates are
compared again by the exact metric, so an index can miss a tracklet, but states no wrong distance. When built, it is
probed as far as its recall on a sample needs, and the measured recall is stated.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opengait.data.text_files import read_json
from opengait.errors import ConfigError, DataError
from opengait.utils.files import write_json, write_whole
from opengait.utils.text import first_line

# Candidates per wanted neighbour that are compared again.
_WIDEN = 8
RECALL = 0.99
_SAMPLE, _TOP, _LEAST = 200, 10, 1000
# Training vectors per cell.
_TRAIN = 40


@dataclass(frozen=True)
class Index:
    """An index over the first rows of a modality.

    Attributes:
        faiss: the index of faiss.
        rows: number of rows that it covers.
        probes: cells that are visited for each query.
        recall: measured share of the 10 nearest that it finds.
        metric: metric that it was built for.
    """

    faiss: Any
    rows: int
    probes: int
    recall: float
    metric: str

    def candidates(self, queries: np.ndarray, top: int, removed: int) -> np.ndarray:
        """Return rows int64 `[q, k]` near each query `[q, c, p]`; -1 where there are fewer.

        Args:
            queries: in the scale of the stored values.
            top: number of neighbours that are wanted.
            removed: number of rows that may be candidates and do not count.
        """
        self.faiss.nprobe = self.probes
        wide = min(self.rows, _WIDEN * max(top, _TOP) + removed)
        return np.asarray(self.faiss.search(_vectors(queries, self.metric), wide)[1])


def build_index(folder: Path, modality: str, stored: np.ndarray, metric: str, seed: int = 0) -> Index:
    """Build the index of stored descriptors `[rows, c, p]`, measure it and write it into the gallery's folder.

    Raises:
        ConfigError: faiss is not installed, there are too few tracklets, or the metric is no distance.
    """
    if metric == "dot":
        raise ConfigError(
            f"The network of {folder} compares by products (metric dot), for which there is no index; without one, a "
            f"search reads the whole gallery."
        )
    faiss = _faiss()
    rows = len(stored)
    if rows < _LEAST:
        raise ConfigError(f"{folder} has {rows} {modality} tracklets; an index is of use from {_LEAST} on.")
    rng = np.random.default_rng(seed)
    size = int(np.prod(stored.shape[1:]))
    cells = int(2 ** np.round(np.log2(2 * np.sqrt(rows))))
    index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatL2(size), size, cells, faiss.ScalarQuantizer.QT_8bit)
    index.cp.niter = 5
    sample = np.sort(rng.permutation(rows)[: min(rows, _TRAIN * cells)])
    index.train(_vectors(stored[sample], metric))
    step = max(1, 2**26 // (4 * size))
    for start in range(0, rows, step):
        index.add(_vectors(stored[start : start + step], metric))
    built = _probed(index, stored, metric, rng)
    write_whole(folder / f"{modality}.faiss", lambda partial: faiss.write_index(index, str(partial)))
    facts = {"rows": rows, "probes": built.probes, "recall": built.recall, "metric": metric}
    write_json(folder / f"{modality}.index.json", facts)
    return built


def load_index(folder: Path, modality: str) -> Index | None:
    """Return the index of a gallery's modality; None if none was built.

    Raises:
        ConfigError: faiss is not installed.
        DataError: the index is damaged.
    """
    file = folder / f"{modality}.index.json"
    if not file.is_file():
        return None
    advice = "`vvi gallery index` builds it again"
    facts, faiss = read_json(file, advice), _faiss()
    try:
        # The cells stay on disk, so memory does not grow with the gallery.
        return Index(faiss.read_index(str(folder / f"{modality}.faiss"), faiss.IO_FLAG_MMAP), **facts)
    except (RuntimeError, TypeError) as error:
        raise DataError(f"The {modality} index in {folder} is damaged ({first_line(error)}); {advice}.") from error


def _probed(index: Any, stored: np.ndarray, metric: str, rng: np.random.Generator) -> Index:
    """Return the index with as few probes as the recall on a sample of its own rows permits."""
    from opengait_ext.search.neighbours import exact_neighbours, nearest_of

    rows = np.sort(rng.permutation(len(stored))[:_SAMPLE])
    # Tracklets as other queries would be: away from their own row by what neighbours differ.
    queries = np.asarray(stored[rows], dtype=np.float32)
    step = max(1, 2**26 // (4 * int(np.prod(stored.shape[1:]))))
    blocks = ((np.arange(s, min(s + step, len(stored))), stored[s : s + step]) for s in range(0, len(stored), step))
    exact = exact_neighbours(queries, blocks, _TOP, metric).places
    probes, recall = 1, 0.0
    while True:
        built = Index(index, len(stored), probes, recall, metric)
        near = [np.unique(row[row >= 0]) for row in built.candidates(queries, _TOP, 0)]
        found = nearest_of(queries, near, [np.asarray(stored[row], dtype=np.float32) for row in near], _TOP, metric)
        shares = [len(np.intersect1d(a, b)) for a, b in zip(found.places, exact, strict=True)]
        recall = float(np.mean(shares)) / _TOP
        # A margin, since the sample is small.
        if recall >= RECALL + 0.005 or probes >= index.nlist:
            return Index(index, len(stored), probes, recall, metric)
        probes = min(2 * probes, index.nlist)


def _vectors(descriptors: np.ndarray, metric: str) -> np.ndarray:
    parts = np.asarray(descriptors, dtype=np.float32)
    if metric == "cos":
        parts = parts / np.linalg.norm(parts, axis=1, keepdims=True).clip(min=1e-12)
    return np.ascontiguousarray(parts.reshape(len(parts), -1))


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ConfigError('The index needs faiss: pip install "opengait-dinogrl[index]".') from error
    return faiss
