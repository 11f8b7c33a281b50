"""The facade that model files import as `utils`: helpers under upstream's names.

The engine imports the modules below directly, never this facade (tests/test_architecture.py).
"""

from importlib import import_module
from typing import Any

# The modules and what model files use of them. They are imported on use: the engine's leaves load this package too, and
# some of them must not import torch.
_MODULES = {
    "arguments": ("argument_names", "get_attr_from", "get_valid_args"),
    "checks": (
        "is_array",
        "is_bool",
        "is_bool_list",
        "is_dict",
        "is_float",
        "is_int",
        "is_int_list",
        "is_list",
        "is_list_or_tuple",
        "is_str",
        "is_tensor",
    ),
    "containers": ("MergeCfgsDict", "NoOp", "Ntuple", "Odict"),
    "messages": ("MessageManager", "get_msg_mgr"),
    "process": ("handler", "init_seeds", "mkdir"),
    "tensors": ("bare", "clones", "ddp_all_gather", "get_ddp_module", "list2var", "np2var", "params_count", "ts2np"),
}
_HOMES = {name: f"opengait.utils.{module}" for module, names in _MODULES.items() for name in names}
# Upstream's name for `load_config`.
_HOMES["config_loader"] = "opengait.config"

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Import and return a helper."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), "load_config" if name == "config_loader" else name)
