"""Peak memory of a process."""

import resource
import sys

import torch


def peak_memory(device: torch.device) -> int:
    """Return the peak memory in bytes: of the tensors on a CUDA device, else of the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # In KiB on Linux, in bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
