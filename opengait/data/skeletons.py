"""Skeleton layouts: joints, links and body parts by name."""

from typing import Any

from opengait.errors import ConfigError

_OPENPOSE = {
    "num_node": 18,
    "center": 1,
    "links": "0-1 0-14 0-15 14-16 15-17 1-2 2-3 3-4 1-5 5-6 6-7 1-8 8-9 9-10 1-11 11-12 12-13",
    "connect_joint": [1, 1, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15],
    "flip_idx": [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16],
    "parts": [[5, 6, 7], [2, 3, 4], [11, 12, 13], [8, 9, 10], [0, 1, 14, 15, 16, 17]],
}

LAYOUTS: dict[str, dict[str, Any]] = {
    "coco": {
        "num_node": 17,
        "center": 0,
        "links": "0-1 0-2 1-3 2-4 3-5 4-6 5-6 5-7 7-9 6-8 8-10 5-11 6-12 11-12 11-13 13-15 12-14 14-16",
        "connect_joint": [5, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14],
        "flip_idx": [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15],
        "parts": [[5, 7, 9], [6, 8, 10], [11, 13, 15], [12, 14, 16], [0, 1, 2, 3, 4]],
    },
    "coco-no-head": {
        "num_node": 12,
        "center": 0,
        "links": "0-1 0-2 2-4 1-3 3-5 0-6 1-7 6-7 6-8 8-10 7-9 9-11",
        "connect_joint": [3, 1, 0, 2, 4, 0, 6, 8, 10, 7, 9, 11],
        "flip_idx": [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10],
        "parts": [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]],
    },
    "alphapose": _OPENPOSE,
    "openpose": _OPENPOSE,
}


def joint_layout(joint_format: str) -> dict[str, Any]:
    """Return a skeleton layout by name.

    Raises:
        ConfigError: the layout is unknown.
    """
    if joint_format not in LAYOUTS:
        raise ConfigError(f"joint_format: expected one of {', '.join(LAYOUTS)}, got {joint_format!r}.")
    return LAYOUTS[joint_format]
