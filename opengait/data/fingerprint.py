"""The fingerprint of a dataset, by which runs can be compared."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any

LENGTH = 12
"""Number of characters of a fingerprint shown in messages."""


def fingerprint(tracklets: Sequence[Sequence[Any]]) -> str:
    """Return the SHA-256, in hexadecimal, of the sorted list of tracklets, without reading any frames.

    A tracklet contributes its label, type, view, number of files and their names below the folder that holds all
    files. The order of the tracklets and the location of the data do not matter; a missing frame, a different split or
    a different label does. The contents of the files are ignored.

    Args:
        tracklets: `[label, type, view, paths]` of each tracklet, as in a dataset's `seqs_info`.
    """
    listed = [(info, [os.fspath(path) for path in info[3]]) for info in tracklets]
    ends = [(min(names), max(names)) for _, names in listed if names]
    shared = os.path.commonprefix([name for pair in ends for name in pair])
    cut = shared.rfind(os.sep) + 1
    lines = [
        "\0".join((*map(str, info[:3]), str(len(names)), *(name[cut:].replace(os.sep, "/") for name in names)))
        for info, names in listed
    ]
    digest = hashlib.sha256()
    for line in sorted(lines):
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


def facts_of(dataset: Any, data_cfg: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies a dataset in a report.

    Args:
        dataset: a dataset with `seqs_info`; for any other, only the configuration is reported.
        data_cfg: the section that it was built from.

    Returns:
        `name`, `reader` and the reader's own `settings`; with `seqs_info` also the counts `tracklets`, `labels` and
        `files`, and the `fingerprint`.
    """
    settings = {key: data_cfg[key] for key in getattr(dataset, "config_keys", ()) if key in data_cfg}
    facts = {
        "name": data_cfg.get("dataset_name"),
        "reader": data_cfg.get("reader", type(dataset).__name__),
        "settings": settings,
    }
    tracklets = getattr(dataset, "seqs_info", None)
    if tracklets is None:
        return facts
    return facts | {
        "tracklets": len(tracklets),
        "labels": len({info[0] for info in tracklets}),
        "files": sum(len(info[3]) for info in tracklets),
        "fingerprint": fingerprint(tracklets),
    }
