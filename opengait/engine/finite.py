"""Check that the losses of a run are finite, without waiting for the device at every step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from opengait import distributed
from opengait.errors import UserError


def check_interval(device: torch.device, log_iter: int) -> int:
    """Return the number of steps between checks: one on the CPU, where reading a value is free."""
    return 1 if device.type == "cpu" else log_iter


@dataclass(frozen=True)
class _Step:
    iteration: int
    loss: torch.Tensor
    terms: dict[str, Any]
    labels: torch.Tensor
    types: Sequence[str]
    views: Sequence[str]


class FiniteLossCheck:
    """Stops a run at its first loss that is not finite.

    Reading a loss makes the host wait for the device. The losses of up to `interval` steps therefore stay on the
    device, with the details for the message, and are checked together: after `interval` steps, and before anything is
    logged or saved. All ranks check the same steps, since a broken loss on one rank breaks the weights of all.

    Args:
        classes: names of the training identities, which the labels index; empty if unknown.
        interval: largest number of steps between two checks.
    """

    def __init__(self, classes: Sequence[str], interval: int) -> None:
        self.classes = classes
        self.interval = interval
        self._steps: list[_Step] = []

    @property
    def settled(self) -> bool:
        """Whether every loss that has been checked was finite."""
        return not self._steps

    def record(self, iteration: int, loss: torch.Tensor, loss_info: dict[str, Any], inputs: tuple[Any, ...]) -> None:
        """Record the loss, the logged terms and the inputs of a step, and check all steps if the interval is over.

        Raises:
            UserError: see `check`.
        """
        terms = {key: value.detach() if isinstance(value, torch.Tensor) else value for key, value in loss_info.items()}
        _, labels, types, views, _ = inputs
        self._steps.append(_Step(iteration, loss.detach(), terms, labels, types, views))
        if len(self._steps) >= self.interval:
            self.check()

    def check(self) -> None:
        """Check the losses recorded since the last check, on all ranks.

        Raises:
            UserError: a loss is not finite; the message names iteration, terms and tracklets of the first such step.
        """
        steps, self._steps = self._steps, []
        if not steps:
            return
        finite = torch.stack([step.loss.isfinite().all() for step in steps]).tolist()
        local_first = finite.index(False) if False in finite else len(steps)
        first = distributed.minimum(local_first)
        if first == len(steps):
            return
        messages = distributed.gather_objects(self._message(steps[first]) if first == local_first else None)
        raise UserError(next(message for message in messages if message is not None))

    def _message(self, step: _Step) -> str:
        terms = [name.removeprefix("scalar/") for name, value in step.terms.items() if not _is_finite(value)]
        labels = [self.classes[label] if label < len(self.classes) else label for label in step.labels.tolist()]
        tracklets = [f"{label}/{kind}/{view}" for label, kind, view in zip(labels, step.types, step.views, strict=True)]
        return (
            f"The loss of iteration {step.iteration} is not finite ({float(step.loss)}); the term is "
            f"{', '.join(terms) or 'unknown'}, and the tracklets (label/type/view) are {', '.join(tracklets)}. Inspect "
            f"these tracklets, lower the learning rate, or set enable_float16: false."
        )


def _is_finite(value: Any) -> bool:
    return bool(torch.as_tensor(value).float().isfinite().all())
