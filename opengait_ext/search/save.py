"""Writing a trained model as a network's folder, with what is known of its training and its tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from opengait.data.text_files import read_json
from opengait.engine.checkpoint import load_checkpoint
from opengait.engine.trained_run import trained_on
from opengait.errors import DataError
from opengait.modeling.base_model import BaseModel
from opengait.utils.files import sha256_of, write_json
from opengait_ext.models.shared.plain_network import network_entries
from opengait_ext.runs.results import read_any_test
from opengait_ext.weights.find import Trained
from opengait_ext.weights.folder import CALIBRATION, facts_of, write_network

TEST_KEYS = ("dataset", "iteration", "results", "intervals", "card")


def save_network(
    model: BaseModel,
    config: Mapping[str, Any],
    trained: Trained,
    folder: Path,
    shape: tuple[int, int] | None = None,
    license: str | None = None,
) -> None:
    """Write a trained model as a network's folder (`opengait_ext.weights.folder`).

    Args:
        model: the model with its weights.
        config: its configuration.
        trained: its files; tests and training data are those of the run, or of the network's folder, that it is from.
        folder: the folder to write.
        shape: channels and parts of a descriptor, if known.
        license: of the weights, if known.

    Raises:
        OutputError: a file cannot be written.
    """
    former = trained.facts or {"trained_on": trained_on(trained.checkpoint), "tests": tests_of(trained)}
    history = {key: former.get(key) for key in ("trained_on", "tests")}
    calibration = calibration_of(trained)
    # One of an earlier network would give wrong verdicts.
    (folder / CALIBRATION).unlink(missing_ok=True)
    facts = facts_of(config, shape) | history | {"license": license}
    sha256 = write_network(folder, self_contained(model, config), state_of(model, trained.checkpoint), facts)
    if calibration is not None:
        # The same weights are another file now.
        write_json(folder / CALIBRATION, calibration | {"network": sha256})


def self_contained(model: BaseModel, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a model without weight files, since it is saved with all its weights."""
    network = getattr(model, "network_class", None)
    if network is None:
        return dict(config)
    entries = network_entries(model.state_dict(), getattr(model, "network_prefix", ""))
    model_cfg = network.without_replaced_weights(config["model_cfg"], lambda: entries)
    return dict(config) | {"model_cfg": network.without_weight_files(model_cfg)}


def state_of(model: BaseModel, checkpoint: Path) -> dict[str, Tensor]:
    """Return all entries of a model, frozen parts included, and the classifiers of its checkpoint.

    A test builds some models without classifiers, but training goes on from them.
    """
    state = model.state_dict()
    network = getattr(model, "network_class", None)
    classifiers = getattr(network, "classifiers", ())
    if network is None or not classifiers:
        return state
    prefix = getattr(model, "network_prefix", "")
    entries = network.renamed(network_entries(load_checkpoint(checkpoint), prefix))
    heads = {f"{prefix}{name}": value for name, value in entries.items() if name.startswith(classifiers)}
    return heads | state


def calibration_of(trained: Trained) -> dict[str, Any] | None:
    """Return the checkpoint's calibration, from the network's folder or its run's, else of its last test; or None."""
    path = trained.calibration
    if path is not None and path.is_file():
        content = read_json(path, "write the calibration again")
        # A run may have gone on since it was calibrated.
        if content.get("network") == sha256_of(trained.checkpoint):
            return content
    found = [content.get("calibration") for content in results_of(trained)]
    return next((calibration for calibration in reversed(found) if isinstance(calibration, dict)), None)


def tests_of(trained: Trained) -> list[dict[str, Any]]:
    """Return what a network's folder tells of the tests of a checkpoint."""
    return [{key: content.get(key) for key in TEST_KEYS} for content in results_of(trained)]


def results_of(trained: Trained) -> list[dict[str, Any]]:
    """Return the content of the results of a run's tests of a checkpoint, in the order of their files."""
    run = trained.run
    sha256 = sha256_of(trained.checkpoint)
    tests = []
    for file in sorted(run.glob("logs/test-*.json")) if run is not None else ():
        try:
            content = read_any_test(file)
        except DataError:  # of another program, or cut off; the results say which tests there are
            continue
        card = content.get("card") or {}
        if (card.get("checkpoint") or {}).get("sha256") == sha256:
            tests.append(content)
    return tests
