"""The run capsule: files beside the results that describe everything that went into a run.

`write_capsule` writes two files to the run folder at the start of every training and test:

- `capsule-<phase>-<time>.yaml`, the resolved configuration, usable as `--cfgs`;
- `capsule-<phase>-<time>.json`, an object with

      kind        "opengait run capsule"
      phase       train or test
      created     UTC, ISO 8601
      command     the process's command line
      config      the resolved configuration
      versions    {package: version} of every loaded package
      data        a list of {phase, name, reader, settings, tracklets, labels, files, fingerprint}
      files       {path: SHA-256} of the files that the configuration names, such as pretrained weights
      seed        trainer_cfg.seed
      world_size  number of processes
      hardware    processor, GPUs and the settings of torch that affect them
      git         {commit, dirty, changes} of the source tree, or null
"""

import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opengait import distributed
from opengait.data.fingerprint import facts_of
from opengait.data.text_files import read_json
from opengait.engine.contract import EngineModel
from opengait.errors import DataError
from opengait.utils.environment import hardware, source_state, versions
from opengait.utils.files import sha256_of, write_json, write_text
from opengait.utils.yaml_text import write_yaml

KIND = "opengait run capsule"
# Larger files are data rather than weights, and hashing them would delay the start.
_LARGEST = 2**31


def write_capsule(model: EngineModel, phase: str) -> Path | None:
    """Write the capsule of a starting run on rank 0, and record it in the run state.

    Args:
        model: the bare model, with its loaders.
        phase: "train" or "test".

    Returns:
        The JSON file's path; None on the other ranks.
    """
    if not distributed.is_main():
        return None
    now = datetime.now(UTC)
    path = _free_name(Path(model.save_path), f"capsule-{phase}-{now:%Y%m%dT%H%M%SZ}")
    content = {
        "kind": KIND,
        "phase": phase,
        "created": now.isoformat(timespec="seconds"),
        "command": shlex.join(sys.orig_argv),
        "config": model.cfgs,
        "versions": versions(),
        "data": data_facts(model),
        "files": {str(file): sha256_of(file) for file in _files_in(model.cfgs)},
        "seed": model.cfgs["trainer_cfg"].get("seed"),
        "world_size": distributed.world_size(),
        "hardware": hardware(),
        "git": source_state(),
    }
    write_text(path.with_suffix(".yaml"), write_yaml(model.cfgs))
    write_json(path, content)
    model.run_state.capsule = path
    return path


def read_capsule(path: Path) -> dict[str, Any]:
    """Return the content of a capsule's JSON file.

    Raises:
        DataError: it cannot be read, or is not a capsule.
    """
    advice = "each training or test writes a capsule-<phase>-<time>.json"
    content = read_json(path, advice)
    if content.get("kind") != KIND:
        raise DataError(f"{path} is not a run capsule; {advice}.")
    return content


def newest_capsule(run: Path, phase: str) -> dict[str, Any]:
    """Return the content of a run folder's newest capsule of a phase.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    files = run.glob(f"capsule-{phase}-*.json")
    newest = max(files, key=lambda file: file.stem, default=run / f"capsule-{phase}-<time>.json")
    return read_capsule(newest)


def data_facts(model: EngineModel) -> list[dict[str, Any]]:
    """Return `facts_of` for each dataset of the model's loaders, with its phase; mixtures are listed separately."""
    sections = model.cfgs["data_cfg"]
    sections = sections if isinstance(sections, list) else [sections]
    facts = []
    for phase in ("train", "test"):
        loader = getattr(model, f"{phase}_loader", None)
        if loader is None:
            continue
        loaders = getattr(loader, "loaders", [loader])
        for part, section in zip(loaders, sections, strict=False):
            facts.append({"phase": phase, **facts_of(getattr(part, "dataset", None), section)})
    return facts


def _free_name(folder: Path, stem: str) -> Path:
    """Return `<folder>/<stem>.json`, with a number appended if that file exists."""
    path, number = folder / f"{stem}.json", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.json"
    return path


def _files_in(value: Any) -> Iterator[Path]:
    """Yield the existing files that a configuration names, in its order and without repeats."""
    seen = set()
    for text in _strings(value):
        path = Path(text)
        # `is_file` raises on names that are too long for the file system.
        named = text not in seen and len(path.name) < 256 and path.suffix
        if named and path.is_file() and path.stat().st_size <= _LARGEST:
            seen.add(text)
            yield path


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
