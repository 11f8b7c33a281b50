"""Batches of P people, each seen K times by visible and K times by infrared cameras.

A mini-batch of the paper (implementation details) holds 8 identities with 4 visible and 4 infrared tracklets each,
[8, 4]. On BUPTCampus, where every training tracklet is half of an aligned pair, these are 4 pairs each (`paired`). The
authors' release takes 8 identities at 2 cameras with a pair at each: [8, 2], `paired` and `cameras: 2`.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import torch

from opengait import distributed
from opengait.data.sampler import Draw, TrainingSampler
from opengait.errors import ConfigError, DataError
from opengait_ext.data.pairs import pairs_of, share_draws
from opengait_ext.data.readers import CrossModalDataSet
from opengait_ext.data.tracklet import Modality, View, parse_view

log = logging.getLogger("opengait")

T = TypeVar("T")


class CrossModalSampler(TrainingSampler):
    """Endless batches of P x (K visible + K infrared) tracklets.

    Each person is drawn once before any is drawn twice, and at most once per batch. Tracklets of a person and modality
    are drawn without replacement; if there are fewer than K, each is drawn before one is repeated. The order is person
    by person, those of one modality and then those of the other; every second person starts with infrared. The share
    of each rank has both modalities, unless it is a single tracklet (or two, with second views).

    Draws come from torch's global generator and do not depend on the world size.

    Args:
        dataset: a `CrossModalDataSet`; or one with `indices_dict` {label: [index]}, `types_list`, the modality of each
            index, and for pairs and cameras `views_list` (c<camera>-t<track>).
        batch_size: [P, K].
        paired: draw K aligned pairs instead, tracklets of one camera and track in both modalities; the visible one
            at position i of a person belongs to the infrared one at position i. Both get the same frames, crop, flip
            and erased rectangle (`opengait_ext.data.pairs`). Of a true and a generated infrared partner, one is drawn.
        cameras: spread the K tracklets (or pairs) of a person and modality evenly over this number of cameras. Cameras
            are drawn like tracklets, each once before one is repeated; with fewer cameras, some contribute more.
        independent: draw the people of each batch regardless of earlier batches, and a person's tracklets (or pairs)
            with replacement, as AGW, CAJ and MITML do.
        second_view: let every visible tracklet enter the batch twice, with the same frames and an augmentation of its
            own each time, as CAJ does; `CrossModalAugmentation` exchanges the channels of the second view. K visible
            tracklets are followed by their second views, so a batch has 3 P K entries.

    Raises:
        ConfigError: `batch_size` is not [P, K], P exceeds the number of people to draw, or the ranks do not divide a
            batch, or the cameras K.
        DataError: no person has tracklets in both modalities (or a pair), or a view has no camera (or track).
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: tuple[int, int],
        paired: bool = False,
        cameras: Annotated[int, "positive int"] | None = None,
        independent: bool = False,
        second_view: bool = False,
    ) -> None:
        super().__init__(dataset)
        people, tracklets = _check_batch_size(batch_size, 3 if second_view else 2)
        _check_cameras(cameras, tracklets)
        self.independent = self.stateless = independent
        self.second_view = second_view
        self.people_per_batch = people
        self.tracklets_per_modality = tracklets
        self.paired = paired
        self.cameras = cameras
        self.records = dataset.tracklets if isinstance(dataset, CrossModalDataSet) else None
        self.choices = self._choices()
        if people > len(self.choices):
            raise ConfigError(
                f"sampler.batch_size asks for {people} people per batch, but only {len(self.choices)} have "
                f"{self._requirement}; lower its first number."
            )

    @property
    def _requirement(self) -> str:
        return "an aligned pair" if self.paired else "tracklets in both modalities"

    def _choices(self) -> list[list[list[list]]]:
        """Return the pools of each person, in label order, without people who lack a modality or a pair.

        A person has one pool (of pairs) or two (of visible and of infrared indices). A pool is a list of cameras, or
        of one entry if cameras do not matter, and each entry a list of pairs or indices.
        """
        choices, alone = [], []
        for label in sorted(self.dataset.indices_dict):
            pools = self._pools(self.dataset.indices_dict[label])
            if all(pools):
                choices.append([self._by_camera(pool) for pool in pools])
            else:
                alone.append(label)
        if not choices:
            raise DataError(f"No person in the training set has {self._requirement}; nothing can be drawn.")
        if alone and distributed.is_main():
            some = ", ".join(alone[:5]) + (", ..." if len(alone) > 5 else "")
            why = "without an aligned pair" if self.paired else "seen in one modality only"
            log.info("The sampler skips %d people %s: %s.", len(alone), why, some)
        return choices

    def _pools(self, indices: Sequence[int]) -> list[list]:
        pools = [[index for index in indices if self._modality(index) == modality] for modality in Modality]
        if not self.paired:
            return pools
        visible, infrared = pools
        return [list(pairs_of(visible, infrared, {index: self._view(index)[:2] for index in indices}))]

    def _modality(self, index: int) -> str:
        return self.dataset.types_list[index] if self.records is None else self.records[index].modality

    def _view(self, index: int) -> View:
        """Return the tracklet's camera and track, from its record or else from its view string."""
        if self.records is not None:
            record = self.records[index]
            return View(record.camera, record.track, record.role)
        key = "sampler.paired" if self.paired else "sampler.cameras"
        name = self.dataset.views_list[index]
        try:
            view = parse_view(name)
        except ValueError as error:
            raise DataError(f"{error} {key} reads a tracklet's camera from its view.") from error
        if self.paired and view.track is None:
            raise DataError(f"{name!r} is not a view of the form c<camera>-t<track>; {key} finds pairs by it.")
        return view

    def _by_camera(self, pool: list) -> list[list]:
        if self.cameras is None:
            return [pool]
        groups: dict[int, list] = {}
        for entry in pool:
            groups.setdefault(self._view(entry[0] if self.paired else entry).camera, []).append(entry)
        return [groups[camera] for camera in sorted(groups)]

    def batches(self) -> Iterator[Sequence[int | Draw]]:
        """Yield the indices of each batch for all ranks together, as `Draw`s where tracklets share their frames."""
        waiting: list[int] = []
        while True:
            people, waiting = self._draw_people([] if self.independent else waiting)
            yield [index for turn, person in enumerate(people) for index in self._draw_tracklets(person, turn)]

    def share(self, size: int) -> Sequence[int]:
        """Return this rank's positions: every n-th or, if that left a rank one modality, every n-th by modality."""
        rank, world = distributed.rank(), distributed.world_size()
        visible = [0] * (self.tracklets_per_modality * (2 if self.second_view else 1))
        # Of every two people, the first starts with visible tracklets and the second with infrared ones.
        two_people = visible + [1] * (2 * self.tracklets_per_modality) + visible
        infrared = [two_people[position % len(two_people)] for position in range(size)]
        order = list(range(size))
        if any(len(set(infrared[other::world])) == 1 for other in range(world)):
            order.sort(key=infrared.__getitem__)
        return sorted(order[rank::world])

    def _draw_people(self, waiting: list[int]) -> tuple[list[int], list[int]]:
        """Return the next batch's people, and the people of this round who are still to be drawn."""
        people, waiting = waiting[: self.people_per_batch], waiting[self.people_per_batch :]
        missing = self.people_per_batch - len(people)
        if missing:
            again = torch.randperm(len(self.choices)).tolist()
            # People in this batch from the last round stay in the new round, but are not drawn again in this batch.
            fresh = [person for person in again if person not in people][:missing]
            waiting = [person for person in again if person not in fresh]
            people = people + fresh
        return people, waiting

    def _draw_tracklets(self, person: int, turn: int) -> Sequence[int | Draw]:
        pools = self.choices[person]
        # Tracklets are drawn in the order of the batch, so the second person's infrared tracklets come first.
        first = 0 if turn % 2 == 0 else 1
        sides: list[Sequence[int | Draw]] = [[], []]
        if self.paired:
            pairs = self._draw_from(pools[0])
            visible = [pair[0] for pair in pairs]
            infrared = [draw(pair[1], 1)[0] if len(pair[1]) > 1 else pair[1][0] for pair in pairs]
            sides = [*share_draws(visible, infrared)]
        else:
            for side in (first, 1 - first):
                sides[side] = self._draw_from(pools[side])
        if self.second_view:
            sides[0] = with_second_views(sides[0])
        return [index for side in (first, 1 - first) for index in sides[side]]

    def _draw_from(self, pool: list[list[T]]) -> list[T]:
        """Draw K entries of a pool, from drawn cameras if they matter."""
        draw_some = draw_independently if self.independent else draw
        if self.cameras is None:
            return draw_some(pool[0], self.tracklets_per_modality)
        share = self.tracklets_per_modality // self.cameras
        turns = Counter(draw(range(len(pool)), self.cameras))
        return [entry for camera, times in turns.items() for entry in draw_some(pool[camera], times * share)]


def with_second_views(indices: Sequence[int | Draw]) -> list[Draw]:
    """Return draws of the indices and then of their second views, which have the same frames."""
    seeds = torch.randint(2**62, (len(indices),)).tolist()
    firsts = [
        index if isinstance(index, Draw) else Draw(index, seed) for index, seed in zip(indices, seeds, strict=True)
    ]
    return firsts + [replace(first, copy=1) for first in firsts]


def draw_independently(entries: Sequence[T], count: int) -> list[T]:
    """Draw `count` of `entries` with replacement."""
    return [entries[position] for position in torch.randint(len(entries), (count,)).tolist()]


def draw(entries: Sequence[T], count: int) -> list[T]:
    """Draw `count` of `entries` in random order, each once before any is drawn again."""
    drawn: list[T] = []
    while len(drawn) < count:
        drawn += [entries[position] for position in torch.randperm(len(entries)).tolist()]
    return drawn[:count]


def _check_cameras(cameras: int | None, tracklets: int) -> None:
    if cameras is None:
        return
    if isinstance(cameras, bool) or not isinstance(cameras, int) or cameras < 1 or tracklets % cameras:
        raise ConfigError(
            f"sampler.cameras: expected a positive integer that divides the {tracklets} tracklets of each modality, "
            f"got {cameras!r}."
        )


def _check_batch_size(batch_size: Sequence[int], views: int) -> tuple[int, int]:
    """Return P and K, of batches with `views` entries for each tracklet of a modality."""
    if (
        not isinstance(batch_size, Sequence)
        or len(batch_size) != 2
        or not all(isinstance(number, int) and number > 0 for number in batch_size)
    ):
        raise ConfigError(
            f"sampler.batch_size: expected [people, tracklets of each modality], such as [8, 4], got {batch_size!r}."
        )
    people, tracklets = batch_size
    size = views * people * tracklets
    if size % distributed.world_size():
        raise ConfigError(
            f"sampler.batch_size {list(batch_size)} makes batches of {size} tracklets, which cannot be split evenly "
            f"over {distributed.world_size()} processes."
        )
    return people, tracklets
