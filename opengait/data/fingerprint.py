"""What a data set consists of, as one short text that two runs can compare."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any

LENGTH = 12
"""Characters of a fingerprint that are shown to people."""


def fingerprint(tracklets: Sequence[Sequence[Any]]) -> str:
    """SHA-256, in hexadecimal, over the sorted list of tracklets; no frame is read.

    A tracklet counts with its label, type, view, number of files and their names below the folder that holds all
    files. So neither the order of the tracklets nor the place of the data matters, but a missing frame, another split
    or another label does. What is in the files is not looked at.

    Args:
        tracklets: `[label, type, view, paths]` of each, a data set's `seqs_info`.
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
    """What identifies a data set in a report.

    Args:
        dataset: a data set with `seqs_info`, or anything else, of which only the configuration can tell.
        data_cfg: the section it was made from.

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
