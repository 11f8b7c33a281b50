"""The models of this project inside a checkout of OpenGait: `vvi plug`."""

from opengait_ext.plug.checkout import Checkout, inspect_checkout
from opengait_ext.plug.configuration import adapted_config, adapted_configs
from opengait_ext.plug.plug import install, plugged_models, remove

__all__ = [
    "Checkout",
    "adapted_config",
    "adapted_configs",
    "inspect_checkout",
    "install",
    "plugged_models",
    "remove",
]
