"""Batches for the training and test loops, loaded by worker processes.

Everything random about an item (its frames and its augmentation) is drawn under a seed made of the run's seed, the
batch's number and the item's position in the whole batch, or under a seed from the sampler (`Draw`). The sampler's
draws are seeded by the run's seed and the batch's number. So batch k is a pure function of (seed, k): neither the
number of processes, nor the number of workers, nor stopping and resuming changes it.
"""

import atexit
import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from opengait import distributed, registry
from opengait.data.collate_fn import CollateFn
from opengait.data.deferred import Deferred
from opengait.data.frame_picker import FRAME_KEYS
from opengait.data.sampler import Draw, InferenceSampler, TrainingSampler
from opengait.errors import ConfigError, DataError, UserError
from opengait.utils.arguments import accepted_arguments
from opengait.utils.messages import get_msg_mgr
from opengait.utils.process import leave_signals_to_main
from opengait.utils.typed import setting

Request = tuple[str, list[int], list[Draw]]
# The number of batches that a worker prepares ahead.
PREFETCH = 2


def build_loader(
    dataset: Any,
    sampler_cfg: dict[str, Any],
    transforms: Sequence[Callable],
    *,
    training: bool,
    seed: int,
    start_iteration: int = 0,
    num_workers: int = 0,
    wants_raw: bool = False,
) -> DataLoader:
    """Return a loader of this rank's batches `[seqs, labels, types, views, seqL]` (see `CollateFn`).

    Training: endless, from batch `start_iteration` on; each rank holds its share of the sampler's batch. Test: every
    tracklet in order; each step yields one tracklet per rank, or `batch_size` of them where the sample type fixes the
    number of frames. Tracklets are repeated at the end so that all ranks take equally many steps: gather the steps in
    rank order and cut to `len(dataset)`.

    Deferred transforms (`opengait.data.deferred`) are finished on this process's device.

    Args:
        dataset: the tracklets of this phase.
        sampler_cfg: `type`, `batch_size`, `sample_type` and their settings.
        transforms: one callable per feature.
        seed: the run's seed.
        start_iteration: the number of batches that the run has already drawn.
        num_workers: the number of loading processes; 0 loads in this process.
        wants_raw: collate untransformed arrays, for models that apply the transforms themselves.

    Raises:
        ConfigError: the sampler section or the number of workers cannot be used.
    """
    num_workers = setting({"num_workers": num_workers}, "num_workers", "non-negative int")
    transforms = [] if wants_raw else list(transforms)
    prefetch = PREFETCH if num_workers else None
    # A worker may prepare `prefetch` batches while the main process finishes one.
    slots = 0 if prefetch is None else prefetch + 1
    collate = CollateFn(dataset.label_set, sampler_cfg, None if wants_raw else transforms, slots)
    plan: TrainingPlan | TestPlan
    if training:
        plan = TrainingPlan(_training_sampler(dataset, sampler_cfg), seed, start_iteration)
    else:
        plan = TestPlan(_test_sampler(dataset, sampler_cfg, collate.picker.packed))
    return TrackletLoader(
        transforms,
        _Batches(dataset, collate, seed),
        # As in OpenGait, whose models read `test_loader.batch_sampler.batch_size` and `len(test_loader)`.
        batch_sampler=plan,
        collate_fn=_identity,
        num_workers=num_workers,
        prefetch_factor=prefetch,
        persistent_workers=num_workers > 0,
        pin_memory=distributed.device().type == "cuda",
        worker_init_fn=_start_worker,
        # Without its own generator, a DataLoader would draw its base seed from the training's random stream.
        generator=torch.Generator().manual_seed(distributed.mix_seed(seed, "loader") % 2**32),
    )


class TrainingPlan:
    """Requests for this rank's part of batch `start`, `start + 1`, ...: (batch key, positions, draws).

    `len` is that of the dataset and `batch_size` that of the sampler, as for OpenGait's batch samplers.

    Args:
        sampler: a `TrainingSampler`; any other, such as one of OpenGait's, yields this rank's share when iterated.
    """

    def __init__(self, sampler: Any, seed: int, start: int = 0) -> None:
        self.sampler = sampler
        self.batch_size = getattr(sampler, "batch_size", None)
        self.seed = seed
        self.start = start

    def start_at(self, number: int) -> None:
        """Begin the next iteration at batch `number`."""
        self.start = number

    def __iter__(self) -> Iterator[Request]:
        rank, world = distributed.rank(), distributed.world_size()
        whole = self.sampler if isinstance(self.sampler, TrainingSampler) else None
        stream = iter(self.sampler if whole is None else whole.batches())
        first = self.start if getattr(self.sampler, "stateless", False) else 0
        for number in itertools.count(first):
            with distributed.isolated_random(distributed.mix_seed(self.seed, "sampler", number)):
                batch = list(next(stream))
            if number < self.start:
                continue
            positions = range(rank, world * len(batch), world) if whole is None else whole.share(len(batch))
            share = batch if whole is None else [batch[position] for position in positions]
            yield f"train/{number}", list(positions), [i if isinstance(i, Draw) else Draw(i) for i in share]

    def __len__(self) -> int:
        return len(self.sampler)


class TestPlan:
    """Requests for this rank's part of the test set, in order; an item's position is its index.

    `len` is that of the dataset, and `batch_size` the number of tracklets per step of all ranks together.
    """

    __test__ = False

    def __init__(self, sampler: InferenceSampler) -> None:
        self.sampler = sampler
        self.batch_size = sampler.batch_size

    def __iter__(self) -> Iterator[Request]:
        for indices in self.sampler:
            yield "test", indices, [Draw(index) for index in indices]

    def __len__(self) -> int:
        return len(self.sampler)


class TrackletLoader(DataLoader):
    """A DataLoader that finishes deferred transforms on this process's device.

    A worker's `UserError` is raised without the worker's traceback around its message. So is the end of a worker, which
    the system kills when memory runs out.

    Args:
        transforms: one per feature; empty if batches are not transformed here.
    """

    def __init__(self, transforms: Sequence[Any], *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.transforms = list(transforms)

    def __iter__(self) -> Iterator[list]:  # type: ignore[override]
        batches = super().__iter__()
        # At exit, multiprocessing ends processes that a reference cycle has kept by SIGTERM, which these ignore.
        atexit.register(_end_workers, weakref.ref(batches))
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except RuntimeError as error:
                if not str(error).startswith("DataLoader worker (pid"):
                    raise
                raise DataError(
                    f"A loading process was killed ({' '.join(str(error).split())[:100]}), perhaps because memory ran "
                    f"out; use fewer with data_cfg.num_workers, or 0."
                ) from error
            if isinstance(batch, UserError):
                raise batch
            yield [self._finished(batch[0]), *batch[1:]]

    def _finished(self, seqs: list) -> list:
        device = distributed.device()
        return [
            feature.finished(self.transforms[number], device) if isinstance(feature, Deferred) else feature
            for number, feature in enumerate(seqs)
        ]


class _Batches(torch.utils.data.Dataset):
    """A dataset that also returns a collated batch for a request; models read its attributes through the loader."""

    def __init__(self, dataset: Any, collate: CollateFn, seed: int) -> None:
        self.dataset = dataset
        self.collate = collate
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        # Called for attributes that this object lacks, including `dataset` itself during unpickling.
        if name == "dataset" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def __getitems__(self, request: Request) -> list | UserError:
        key, positions, draws = request
        prepared = []
        try:
            # Once per batch, not per item: saving numpy's state takes as long as decoding a frame.
            with distributed.isolated_random(self.seed):
                for position, draw in zip(positions, draws, strict=True):
                    seed = distributed.mix_seed(self.seed, key, position) if draw.seed is None else draw.seed
                    distributed.seed_cpu(seed)
                    again = distributed.mix_seed(seed, "copy", draw.copy) if draw.copy else None
                    prepared.append(self.collate.prepare(self.dataset[draw.index], draw.copy, again))
            batch = self.collate.join(prepared)
            if torch.utils.data.get_worker_info() is not None:
                share(batch[0])
            return batch
        except UserError as error:
            return error
        except MemoryError:
            return DataError("Memory ran out while a batch was loaded; use fewer data_cfg.num_workers, or 0.")
        except RuntimeError as error:
            if "shared memory" not in str(error):
                raise
            return DataError(
                f"The shared memory of the loading processes is too small ({' '.join(str(error).split())[:150]}); "
                f"enlarge it (docker run --shm-size=8g), or set data_cfg.num_workers: 0."
            )


def share(features: Sequence[Any]) -> None:
    """Move the tensors of a batch to shared memory.

    PyTorch would do so in a thread that sends them; there, a failure prints a traceback, and the loader waits for the
    batch for ever.
    """
    for feature in features:
        tensors = (feature.frames, feature.drawn) if isinstance(feature, Deferred) else (feature,)
        for tensor in tensors:
            if isinstance(tensor, torch.Tensor):
                tensor.share_memory_()


def _training_sampler(dataset: Any, sampler_cfg: dict[str, Any]) -> Any:
    sampler = registry.samplers.get(sampler_cfg.get("type", "TripletSampler"))
    if "batch_size" not in sampler_cfg:
        raise ConfigError("sampler.batch_size is missing.")
    return sampler(dataset, **accepted_arguments(sampler, sampler_cfg, FRAME_KEYS))


def _test_sampler(dataset: Any, sampler_cfg: dict[str, Any], packed: bool) -> InferenceSampler:
    kind = sampler_cfg.get("type", "InferenceSampler")
    if kind != "InferenceSampler":
        raise ConfigError(
            f"evaluator_cfg.sampler.type: expected InferenceSampler, got {kind!r}; testing needs every tracklet once."
        )
    size = setting(sampler_cfg, "batch_size", "positive int", 1, "evaluator_cfg.sampler")
    world = distributed.world_size()
    if packed and size != world:
        get_msg_mgr().log_info(
            f"evaluator_cfg.sampler.batch_size {size} is ignored: {sampler_cfg.get('sample_type')} keeps the lengths "
            f"of tracklets, so each of the {world} processes takes one at a time."
        )
    return InferenceSampler(dataset, (1 if packed else size) * world)


def _end_workers(batches: Callable[[], Any]) -> None:
    """End the processes of an iterator that still exists."""
    end = getattr(batches(), "_shutdown_workers", None)
    if end is not None:
        end()


def _identity(batch: Any) -> Any:
    return batch


def _start_worker(worker: int) -> None:
    leave_signals_to_main()
    # OpenCV's own threads in every worker compete for the cores.
    cv2.setNumThreads(0)
