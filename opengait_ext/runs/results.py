"""The test results of a run: `logs/test-<iteration>.json` and the files that belong to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait.data.text_files import read_json
from opengait.errors import DataError
from opengait.utils.files import sha256_of
from opengait_ext.evaluation.protocol import CROSS_MODAL

DIRECTIONS = tuple(direction.name for direction in CROSS_MODAL)
KEYS = ("rank1", "rank5", "rank10", "rank20", "map", "minp")


@dataclass(frozen=True)
class TestResult:
    """One test of a run.

    Attributes:
        file: the test's JSON file.
        content: the content of that file.
    """

    __test__ = False

    file: Path
    content: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.file.parent.parent

    @property
    def card(self) -> dict[str, Any]:
        """The protocol card; empty for a test that has none."""
        card = self.content.get("card")
        return card if isinstance(card, dict) else {}

    @property
    def capsule_file(self) -> Path | None:
        """The run capsule of the test; None for results of versions that wrote none."""
        name = self.content.get("capsule")
        return None if name is None else self.folder / name

    @property
    def features_file(self) -> Path:
        """The file of descriptors, which exists after a test with `evaluator_cfg.save_features: true`."""
        return self.file.with_suffix(".npz")

    def populations(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Yield name, results by direction and intervals by direction of each population on the protocol card."""
        results, intervals = self.content["results"], self.content.get("intervals") or {}
        for number, name in enumerate(self.card["populations"]):
            # Only the numbers of a second population are nested below its name.
            yield (name, results[name], intervals.get(name) or {}) if number else (name, results, intervals)


def result_files(run: Path) -> list[Path]:
    """Return the result files of a run: `run` itself if it is a file, else the last iteration of each `logs` folder.

    Raises:
        DataError: there is no test result.
    """
    if run.is_file():
        return [run]
    if not run.is_dir():
        raise DataError(f"{run} does not exist; give a run folder or a logs/test-<iteration>.json.")
    folders = {file.parent for file in [*run.glob("test-*.json"), *run.glob("**/logs/test-*.json")]}
    files = [file for folder in sorted(folders) if (file := last_test(folder)) is not None]
    if not files:
        raise DataError(f"{run} has no test result (logs/test-<iteration>.json); test the run first: --phase test.")
    return files


def last_test(logs: Path) -> Path | None:
    """Return the result file of the last iteration in a `logs` folder, or None if there is none.

    Without one, a single result of a checkpoint that was named by its path counts.

    Raises:
        DataError: there are several of these.
    """
    files = {file.stem.removeprefix("test-"): file for file in sorted(logs.glob("test-*.json"))}
    iterations = {int(name): file for name, file in files.items() if name.isdecimal()}
    if iterations:
        return iterations[max(iterations)]
    if len(files) > 1:
        raise DataError(f"{logs} has results of several checkpoints ({', '.join(files)}); name one of the files.")
    return next(iter(files.values()), None)


def open_test(file: Path) -> TestResult:
    """Read a result file of this run's checkpoint, as it is now.

    Raises:
        DataError: see `read_test`; or the run was trained again since, so the file is about another checkpoint.
    """
    test = TestResult(file, read_test(file))
    facts = test.card.get("checkpoint") or {}
    checkpoint = test.folder / "checkpoints" / str(facts.get("file"))
    comparable = test.content.get("iteration") and facts.get("sha256") and checkpoint.is_file()
    if comparable and sha256_of(checkpoint) != facts["sha256"]:
        raise DataError(
            f"{file} was measured on a different {checkpoint.name} from the one now in the run; test it again."
        )
    return test


def read_test(file: Path) -> dict[str, Any]:
    """Return the content of a result file of cross-modal retrieval.

    Raises:
        DataError: the file cannot be read, is not a test result, or has no cross-modal numbers.
    """
    content = read_any_test(file)
    for direction in DIRECTIONS:
        numbers = content["results"].get(direction)
        numbers = numbers if isinstance(numbers, dict) else {}
        missing = [key for key in KEYS if not isinstance(numbers.get(key), int | float)]
        if missing:
            raise DataError(
                f"{file} has no cross-modal retrieval results: results.{direction}.{missing[0]} is not a number; test "
                f"with evaluator_cfg.eval_func: evaluate_cross_modal."
            )
    return content


def read_any_test(file: Path) -> dict[str, Any]:
    """Return the content of a result file of any evaluator.

    Raises:
        DataError: the file cannot be read or is not a test result.
    """
    content = read_json(file, "give a logs/test-<iteration>.json")
    if not isinstance(content.get("results"), dict):
        raise DataError(f"{file} is not a test result: it has no `results`; expected a logs/test-<iteration>.json.")
    return content
