"""The same parameters give the same pictures with every processor and every version of the libraries."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate

SETTINGS = {"train_identities": 1, "test_identities": 1, "cameras": 2, "frames": 4, "seed": 5, "size": (96, 48)}
SETTINGS |= {"crowd": 0.5, "turning": 0.5, "occlusion": 0.5, "motion_blur": 0.5, "view_spread": 90.0}
# Of FORMAT 3. Change them together with FORMAT, when the drawings change.
DIGESTS = {"near": "bb9e008ae94b9773", "thermal": "a98546d5a5365138"}


def digest(root: Path) -> str:
    """Return a digest of all decoded pictures and joints."""
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in (".jpg", ".png"):
            total.update(np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)).tobytes())
        elif path.suffix == ".json" and path.parent != root:
            total.update(path.read_bytes())
    return total.hexdigest()[:16]


@pytest.mark.parametrize("infrared", DIGESTS)
def test_pictures_are_those_of_every_machine(tmp_path: Path, infrared: str) -> None:
    generate(tmp_path, SyntheticConfig(**SETTINGS, infrared=infrared))
    assert digest(tmp_path) == DIGESTS[infrared]
