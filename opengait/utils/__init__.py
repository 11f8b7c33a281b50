"""The facade that model files import as `utils`: helpers under upstream's names.

The engine imports the modules below directly, never this facade (tests/test_architecture.py).
"""

from typing import Any

from opengait.utils.arguments import argument_names, get_attr_from, get_valid_args
from opengait.utils.checks import (
    is_array,
    is_bool,
    is_bool_list,
    is_dict,
    is_float,
    is_int,
    is_int_list,
    is_list,
    is_list_or_tuple,
    is_str,
    is_tensor,
)
from opengait.utils.containers import MergeCfgsDict, NoOp, Ntuple, Odict
from opengait.utils.messages import MessageManager, get_msg_mgr
from opengait.utils.process import handler, init_seeds, mkdir
from opengait.utils.tensors import bare, clones, ddp_all_gather, get_ddp_module, list2var, np2var, params_count, ts2np

__all__ = [
    "MergeCfgsDict",
    "MessageManager",
    "NoOp",
    "Ntuple",
    "Odict",
    "argument_names",
    "bare",
    "clones",
    "config_loader",
    "ddp_all_gather",
    "get_attr_from",
    "get_ddp_module",
    "get_msg_mgr",
    "get_valid_args",
    "handler",
    "init_seeds",
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
    "list2var",
    "mkdir",
    "np2var",
    "params_count",
    "ts2np",
]


def __getattr__(name: str) -> Any:
    """Return `config_loader`, upstream's name for `opengait.config.load_config`, which itself uses these helpers."""
    if name == "config_loader":
        from opengait.config import load_config

        return load_config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
