"""The same parameters give the same pictures with every processor and every version of the libraries."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate
from tests.paths import ROOT

SETTINGS = {"train_identities": 1, "test_identities": 1, "cameras": 2, "frames": 4, "seed": 5, "size": (96, 48)}
SETTINGS |= {"crowd": 0.5, "turning": 0.5, "occlusion": 0.5, "motion_blur": 0.5, "view_spread": 90.0}
# Of FORMAT 3. Change them together with FORMAT, when the drawings change.
DIGESTS = {"near": "707875262577518b", "thermal": "9df55e0c1e1c8487"}


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


@pytest.mark.slow
def test_pictures_do_not_depend_on_the_processor(tmp_path: Path) -> None:
    """Without the wider instructions of the processor, the same."""
    program = f"""
from pathlib import Path
from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate
generate(Path({str(tmp_path)!r}), SyntheticConfig(**{SETTINGS!r}))
"""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OPENCV_CPU_DISABLE": "AVX2,AVX512_SKX",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX",
    }
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, capture_output=True)
    assert digest(tmp_path) == DIGESTS["near"]
