"""Data sets of visible-infrared tracklets, the cross-modal sampler and the augmentations."""

from opengait_ext.data.hitsz_vcm import HITSZVCM
from opengait_ext.data.tracklet import Modality, Tracklet

__all__ = ["HITSZVCM", "Modality", "Tracklet"]
