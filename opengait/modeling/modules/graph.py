"""The joints of a skeleton as a graph."""

import numpy as np

from opengait.errors import ConfigError

_OPENPOSE = {
    "num_node": 18,
    "center": 1,
    "links": "0-1 0-14 0-15 14-16 15-17 1-2 2-3 3-4 1-5 5-6 6-7 1-8 8-9 9-10 1-11 11-12 12-13",
    "connect_joint": [1, 1, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15],
    "flip_idx": [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16],
    "parts": [[5, 6, 7], [2, 3, 4], [11, 12, 13], [8, 9, 10], [0, 1, 14, 15, 16, 17]],
}

LAYOUTS = {
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


class Graph:
    """Joints, links and normalised adjacency of a skeleton layout (upstream `Graph`).

    Attributes:
        num_node: number of joints V.
        edge: joint pairs: every joint with itself, then the links.
        connect_joint: `[V]` the joint that each joint's bone comes from.
        parts: joints of each body part, a list of integer arrays.
        center: the joint at the body's centre.
        flip_idx: the joint order after mirroring left and right.
        A: float64 `[hops, V, V]`; slice i holds the pairs that are `i * dilation` links apart. The columns of their sum
            add up to 1.

    Args:
        joint_format: `coco`, `coco-no-head`, `alphapose` or `openpose`.
        max_hop: largest distance in links.
        dilation: step between the distances used, starting at 0.

    Raises:
        ConfigError: an unknown layout.
    """

    def __init__(self, joint_format: str = "coco", max_hop: int = 2, dilation: int = 1) -> None:
        if joint_format not in LAYOUTS:
            raise ConfigError(f"There is no joint_format {joint_format!r}; known are: {', '.join(LAYOUTS)}.")
        layout = LAYOUTS[joint_format]
        self.joint_format, self.max_hop, self.dilation = joint_format, max_hop, dilation
        self.num_node: int = layout["num_node"]
        self.center: int = layout["center"]
        self.flip_idx: list[int] = layout["flip_idx"]
        self.connect_joint = np.array(layout["connect_joint"])
        self.parts = [np.array(joints) for joints in layout["parts"]]
        links = [tuple(map(int, link.split("-"))) for link in layout["links"].split()]
        self.edge = [(joint, joint) for joint in range(self.num_node)] + links
        self.A = self._adjacency()

    def _adjacency(self) -> np.ndarray:
        hops = np.arange(0, self.max_hop + 1, self.dilation)
        slices = (self._distances() == hops[:, None, None]).astype(np.float64)
        return slices / slices.sum((0, 1))

    def _distances(self) -> np.ndarray:
        """`[V, V]` number of links between two joints."""
        linked = np.zeros((self.num_node, self.num_node), dtype=bool)
        for i, j in self.edge:
            linked[i, j] = linked[j, i] = True
        distances = np.full(linked.shape, np.inf)
        reached = np.eye(self.num_node, dtype=bool)
        for hop in range(self.num_node):
            distances[reached & np.isinf(distances)] = hop
            reached = reached @ linked
        return distances
