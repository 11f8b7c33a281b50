"""Head, hair and headgear as outlines."""

import numpy as np

from opengait_ext.data.synthetic_vvi.person import Person
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part, View, capsule, ellipse, unit

UPRIGHT = 1.2  # people look ahead whatever the slope of the neck; 0 would tilt the head with it


def head_parts(person: Person, view: View, joints: dict[str, np.ndarray], phase: np.ndarray) -> list[Part]:
    """Return the parts of the head in painting order.

    Args:
        joints: name -> (frames, 3), as `kinematics.walk` returns them.
        phase: (frames,), moves loose hair.
    """
    centre, neck = view.project(joints["head"]), view.project(joints["neck"])
    up = unit(unit(centre - neck) + np.array([0.0, UPRIGHT]))
    facing = 1.0 if view.forward > 0 else -1.0
    ahead = np.stack([up[:, 1], -up[:, 0]], axis=-1) * facing
    height, depth = person.body.head, person.body.head_depth
    size, hair = person.hair_size, person.hair
    frame = _HeadFrame(centre, up, ahead, height, depth)
    parts = [Part(Paint.SKIN, capsule(neck - 0.02 * up, centre, 0.52 * depth, 0.48 * depth))]
    if hair == "hood":
        hood = ellipse(frame.at(-0.22, 0.05), up, height * (1.18 + 0.1 * size), depth * (1.22 + 0.15 * size))
        face = ellipse(frame.at(0.5, -0.05), up, 0.80 * height, 0.55 * depth)
        drape = capsule(frame.at(-0.6, -0.7), neck - 0.03 * ahead, 0.55 * depth, 0.6 * depth)
        return [*parts, Part(Paint.HEADGEAR, drape), Part(Paint.HEADGEAR, hood), Part(Paint.FACE, face)]

    loose = 0.012 * np.sin(2 * phase)[:, None] * ahead
    behind = []
    if hair == "long":
        behind.append(
            capsule(frame.at(-0.45, 0.2), frame.at(-0.95, -1.5 - 1.3 * size) + loose, 0.8 * depth, 0.5 * depth)
        )
    elif hair == "bob":
        behind.append(capsule(frame.at(-0.35, 0.1), frame.at(-0.45, -0.75), 0.95 * depth, (0.45 + 0.3 * size) * depth))
    elif hair == "ponytail":
        tail = frame.at(-1.5 - 0.5 * size, -0.9 - 0.9 * size) + 2 * loose
        behind.append(capsule(frame.at(-0.9, 0.45), tail, 0.34 * depth, 0.16 * depth))
    elif hair == "bun":
        behind.append(ellipse(frame.at(-0.75, 0.95), up, 0.62 * size * depth, 0.62 * size * depth))
    elif hair == "afro":
        radius = (1.35 + 0.35 * size) * depth
        behind.append(ellipse(frame.at(-0.2, 0.3), up, radius, radius))
    parts += [Part(Paint.HAIR, outline) for outline in behind]
    nose = Part(Paint.FACE, capsule(frame.at(0.75, -0.1), frame.at(1.08, -0.18), 0.10 * depth, 0.14 * depth))
    if hair == "bald":
        return [*parts, Part(Paint.FACE, ellipse(centre, up, height, depth)), nose]
    parts.append(Part(Paint.HAIR, ellipse(frame.at(-0.04, 0.06), up, (1 + 0.05 * size) * height, 1.06 * depth)))
    parts.append(Part(Paint.FACE, capsule(frame.at(0.25, -0.45), frame.at(0.45, -0.55), 0.6 * depth, 0.5 * depth)))
    face_width = 0.68 - 0.4 * view.away  # from behind, little but hair shows
    parts.append(Part(Paint.FACE, ellipse(frame.at(1.0 - face_width, -0.14), up, 0.84 * height, face_width * depth)))
    parts.append(nose)
    if hair in ("cap", "beanie"):
        thickness, back = (1.10, 1.0) if hair == "cap" else (1.14, 1.08)
        arc = (0.10 * np.pi, back * np.pi)
        top = ellipse(frame.at(-0.04, 0.06), up, thickness * height, facing * thickness * depth, arc)
        parts.append(Part(Paint.HEADGEAR, top))
    if hair == "cap":
        brim = capsule(frame.at(0.6, 0.42), frame.at(1.25 + 0.5 * size, 0.34), 0.012, 0.009)
        parts.append(Part(Paint.HEADGEAR, brim))
    elif hair == "beanie":
        parts.append(Part(Paint.HEADGEAR, ellipse(frame.at(-0.15, 1.0), up, 0.3 * size * height, 0.6 * depth)))
    return parts


class _HeadFrame:
    """Points given in half-depths ahead of and half-heights above the middle of the head."""

    def __init__(self, centre: np.ndarray, up: np.ndarray, ahead: np.ndarray, height: float, depth: float) -> None:
        self.centre, self.up, self.ahead, self.height, self.depth = centre, up, ahead, height, depth

    def at(self, forward: float, above: float) -> np.ndarray:
        """Return a point on the image plane, (frames, 2)."""
        return self.centre + forward * self.depth * self.ahead + above * self.height * self.up
