"""Configurations: YAML files read, merged over their bases and the defaults, overridden and checked."""

from opengait.config.load import config_text, load_config, save_config

__all__ = ["config_text", "load_config", "save_config"]
