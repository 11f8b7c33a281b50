"""Trained networks as files that run without this project: `torch.export`'s pt2, and ONNX."""

from opengait_ext.export.files import FORMATS, Runner, format_of, open_exported
from opengait_ext.export.graph import FrameDescriber, frame_describer, trace
from opengait_ext.export.write import Exported, export_describer

__all__ = [
    "FORMATS",
    "Exported",
    "FrameDescriber",
    "Runner",
    "export_describer",
    "format_of",
    "frame_describer",
    "open_exported",
    "trace",
]
