"""Figures by name, from run folders."""

from typing import Protocol

import numpy as np
import torch
from matplotlib.figure import Figure

from opengait.errors import DataError
from opengait_ext.data import Modality
from opengait_ext.data.augment import Normalise
from opengait_ext.figures import inside
from opengait_ext.figures.curves import draw_cmc, draw_distances
from opengait_ext.figures.embedding import draw_embedding_map
from opengait_ext.figures.frames import RunFrames
from opengait_ext.figures.ranked_lists import choose_queries, draw_ranked_lists
from opengait_ext.figures.retrieval import Ranking, TestedRun, check_comparable, open_run
from opengait_ext.report import silhouettes

KINDS = ("lists", "distances", "cmc", "map", "attention", "channels", "steps")
PEOPLE, FRAMES = 4, 6


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
    run = open_run(wishes.run)
    runs = ([open_run(wishes.against)] if wishes.against else []) + [run]
    check_comparable(runs)
    if wishes.kind == "distances":
        return draw_distances(runs, wishes.direction)
    if wishes.kind == "cmc":
        return draw_cmc(runs, ["infrared_to_visible", "visible_to_infrared"])
    if wishes.kind == "map":
        return draw_embedding_map(run, method=wishes.method)
    frames = RunFrames(run, tuple(wishes.overrides))
    if wishes.kind == "lists":
        return draw_ranked_lists(runs, wishes.direction, queries_of(run, wishes), frames, wishes.top)
    return draw_inside(run, frames, wishes.kind)


def queries_of(run: TestedRun, wishes: Wishes) -> list[int]:
    """The queries that were asked for.

    Raises:
        DataError: none of the people is a query that has a match.
    """
    ranking = Ranking(run, run.direction(wishes.direction))
    if wishes.people is None:
        return choose_queries(ranking, wishes.queries, wishes.choose, wishes.seed)
    asked = {person.lstrip("0") for person in wishes.people}
    every = choose_queries(ranking, len(ranking.query), wishes.choose, wishes.seed)
    found = [query for query in every if str(run.features.labels[query]).lstrip("0") in asked]
    if not found:
        raise DataError(f"No query of {wishes.direction} with a match is of {', '.join(wishes.people)}.")
    return found[: wishes.queries]


def draw_inside(run: TestedRun, frames: RunFrames, kind: str) -> Figure:
    """What the network does with a tracklet of each modality of some people.

    Raises:
        DataError: the checkpoint is gone, or the network makes no silhouettes.
    """
    network = silhouettes.network_of(run, frames)
    if network is None:
        raise DataError(f"The network that {run.file} tested is not here, or has no gait stream to look into.")
    places = [place for _, both in silhouettes.choose_people(run, PEOPLE) for place in both]
    pictures = [frames(place, FRAMES) for place in places]
    count = min(map(len, pictures))
    stacked = np.stack([picture[:count] for picture in pictures])
    device = next(network.silhouette_generator.parameters()).device
    normalised = Normalise()(torch.from_numpy(stacked).flatten(0, 1).permute(0, 3, 1, 2).contiguous().to(device))
    modality = torch.tensor([Modality(run.features.types[place]).number for place in places], device=device)
    seen = inside.look_inside(network, normalised.unflatten(0, (len(places), count)), modality)
    if kind == "channels":
        return inside.draw_channel_use(seen, [run.features.types[place] for place in places for _ in range(count)])
    if kind == "steps":
        sizes = (
            []
            if network.enhancement is None
            else [s.stop - s.start for s in getattr(network.enhancement, "slices", [])]
        )
        return inside.draw_lge_steps(seen, sizes)
    masks = silhouettes.masks_of(network, stacked[:, 0])
    titles = [f"{run.features.labels[place]}\n{run.features.types[place]}" for place in places]
    return inside.draw_attention(seen, stacked[:, 0], masks, titles)
