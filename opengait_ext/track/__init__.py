"""People in videos: boxes by detection and tracking, written as MOT text."""

from opengait_ext.track.detect import Detector, Motion, TorchvisionDetector
from opengait_ext.track.follow import Summary, track_video

__all__ = ["Detector", "Motion", "Summary", "TorchvisionDetector", "track_video"]
