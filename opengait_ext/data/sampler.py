"""Batches of P people, each seen K times by visible and K times by infrared cameras.

A mini-batch of the paper (implementation details) holds 8 identities with 4 visible and 4 infrared tracklets each.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from opengait import distributed
from opengait.data.sampler import TrainingSampler
from opengait.errors import ConfigError, DataError
from opengait_ext.data.tracklet import Modality

log = logging.getLogger("opengait")


class CrossModalSampler(TrainingSampler):
    """Endless batches of P x (K visible + K infrared) tracklets.

    Nobody is drawn twice before everybody was drawn once, and never twice in one batch. Tracklets of a person and
    modality are drawn without replacement; where there are fewer than K, each is taken before one is repeated. The
    order is person by person, K tracklets of one modality and then K of the other; every second person starts with
    infrared, so that ranks that take every n-th position see both modalities and all see the same people.

    Draws come from torch's global generator and do not depend on the world size.

    Args:
        dataset: has `indices_dict` {label: [index]} and `types_list`, the modality of each index.
        batch_size: [P, K].

    Raises:
        ConfigError: `batch_size` is not [P, K], P is more than there are people with both modalities, or a batch does
            not divide into the ranks.
        DataError: nobody has tracklets in both modalities.
    """

    def __init__(self, dataset: Any, batch_size: Sequence[int]) -> None:
        super().__init__(dataset)
        people, tracklets = _check_batch_size(batch_size)
        self.people_per_batch = people
        self.tracklets_per_modality = tracklets
        self.choices = self._choices(dataset)
        if people > len(self.choices):
            raise ConfigError(
                f"sampler.batch_size asks for {people} people a batch, but only {len(self.choices)} have tracklets in "
                f"both modalities; lower its first number."
            )

    @staticmethod
    def _choices(dataset: Any) -> list[dict[Modality, list[int]]]:
        """Each person's tracklet indices by modality, in label order, without people of one modality only."""
        choices = []
        alone = []
        for label in sorted(dataset.indices_dict):
            mine: dict[Modality, list[int]] = {modality: [] for modality in Modality}
            for index in dataset.indices_dict[label]:
                mine[Modality(dataset.types_list[index])].append(index)
            if all(mine.values()):
                choices.append(mine)
            else:
                alone.append(label)
        if not choices:
            raise DataError("Nobody in the training set has both visible and infrared tracklets; nothing can be drawn.")
        if alone and distributed.is_main():
            some = ", ".join(alone[:5]) + (", ..." if len(alone) > 5 else "")
            log.info("The sampler leaves out %d people seen in one modality only: %s.", len(alone), some)
        return choices

    def batches(self) -> Iterator[list[int]]:
        """Yield the 2 P K indices of one batch after another, all ranks' together."""
        waiting: list[int] = []
        while True:
            people, waiting = self._draw_people(waiting)
            yield [index for turn, person in enumerate(people) for index in self._draw_tracklets(person, turn)]

    def _draw_people(self, waiting: list[int]) -> tuple[list[int], list[int]]:
        """The next batch's people and who still waits for their turn after it."""
        people, waiting = waiting[: self.people_per_batch], waiting[self.people_per_batch :]
        missing = self.people_per_batch - len(people)
        if missing:
            again = torch.randperm(len(self.choices)).tolist()
            # Those just drawn from the last round keep their turn of the new one, but not in this batch.
            fresh = [person for person in again if person not in people][:missing]
            waiting = [person for person in again if person not in fresh]
            people = people + fresh
        return people, waiting

    def _draw_tracklets(self, person: int, turn: int) -> list[int]:
        order = list(Modality) if turn % 2 == 0 else list(Modality)[::-1]
        return [
            index for modality in order for index in draw(self.choices[person][modality], self.tracklets_per_modality)
        ]


def draw(indices: Sequence[int], count: int) -> list[int]:
    """`count` of `indices` in random order; each is drawn once before any is drawn again."""
    drawn: list[int] = []
    while len(drawn) < count:
        drawn += [indices[place] for place in torch.randperm(len(indices)).tolist()]
    return drawn[:count]


def _check_batch_size(batch_size: Sequence[int]) -> tuple[int, int]:
    if (
        not isinstance(batch_size, Sequence)
        or len(batch_size) != 2
        or not all(isinstance(number, int) and number > 0 for number in batch_size)
    ):
        raise ConfigError(
            f"sampler.batch_size is {batch_size!r}; CrossModalSampler wants [people, tracklets of each modality], "
            f"such as [8, 4]."
        )
    people, tracklets = batch_size
    if 2 * people * tracklets % distributed.world_size():
        raise ConfigError(
            f"sampler.batch_size {list(batch_size)} makes batches of {2 * people * tracklets} tracklets, which cannot "
            f"be dealt evenly to {distributed.world_size()} processes."
        )
    return people, tracklets
