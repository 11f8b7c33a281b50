"""Figures by name, from run folders."""

from typing import Protocol

from matplotlib.figure import Figure

from opengait.errors import DataError
from opengait_ext.data.choose import strip_zeros
from opengait_ext.runs.figures.curves import draw_cmc, draw_distances
from opengait_ext.runs.figures.embedding import draw_embedding_map
from opengait_ext.runs.figures.inside import draw_attention, draw_channel_use, draw_lge_steps
from opengait_ext.runs.figures.network import look_at, network_of, see
from opengait_ext.runs.figures.people import choose_people
from opengait_ext.runs.figures.ranked_lists import choose_queries, draw_ranked_lists
from opengait_ext.runs.figures.silhouettes import draw_silhouettes
from opengait_ext.runs.run_frames import RunFrames
from opengait_ext.runs.tested_run import Ranking, TestedRun, open_runs

INSIDE = {
    "attention": draw_attention,
    "channels": draw_channel_use,
    "steps": lambda inside, _: draw_lge_steps(inside),
}
KINDS = ("silhouettes", "lists", "distances", "cmc", "map", *INSIDE)
PEOPLE, FRAMES, STRIP = 4, 6, 3


class Wishes(Protocol):
    """What `draw` reads, as `scripts/figures.py` has it."""

    kind: str
    run: str
    against: str | None
    direction: str
    queries: int
    choose: str
    people: list[str] | None
    top: int
    method: str
    seed: int
    overrides: list[str]


def draw(wishes: Wishes) -> Figure:
    """The figure that was asked for.

    Raises:
        DataError: there is no such run, or it kept no features, or its data or checkpoint is gone.
        ConfigError: the network has not what the figure shows.
    """
    runs = open_runs(([wishes.against] if wishes.against else []) + [wishes.run])
    run = runs[-1]
    if wishes.kind == "distances":
        return draw_distances(runs, wishes.direction)
    if wishes.kind == "cmc":
        return draw_cmc(runs, ["infrared_to_visible", "visible_to_infrared"])
    if wishes.kind == "map":
        return draw_embedding_map(runs, method=wishes.method)
    frames = RunFrames(run, tuple(wishes.overrides))
    if wishes.kind == "lists":
        return draw_ranked_lists(runs, wishes.direction, queries_of(run, wishes), frames, wishes.top)
    return draw_inside(run, frames, wishes)


def queries_of(run: TestedRun, wishes: Wishes) -> list[int]:
    """The queries that were asked for.

    Raises:
        DataError: none of the people is a query that has a match.
    """
    ranking = Ranking(run, run.direction(wishes.direction))
    if wishes.people is None:
        return choose_queries(ranking, wishes.queries, wishes.choose, wishes.seed)
    asked = {strip_zeros(person) for person in wishes.people}
    every = choose_queries(ranking, len(ranking.query), wishes.choose, wishes.seed)
    found = [query for query in every if strip_zeros(run.features.labels[query]) in asked]
    if not found:
        raise DataError(f"No query of {wishes.direction} with a match is of {', '.join(wishes.people)}.")
    return found[: wishes.queries]


def draw_inside(run: TestedRun, frames: RunFrames, wishes: Wishes) -> Figure:
    """What the network does with a tracklet of each modality of some people.

    Raises:
        DataError: the checkpoint is gone, or the network makes no silhouettes.
    """
    network = network_of(run, frames)
    if network is None:
        raise DataError(f"The network that {run.file} tested is not here, or finds no silhouettes to look at.")
    chosen = choose_people(run, PEOPLE, wishes.people)
    if wishes.kind == "silhouettes":
        return draw_silhouettes(see(network, frames, chosen, STRIP))
    seen = see(network, frames, chosen, FRAMES)
    return INSIDE[wishes.kind](look_at(network, seen), seen)
