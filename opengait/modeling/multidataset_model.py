"""Training of one model on several datasets (upstream `MultiDatasets`)."""

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch

from opengait.errors import ConfigError
from opengait.modeling.base_model import BaseModel


class MultiDatasets(BaseModel):
    """A model whose `data_cfg` is a list of datasets.

    Each batch comes from one dataset, drawn with a probability proportional to the cube root of its size. The classes
    are the ids of all datasets together. Testing uses the first dataset.
    """

    def get_loader(self, data_cfg: Any, train: bool = True) -> Any:
        """Return a mixture of the datasets' loaders for training, the first dataset's loader for testing.

        Raises:
            ConfigError: `data_cfg` is not a list.
        """
        if not isinstance(data_cfg, list):
            raise ConfigError(f"data_cfg: expected a list, got a dict; {type(self).__name__} mixes several datasets.")
        if not train:
            return super().get_loader(data_cfg[0], train=False)
        loaders = [super(MultiDatasets, self).get_loader(entry, train=True) for entry in data_cfg]
        names = [entry["dataset_name"] for entry in data_cfg]
        return MixedLoader(loaders, names)

    def info_to_log(self) -> dict[str, Any]:
        """Return the learning rate, which ends the log line of such a model in OpenGait."""
        return {"scalar/opt/lr": self.optimizer.param_groups[0]["lr"]}


class MixedPlan:
    """The number of the batch that a `MixedLoader` starts at."""

    def __init__(self) -> None:
        self.start = 0

    def start_at(self, number: int) -> None:
        """Begin the next iteration at batch `number`."""
        self.start = number


class MixedLoader:
    """Batches of several loaders; each rank and each run takes batch k from the same loader.

    Args:
        loaders: endless loaders of datasets with a `label_set`, each with a `batch_sampler.start_at`.
        names: the datasets' names.

    Attributes:
        dataset: holds `label_set`, the sorted ids of all datasets, which the batches' labels index.
        batch_sampler: holds the number of the first batch.
    """

    def __init__(self, loaders: list[Any], names: list[str]) -> None:
        self.loaders = loaders
        sets = [loader.dataset for loader in loaders]
        labels = sorted({label for dataset in sets for label in dataset.label_set})
        self.dataset = SimpleNamespace(label_set=labels)
        self.batch_sampler = MixedPlan()
        self.shares = shares([len(dataset) for dataset in sets], names)
        class_of = {label: index for index, label in enumerate(labels)}
        self._classes = [[class_of[label] for label in dataset.label_set] for dataset in sets]

    def choose(self, number: int) -> int:
        """Return the index of the loader of batch `number`, drawn as in OpenGait."""
        generator = torch.Generator().manual_seed(number)
        return int(torch.multinomial(torch.tensor(self.shares), 1, generator=generator))

    def __iter__(self) -> Iterator[list[Any]]:
        before = [self.choose(number) for number in range(self.batch_sampler.start)]
        streams: dict[int, Iterator[Any]] = {}
        number = self.batch_sampler.start
        while True:
            chosen = self.choose(number)
            if chosen not in streams:
                self.loaders[chosen].batch_sampler.start_at(before.count(chosen))
                streams[chosen] = iter(self.loaders[chosen])
            seqs, labels, *rest = next(streams[chosen])
            yield [seqs, [self._classes[chosen][label] for label in labels], *rest]
            number += 1


def shares(sizes: list[int], names: list[str]) -> list[float]:
    """Return the probability of each dataset, proportional to the cube root of its size.

    GaitLU's million unlabelled tracklets count as a tenth of their number, as in OpenGait.
    """
    roots = [
        math.cbrt(size / 10 if "gaitlu" in name.lower() else size) for size, name in zip(sizes, names, strict=True)
    ]
    return [root / sum(roots) for root in roots]
