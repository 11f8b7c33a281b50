"""AuxNet's batches: aligned pairs of P people at K cameras each, and of K cameras with P auxiliary people each."""

import itertools
import logging
from collections.abc import Iterator
from typing import Any

from opengait import distributed
from opengait.data.sampler import Draw, TrainingSampler
from opengait.errors import ConfigError, DataError
from opengait_ext.data.pairs import Pair, pairs_of, share_draws
from opengait_ext.data.sampler import draw
from opengait_ext.data.tracklet import Modality, Role

log = logging.getLogger("opengait")

# Pairs of each person by camera, or of each camera by person.
Groups = dict[Any, dict[Any, list[Pair]]]


class PairSampler(TrainingSampler):
    """Endless batches of aligned pairs, of P people at K cameras with one pair each: 2 P K tracklets.

    An epoch takes each pair at most once: a batch draws people among those who have pairs left at K cameras, cameras
    among these, and a pair of each. The epoch ends when such people are fewer than P. Both tracklets of a pair get the
    same draws (`opengait_ext.data.pairs`).

    With `auxiliary`, 2 P K auxiliary tracklets precede them, pairs of K cameras with P people each, whom only that
    camera has seen. They are drawn in the same way, but only until the cameras run out of people; then, as in the
    authors' code, the same auxiliary batches come back with the same draws until the epoch ends.

    Args:
        dataset: has `tracklets`, a list of records; those with the role "auxiliary" are the auxiliary set.
        batch_size: [P, K]; one of each modality of P K pairs over all ranks.
        auxiliary: add auxiliary batches.

    Raises:
        ConfigError: `batch_size` is not [P, K], the ranks do not divide it, or there is no auxiliary set.
        DataError: there are too few people or cameras for a batch.
    """

    def __init__(self, dataset: Any, batch_size: tuple[int, int], auxiliary: bool = False) -> None:
        super().__init__(dataset)
        self.batch_size = batch_size
        self.people, self.cameras = _checked(batch_size)
        self.groups = _grouped(dataset, None)
        self.auxiliary_groups = _by_camera(_grouped(dataset, Role.AUXILIARY)) if auxiliary else {}
        if auxiliary and not self.auxiliary_groups:
            raise ConfigError("sampler.auxiliary: the data has no auxiliary set; set data_cfg.auxiliary: apart.")
        with distributed.isolated_random(0):
            batches, auxiliary_batches = len(list(self._epoch())), len(self._auxiliary_epoch())
        if not batches:
            raise DataError(f"sampler.batch_size needs {self.people} people with pairs at {self.cameras} cameras each.")
        if auxiliary and not auxiliary_batches:
            raise DataError(f"sampler.auxiliary needs {self.cameras} cameras with {self.people} auxiliary people each.")
        if distributed.is_main():
            log.info("An epoch of the sampler has about %d batches.", batches)

    def batches(self) -> Iterator[list[Draw]]:
        """Yield the tracklets of each batch for all ranks together: visible ones, then infrared ones."""
        while True:
            auxiliary = itertools.cycle(self._auxiliary_epoch() or [[]])
            for pairs in self._epoch():
                yield [*next(auxiliary), *_draws(pairs)]

    def _epoch(self) -> Iterator[list[Pair]]:
        """Yield the pairs of each batch of an epoch."""
        return _taken(self.groups, self.people, self.cameras)

    def _auxiliary_epoch(self) -> list[list[Draw]]:
        """Return the auxiliary batches of an epoch, drawn until too few cameras have people left."""
        return [_draws(pairs) for pairs in _taken(self.auxiliary_groups, self.cameras, self.people)]


def _grouped(dataset: Any, role: Role | None) -> Groups:
    """Return the pairs of each person by camera, of visible tracklets with this role."""
    groups: Groups = {}
    for person, indices in sorted(dataset.indices_dict.items()):
        records = {index: dataset.tracklets[index] for index in indices}
        sides = [[index for index in indices if records[index].modality is modality] for modality in Modality]
        visible = [index for index in sides[0] if records[index].role is role]
        moments = {index: (record.camera, record.track) for index, record in records.items()}
        for pair in pairs_of(visible, sides[1], moments):
            groups.setdefault(person, {}).setdefault(records[pair[0]].camera, []).append(pair)
    return groups


def _by_camera(groups: Groups) -> Groups:
    """Return the pairs of each camera by person."""
    swapped: Groups = {}
    for person, cameras in groups.items():
        for camera, pairs in cameras.items():
            swapped.setdefault(camera, {})[person] = pairs
    return swapped


def _taken(groups: Groups, count: int, share: int) -> Iterator[list[Pair]]:
    """Yield batches of one pair from each of `share` subgroups of `count` groups, until these have too few pairs."""
    left = {
        name: {key: draw(pairs, len(pairs)) for key, pairs in subgroups.items()} for name, subgroups in groups.items()
    }
    while len(ready := [name for name, subgroups in left.items() if len(subgroups) >= share]) >= count:
        batch = []
        for name in draw(ready, count):
            for key in draw(list(left[name]), share):
                batch.append(left[name][key].pop())
                if not left[name][key]:
                    del left[name][key]
        yield batch


def _draws(pairs: list[Pair]) -> list[Draw]:
    """Return the visible and then the infrared tracklets; of a true and a generated infrared one, either is drawn."""
    infrared = [draw(partners, 1)[0] if len(partners) > 1 else partners[0] for _, partners in pairs]
    visible, others = share_draws([index for index, _ in pairs], infrared)
    return [*visible, *others]


def _checked(batch_size: Any) -> tuple[int, int]:
    """Return P and K."""
    if (
        not isinstance(batch_size, list | tuple)
        or len(batch_size) != 2
        or not all(type(number) is int and number > 0 for number in batch_size)
    ):
        raise ConfigError(f"sampler.batch_size: expected [people, cameras], such as [8, 2], got {batch_size!r}.")
    size = 2 * batch_size[0] * batch_size[1]
    if size % distributed.world_size():
        raise ConfigError(
            f"sampler.batch_size {list(batch_size)} makes batches of {size} tracklets, which cannot be split evenly "
            f"over {distributed.world_size()} processes."
        )
    return batch_size[0], batch_size[1]
