"""Published checkpoints of others, made into the engine's and back."""

from opengait_ext.checkpoints.files import from_official_files, to_official_files
from opengait_ext.checkpoints.network import build_network
from opengait_ext.checkpoints.official import convert_official, convert_to_official

__all__ = ["build_network", "convert_official", "convert_to_official", "from_official_files", "to_official_files"]
