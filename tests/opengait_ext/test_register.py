"""What `extensions: [opengait_ext]` hands to the engine."""

import subprocess
import sys

import pytest

from opengait import registry
from opengait_ext import register

PARTS = {
    registry.datasets: ["HITSZVCMDataSet", "BUPTCampusDataSet"],
    registry.samplers: ["CrossModalSampler", "PairSampler", "TrackletGroupSampler"],
    registry.transforms: [
        "CrossModalAugmentation",
        "Normalise",
        "MaskTransform",
        "PairAugmentation",
        "StyleAugmentation",
    ],
    registry.evaluators: ["evaluate_cross_modal"],
    registry.models: [
        "AGW",
        "AuxNet",
        "DEEN",
        "DinoGRL",
        "BigGait__Dinov2_Gaitbase",
        "BiggerGait__DINOv2",
        "M3ReID",
        "MITML",
        "VLD",
    ],
    registry.losses: [
        "BatchHardTripletLoss",
        "WeightedTripletLoss",
        "SquaredDifferenceLoss",
        "ModalityLoss",
        "ModalityConfusionLoss",
        "MaskLoss",
        "SmoothnessLoss",
        "DiversityLoss",
        "MaskConnectivityLoss",
        "PriorConnectivityLoss",
        "ModalityAlignmentLoss",
        "FrameDiversityLoss",
        "AttentionDiversityLoss",
    ],
}


def test_every_part_is_found_and_registering_twice_is_fine():
    register()
    register()
    for parts, names in PARTS.items():
        for name in names:
            assert callable(parts.get(name))


@pytest.mark.slow
def test_importing_the_package_loads_no_part():
    code = "import sys, opengait_ext; print([name for name in sys.modules if name.startswith('opengait_ext.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
