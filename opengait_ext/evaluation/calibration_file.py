"""The file of a calibration: `calibration.json`, or the entry `calibration` in the results of a test.

    {"version": 1, "network": SHA-256 of the checkpoint, "metric": "euc", "source": what it was learned from,
     "levels": [...], "pairs": {"infrared_to_visible": {"people": 24, "queries": 96, "sizes": [1, 2, ..., 92],
     "distances": [[...], ...], "median": 0.9, "spread": 0.1, "offsets": [...], "weights": [...]}, ...}}

`distances` has a row for each size of gallery and a column for each level of FPIR; see `PairCalibration`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opengait.data.text_files import read_json
from opengait.errors import DataError
from opengait.utils.files import plain, write_json
from opengait_ext.data.tracklet import Modality
from opengait_ext.evaluation.calibration import LEVELS, PairCalibration
from opengait_ext.evaluation.open_set import RATES

FILE_NAME = "calibration.json"
_VERSION = 1
_NAMES = {f"{one}_to_{other}": (str(one), str(other)) for one in Modality for other in Modality}


@dataclass(frozen=True)
class Calibration:
    """Calibrations of a network by pair of modalities, (query, gallery).

    Attributes:
        network: SHA-256 of the checkpoint, or "" if unknown.
        metric: metric of the distances.
        source: what it was learned from.
        pairs: the calibrations.
    """

    network: str
    metric: str
    source: str
    pairs: Mapping[tuple[str, str], PairCalibration]

    def content(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {
            "version": _VERSION,
            "network": self.network,
            "metric": self.metric,
            "source": self.source,
            "levels": list(LEVELS),
            "pairs": {f"{query}_to_{gallery}": plain(asdict(p)) for (query, gallery), p in self.pairs.items()},
        }


def save_calibration(path: str | Path, calibration: Calibration) -> Path:
    """Write a calibration and return its file, which is `calibration.json` in `path` if that is a folder."""
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    write_json(path, calibration.content())
    return path


def load_calibration(path: str | Path) -> Calibration:
    """Read `calibration.json`, a folder that holds one, or the results of a test.

    Raises:
        DataError: there is no calibration, or it is damaged.
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    content = read_json(path, "`vvi calibrate` writes such files")
    if isinstance(content, dict) and "calibration" in content:
        content = dict(content["calibration"] or {}, network=_checkpoint_of(content))
    return read_calibration(content, str(path))


def read_calibration(content: Any, source: str) -> Calibration:
    """Return the calibration of a file's content.

    Raises:
        DataError: an entry is missing or has no valid value.
    """
    if not isinstance(content, dict) or not isinstance(content.get("pairs"), dict) or not content["pairs"]:
        raise DataError(f"{source} holds no calibration; test the network again, or run `vvi calibrate`.")
    if content.get("version") != _VERSION or content.get("levels") != list(LEVELS):
        raise DataError(
            f"{source}: expected a calibration of version {_VERSION}, got {content.get('version')!r}; write it again."
        )
    network, metric, origin = (content.get(key) for key in ("network", "metric", "source"))
    if not (isinstance(network, str) and isinstance(metric, str) and isinstance(origin, str)):
        raise DataError(f"{source}: expected texts for network, metric and source, got {[network, metric, origin]}.")
    pairs = {}
    for name, entry in content["pairs"].items():
        if name not in _NAMES:
            raise DataError(f"{source}: {name!r} is not a pair of modalities; expected one of {', '.join(_NAMES)}.")
        pairs[_NAMES[name]] = _pair(entry, f"{source}: {name}")
    return Calibration(network, metric, origin, pairs)


def _pair(entry: Any, source: str) -> PairCalibration:
    try:
        people, queries = (int(entry[key]) for key in ("people", "queries"))
        sizes = np.asarray(entry["sizes"], dtype=np.int64)
        distances = np.asarray(entry["distances"], dtype=np.float64)
        median, spread = (float(entry[key]) for key in ("median", "spread"))
        odds = np.array([entry["offsets"], entry["weights"]], dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{source} is damaged ({error!r}); write the calibration again.") from error
    shaped = sizes.ndim == 1 and len(sizes) and distances.shape == (len(sizes), len(LEVELS))
    if not shaped or odds.shape != (2, len(sizes)) or sizes[0] < 1 or (np.diff(sizes) <= 0).any():
        raise DataError(f"{source}: expected ascending sizes, and for each {len(LEVELS)} distances, offset and weight.")
    finite = np.isfinite(distances).all() and np.isfinite(odds).all() and np.isfinite([median, spread]).all()
    if not finite or (np.diff(distances, axis=1) < 0).any() or (odds[1] < 0).any() or spread < 0:
        raise DataError(f"{source}: expected finite numbers, ascending distances, and no negative spread or weight.")
    return PairCalibration(people, queries, sizes, distances, median, spread, odds[0], odds[1])


def _checkpoint_of(results: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the tested checkpoint, or "" if the results do not say."""
    try:
        return str(results["card"]["checkpoint"]["sha256"] or "")
    except (KeyError, TypeError):
        return ""


def open_set_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of the DET curves of `open_set_results`, in percent."""
    lines = [["query to gallery", *(f"FPIR {100 * rate:g}" for rate in RATES), "searches", "without mate"]]
    for name, curve in results.items():
        cells = [f"{100 * value:.1f}" for value in curve["fnir"]]
        lines.append([name.replace("_", " "), *cells, f"{curve['mated']:,}", f"{curve['non_mated']:,}"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
    return "\n".join(["Open set: FNIR of Rank-1 in percent, with half of the people in the gallery", *rows])
