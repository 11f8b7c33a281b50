"""The measurement as a Markdown table."""

import os
from collections.abc import Sequence

from scripts.benchmarks.data.measure import Bench, Settings, Speed
from scripts.benchmarks.data.ways import NAMES

SHORT = {name: text[:3] for name, text in NAMES.items()}


def describe(bench: Bench, differences: dict[str, float], speeds: Sequence[Speed]) -> str:
    """Return the report: the conditions, the sizes and the table."""
    settings, once = bench.settings, bench.once
    frames = sum(len(tracklet.frames) for tracklet in once) / len(once)
    size = " x ".join(map(str, settings.frame_size))
    lines = [
        f"{len(once)} tracklets of {frames:.1f} frames on average, {settings.frames} picked per tracklet, "
        f"{size} pixels, batches of {settings.batch}; medians of {settings.rounds} rounds, all ways in turns; "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end.",
        "",
        *(f"- {text}" for text in NAMES.values()),
        "",
        "Largest difference from (a) in test mode: "
        + ", ".join(f"{SHORT[name]} {difference:.1g}" for name, difference in differences.items() if name != "raw")
        + ". Read per tracklet: "
        + ", ".join(f"{SHORT[name]} {count / 1000:,.0f} kB" for name, count in bench.bytes_read().items())
        + ".",
        "",
        *table(speeds),
    ]
    return "\n".join(lines)


def table(speeds: Sequence[Speed]) -> list[str]:
    """Return a line for each way and setting; ratios compare tracklets per second."""
    lines = [
        "| phase | workers | way | tracklets/s | frames/s | against (c) | against (d) | CPU ms main | CPU ms workers |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    clock = {(speed.settings, speed.way): speed.seconds("clock") for speed in speeds}
    for speed in speeds:
        settings, seconds = speed.settings, speed.seconds("clock")
        cells = [
            phase(settings),
            str(settings.workers),
            SHORT[speed.way],
            f"{1 / seconds:,.0f}",
            f"{settings.frames / seconds:,.0f}",
            *(f"{clock[settings, other] / seconds:.2f}x" for other in ("pickle", "plain")),
            *(f"{1000 * speed.seconds(kind):.2f}" for kind in ("main", "workers")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def phase(settings: Settings) -> str:
    """Return the first column."""
    return ("training" if settings.augment else "test") + (", uncached" if settings.cold else "")
