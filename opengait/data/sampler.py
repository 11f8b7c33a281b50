"""Samplers: the tracklets of each batch.

A training sampler is an endless stream of whole batches (`batches`); iterating it yields this rank's share, by default
every n-th index of a world of n. Draws come from the global streams of `random` and `torch`, in OpenGait's order.
"""

import random
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from opengait import distributed
from opengait.errors import ConfigError


@dataclass(frozen=True)
class Draw:
    """An item of a batch.

    Attributes:
        index: the tracklet's index in the dataset.
        seed: seed of the item's random draws (frames and augmentation), for tracklets that must share them; if None,
            it is derived from the run's seed, the batch's number and the item's position.
        copy: the number of the copy, for a tracklet that is in the batch several times. Copies with one seed have the
            same frames, but each is augmented by draws of its own, and its number follows the item's
            `[label, type, view, paths]` for transforms that treat it differently.
    """

    index: int
    seed: int | None = None
    copy: int = 0


class TrainingSampler(torch.utils.data.Sampler):
    """Base class of the endless samplers.

    `len` is that of the dataset, as in OpenGait. Set `stateless` if a batch depends only on the state of the random
    streams when it is drawn; a resumed run then skips the earlier batches instead of drawing them again.

    Args:
        dataset: has a length, `label_set` and `indices_dict` {label: [index]}.
    """

    stateless = False

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    @abstractmethod
    def batches(self) -> Iterator[Sequence[int | Draw]]:
        """Yield the batches of all ranks together, without end: indices, or a `Draw` where a seed is shared."""

    def share(self, size: int) -> Sequence[int]:
        """Return this rank's positions in a batch of `size`; a multiple of the world size, so that shares are equal."""
        return range(distributed.rank(), size, distributed.world_size())

    def __iter__(self) -> Iterator[Sequence[int | Draw]]:
        for batch in self.batches():
            whole = distributed.broadcast_object(batch)
            yield [whole[position] for position in self.share(len(whole))]

    def __len__(self) -> int:
        return len(self.dataset)


class TripletSampler(TrainingSampler):
    """Batches of P ids with K tracklets each.

    Ids are drawn without replacement, and so are the tracklets of an id unless it has fewer than K.

    Args:
        batch_size: [P, K], over all ranks.
        batch_shuffle: mix the ids within the batch, instead of one id after the other.
    """

    stateless = True

    def __init__(self, dataset: Any, batch_size: tuple[int, int], batch_shuffle: bool = False) -> None:
        super().__init__(dataset)
        self.batch_size = _pair(batch_size, "TripletSampler")
        self.batch_shuffle = batch_shuffle
        if self.batch_size[0] > len(dataset.label_set):
            raise ConfigError(
                f"sampler.batch_size asks for {self.batch_size[0]} ids per batch, but the training set has "
                f"{len(dataset.label_set)}; lower its first number."
            )
        _check_world(self.batch_size[0] * self.batch_size[1])

    def batches(self) -> Iterator[list[int]]:
        ids, tracklets = self.batch_size
        while True:
            batch = []
            for label in _draw(self.dataset.label_set, ids):
                batch += _draw(self.dataset.indices_dict[label], tracklets)
            yield _draw(batch, len(batch)) if self.batch_shuffle else batch


class CommonSampler(TrainingSampler):
    """Batches of `batch_size` tracklets of any ids, without replacement unless the dataset is smaller."""

    stateless = True

    def __init__(self, dataset: Any, batch_size: int, batch_shuffle: bool = False) -> None:
        super().__init__(dataset)
        self.batch_size = _positive_integer(batch_size, "CommonSampler")
        self.batch_shuffle = batch_shuffle
        _check_world(self.batch_size)

    def batches(self) -> Iterator[list[int]]:
        indices = list(range(len(self.dataset)))
        while True:
            batch = _draw(indices, self.batch_size)
            yield _draw(batch, len(batch)) if self.batch_shuffle else batch


class BilateralSampler(TrainingSampler):
    """Batches of P·K tracklets, each listed twice, for contrastive training on two views of it.

    The dataset is shuffled and traversed batch by batch; a remainder smaller than a batch is skipped.

    Args:
        batch_size: [P, K]; only the product counts.
    """

    def __init__(self, dataset: Any, batch_size: tuple[int, int], batch_shuffle: bool = False) -> None:
        super().__init__(dataset)
        self.batch_size = _pair(batch_size, "BilateralSampler")
        self.batch_shuffle = batch_shuffle
        self.tracklets = self.batch_size[0] * self.batch_size[1]
        if self.tracklets > len(dataset):
            raise ConfigError(
                f"sampler.batch_size asks for {self.tracklets} tracklets per batch, but the training set has "
                f"{len(dataset)}; lower it."
            )
        _check_world(self.tracklets)

    def batches(self) -> Iterator[list[int]]:
        order = list(range(len(self.dataset)))
        while True:
            random.shuffle(order)
            for start in range(0, len(order) - self.tracklets + 1, self.tracklets):
                yield _draw(order[start : start + self.tracklets], self.tracklets) * 2


class InferenceSampler(torch.utils.data.Sampler):
    """Every index once, in order, in batches divided among the ranks.

    The first indices are repeated to fill the last batch; gathering the ranks' results step by step, in rank order,
    restores the dataset's order, and cutting to its length removes the repeats.

    Args:
        batch_size: over all ranks; a multiple of the world size.
    """

    def __init__(self, dataset: Any, batch_size: int) -> None:
        self.dataset = dataset
        self.batch_size = _positive_integer(batch_size, "InferenceSampler")
        _check_world(self.batch_size)

    def batches(self) -> Iterator[list[int]]:
        """Yield the indices of each batch, for all ranks together."""
        size = len(self.dataset)
        for start in range(0, size, self.batch_size):
            yield [index % size for index in range(start, start + self.batch_size)]

    def __iter__(self) -> Iterator[list[int]]:
        share = self.batch_size // distributed.world_size()
        first = distributed.rank() * share
        for batch in self.batches():
            yield batch[first : first + share]

    def __len__(self) -> int:
        return len(self.dataset)


def _draw(items: Sequence, count: int) -> list:
    """Draw `count` items in random order, with replacement if there are fewer."""
    if len(items) < count:
        chosen = random.choices(range(len(items)), k=count)
    else:
        chosen = torch.randperm(len(items))[:count].tolist()
    return [items[position] for position in chosen]


def _pair(batch_size: Any, sampler: str) -> tuple[int, int]:
    if isinstance(batch_size, Sequence) and len(batch_size) == 2 and all(_positive(number) for number in batch_size):
        return batch_size[0], batch_size[1]
    raise ConfigError(
        f"sampler.batch_size: {sampler} expected [ids, tracklets per id], such as [8, 4], got {batch_size!r}."
    )


def _positive_integer(batch_size: Any, sampler: str) -> int:
    if _positive(batch_size):
        return batch_size
    raise ConfigError(f"sampler.batch_size: {sampler} expected a positive integer, got {batch_size!r}.")


def _positive(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 0


def _check_world(batch: int) -> None:
    world = distributed.world_size()
    if batch % world:
        raise ConfigError(
            f"A batch of {batch} tracklets cannot be divided evenly among {world} processes; change batch_size."
        )
