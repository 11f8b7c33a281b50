"""The models of this project inside a checkout of OpenGait: `vvi plug`."""

from opengait_ext.plug.checkout import Checkout, inspect_checkout
from opengait_ext.plug.configuration import adapted_config
from opengait_ext.plug.plug import CONFIGS, install, plugged_models, remove

__all__ = ["CONFIGS", "Checkout", "adapted_config", "inspect_checkout", "install", "plugged_models", "remove"]
