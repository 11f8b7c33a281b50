"""Calibrations from tested runs and from galleries, and where a search finds them."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opengait.data.text_files import read_text
from opengait.errors import DataError
from opengait.evaluation.distance import cuda_dist
from opengait_ext.evaluation.calibrate import calibrate, compare_modalities, held_out, open_set_results
from opengait_ext.evaluation.calibration import PairCalibration
from opengait_ext.evaluation.calibration_file import (
    FILE_NAME,
    Calibration,
    load_calibration,
    open_set_table,
)
from opengait_ext.runs.results import result_files
from opengait_ext.runs.tested_run import open_run
from opengait_ext.search.descriptors import Described, Descriptors, load_descriptors
from opengait_ext.search.galleries import is_gallery, open_gallery

# Sizes of galleries that thresholds are printed for.
SIZES = (3, 10, 100, 1000, 10_000, 1_000_000)
# Settings that change descriptors; others, such as folders, do not.
_CHANGES = ("model_cfg.", "evaluator_cfg.", "data_cfg.frame_size")
# Tracklets of a modality whose distances place a calibration.
_MOST = 2000


@dataclass(frozen=True)
class KnownPeople:
    """Tracklets of known people.

    Attributes:
        embeddings: `[n, c, p]`.
        people, types: `[n]`.
        cameras: `[n]`; None if unknown.
        camera_rule: tracklets with the person and camera of the query are no candidates.
        metric, network, source: of the calibration.
    """

    embeddings: np.ndarray
    people: np.ndarray
    types: np.ndarray
    cameras: np.ndarray | None
    camera_rule: bool
    metric: str
    network: str
    source: str

    def calibrate(self) -> Calibration:
        """Return the calibration.

        Raises:
            DataError: there are too few people.
        """
        pairs, _ = calibrate(self.embeddings, self.people, self.types, self.cameras, self.metric, self.camera_rule)
        if not pairs:
            raise DataError(f"{self.source} has too few people with several tracklets for a calibration.")
        return Calibration(self.network, self.metric, self.source, pairs)

    def report(self, level: float) -> str:
        """Return the DET curves, and what verdicts are worth on people whom the calibration has not seen."""
        pairs, searches = calibrate(
            self.embeddings, self.people, self.types, self.cameras, self.metric, self.camera_rule
        )
        rows = [["query to gallery", "FPIR", "FNIR", "right first: somebody", "gallery", "at FPIR", "S-norm at FPIR"]]
        for pair in pairs:
            comparison = compare_modalities(
                self.embeddings, self.people, self.types, self.cameras, pair, self.metric, self.camera_rule
            )
            try:
                result = held_out(comparison, level)
            except DataError:
                continue
            shares = (result.fpir, result.fnir, result.accepted, result.accepted_at_rate, result.accepted_s_norm)
            fpir, fnir, accepted, at_rate, normalised = (f"{100 * value:.1f}" for value in shares)
            rows.append([f"{pair[0]} to {pair[1]}", fpir, fnir, accepted, f"{result.gallery:.0f}", at_rate, normalised])
        return "\n".join(
            [
                open_set_table(open_set_results(searches)),
                "",
                f"Held-out people, verdicts set for FPIR {100 * level:g} %, in percent: calibrated on two thirds of "
                "the people, half of the others in the gallery, 100 draws",
                _table(rows),
                '"at FPIR": with thresholds that have this FPIR on the searches themselves, to compare scores.',
            ]
        )


def known_people(path: Path, people: Path | None) -> KnownPeople:
    """Return the tracklets of a tested run, or of a gallery whose people a file names.

    Raises:
        DataError: the run has no saved descriptors, or the file does not name the people of the gallery.
    """
    if people is None:
        run = open_run(path)
        cameras = np.array([view.partition("-")[0] for view in run.features.views])
        network = str((run.card.get("checkpoint") or {}).get("sha256") or "")
        metric = str(run.card["distance"]["metric"])
        features = run.features
        source = f"test of {features.dataset}"
        rule = run.protocol.camera_rule
        return KnownPeople(features.embeddings, features.labels, features.types, cameras, rule, metric, network, source)
    gallery = _descriptors_in(path)
    names = _read_people(people)
    known = np.array([name in names for name in gallery.names.tolist()], dtype=bool)
    if not known.any():
        raise DataError(f"{people} names no tracklet of {path}, such as {gallery.names[0]}.")
    labels = np.array([names[name] for name in gallery.names[known].tolist()])
    metric = _metric_of(gallery.cfgs, gallery.overrides)
    return KnownPeople(
        gallery.embeddings[known],
        labels,
        gallery.types[known],
        None,
        False,
        metric,
        gallery.checkpoint_sha256,
        str(path),
    )


def adapt(path: Path, origin: Path) -> Calibration:
    """Return a calibration taken to the footage of a gallery, whose people need no names.

    Raises:
        DataError: the gallery has too few tracklets, or another network.
    """
    gallery, calibration = _descriptors_in(path), find_calibration(origin)
    if calibration.network not in ("", gallery.checkpoint_sha256):
        raise DataError(f"{origin} calibrates another checkpoint than that of {path}.")
    rng = np.random.default_rng(0)
    pairs: dict[tuple[str, str], PairCalibration] = {}
    for (one, other), pair in calibration.pairs.items():
        places = [np.flatnonzero(gallery.types == modality) for modality in (one, other)]
        query, target = (rng.permutation(part)[:_MOST] for part in places)
        distance = cuda_dist(gallery.embeddings[query], gallery.embeddings[target], calibration.metric).cpu().numpy()
        values = distance[query[:, None] != target]
        if len(values) >= 20:
            pairs[one, other] = pair.adapted(values.astype(np.float64))
    if not pairs:
        raise DataError(f"{path} has too few tracklets to calibrate on; expected at least 5 of a modality.")
    return Calibration(gallery.checkpoint_sha256, calibration.metric, f"{calibration.source}, adapted to {path}", pairs)


def _descriptors_in(path: Path) -> Descriptors:
    """Return the descriptors of a file, or as many of a gallery folder as a calibration needs."""
    return open_gallery(path).descriptors(_MOST) if is_gallery(path) else load_descriptors(path)


def find_calibration(path: Path) -> Calibration:
    """Return the calibration in a file, in a folder that holds one, or in the last test of a run.

    Raises:
        DataError: there is none.
    """
    if path.is_dir() and not (path / FILE_NAME).is_file():
        return load_calibration(result_files(path)[0])
    return load_calibration(path)


def calibration_for(
    checkpoint: Path, sha256: str, metric: str = "euc", gallery: Path | None = None, as_tested: bool = True
) -> Calibration | None:
    """Return the calibration in a gallery's folder, beside a checkpoint, or in a test of the checkpoint's run.

    Args:
        checkpoint: the checkpoint.
        sha256: its digest.
        metric: metric of the distances.
        gallery: the gallery.
        as_tested: `described_as_tested` of the gallery; only its own calibration holds otherwise.
    """
    folder = checkpoint.parent
    files = [gallery / FILE_NAME] if gallery is not None else []
    if as_tested:
        tests = sorted((folder.parent / "logs").glob("test-*.json"), reverse=True)
        files += [folder / FILE_NAME, folder.parent / FILE_NAME, *tests]
    for file in files:
        try:
            calibration = load_calibration(file)
        except DataError:
            continue
        if (calibration.network, calibration.metric) == (sha256, metric):
            return calibration
    return None


def described_as_tested(gallery: Descriptors | Described, tested_frames: int) -> bool:
    """Return whether tracklets were described as those of the network's test, by which its calibration was made.

    Args:
        gallery: the described tracklets.
        tested_frames: frames per tracklet in the test.
    """
    return gallery.frames == tested_frames and not any(change.startswith(_CHANGES) for change in gallery.overrides)


def thresholds(calibration: Calibration, level: float) -> str:
    """Return a table of the distances at an FPIR for galleries of several sizes."""
    rows = [["query to gallery", *(f"{size:,}" for size in SIZES), "people", "queries", "gallery"]]
    for (query, gallery), pair in calibration.pairs.items():
        cells = [f"{pair.distance_at(level, size):.3f}" for size in SIZES]
        rows.append([f"{query} to {gallery}", *cells, *map(str, (pair.people, pair.queries, int(pair.sizes[-1])))])
    title = f"Largest distances for FPIR {100 * level:g} %, by tracklets in the gallery ({calibration.source})"
    return f"{title}\n{_table(rows)}"


def _table(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    )


def _read_people(path: Path) -> dict[str, str]:
    try:
        rows = list(csv.reader(io.StringIO(read_text(path, "list the people as tracklet,person"))))
    except csv.Error as error:
        raise DataError(f"{path} is not CSV ({error}); list the people as tracklet,person.") from error
    if [cell.strip().lower() for cell in rows[0]] != ["tracklet", "person"]:
        raise DataError(f"{path} line 1: expected the columns tracklet,person, got {','.join(rows[0])}.")
    names: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if row and len(row) != 2:
            raise DataError(f"{path} line {number}: expected tracklet,person, got {len(row)} columns.")
        if row:
            names[row[0]] = row[1].strip()
    return names


def _metric_of(cfgs: str, overrides: tuple[str, ...]) -> str:
    from opengait.config import load_config

    return str(load_config(cfgs, list(overrides))["evaluator_cfg"].get("metric", "euc"))
