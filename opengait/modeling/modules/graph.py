"""The joints of a skeleton as a graph."""

import numpy as np

from opengait.data.skeletons import joint_layout


class Graph:
    """Joints, links and normalised adjacency of a skeleton layout (upstream `Graph`).

    Attributes:
        num_node: number of joints V.
        edge: joint pairs: every joint with itself, then the links.
        connect_joint: `[V]`, the joint at which each joint's bone starts.
        parts: joints of each body part, a list of integer arrays.
        center: the joint at the body's centre.
        flip_idx: the joint order after mirroring left and right.
        A: float64 `[hops, V, V]`; slice i holds the pairs that are `i * dilation` links apart. The columns of the sum
            of all slices add up to 1.

    Args:
        joint_format: `coco`, `coco-no-head`, `alphapose` or `openpose`.
        max_hop: largest distance in links.
        dilation: step between distances, which start at 0.

    Raises:
        ConfigError: the layout is unknown.
    """

    def __init__(self, joint_format: str = "coco", max_hop: int = 2, dilation: int = 1) -> None:
        layout = joint_layout(joint_format)
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
        """Return the number of links between each pair of joints, `[V, V]`."""
        linked = np.zeros((self.num_node, self.num_node), dtype=bool)
        for i, j in self.edge:
            linked[i, j] = linked[j, i] = True
        distances = np.full(linked.shape, np.inf)
        reached = np.eye(self.num_node, dtype=bool)
        for hop in range(self.num_node):
            distances[reached & np.isinf(distances)] = hop
            reached = reached @ linked
        return distances
