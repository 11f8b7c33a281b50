"""Head, hair and headgear as outlines: ellipsoids, and patches on them as the camera sees them from any side."""

import numpy as np

from opengait_ext.data.synthetic_vvi.pose import FACE, HAIR, HAT, STEP, Pose
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part, capsule, ellipse, unit

UPRIGHT = 1.2  # people look ahead whatever the slope of the neck; 0 would tilt the head with it
AROUND = np.linspace(0, 2 * np.pi, 28, endpoint=False)
HEAD = -0.01  # depth relative to the trunk
BACK = 0.10  # statures from the middle of the trunk to hair that falls on the back
HIDDEN = 1.0  # depth added to patches on the other side of the head
GAZE = (0.45, 0.85)  # cosines of the angle to the camera at which eyes begin to show, and show entirely
EARS = ("short", "bald", "ponytail", "bun", "cap")  # hair that leaves the ears uncovered
HOOD_OFFSET = (-0.18, 0.0, 0.05)
HATS = ("cap", "beanie")
SIDES = {"left": 1.0, "right": -1.0}


def head_parts(pose: Pose) -> list[Part]:
    """Return the parts of the head."""
    head, person = _Head(pose), pose.person
    depth, size, hair = person.body.head_depth, person.hair_size, person.hair
    neck = pose.flat["neck"]
    up = unit(pose.flat["head"] - neck)
    parts = [head.part(Paint.FACE, capsule(neck - 0.02 * up, pose.flat["head"], 0.52 * depth, 0.48 * depth), 10, FACE)]
    if hair == "hood":
        parts += _hood(head, size)
        face = head.patch((1.0, 0.0, -0.08), (44, 52), 1.21 + 0.12 * size, HOOD_OFFSET)
    elif hair == "bald":
        parts.append(head.part(Paint.FACE, head.ellipsoid(1.0), 0, FACE))
        face = None
    else:
        parts += _hair(head, hair, size)
        face = head.patch((1.0, 0.0, -0.35), (74, 62), 1.04)
    if face is not None:
        outline, hidden = face
        parts.append(head.part(Paint.FACE, outline, np.where(hidden, HIDDEN / STEP, -1), FACE))
    parts += _features(head, hair)
    if hair in HATS:
        parts += _headgear(head, hair, size)
    return parts


def head_joints(pose: Pose) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return nose, eyes and ears: name -> their points (frames, 3) and whether they are on the side that shows."""
    head = _Head(pose)
    places = {"nose": (0.97, 0.0, -0.15)}
    for side, sign in SIDES.items():
        places[f"{side}_eye"] = (0.88, 0.42 * sign, 0.12)
        places[f"{side}_ear"] = (-0.05, 0.95 * sign, -0.08)
    joints = {name: (head.at(*place), head.seen @ unit(np.array(place)) > 0.05) for name, place in places.items()}
    if pose.person.hair not in EARS:
        joints |= {f"{side}_ear": (joints[f"{side}_ear"][0], np.zeros(len(pose.phase), bool)) for side in SIDES}
    return joints


def _hood(head: "_Head", size: float) -> list[Part]:
    """Return a raised hood and its lower end around the neck."""
    body, pose = head.pose.person.body, head.pose
    width = pose.view.half_width(1.25 * body.head_width, 0.6 * body.head_depth)
    low = pose.joints["neck"] - np.array([0.03, 0.0, 0.0])
    drape = capsule(head.on_image(-0.5, 0.0, -0.7), pose.view.project(low), width, 1.05 * width)
    hood = head.ellipsoid(1.22 + 0.12 * size, HOOD_OFFSET)
    return [head.part(Paint.HEADGEAR, drape, 5, HAT), head.part(Paint.HEADGEAR, hood, 0, HAT)]


def _hair(head: "_Head", hair: str, size: float) -> list[Part]:
    """Return the hair of an uncovered head, without the face."""
    body, view = head.pose.person.body, head.pose.view
    depth, width = body.head_depth, body.head_width
    volume, above = (0.0, 0.04) if hair in HATS else (0.04 * size, 0.10)
    parts = [head.part(Paint.HAIR, head.ellipsoid(1.02 + volume, (-0.10, 0.0, above)), 0, HAIR)]
    # Loose hair lies on the back, before the trunk or behind it.
    on_back = (-BACK * view.away - 0.005 - HEAD) / STEP
    swing = 0.012 * np.sin(2 * head.pose.phase)[:, None]
    aside = np.stack([view.forward, 0 * view.forward], axis=-1) * swing
    if hair == "long":
        low = head.on_image(-0.95, 0.0, -1.5 - 1.3 * size) + aside
        top = view.half_width(1.15 * width, 0.8 * depth)
        outline = capsule(head.on_image(-0.40, 0.0, 0.2), low, top, view.half_width(1.1 * width, 0.5 * depth))
        parts.append(head.part(Paint.HAIR, outline, on_back, HAIR))
    elif hair == "bob":
        end = 0.45 + 0.3 * size
        low = view.half_width((0.85 + 0.35 * size) * width, end * depth)
        top = view.half_width(1.15 * width, 0.95 * depth)
        outline = capsule(head.on_image(-0.35, 0.0, 0.1), head.on_image(-0.45, 0.0, -0.75), top, low)
        parts.append(head.part(Paint.HAIR, outline, on_back, HAIR))
    elif hair == "ponytail":
        tail = head.on_image(-1.5 - 0.5 * size, 0.0, -0.9 - 0.9 * size) + 2 * aside
        outline = capsule(head.on_image(-0.9, 0.0, 0.45), tail, 0.34 * depth, 0.16 * depth)
        parts.append(head.part(Paint.HAIR, outline, on_back, HAIR))
    elif hair == "bun":
        bun = ellipse(head.on_image(-0.75, 0.0, 0.95), 0.62 * size * depth, 0.62 * size * depth)
        parts.append(head.part(Paint.HAIR, bun, on_back, HAIR))
    elif hair == "afro":
        radius = (1.2 + 0.35 * size) * depth
        parts.append(
            head.part(
                Paint.HAIR,
                ellipse(head.on_image(-0.55, 0.0, 0.3), radius, radius),
                np.where(view.away > 0.3, -2, 1),
                HAIR,
            )
        )
    return parts


def _features(head: "_Head", hair: str) -> list[Part]:
    """Return nose, ears and eyes."""
    body, view = head.pose.person.body, head.pose.view
    depth, height = body.head_depth, body.head
    nose = capsule(head.on_image(0.82, 0.0, -0.1), head.on_image(1.08, 0.0, -0.2), 0.10 * depth, 0.14 * depth)
    parts = [head.part(Paint.FACE, nose, np.where(view.away > 0, 20, -4), FACE)]
    shown = np.clip((-view.away - GAZE[0]) / (GAZE[1] - GAZE[0]), 0.0, 1.0)
    for sign in SIDES.values():
        if hair in EARS:
            outline = ellipse(
                head.on_image(-0.05, 1.02 * sign, -0.08), view.half_width(0.007, 0.2 * depth), 0.24 * height
            )
            parts.append(head.part(Paint.FACE, outline, np.where(sign * view.forward < 0, -3, 20), FACE))
        outline = ellipse(head.on_image(0.88, 0.42 * sign, 0.12), 0.0078 * shown, 0.0070 * shown)
        parts.append(head.part(Paint.EYE, outline, np.where(shown > 0, -5, HIDDEN / STEP), FACE))
    return parts


def _headgear(head: "_Head", kind: str, size: float) -> list[Part]:
    """Return a cap with its brim, or a beanie with its bobble."""
    view = head.pose.view
    direction, radius, scale = ((-0.08, 0.0, 1.0), 76, 1.11) if kind == "cap" else ((-0.25, 0.0, 1.0), 84, 1.14)
    top = head.patch(direction, (radius, radius), scale)[0]
    parts = [head.part(Paint.HEADGEAR, top, -6, HAT)]
    if kind == "beanie":
        bobble = ellipse(head.on_image(-0.15, 0.0, 1.12), 0.5 * size * head.pose.person.body.head_width, 0.024 * size)
        return [head.part(Paint.HEADGEAR, bobble, 5, HAT), *parts]
    front = np.where(view.away > 0, 20, -7)
    reach = 0.7 + 0.5 * size
    tip = head.on_image(0.55 + reach, 0.0, 0.35)
    ridge = capsule(head.on_image(0.6, 0.0, 0.44), tip, 0.012, 0.008)
    turn = np.linspace(-np.pi / 2, np.pi / 2, 9)
    rim = np.stack([0.55 + reach * np.cos(turn), 0.85 * np.sin(turn), 0.42 - 0.07 * np.cos(turn)], axis=-1)
    plate = head.project(np.broadcast_to(rim, (len(front), *rim.shape)))
    return [*parts, *(head.part(Paint.HEADGEAR, outline, front, HAT) for outline in (ridge, plate))]


class _Head:
    """The head of a pose; places are in half axes of the skull ahead of, to the left of and above its middle.

    Attributes:
        seen: (frames, 3), the direction of the camera in half axes, where the skull is a unit ball.
    """

    def __init__(self, pose: Pose) -> None:
        self.pose, body = pose, pose.person.body
        self.centre = pose.joints["head"]
        up = unit(unit(self.centre - pose.joints["neck"]) * np.array([1.0, 0.0, 1.0]) + np.array([0.0, 0.0, UPRIGHT]))
        ahead = np.stack([up[:, 2], up[:, 1], -up[:, 0]], axis=-1)
        left = np.broadcast_to(np.array([0.0, 1.0, 0.0]), up.shape)
        directions = np.stack([ahead, left, up], axis=1)
        lengths = np.array([body.head_depth, body.head_width, body.head])
        self.axes = directions * lengths[:, None]
        self.seen = unit((directions * pose.view.towards_camera()[:, None]).sum(axis=-1) / lengths)

    def at(self, ahead: float, left: float, above: float) -> np.ndarray:
        """Return a point in space, (frames, 3)."""
        return self.centre + (np.array([ahead, left, above])[:, None] * self.axes).sum(axis=1)

    def on_image(self, ahead: float, left: float, above: float) -> np.ndarray:
        """Return a point on the image plane, (frames, 2)."""
        return self.pose.view.project(self.at(ahead, left, above))

    def part(self, paint: Paint, outline: np.ndarray, layer: float | np.ndarray, label: int) -> Part:
        """Return a part of the head; layers count away from the camera."""
        return self.pose.part(paint, outline, HEAD + STEP * layer, label, "head")

    def ellipsoid(self, scale: float, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
        """Return the outline of a skull `scale` times as large, (frames, points, 2)."""
        first = unit(np.array([0.0, 0.0, 1.0]) - self.seen[:, 2:] * self.seen)
        second = np.cross(self.seen, first)
        return self.project(scale * (_turn(AROUND, first, second)) + np.array(offset))

    def patch(
        self,
        direction: tuple[float, float, float],
        radii: tuple[float, float],
        scale: float,
        offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what shows of a patch on a skull `scale` times as large: outlines, and the frames that show nothing.

        Args:
            direction: of the middle of the patch, in half axes.
            radii: degrees to the side and upwards, less than 90.
        """
        middle = unit(np.array(direction))
        side = unit(np.cross(np.array([0.0, 1.0, 0.0]), middle)) if abs(middle[2]) > 0.9 else np.array([0.0, 1.0, 0.0])
        along = np.cross(middle, side)
        across, upwards = np.deg2rad(radii)
        radius = 1 / np.hypot(np.cos(AROUND) / across, np.sin(AROUND) / upwards)
        rim = np.outer(np.cos(radius), middle) + np.sin(radius)[:, None] * (
            np.outer(np.cos(AROUND), side) + np.outer(np.sin(AROUND), along)
        )  # (points, 3) on the unit ball
        facing = self.seen @ rim.T  # (frames, points)
        hidden = facing <= 0
        # Turn each polygon so that its hidden points come first, and lay these along the outline of the ball.
        count = hidden.sum(axis=1, keepdims=True)
        start = (hidden & ~np.roll(hidden, 1, axis=1)).argmax(axis=1)[:, None]
        order = (start + np.arange(len(AROUND))) % len(AROUND)
        first = unit(middle - (self.seen @ middle)[:, None] * self.seen)
        second = np.cross(self.seen, first)
        angle = np.take_along_axis(np.arctan2(second @ rim.T, first @ rim.T), order, axis=1)
        before, after = angle[:, -1:], np.take_along_axis(angle, count % len(AROUND), axis=1)
        share = np.arange(len(AROUND)) / np.maximum(count - 1, 1)
        outline = _turn(before + share * (after - before), first, second)
        behind = np.take_along_axis(hidden, order, axis=1)
        shown = np.where(behind[..., None], outline, rim[order])
        return self.project(scale * shown + np.array(offset)), hidden.all(axis=1)

    def project(self, places: np.ndarray) -> np.ndarray:
        """Project places (frames, points, 3) to the image plane, (frames, points, 2)."""
        return self.pose.view.project(self.centre[:, None] + places @ self.axes)


def _turn(angle: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return points at angles (points,) or (frames, points) of circles between axes (frames, 3)."""
    return np.cos(angle)[..., None] * first[:, None] + np.sin(angle)[..., None] * second[:, None]
