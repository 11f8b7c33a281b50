"""Parameters of a synthetic dataset, validated once."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from opengait.errors import UserError

FORMAT = 3  # increase it when the drawn frames change, so that folders drawn by older code are not kept
INFRARED, VISIBLE = 1, 2  # modalities as HITSZ-VCM's info files number them
Infrared = Literal["near", "thermal"]
LARGEST_VIEW = 90.0  # degrees from the side view to the frontal one
LARGEST_COUNT = 999_999_999
LARGEST_PID = 9999  # frame names carry four digits
FIRST_TEST_PID = 501  # as in HITSZ-VCM


class SettingsError(UserError, ValueError):
    """A setting or an output folder cannot be used; the message says which and what to do."""


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """Parameters of a dataset; two equal records give the same bytes.

    Attributes:
        train_identities, test_identities: number of people; no person is in both splits.
        cameras: cameras, numbered from 1; every person is seen by each of them in both modalities.
        tracklets: tracklets of one person, camera and modality.
        frames: typical length of a tracklet; lengths vary by a quarter and do not fall under 12 unless `frames` does.
        size: height and width of a frame in pixels.
        seed: seed of people, cameras and walks.
        occlusion, motion_blur: share of tracklets with an occluder, or with some blurred frames.
        opposite: share of tracklets in which the person walks the other way; 0.5 is the hardest.
        infrared: light of the infrared cameras: "near" shows reflected light, "thermal" the warmth of the body.
        appearance_link: share of the appearance in colour that near infrared shows too; 0 makes the two independent.
        view_spread: largest angle of a camera's view to the side view in degrees, 0 (only side views) to 90; the
            cameras are spread evenly over both sides of it, so that 90 includes frontal views and views from behind.
        turning: share of tracklets in which the path turns.
        crowd: share of tracklets in which another person passes in front.
        outline_variety: share of traits of hair, garments and baggage in which outlines differ between people; the
            others are those of most people.
    """

    train_identities: int = 48
    test_identities: int = 24
    cameras: int = 4
    tracklets: int = 1
    frames: int = 24
    size: tuple[int, int] = (128, 64)
    seed: int = 0
    occlusion: float = 0.12
    motion_blur: float = 0.15
    opposite: float = 0.5
    infrared: Infrared = "near"
    appearance_link: float = 0.5
    view_spread: float = 60.0
    turning: float = 0.2
    crowd: float = 0.1
    outline_variety: float = 0.25

    def __post_init__(self) -> None:
        """Raise SettingsError for a value that cannot be drawn."""
        for name in ("train_identities", "test_identities", "cameras", "tracklets", "frames"):
            value = getattr(self, name)
            if not 1 <= value <= LARGEST_COUNT:
                raise SettingsError(f"{name}: expected an integer from 1 to {LARGEST_COUNT}, got {value}.")
        if not 0 <= self.seed < 2**63:
            raise SettingsError(f"seed: expected an integer from 0 to 2^63 - 1, got {self.seed}.")
        for name in ("occlusion", "motion_blur", "opposite", "appearance_link", "turning", "crowd", "outline_variety"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name}: expected a share from 0 to 1, got {getattr(self, name)}.")
        if not 0 <= self.view_spread <= LARGEST_VIEW:
            raise SettingsError(f"view_spread: expected 0 to {LARGEST_VIEW:g} degrees, got {self.view_spread}.")
        if self.infrared not in get_args(Infrared):
            raise SettingsError(f"infrared: expected {' or '.join(get_args(Infrared))}, got {self.infrared!r}.")
        object.__setattr__(self, "size", tuple(self.size))  # a list, as from JSON, would not compare equal
        height, width = self.size
        if not (32 <= height <= 1024 and 16 <= width <= 1024):
            raise SettingsError(
                f"size: expected a height of 32 to 1024 and a width of 16 to 1024 pixels, got {height} {width}."
            )
        if self.test_pids[-1] > LARGEST_PID:
            raise SettingsError(
                f"The last person would have number {self.test_pids[-1]}; frame names have room for {LARGEST_PID}."
            )

    @property
    def train_pids(self) -> range:
        """Return the person numbers of the training split."""
        return range(1, self.train_identities + 1)

    @property
    def test_pids(self) -> range:
        """Return the person numbers of the test split, after all those of the training split."""
        first = max(FIRST_TEST_PID, self.train_identities + 1)
        return range(first, first + self.test_identities)

    def as_json(self) -> dict[str, Any]:
        """Return everything the bytes depend on, as plain JSON values."""
        return {"format": FORMAT} | asdict(self) | {"size": list(self.size)}


# The data of scripts/demo.sh and `vvi ablate`, on which a small network trains within minutes.
DEMO = SyntheticConfig(
    train_identities=128,
    frames=18,
    opposite=0.0,
    occlusion=0.05,
    motion_blur=0.05,
    appearance_link=1.0,
    view_spread=15.0,
    turning=0.0,
    crowd=0.0,
    outline_variety=1.0,
)
# The data of `vvi benchmark`, on which neither clothes nor outlines suffice.
BENCHMARK = SyntheticConfig(train_identities=150, test_identities=100, frames=18, appearance_link=1.0)
PRESETS = {"demo": DEMO, "benchmark": BENCHMARK}
