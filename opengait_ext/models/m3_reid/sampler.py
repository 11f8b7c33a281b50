"""M3-ReID's batches: P people with K tracklets each, whatever their modality."""

import logging
from collections.abc import Iterator
from typing import Any

import torch

from opengait import distributed
from opengait.data.sampler import TrainingSampler
from opengait.errors import ConfigError

log = logging.getLogger("opengait")


class TrackletGroupSampler(TrainingSampler):
    """Endless batches of P people with K tracklets each; modalities are left to chance, so a person may have one only.

    In an epoch, each person's tracklets are shuffled and cut into groups of K, and a rest is dropped; a person with
    fewer than K has one group, drawn with replacement. Each batch takes a group of each of P people, drawn from those
    who have groups left; the epoch ends when these are fewer than P, so epochs differ by a few batches.

    Args:
        dataset: has `indices_dict` {label: [index]} and a length.
        batch_size: [P, K], over all ranks.

    Raises:
        ConfigError: `batch_size` is not [P, K], there are fewer than P people, or the ranks do not divide a batch.
    """

    def __init__(self, dataset: Any, batch_size: tuple[int, int]) -> None:
        super().__init__(dataset)
        self.batch_size = batch_size
        self.people, self.tracklets = _checked(batch_size, len(dataset.indices_dict))
        if distributed.is_main():
            groups = sum(max(1, len(own) // self.tracklets) for own in dataset.indices_dict.values())
            log.info("An epoch of the sampler has at most %d batches.", groups // self.people)

    def batches(self) -> Iterator[list[int]]:
        """Yield the P K indices of each batch for all ranks together, person by person."""
        while True:
            groups = {label: self._groups(own) for label, own in sorted(self.dataset.indices_dict.items())}
            while len(groups) >= self.people:
                labels = list(groups)
                chosen = [labels[position] for position in torch.randperm(len(labels))[: self.people].tolist()]
                yield [index for label in chosen for index in groups[label].pop()]
                groups = {label: left for label, left in groups.items() if left}

    def _groups(self, indices: list[int]) -> list[list[int]]:
        """Return a person's groups of K indices for one epoch."""
        if len(indices) < self.tracklets:
            return [[indices[position] for position in torch.randint(len(indices), (self.tracklets,)).tolist()]]
        order = [indices[position] for position in torch.randperm(len(indices)).tolist()]
        ends = range(self.tracklets, len(order) + 1, self.tracklets)
        return [order[end - self.tracklets : end] for end in ends]


def _checked(batch_size: Any, identities: int) -> tuple[int, int]:
    if (
        not isinstance(batch_size, list | tuple)
        or len(batch_size) != 2
        or not all(type(number) is int and number > 0 for number in batch_size)
    ):
        raise ConfigError(f"sampler.batch_size: expected [people, tracklets], such as [4, 8], got {batch_size!r}.")
    people, tracklets = batch_size
    if people > identities:
        raise ConfigError(
            f"sampler.batch_size asks for {people} people per batch, but the training set has {identities}; lower its "
            f"first number."
        )
    if people * tracklets % distributed.world_size():
        raise ConfigError(
            f"sampler.batch_size {list(batch_size)} makes batches of {people * tracklets} tracklets, which cannot be "
            f"split evenly over {distributed.world_size()} processes."
        )
    return people, tracklets
