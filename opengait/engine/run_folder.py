"""The folder of a run and its owner; does not import torch, so that tools start quickly."""

import contextlib
import os
import re
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from opengait.errors import CheckpointError, ConfigError
from opengait.utils.text import below

LOCK = ".lock"
# What a run writes, besides its configuration and capsules.
PARTS = ("checkpoints", "summary", "logs")


def output_path(cfgs: dict[str, Any], training: bool) -> Path:
    """Return `<output_root>/<dataset_name>/<model>/<save_name>`; names of several datasets are joined by `_`."""
    data_cfg = cfgs["data_cfg"]
    names = [data_cfg["dataset_name"]] if isinstance(data_cfg, dict) else [entry["dataset_name"] for entry in data_cfg]
    engine_cfg = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
    root = Path(cfgs["trainer_cfg"].get("output_root", "output"))
    return root / below("_".join(map(str, names)), str(cfgs["model_cfg"]["model"]), str(engine_cfg["save_name"]))


def checkpoint_path(save_path: str | Path, save_name: str, iteration: int) -> Path:
    """Return `<save_path>/checkpoints/<save_name>-<iteration, five digits>.pt`."""
    return Path(save_path) / "checkpoints" / f"{save_name}-{iteration:0>5}.pt"


def checkpoints_of(run: Path, save_name: str | None = None) -> dict[int, Path]:
    """Return the checkpoints of a run folder by iteration, in ascending order; with `save_name`, those of that name."""
    names = [(re.fullmatch(r"(.*)-([0-9]+)", file.stem), file) for file in run.glob("checkpoints/*.pt")]
    return dict(sorted((int(name[2]), file) for name, file in names if name and save_name in (None, name[1])))


def newest_checkpoint(folder: Path, save_name: str) -> int:
    """Return the iteration of a run's newest checkpoint.

    Raises:
        CheckpointError: there is none.
    """
    saved = checkpoints_of(folder, save_name)
    if not saved:
        raise CheckpointError(
            f"There is no checkpoint {folder / 'checkpoints' / save_name}-<iteration>.pt to continue from or to test; "
            f"train first, without --resume."
        )
    return max(saved)


class RunFolder:
    """A run folder that a training is about to write to: owned by one process at a time, never replaced unasked.

    Nothing in the folder changes before `begin`, so a training that fails earlier leaves it as it was.

    Args:
        path: the run folder, which need not exist.
        save_name: first part of the names of its checkpoints.
        continues: the iteration that the training continues from; 0 for a new run.
        overwrite: replace a run that the folder holds.
        weights: the checkpoint that a new run starts from, which it may not replace.
    """

    def __init__(
        self,
        path: Path,
        save_name: str,
        continues: int = 0,
        overwrite: bool = False,
        weights: Path | None = None,
    ) -> None:
        self.path = path
        self.save_name = save_name
        self.continues = continues
        self.overwrite = overwrite
        self.weights = weights
        self._lock: IO[str] | None = None

    def checkpoint(self, iteration: int) -> Path:
        """Return the path of the checkpoint of an iteration."""
        return checkpoint_path(self.path, self.save_name, iteration)

    def check_writable(self) -> None:
        """Check that the folder can be created and written to, without leaving anything behind.

        Raises:
            ConfigError: a part of its path is a file, or nothing can be written there.
        """
        try:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                # Fails for names that are too long, and for folders that may not be entered.
                self.path.stat()
            existing = next(path for path in (self.path, *self.path.absolute().parents) if os.path.lexists(path))
            for path in (existing, *(part for name in PARTS if os.path.lexists(part := self.path / name))):
                if not path.is_dir():
                    raise ConfigError(
                        f"{path} is not a folder, but the run needs one there; move it, or change "
                        f"trainer_cfg.output_root or save_name."
                    )
                with tempfile.TemporaryFile(dir=path) as probe:
                    probe.write(bytes(4096))
                    probe.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def claim(self) -> None:
        """Check that a training may write here.

        Raises:
            ConfigError: the folder cannot be written to, another training runs in it, it holds a run that would be
                changed unasked, or `overwrite` would delete `weights`.
        """
        if self.overwrite and self.continues:
            raise ConfigError(
                f"--overwrite starts a new run in {self.path}, but trainer_cfg.restore_hint continues it from "
                f"iteration {self.continues}; leave one of the two out."
            )
        if self.overwrite and self.weights is not None:
            parts = [(self.path / name).resolve() for name in PARTS]
            if any(self.weights.resolve().is_relative_to(part) for part in parts):
                raise ConfigError(
                    f"--overwrite would delete the checkpoint that the run starts from, {self.weights}; move it out "
                    f"of the run folder, or set trainer_cfg.save_name to another name."
                )
        self.check_writable()
        if (self.path / LOCK).exists():
            try:
                self._take_lock()
            except OSError as error:
                raise self._unwritable(error) from error
        self._check_unused()

    def begin(self) -> Path | None:
        """Take the folder over: lock it, and remove or set aside what the training replaces.

        Returns:
            The folder that checkpoints and results of iterations after `continues` were moved to, or None.

        Raises:
            ConfigError: another training took the folder meanwhile, or it cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = self._lock
            if lock is None:
                lock = self._take_lock()
                self._check_unused()
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}, since {time.strftime('%Y-%m-%d %H:%M')}\n")
            lock.flush()
            if self.overwrite:
                self._remove()
            return self._set_aside() if self.continues else None
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Release the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> IO[str]:
        file = self._lock = (self.path / LOCK).open("a+", encoding="utf-8")
        try:
            import fcntl

            # Not `flock`, which the data workers of a killed training would inherit and keep.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            owner = file.read().strip() or "an unknown process"
            self.close()
            raise ConfigError(
                f"Another training runs in {self.path} ({owner}); wait for it, stop it, or set trainer_cfg.save_name "
                f"to another name."
            ) from error
        except (ImportError, OSError):
            # Windows, or a file system without locks.
            pass
        return file

    def _check_unused(self) -> None:
        if self.overwrite or self.continues:
            return
        saved = checkpoints_of(self.path, self.save_name)
        # Not the hidden ones, which a killed run left half written.
        others = sorted(file.name for file in (self.path / "checkpoints").glob("[!.]*.pt"))
        results = self._results(".json")
        if not (others or results):
            return
        if saved:
            contents, resume = f"checkpoints up to iteration {max(saved)}", "--resume to continue it, "
        else:
            contents = f"the checkpoint {others[-1]}" if others else f"results of iteration {max(results)}"
            resume = ""
        raise ConfigError(
            f"{self.path} already holds a run, with {contents}. Add {resume}--overwrite to replace it, or set "
            f"trainer_cfg.save_name to another name."
        )

    def _remove(self) -> None:
        for name in PARTS:
            if (self.path / name).is_dir():
                shutil.rmtree(self.path / name)
        for file in self.path.glob("capsule-*"):
            file.unlink()

    def _set_aside(self) -> Path | None:
        kinds = (checkpoints_of(self.path, self.save_name), self._results(".json"), self._results(".npz"))
        files = [file for kind in kinds for iteration, file in kind.items() if iteration > self.continues]
        if not files:
            return None
        aside = self.path / f"replaced-{time.strftime('%Y%m%dT%H%M%S')}"
        aside.mkdir()
        for file in files:
            file.rename(aside / file.name)
        return aside

    def _results(self, suffix: str) -> dict[int, Path]:
        names = [(re.fullmatch(r"test-([0-9]+)", file.stem), file) for file in self.path.glob(f"logs/test-*{suffix}")]
        return {int(name[1]): file for name, file in names if name}

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"The run folder {self.path} cannot be written to: {error.strerror or error}. Set trainer_cfg.output_root "
            f"to a folder that can be."
        )
