"""Figures of run folders, by the name of their kind."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from opengait.errors import DataError
from opengait_ext.data.choose import strip_zeros
from opengait_ext.runs.figures.curves import draw_cmc, draw_distances
from opengait_ext.runs.figures.det import LEVEL, draw_det
from opengait_ext.runs.figures.embedding import draw_embedding_map
from opengait_ext.runs.figures.inside import DRAWINGS
from opengait_ext.runs.figures.network import look_at, network_of, see
from opengait_ext.runs.figures.people import choose_people
from opengait_ext.runs.figures.ranked_lists import choose_queries, draw_ranked_lists
from opengait_ext.runs.figures.silhouettes import draw_silhouettes
from opengait_ext.runs.ranking import Ranking
from opengait_ext.runs.results import DIRECTIONS
from opengait_ext.runs.run_frames import RunFrames
from opengait_ext.runs.tested_run import TestedRun, open_runs

KINDS = ("silhouettes", "lists", "distances", "cmc", "det", "map", *DRAWINGS)
# Number of people, and frames per tracklet in figures of the network's inside and of silhouettes.
PEOPLE, FRAMES, STRIP = 4, 6, 3


def draw(
    kind: str,
    run: str | Path,
    *,
    against: str | Path | None = None,
    direction: str = "infrared_to_visible",
    queries: int = 4,
    choose: str = "random",
    people: Sequence[str] | None = None,
    top: int = 6,
    method: str = "pca",
    seed: int = 0,
    level: float = LEVEL,
    overrides: Sequence[str] = (),
) -> Figure:
    """Draw a figure of a tested run.

    Args:
        kind: one of `KINDS`.
        run: a run folder, or a test's JSON file, with saved features.
        against: another run on the same tracklets, drawn above.
        direction: direction of lists and distances.
        queries: number of ranked lists.
        choose: "random", "worst" or "best" queries.
        people: numbers of the people to show; None for any.
        top: gallery tracklets per list.
        method: "pca" or "tsne", the projection of the map.
        seed: seed of random choices.
        level: FPIR of the operating point of DET curves.
        overrides: changes to the run's configuration, such as where the data is now.

    Raises:
        DataError: the run does not exist, it saved no features, or its data or checkpoint is missing.
        ConfigError: the network lacks the part that the figure shows.
    """
    runs = open_runs([run] if against is None else [against, run])
    tested = runs[-1]
    tested.direction(direction)
    if kind == "distances":
        return draw_distances(runs, direction)
    if kind == "cmc":
        return draw_cmc(runs, DIRECTIONS)
    if kind == "det":
        return draw_det(runs, DIRECTIONS, level)
    if kind == "map":
        return draw_embedding_map(runs, method=method)
    frames = RunFrames(tested, tuple(overrides))
    if kind == "lists":
        ranking = Ranking(tested, tested.direction(direction))
        return draw_ranked_lists(runs, direction, queries_of(ranking, queries, choose, people, seed), frames, top)
    return draw_inside(kind, tested, frames, people)


def queries_of(ranking: Ranking, count: int, choose: str, people: Sequence[str] | None, seed: int) -> list[int]:
    """Choose `count` queries, optionally of certain people only; see `choose_queries`.

    Raises:
        DataError: no query of these people has a match.
    """
    if people is None:
        return choose_queries(ranking, count, choose, seed)
    numbers, labels = {strip_zeros(person) for person in people}, ranking.run.features.labels
    candidates = choose_queries(ranking, len(ranking.query), choose, seed)
    queries = [query for query in candidates if strip_zeros(labels[query]) in numbers]
    if not queries:
        raise DataError(f"No query of {', '.join(people)} has a match in {ranking.direction.name}.")
    return queries[:count]


def draw_inside(kind: str, run: TestedRun, frames: RunFrames, people: Sequence[str] | None) -> Figure:
    """Draw silhouettes or inner values of the network for a tracklet of each modality of some people.

    Raises:
        CheckpointError: the checkpoint is missing.
        ConfigError: the network makes no silhouettes, or lacks the part that the figure shows.
    """
    chosen = choose_people(run, PEOPLE, people)
    if kind == "silhouettes":
        network = None if frames.are_silhouettes else network_of(run, frames)
        return draw_silhouettes(see(network, frames, chosen, STRIP))
    network = network_of(run, frames)
    seen = see(network, frames, chosen, FRAMES)
    return DRAWINGS[kind](look_at(network, seen), seen)
