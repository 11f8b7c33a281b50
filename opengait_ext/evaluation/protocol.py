"""Who asks, who is found and what is removed: one object a data set.

Numbers of different protocols do not compare. Both public data sets report two directions of retrieval; on HITSZ-VCM
the queries of a direction are all test tracklets of one modality and the gallery all of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opengait_ext.data.tracklet import Modality


@dataclass(frozen=True)
class Direction:
    """One direction of retrieval: tracklets of modality `asks` look for tracklets of modality `found`."""

    name: str
    asks: Modality
    found: Modality


INFRARED_TO_VISIBLE = Direction("infrared_to_visible", Modality.INFRARED, Modality.VISIBLE)
VISIBLE_TO_INFRARED = Direction("visible_to_infrared", Modality.VISIBLE, Modality.INFRARED)


@dataclass(frozen=True)
class Protocol:
    """How a data set is evaluated.

    Attributes:
        name: what the protocol is called in tables.
        camera_rule: whether gallery tracklets of the query's person and camera number are removed.
        directions: the directions that are reported, in order.
    """

    name: str
    camera_rule: bool
    directions: tuple[Direction, ...] = (INFRARED_TO_VISIBLE, VISIBLE_TO_INFRARED)

    def select(self, direction: Direction, types: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the queries and of the gallery among tracklets of these types."""
        modalities = np.asarray(types)
        return np.flatnonzero(modalities == direction.asks), np.flatnonzero(modalities == direction.found)


# The rule spans modalities, because HITSZ-VCM numbers the cameras of both alike.
HITSZ_VCM = Protocol("HITSZ-VCM", camera_rule=True)
