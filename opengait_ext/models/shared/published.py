"""Conversion of the checkpoints that a method's authors publish; each method's folder has its `PublishedLayout`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from opengait.errors import CheckpointError
from opengait.utils.state_dicts import find_state, is_plain, unwrapped
from opengait.utils.tensor_files import UnreadableError, read_tensors
from opengait_ext.models.shared.plain_network import PREFIX, PlainNetwork
from opengait_ext.weights.read import shape_complaint

# What arrays and numbers of numpy are made of in a file; scores are often saved beside the weights.
_NUMPY: list[Any] = [
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32")),
    np.array(0.0).__reduce__()[0],
    np.float64(0).__reduce__()[0],
]


@dataclass(frozen=True)
class PublishedLayout:
    """The names of a published checkpoint, and the network that they belong to.

    Attributes:
        title: of the method, for messages.
        names: prefixes of the published names, and ours instead; of several that match, the first in order counts.
        unused: prefixes of entries that the published forward pass never reads; of these, those in `names` are read.
        network: builds the network, on the meta device, from the converted entries, whose shapes tell its sizes.
    """

    title: str
    names: Mapping[str, str]
    unused: tuple[str, ...]
    network: Callable[[Mapping[str, Tensor]], PlainNetwork]


def convert_published(state: Mapping[str, Tensor], layout: PublishedLayout) -> tuple[dict[str, Any], list[str]]:
    """Return the engine checkpoint of a published state dict, and the names of its entries that were left out.

    The checkpoint has `model` and `iteration`, 0; `--phase test` and `load_network` accept it. Tensors are not copied.

    Raises:
        CheckpointError: an entry is unknown or missing, or has another shape.
    """
    entries: dict[str, Tensor] = {}
    left_out = []
    for name, value in state.items():
        prefix = next((prefix for prefix in layout.names if name.startswith(prefix)), None)
        if prefix is not None:
            entries[layout.names[prefix] + name.removeprefix(prefix)] = value.detach()
        elif name.startswith(layout.unused):
            left_out.append(name)
        else:
            raise CheckpointError(f"This is not a published checkpoint of {layout.title}: the entry {name} is unknown.")
    with torch.device("meta"):
        expected = layout.network(entries).state_dict()
    shapes = ({name: value.shape for name, value in table.items()} for table in (entries, expected))
    complaint = shape_complaint(*shapes)
    if complaint:
        raise CheckpointError(f"This is not a published checkpoint of {layout.title}: {complaint}.")
    # Files from before torch 0.4.1 lack the norms' counters.
    counters = {name: torch.tensor(0) for name in expected if name not in entries}
    complete = entries | counters
    return {"model": {PREFIX + name: complete[name] for name in expected}, "iteration": 0}, left_out


def read_published(path: Path, trust: bool = False) -> dict[str, Tensor]:
    """Return the state dict in a published file, which may hold other plain values and numpy's numbers beside it.

    Args:
        path: the file.
        trust: also read a file that holds Python objects, such as an optimiser, whose loading can run any code.

    Raises:
        CheckpointError: the file is missing or damaged, or holds objects or no state dict.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY):
            content = read_tensors(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {path}.") from error
    except UnreadableError as error:
        if not trust:
            raise CheckpointError(
                f"{path} cannot be read: {error}. If it holds objects beside its weights and you trust its publisher, "
                f"add --trust; loading it can then run code."
            ) from error
        try:
            content = torch.load(path, map_location="cpu", weights_only=False)
        # A stranger's file can raise anything.
        except Exception as failure:
            raise CheckpointError(f"{path} cannot be read: {failure}.") from failure
    state = find_state(content)
    if state is None:
        raise CheckpointError(f"{path} holds no state dict, so it is not a published checkpoint.")
    return unwrapped(state, is_plain)
