"""How long a training took: `<run folder>/times.txt`, a line per checkpoint with its iteration and the seconds so far.

The time counts loading and computing, not logging, saving and testing. Iterations that an interruption lost and that
were done again count once.
"""

from pathlib import Path

from opengait.utils.files import write_text

FILE = "times.txt"


def record_time(run: Path, first: int, iteration: int, seconds: float) -> None:
    """Record that a process took `seconds` from iteration `first` to the checkpoint of `iteration`.

    Nothing is recorded if the time up to `first` is not known.
    """
    times = _times(run)
    before = times.get(first) if first else 0.0
    if before is not None:
        times = {number: known for number, known in times.items() if number < iteration} | {iteration: before + seconds}
        write_text(run / FILE, "".join(f"{number} {known:.3f}\n" for number, known in times.items()))


def training_seconds(run: Path, iteration: int) -> float | None:
    """Return the seconds of a run's training up to a checkpoint; None if they were not recorded."""
    return _times(run).get(iteration)


def _times(run: Path) -> dict[int, float]:
    try:
        lines = [line.split() for line in (run / FILE).read_text(encoding="utf-8").splitlines()]
        return {int(number): float(seconds) for number, seconds in lines}
    except (OSError, ValueError):
        # Nothing else depends on this record.
        return {}
