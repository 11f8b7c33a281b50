"""A person in a walk before a camera: joints in space and on the image plane, and which part covers which."""

import numpy as np

from opengait_ext.data.synthetic_vvi.kinematics import walk
from opengait_ext.data.synthetic_vvi.person import Person
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part, View

# Classes of LIP; those of limbs by side.
HAT, HAIR, UPPER, COAT, TROUSERS, SKIRT, FACE = 1, 2, 5, 7, 9, 12, 13
ARM = {"left": 14, "right": 15}
LEG = {"left": 16, "right": 17}
SHOE = {"left": 18, "right": 19}

DARKEST = 0.28  # how much light a limb loses behind the body
DARK_DISTANCE = 0.12  # statures behind the body at which it does
# Depths relative to the trunk, in statures, which fix what covers what where bodies touch: garments lie on the legs.
ON_ARM, ON_TRUNK, SKIRTS, LEGS = -0.02, -0.001, 0.015, 0.035
LEG_SPREAD = 0.1  # of the legs' depths, which keep their order
STEP = 0.0001  # from one layer of a limb to the next


class Pose:
    """The joints of a walk and the means to make parts of them.

    Args:
        phase: (frames,) of the gait cycle in radians.

    Attributes:
        joints: name -> (frames, 3), as `kinematics.walk` returns them.
        flat: name -> (frames, 2), the joints on the image plane.
        trunk: (frames,) depth of the trunk.
    """

    def __init__(self, person: Person, view: View, phase: np.ndarray) -> None:
        self.person, self.view, self.phase = person, view, phase
        self.joints = walk(person, phase)
        self.flat = {name: view.project(at) for name, at in self.joints.items()}
        self.trunk = view.depth(self.joints["waist"])

    def behind(self, points: np.ndarray) -> np.ndarray:
        """Return how far points (frames, 3) are behind the trunk, (frames,); negative before it."""
        return self.view.depth(points) - self.trunk

    def part(
        self,
        paint: Paint,
        outline: np.ndarray,
        behind: float | np.ndarray,
        label: int,
        limb: str,
        shaded_as: float | np.ndarray = 0.0,
    ) -> Part:
        """Return a part at a distance behind the trunk, darkened as one at `shaded_as`; numbers or (frames,)."""
        dark = DARKEST * np.clip(np.broadcast_to(shaded_as, self.trunk.shape) / DARK_DISTANCE, 0.0, 1.0)
        return Part(paint, outline, self.trunk + behind, 1.0 - dark, label, limb)
