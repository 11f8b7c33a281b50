"""Published checkpoints of others, made into the engine's and back."""

from opengait_ext.models.dinogrl.checkpoints.files import from_official_files, to_official_files
from opengait_ext.models.dinogrl.checkpoints.release import convert_official, convert_to_official
from opengait_ext.models.dinogrl.load import build_network

__all__ = ["build_network", "convert_official", "convert_to_official", "from_official_files", "to_official_files"]
