"""Where a trained network lies: behind a name, in the folder of a run or a network, or in two files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait.engine.run_folder import checkpoints_of
from opengait.engine.trained_run import run_of
from opengait.errors import CheckpointError
from opengait.shipped import shipped
from opengait_ext.weights.catalogue import RELEASED, released
from opengait_ext.weights.folder import CALIBRATION, CONFIG, WEIGHTS, is_network_folder, read_facts
from opengait_ext.weights.hub import PREFIX, check_options, from_hub, is_hub_name
from opengait_ext.weights.read import FOLDER

WITHOUT_WEIGHTS = "A configuration alone has no trained weights; name a checkpoint, or a run folder."
_CONFIGURATIONS = (".yaml", ".yml")


@dataclass(frozen=True)
class Trained:
    """A trained network on disk.

    Attributes:
        cfgs: its configuration file.
        checkpoint: its weights.
        facts: `config.json` of a network's folder; None for a run or for single files.
    """

    cfgs: Path
    checkpoint: Path
    facts: dict[str, Any] | None = None

    @property
    def run(self) -> Path | None:
        """The run folder that the checkpoint lies in, if it does."""
        return run_of(self.checkpoint)

    @property
    def calibration(self) -> Path | None:
        """Where a calibration of this network lies, if there is one: in its own folder or in that of its run."""
        home = self.run if self.facts is None else self.checkpoint.parent
        return None if home is None else home / CALIBRATION


def find_trained(source: str | Path, checkpoint: str | Path | None = None, **hub: Any) -> Trained:
    """Return the files of a trained network.

    Args:
        source: a name in `pretrained/` such as dinogrl-hitsz, the folder of a network or of a run, a checkpoint in a
            run folder, OWNER/NAME on a hub, or a configuration file for `checkpoint`.
        checkpoint: the weights; by default those of `source`, the last ones of a run.
        hub: see `from_hub`.

    Raises:
        CheckpointError: the network does not exist, or a file of it is missing or damaged.
        TypeError: an option is unknown, also where no hub is asked.
    """
    check_options(hub)
    path = Path(source)
    if checkpoint is not None:
        return Trained(configuration_at(path), Path(checkpoint))
    if path.is_dir():
        return _in_folder(path)
    if shipped(path).is_file():
        return _of_file(path)
    name = str(source)
    named = FOLDER / name.replace("-", "_")
    if is_network_folder(named):
        return _in_folder(named)
    entry = released(name)
    if entry is not None:
        raise CheckpointError(f"The network {name} is not there yet ({named}); run `vvi download {entry.name}`.")
    # A path with an error in its last part is no name on a hub.
    if is_hub_name(name) and (name.startswith(PREFIX) or not path.parent.exists()):
        return _in_folder(from_hub(name, **hub))
    known = ", ".join(entry.name.replace("_", "-") for entry in RELEASED)
    raise CheckpointError(
        f"There is no trained network {name}; name the folder of a run or of save_pretrained, a checkpoint in a run "
        f"folder, or one of {known}."
    )


def configuration_at(path: str | Path) -> Path:
    """Return the configuration in the folder of a run or a network, or a configuration file itself."""
    path = Path(path)
    return path / CONFIG if path.is_dir() else shipped(path)


def last_checkpoint(folder: Path) -> Path:
    """Return the checkpoint of a run folder with the highest iteration.

    Raises:
        CheckpointError: the folder has no checkpoints.
    """
    checkpoints = checkpoints_of(folder)
    if not checkpoints:
        raise CheckpointError(
            f"The run folder {folder} has no checkpoint in checkpoints/; train first (--phase train)."
        )
    return checkpoints[max(checkpoints)]


def _in_folder(folder: Path) -> Trained:
    if is_network_folder(folder):
        return Trained(folder / CONFIG, folder / WEIGHTS, read_facts(folder))
    return Trained(folder / CONFIG, last_checkpoint(folder))


def _of_file(path: Path) -> Trained:
    if path.suffix in _CONFIGURATIONS:
        raise CheckpointError(WITHOUT_WEIGHTS)
    run = run_of(path)
    if run is not None:
        return Trained(run / CONFIG, path)
    if path.name == WEIGHTS and is_network_folder(path.parent):
        return _in_folder(path.parent)
    raise CheckpointError(f"{path} lies in no run folder, so its configuration is unknown; name that too.")
