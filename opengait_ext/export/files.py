"""Files of exported graphs: writing and running them."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram

from opengait.errors import ConfigError
from opengait.utils.text import first_line

# Takes frames uint8 (n, s, 3, h, w) and modality int64 (n), and returns descriptors float32 (n, c, p).
Runner = Callable[[np.ndarray, np.ndarray], np.ndarray]
INPUTS, OUTPUT = ("frames", "modality"), "descriptor"
INSTALL = 'pip install "opengait-dinogrl[export]"'
# Protocol buffers, of which an ONNX file consists, end at 2 GiB.
LARGEST_ONNX = 2**31 - 2**24


def format_of(path: Path, named: str | None = None) -> str:
    """Return the format of a file to write, by its name if it is not named.

    Raises:
        ConfigError: the name does not end with a format, or with another than the named one.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS or named not in (None, suffix):
        expected = f".{named}" if named else " or ".join(f".{known}" for known in FORMATS)
        raise ConfigError(f"The name {path.name} does not say the format; expected one that ends with {expected}.")
    return suffix


def write_pt2(program: ExportedProgram, path: Path) -> None:
    """Write a graph as `torch.export.save` does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path)


def open_pt2(path: Path, threads: int | None = None) -> Runner:
    """Return a function that runs a file of `write_pt2` on the CPU, with torch's own number of threads."""
    del threads
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.export.load(path).module()

    def run(frames: np.ndarray, modality: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            described: torch.Tensor = module(torch.from_numpy(frames), torch.from_numpy(modality))
        return described.numpy()

    return run


def write_onnx(program: ExportedProgram, path: Path) -> None:
    """Write a graph as an ONNX file with its weights inside.

    Raises:
        ConfigError: a package is missing, an operation has no ONNX form, or the weights are too large for one file.
    """
    _require("onnx", "onnxscript")
    size = sum(value.numel() * value.element_size() for value in program.state_dict.values())
    if size > LARGEST_ONNX:
        raise ConfigError(f"The weights take {size / 2**30:.1f} GiB, and an ONNX file holds 2 GiB; export to pt2.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            converted = torch.onnx.export(
                program, dynamo=True, input_names=INPUTS, output_names=[OUTPUT], verbose=False
            )
        # The exporter's errors are private to torch, and those of three more packages pass through it.
        except Exception as error:
            raise ConfigError(
                f"torch {torch.__version__} cannot write this network as ONNX ({first_line(error)}); fix the numbers "
                f"with --tracklets and --frames, or export to pt2."
            ) from error
        assert converted is not None
        converted.save(path, external_data=False)


def open_onnx(path: Path, threads: int | None = None) -> Runner:
    """Return a function that runs an ONNX file on the CPU.

    Args:
        path: the file.
        threads: CPU threads; None for torch's number.

    Raises:
        ConfigError: onnxruntime is missing.
    """
    _require("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    # Its warnings are about constants that it folds; an error is raised.
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda *inputs: session.run([OUTPUT], dict(zip(INPUTS, inputs, strict=True)))[0]


FORMATS: dict[str, tuple[Callable[[ExportedProgram, Path], None], Callable[..., Runner]]] = {
    "onnx": (write_onnx, open_onnx),
    "pt2": (write_pt2, open_pt2),
}


def open_exported(path: Path, threads: int | None = None) -> Runner:
    """Return a function that runs an exported file on the CPU; its arguments are those of `FrameDescriber`, as arrays.

    Raises:
        ConfigError: the file is of neither format, or its runtime is missing.
    """
    return FORMATS[format_of(path)][1](path, threads)


def _require(*packages: str) -> list[Any]:
    import importlib

    try:
        return [importlib.import_module(package) for package in packages]
    except ImportError as error:
        raise ConfigError(f"ONNX files need {' and '.join(packages)}: {INSTALL}.") from error
