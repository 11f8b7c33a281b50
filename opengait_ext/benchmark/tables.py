"""The tables of the benchmark's page, with the sentences below them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from opengait_ext.benchmark.facts import sentences
from opengait_ext.benchmark.plan import DATA
from opengait_ext.benchmark.results import MODALITIES, Benchmark, MeasuredMethod
from opengait_ext.benchmark.scores import KEYS
from opengait_ext.benchmark.tuning import tuning_sentences
from opengait_ext.evaluation.bootstrap import SeedMeans

# The last index of the directions is their mean.
DIRECTIONS = ("IR→VIS", "VIS→IR", "both")
NAMES = {"rank1": "Rank-1", "rank5": "Rank-5", "rank10": "Rank-10", "map": "mAP", "minp": "mINP"}
MAIN = ("rank1", "map")
NOTHING = "-"


@dataclass(frozen=True)
class Part:
    """A table of the page.

    Attributes:
        name: anchor.
        title: heading.
        heads: headings of the columns; the first column holds text.
        rows: cells as text, in which **...** is bold.
        notes: sentences below it.
    """

    name: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)


def parts_of(benchmark: Benchmark) -> list[Part]:
    """Return all tables."""
    order = (len(DIRECTIONS) - 1, 0, 1) if len(benchmark.rows) > 1 else ()
    matrices = [_matrix(benchmark, direction, key) for direction in order for key in MAIN]
    return [
        _main(benchmark),
        *matrices,
        _all_metrics(benchmark),
        _costs(benchmark),
        _fairness(benchmark),
    ]


def _main(benchmark: Benchmark) -> Part:
    columns = [(direction, key) for direction in range(len(DIRECTIONS)) for key in MAIN]
    best = {column: _best(benchmark, *column) for column in columns}
    rows = []
    for row in benchmark.rows:
        cells = [_marked(benchmark, row, best[column], *column) for column in columns]
        rows.append([row.method.title, *cells])
    heads = ["Method", *(f"{DIRECTIONS[direction]} {NAMES[key]}" for direction, key in columns)]
    notes = [
        f"Measured on {DATA[benchmark.data].title}, {_seeds(benchmark)}; protocol {benchmark.protocol or NOTHING}.",
        f"Percent{', mean ± standard deviation over the seeds' if len(benchmark.seeds) > 1 else ''}.",
        "**Bold**: the best mean of the rows that are not given true silhouettes. ≈: not distinguishable from it, "
        "because the 95% interval of the difference contains 0.",
    ]
    if len(benchmark.seeds) == 1:
        notes.append("One seed: intervals cover the draw of people, not the variation between trainings.")
    for row in benchmark.rows:
        if row.tests and len(row.tests) < len(benchmark.seeds):
            notes.append(f"{row.method.title} has finished {len(row.tests)} of {len(benchmark.seeds)} seeds.")
        notes += [f"{row.method.title}, seed {seed}, failed: {text}" for seed, text in row.failures.items()]
    return Part("results", "Results", heads, rows, notes)


def _marked(benchmark: Benchmark, row: MeasuredMethod, best: MeasuredMethod | None, direction: int, key: str) -> str:
    if row.means is None:
        return NOTHING
    text = _with_spread(row.means, direction, key)
    if best is None or row.method.sees_truth:
        return text
    if row is best:
        return f"**{text}**"
    difference = benchmark.difference(best, row)
    return text if difference is None or _is_real(difference, direction, key) else f"{text} ≈"


def _best(benchmark: Benchmark, direction: int, key: str) -> MeasuredMethod | None:
    """Return the row with the best mean among those that are not given true silhouettes."""
    means = {
        number: float(row.means.mean[direction, KEYS.index(key)])
        for number, row in enumerate(benchmark.rows)
        if row.means is not None and not row.method.sees_truth
    }
    return benchmark.rows[max(means, key=means.__getitem__)] if means else None


def _matrix(benchmark: Benchmark, direction: int, key: str) -> Part:
    rows = []
    for number, row in enumerate(benchmark.rows, start=1):
        cells = ["" if other is row else _difference(benchmark, row, other, direction, key) for other in benchmark.rows]
        rows.append([f"{number} {row.method.title}", *cells])
    scope = "mean of both directions" if direction == len(DIRECTIONS) - 1 else DIRECTIONS[direction]
    heads = ["Row minus column", *(str(number) for number in range(1, len(rows) + 1))]
    notes = []
    if (direction, key) == (len(DIRECTIONS) - 1, MAIN[0]):
        pairs = len(rows) * (len(rows) - 1) // 2
        notes = [
            "Percentage points, with the 95% interval of a paired bootstrap over seeds and people, who are drawn with "
            "all their queries. **Bold**: the interval does not contain 0.",
            f"Each interval is for its pair alone: of {pairs} pairs of equal methods, about {0.05 * pairs:.1f} would "
            "be bold.",
        ]
    return Part(f"difference-{direction}-{key}", f"Differences in {NAMES[key]}, {scope}", heads, rows, notes)


def _difference(benchmark: Benchmark, one: MeasuredMethod, other: MeasuredMethod, direction: int, key: str) -> str:
    means = benchmark.difference(one, other)
    if means is None:
        return NOTHING
    mean, low, high = (100 * values[direction, KEYS.index(key)] for values in (means.mean, means.low, means.high))
    text = f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"
    return f"**{text}**" if _is_real(means, direction, key) else text


def _is_real(difference: SeedMeans, direction: int, key: str) -> bool:
    """Return whether the interval of a difference does not contain 0."""
    low, high = (values[direction, KEYS.index(key)] for values in (difference.low, difference.high))
    return bool(low > 0 or high < 0)


def _all_metrics(benchmark: Benchmark) -> Part:
    heads = ["Method", "Direction", *NAMES.values()]
    rows = [
        [row.method.title, DIRECTIONS[direction], *(_with_interval(row.means, direction, key) for key in KEYS)]
        for row in benchmark.rows
        if row.means is not None
        for direction in range(len(DIRECTIONS))
    ]
    return Part("metrics", "All metrics, with 95% intervals", heads, rows, ["Percent."])


def _costs(benchmark: Benchmark) -> Part:
    heads = ["Method", *(f"Silhouette IoU, {modality}" for modality in MODALITIES)]
    heads += ["Parameters, millions", "trained", "GFLOPs a tracklet", "Training, s", "Test, tracklets/s"]
    rows = []
    for row in benchmark.rows:
        overlaps = [_percent([one[m] for one in row.overlaps.values() if m in one]) for m in MODALITIES]
        cost = row.cost
        millions = [NOTHING if size is None else f"{size / 1e6:.2f}" for size in (cost.parameters, cost.trained)]
        numbers = (cost.gflops, cost.training_seconds, cost.tracklets_per_second)
        formats = (".3g", ".0f", ".0f")
        others = [NOTHING if n is None else format(n, f) for n, f in zip(numbers, formats, strict=True)]
        rows.append([row.method.title, *overlaps, *millions, *others])
    notes = [
        "IoU: mean intersection over union with the true silhouettes of the test people, all frames, percent.",
        "GFLOPs: matrix products, convolutions and attention in the test; multiplications and additions both count.",
        "Times are means over the seeds, of loading and computing, on the machine and devices of the runs.",
    ]
    if any(row.method.reads_silhouettes_of for row in benchmark.rows):
        notes.append("Rows that read silhouettes do not include the network that makes them.")
    borrowing = {
        row.method.title: sorted(set(sources.values()))
        for row in benchmark.rows
        if (sources := row.method.weights.get(benchmark.data))
    }
    notes += [
        f"{title} starts from weights of {', '.join(names)} of the same seed, whose training is not included."
        for title, names in borrowing.items()
    ]
    return Part("cost", "Silhouettes and cost", heads, rows, notes)


def _fairness(benchmark: Benchmark) -> Part:
    notes = sentences({row.method.title: row.facts for row in benchmark.rows})
    for row in benchmark.rows:
        notes += [
            f"{row.method.title}, seed {seed}: {count} tracklets of the test without a silhouette. They are missing in "
            f"the gallery, and as queries they count as missed."
            for seed, count in row.missing.items()
        ]
    given = [row.method.title for row in benchmark.rows if row.method.sees_truth]
    if given:
        notes.append(f"True silhouettes, which no camera delivers, are given to: {'; '.join(given)}.")
    notes += tuning_sentences(benchmark.tuning, [(row.method, row.rate) for row in benchmark.rows], benchmark.data)
    return Part("fairness", "Is it fair?", (), (), notes)


def _with_spread(means: SeedMeans, direction: int, key: str) -> str:
    mean, spread = (100 * values[direction, KEYS.index(key)] for values in (means.mean, means.spread))
    return f"{mean:.1f}" if np.isnan(spread) else f"{mean:.1f} ± {spread:.1f}"


def _with_interval(means: SeedMeans, direction: int, key: str) -> str:
    low, high = (100 * values[direction, KEYS.index(key)] for values in (means.low, means.high))
    return f"{_with_spread(means, direction, key)} [{low:.1f}, {high:.1f}]"


def _percent(values: Sequence[float]) -> str:
    if not values:
        return NOTHING
    mean = f"{100 * np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {100 * np.std(values, ddof=1):.1f}"


def _seeds(benchmark: Benchmark) -> str:
    seeds = ", ".join(map(str, benchmark.seeds))
    several = len(benchmark.seeds) > 1
    drawn = f", {'each ' * several}with people, cameras and walks of its own"
    return f"seed{'s' * several} {seeds}{'' if DATA[benchmark.data].same_people else drawn}"
