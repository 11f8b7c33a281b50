"""Exporting a describer: trace, write, verify, and say beside the file what it takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait.errors import OutputError
from opengait.utils.environment import core_versions
from opengait.utils.files import sha256_of, write_json, write_whole
from opengait_ext.data import Modality
from opengait_ext.export.files import FORMATS, INPUTS, OUTPUT, format_of
from opengait_ext.export.graph import FrameDescriber, frame_describer, trace
from opengait_ext.export.verify import TOLERANCE, largest_deviation, verification_sizes
from opengait_ext.search.describer import Describer
from opengait_ext.search.save import calibration_of

KIND = "exported describer"


@dataclass(frozen=True)
class Exported:
    """An exported network.

    Attributes:
        path: the file.
        facts: the JSON file beside it.
        deviation: largest deviation from the network itself, as a share of the descriptor's norm.
    """

    path: Path
    facts: Path
    deviation: float


def export_describer(
    describer: Describer, path: Path, tracklets: int | None = None, frames: int | None = None
) -> Exported:
    """Write a describer as a file that runs without this project; it is verified before it gets its name.

    Args:
        describer: on the CPU.
        path: the file, *.onnx or *.pt2; `<path>.json` says what it takes.
        tracklets, frames: the numbers that the file takes; None for any.

    Raises:
        ConfigError: the network cannot be exported, or a package is missing.
        OutputError: the file deviates from the network, or cannot be written.
    """
    kind = format_of(path)
    write, read = FORMATS[kind]
    module = frame_describer(describer)
    program = trace(module, tracklets, frames)
    frames = frames or module.network.tracklet_frames
    sizes = verification_sizes(tracklets, frames, describer.frames)
    measured: list[float] = []

    def write_and_verify(partial: Path) -> None:
        write(program, partial)
        measured.append(largest_deviation(read(partial), describer, module.size, sizes))
        if not measured[0] <= TOLERANCE:
            raise OutputError(
                f"The exported network deviates from the network itself by {measured[0]:.1e} of the descriptor's norm, "
                f"more than {TOLERANCE:.0e}; {path} was not written."
            )

    write_whole(path, write_and_verify)
    beside = path.with_name(f"{path.name}.json")
    write_json(beside, facts(describer, module, path, tracklets, frames) | {"largest_deviation": measured[0]})
    return Exported(path, beside, measured[0])


def facts(
    describer: Describer, module: FrameDescriber, path: Path, tracklets: int | None, frames: int | None
) -> dict[str, Any]:
    """Return what a program needs to know of an exported file: inputs, output, distance and calibration."""
    height, width = module.size
    channels, parts = describer.shape
    return {
        "kind": KIND,
        "model": describer.config["model_cfg"]["model"],
        "file": {"name": path.name, "sha256": sha256_of(path)},
        "checkpoint_sha256": describer.checkpoint_sha256,
        "license": describer.license,
        "inputs": {
            INPUTS[0]: {
                "type": "uint8",
                "shape": [tracklets, frames, 3, height, width],
                "channels": "RGB",
                "frames_in_test": describer.frames or None,
            },
            INPUTS[1]: {
                "type": "int64",
                "shape": [tracklets],
                "codes": {modality.value: modality.number for modality in Modality},
                "read": describer.reads_modality,
            },
        },
        "output": {"name": OUTPUT, "type": "float32", "shape": [tracklets, channels, parts]},
        "distance": describer.metric,
        "calibration": calibration_of(describer.trained),
        "versions": core_versions(),
    }
