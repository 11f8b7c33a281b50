"""Datasets of visible-infrared tracklets, the cross-modal sampler and the augmentations."""

from opengait_ext.data.bupt_campus.reader import BUPTCampus
from opengait_ext.data.hitsz_vcm.reader import HITSZVCM
from opengait_ext.data.tracklet import Modality, Role, Tracklet

__all__ = ["BUPTCampus", "HITSZVCM", "Modality", "Role", "Tracklet"]
