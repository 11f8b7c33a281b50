"""The configuration of a test on one dataset, of a network that was trained on another."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opengait import registry
from opengait.config import load_config
from opengait.engine.test import evaluated_name, evaluated_set
from opengait.engine.trained_run import CONFIG, checkpoint_named, run_of, trained_name
from opengait.errors import ConfigError


def load_test(cfgs: str | Path, overrides: Iterable[str], trained: str | Path) -> dict[str, Any]:
    """Load a configuration for testing a trained network on its data, by its protocol and with its numbers of frames.

    If the network's run is known, the network is built as the run's `config.yaml` says, and frames get the size that
    it was trained on. Results of another dataset go to a folder of their own, named `<save_name>-trained-on-<dataset>`.

    Args:
        cfgs: configuration file of the dataset that is tested.
        overrides: `section.key=value`; those of `model_cfg` change the trained network.
        trained: a run folder, whose last checkpoint is tested, or a checkpoint.

    Raises:
        CheckpointError: the checkpoint does not exist.
        ConfigError: a configuration cannot be used, or the two are of different models.
    """
    checkpoint = checkpoint_named(Path(trained))
    run = run_of(checkpoint)
    overrides = list(overrides)
    if run is None:
        config = load_config(cfgs, overrides)
    else:
        network = [text for text in overrides if text.strip().startswith("model_cfg.")]
        config = load_config(cfgs, [text for text in overrides if text not in network])
        _take_network(config, load_config(run / CONFIG, network), str(cfgs), run, overrides)
    config["evaluator_cfg"]["restore_hint"] = str(checkpoint)
    return config


def _take_network(config: dict[str, Any], trained: dict[str, Any], cfgs: str, run: Path, overrides: list[str]) -> None:
    """Let a configuration test the network of a trained run; what `overrides` set stays."""
    ours, theirs = config["model_cfg"].get("model"), trained["model_cfg"].get("model")
    if ours != theirs:
        raise ConfigError(
            f"{run} was trained with the model {theirs}, but {cfgs} tests {ours}; name a configuration of {theirs} for "
            f"the dataset that is tested."
        )
    config["model_cfg"] = trained["model_cfg"]
    given = {text.partition("=")[0].strip() for text in overrides}
    if "trainer_cfg.seed" not in given:
        # The weights of a vision model without a file come from the seed.
        config["trainer_cfg"]["seed"] = trained["trainer_cfg"]["seed"]
    data, seen = evaluated_set(config), evaluated_set(trained)
    for key in getattr(registry.datasets.get(data.get("reader", "DataSet")), "input_keys", ()):
        if key in seen and not any(name.startswith(f"data_cfg.{key}") for name in given):
            data[key] = seen[key]
    if given.isdisjoint({"trainer_cfg.save_name", "evaluator_cfg.save_name"}):
        name, save_name = trained_name(trained), trained["trainer_cfg"]["save_name"]
        other = name != evaluated_name(config) or _root(data) != _root(seen)
        config["evaluator_cfg"]["save_name"] = f"{save_name}-trained-on-{name}" if other else save_name


def _root(data_cfg: dict[str, Any]) -> str:
    return os.path.realpath(str(data_cfg.get("dataset_root")))
