"""Geometry of the synthetic people: projection, views, turning paths and body shapes."""

from dataclasses import astuple, replace

import cv2
import numpy as np
import pytest

from opengait_ext.data.synthetic_vvi.drawing import Placement, fine_corners, painting_order, part_map
from opengait_ext.data.synthetic_vvi.figure import figure
from opengait_ext.data.synthetic_vvi.kinematics import walk
from opengait_ext.data.synthetic_vvi.person import BODY, FARTHEST, GAIT, HAIR, Person, draw_person
from opengait_ext.data.synthetic_vvi.pose import Pose
from opengait_ext.data.synthetic_vvi.settings import SyntheticConfig
from opengait_ext.data.synthetic_vvi.shapes import Paint, Part, View, capsule
from opengait_ext.data.synthetic_vvi.views import draw_view, viewpoint

SHAPE = (240, 160)
TURN = np.deg2rad(np.arange(0, 360, 2.0))  # all around
LEVEL, RAISED = 0.0, np.deg2rad(30)


def people(count: int = 12) -> list[Person]:
    return [draw_person(np.random.default_rng([7, number])) for number in range(count)]


def drawn(person: Person, heading: np.ndarray, pitch: float, phase: np.ndarray) -> tuple[list[Part], list[np.ndarray]]:
    """Return the parts of a person and their part maps, one per heading."""
    parts = figure(Pose(person, View(heading, pitch), np.broadcast_to(phase, heading.shape)))
    centre = np.tile([SHAPE[1] / 2, 0.93 * SHAPE[0]], (len(heading), 1))
    corners = fine_corners(parts, Placement(centre, np.full(len(heading), 0.85 * SHAPE[0])), 1)
    order = painting_order(parts)
    return parts, [part_map(corners, order, frame, SHAPE) for frame in range(len(heading))]


def shows(parts: list[Part], canvas: np.ndarray, *paints: Paint) -> int:
    """Return the number of pixels of these paints."""
    return int(np.isin(canvas, [number for number, part in enumerate(parts, 1) if part.paint in paints]).sum())


def test_projection_and_capsule_by_hand() -> None:
    side, back = View(np.zeros(1), 0.0), View(np.full(1, np.pi / 2), 0.0)
    assert np.allclose(side.project(np.array([[1.0, 2.0, 3.0]])), [[1.0, 3.0]])
    assert np.allclose(back.project(np.array([[1.0, 2.0, 3.0]])), [[-2.0, 3.0]])  # the left hand is on the left
    assert side.depth(np.array([[1.0, 2.0, 3.0]])) == pytest.approx(2.0)  # and farther from the camera in a side view
    assert side.half_width(0.4, 0.3) == pytest.approx(0.3) and back.half_width(0.4, 0.3) == pytest.approx(0.4)
    assert np.allclose(back.towards_camera(), [[-1.0, 0.0, 0.0]])
    rod = capsule(np.array([[0.0, 0.0]]), np.array([[0.0, -2.0]]), 0.5, 0.25)[0]
    assert rod.max(axis=0) == pytest.approx([0.5, 0.5]) and rod.min(axis=0) == pytest.approx([-0.5, -2.25])
    seen_end_on = capsule(np.array([[0.0, 0.0]]), np.array([[0.0, -0.01]]), 0.5, 0.25)[0]
    assert np.ptp(seen_end_on, axis=0) == pytest.approx([1.0, 1.0], abs=0.02)


def test_walks_are_periodic_and_symmetric_and_touch_the_ground() -> None:
    person = draw_person(np.random.default_rng(3))
    phase = np.linspace(0, 2 * np.pi, 41)
    joints = walk(person, phase)
    half = 20
    for name, at in joints.items():
        assert np.allclose(at[0], at[-1])
        if name.startswith("left_"):
            mirrored = joints["right_" + name.removeprefix("left_")] * np.array([1, -1, 1])
            assert np.allclose(at[0], mirrored[half])
    soles = np.min([at[:, 2] for name, at in joints.items() if name.endswith(("heel", "toe"))], axis=0)
    assert np.abs(soles).max() < 0.03
    for side in ("left", "right"):
        for first, last, length in (
            ("hip", "knee", person.body.leg * person.body.thigh_share),
            ("shoulder", "elbow", person.body.upper_arm),
            ("elbow", "hand", person.body.forearm),
            ("heel", "toe", person.body.foot),
        ):
            bone = np.linalg.norm(joints[f"{side}_{last}"] - joints[f"{side}_{first}"], axis=1)
            assert np.allclose(bone, length)


@pytest.mark.parametrize("pitch", [LEVEL, RAISED])
def test_people_are_of_one_piece_from_all_sides(pitch: float) -> None:
    """No gap between limbs and no head that floats, whatever the hair, the bag and the clothes."""
    for number, person in enumerate(people()):
        person = replace(person, hair=HAIR[number % len(HAIR)], baggage="none")
        _, canvases = drawn(person, TURN[::6], pitch, np.linspace(0, 5, len(TURN[::6])))
        for canvas in canvases:
            areas = cv2.connectedComponentsWithStats((canvas > 0).astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
            assert areas.max() == areas.sum()


@pytest.mark.parametrize("pitch", [LEVEL, RAISED])
def test_nothing_jumps_while_a_person_turns(pitch: float) -> None:
    """Two degrees move outlines and coverings a little; parts that change places would change many pixels."""
    for person in people():
        parts, canvases = drawn(person, TURN, pitch, np.full(1, 1.0))
        paints = np.array([0, *(part.paint for part in parts)])
        pictures = paints[np.stack(canvases)]
        changed = (pictures != np.roll(pictures, 1, axis=0)).sum(axis=(1, 2)) / (pictures > 0).sum(axis=(1, 2))
        assert changed.max() < 0.14, (np.rad2deg(TURN[changed.argmax()]), person.hair, person.baggage)


def test_the_face_shows_from_the_front_and_the_hair_from_behind() -> None:
    front, back = np.full(1, -np.pi / 2), np.full(1, np.pi / 2)
    for hair in HAIR:
        person = replace(people(1)[0], hair=hair)
        seen = {}
        for name, heading in (("front", front), ("back", back)):
            parts, (canvas,) = drawn(person, heading, 0.1, np.zeros(1))
            head = [replace(part, paint=part.paint if part.limb == "head" else Paint.NOTHING) for part in parts]
            seen[name] = {paint: shows(head, canvas, paint) for paint in (Paint.FACE, Paint.HAIR, Paint.HEADGEAR)}
            assert (shows(parts, canvas, Paint.EYE) > 0) == (name == "front")
        covered = {name: counts[Paint.HAIR] + counts[Paint.HEADGEAR] for name, counts in seen.items()}
        if hair == "bald":
            assert covered == {"front": 0, "back": 0}
        else:
            assert seen["front"][Paint.FACE] > 1.5 * seen["back"][Paint.FACE]
            assert covered["back"] > covered["front"] > 0


@pytest.mark.parametrize("heading", [-np.pi / 2, np.pi / 2])
def test_a_frontal_walker_is_symmetric(heading: float) -> None:
    """Over a gait cycle, the left half of the mean silhouette mirrors the right one; in profile it does not."""
    phase = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for person in people(6):
        person = replace(person, baggage="none")
        asymmetry = []
        for angle in (heading, 0.0):
            _, canvases = drawn(person, np.full(len(phase), angle), 0.1, phase)
            mean = np.mean([canvas > 0 for canvas in canvases], axis=0)
            asymmetry.append(np.abs(mean - mean[:, ::-1]).sum() / mean.sum())
        assert asymmetry[0] < 0.12 < asymmetry[1]


def test_bags_are_on_their_side() -> None:
    """A bag at the right hip shows from the right, the body hides it from the left; a backpack shows from behind."""
    person = replace(people(1)[0], strips="none", baggage_size=1.0)
    for baggage, near, far in (("shoulder bag", 0.0, np.pi), ("tote", np.pi, 0.0), ("backpack", np.pi / 2, -np.pi / 2)):
        worn = replace(person, baggage=baggage)
        phase = np.linspace(0, 2 * np.pi, 16)
        areas = []
        for heading in (near, far):
            parts, canvases = drawn(worn, np.full(16, heading), 0.1, phase)
            areas.append(sum(shows(parts, canvas, Paint.BAG) for canvas in canvases))
        assert areas[0] > 1.5 * areas[1] > 0


def test_cameras_spread_over_the_angles_asked_for() -> None:
    for seed in range(4):
        yaws = np.sort([viewpoint(seed, 6, 60.0, number)[0] for number in range(1, 7)])
        assert np.abs(yaws).max() <= 60 and yaws[0] < -45 and yaws[-1] > 45
        assert np.diff(yaws).max() < 45
    pitches = np.array([viewpoint(seed, 6, 60.0, number)[1] for seed in range(20) for number in range(1, 7)])
    assert pitches.min() >= 2 and pitches.max() <= 30 and 0.15 < np.mean(pitches > 15) < 0.45


def test_no_spread_gives_side_views_only() -> None:
    config = SyntheticConfig(view_spread=0.0, turning=0.0)
    views = [draw_view(config, number, 12, np.random.default_rng(i)) for i in range(40) for number in range(1, 5)]
    assert max(np.abs(np.rad2deg(np.arcsin(view.away))).max() for view in views) < 15
    assert {np.sign(view.forward[0]) for view in views} == {-1.0, 1.0}


def test_turning_paths_change_their_heading_and_others_do_not() -> None:
    for turning, least, most in ((0.0, 0, 0), (1.0, 30, 111)):
        config = SyntheticConfig(turning=turning)
        views = [draw_view(config, 1, 18, np.random.default_rng(i)) for i in range(40)]
        turned = np.rad2deg([np.ptp(view.heading) for view in views])
        assert least <= turned.min() and turned.max() <= most
        assert np.rad2deg(max(np.abs(np.diff(view.heading)).max() for view in views)) < 30  # no jumps


def test_people_differ_as_people_do() -> None:
    """Traits have their means and spreads, no outliers, and thicknesses go together."""
    crowd = people(600)
    for table, of in ((BODY, lambda person: person.body), (GAIT, lambda person: person.gait)):
        values = np.array([astuple(of(person)) for person in crowd])
        for index, (name, (mean, spread)) in enumerate(table.items()):
            column = values[:, index]
            if name != "belly":  # grows with the build
                assert abs(column.mean() - mean) < 0.25 * spread
            assert np.abs((column - mean) / spread).max() < 3.5 * FARTHEST
            assert 0.8 * spread < column.std() < 3 * spread
    thigh, chest = np.array([(person.body.thigh, person.body.chest_depth) for person in crowd]).T
    assert np.corrcoef(thigh, chest)[0, 1] > 0.3


def test_variety_sets_how_much_outlines_differ() -> None:
    def outlines(variety: float) -> list[tuple[str, str, str, str]]:
        people = [draw_person(np.random.default_rng([8, number]), variety) for number in range(300)]
        return [(person.hair, person.upper, person.lower, person.baggage) for person in people]

    common = ("short", "shirt", "trousers", "none")
    shares = [np.mean([outline == common for outline in outlines(variety)]) for variety in (0.0, 0.35, 1.0)]
    assert shares[0] == 1.0
    # All four are the common ones by chance, or since they were not drawn.
    usual = np.array([0.22, 0.35, 0.30, 0.52])
    assert shares[1] == pytest.approx(np.prod(0.65 + 0.35 * usual), abs=0.06)
    assert shares[2] == pytest.approx(np.prod(usual), abs=0.02)
