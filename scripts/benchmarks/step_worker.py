"""One network and its training step, measured part by part; `scripts/benchmarks/step.py` runs it.

As a process it reads commands from its standard input and answers each with a line of JSON, so that two revisions of
the code can take turns. It uses nothing of the benchmarks beside it, since the packages may be those of another
revision.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from opengait.config import load_config
from opengait.engine.optim import build_optimizer
from opengait.engine.precision import Precision
from opengait.modeling.loss_aggregator import LossAggregator
from opengait.utils.memory import peak_memory
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.model import loss_terms

PRECISIONS = {"float32": None, "float16": torch.float16, "bfloat16": torch.bfloat16}
# Children of the network by the part of the step that they are.
PARTS = {
    "transformer": ("vision_model",),
    "priors and masks": ("silhouette_generator",),
    "appearance backbone": ("appearance",),
    "gait backbone": ("gait",),
    "stripes": ("appearance_parts", "gait_parts"),
    "PBMGE": ("enhancement",),
    "classifiers": ("appearance_heads", "gait_heads"),
}
# Side of the square matrices whose product gives the rate that the device reaches at best.
SIDE = {"cpu": 1536, "cuda": 8192}


def build(cfgs: dict[str, Any], device: torch.device) -> DinoGRLNet:
    """Return the network in training mode, with random weights and without random draws in its forward pass."""
    model_cfg = {key: dict(value) if isinstance(value, dict) else value for key, value in cfgs["model_cfg"].items()}
    for section in ("appearance", "gait", "vision_model"):
        if model_cfg.get(section):
            model_cfg[section]["weights"] = None
    if model_cfg.get("silhouette"):
        model_cfg["silhouette"] |= {"mask_weights": None, "mask_dropout": 0.0, "drop_prior": 0.0}
    torch.manual_seed(0)
    return DinoGRLNet.from_config(model_cfg).train().to(device)


def noise(cfgs: dict[str, Any], people: int, tracklets: int, frames: int, device: torch.device) -> tuple[Tensor, ...]:
    """Return random frames, modalities and labels of a mini-batch: `tracklets` per person and modality."""
    total = 2 * people * tracklets
    torch.manual_seed(1)
    images = torch.randn(total, frames, 3, *cfgs["data_cfg"]["frame_size"]).to(device)
    modality = torch.arange(2).repeat_interleave(total // 2).to(device)
    return images, modality, torch.arange(people).repeat_interleave(tracklets).repeat(2).to(device)


def wait(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize()


class Step:
    """A training step, or with `test` the forward pass of a test, on one mini-batch of noise."""

    def __init__(self, cfgs: dict[str, Any], batch: tuple[Tensor, ...], precision: str, test: bool = False) -> None:
        self.images, self.modality, self.labels = batch
        self.device = self.images.device
        self.test = test
        self.network = build(cfgs, self.device).train(not test)
        self.losses = LossAggregator(cfgs["loss_cfg"]).to(self.device)
        self.optimizer = build_optimizer(self.network.named_parameters(), cfgs["optimizer_cfg"])
        self.precision = Precision(self.device, PRECISIONS[precision])
        self.scaler = self.precision.scaler()

    def forward(self) -> Any:
        """Return the network's output."""
        with torch.set_grad_enabled(not self.test), self.precision.autocast():
            return self.network(self.images, self.modality)

    def loss(self, output: Any) -> Tensor:
        """Return the sum of the losses."""
        terms = {name: value for name, value in loss_terms(output, self.labels).items() if name in self.losses.losses}
        total: Tensor = self.losses(terms)[0]
        return total

    def run(self, mark: Callable[[str], None] = lambda part: None) -> Tensor | None:
        """Take the step and return its loss, if there is one; `mark` is called with each part when it has ended."""
        if self.test:
            self.forward()
            return None
        self.optimizer.zero_grad()
        output = self.forward()
        mark("rest")
        total = self.loss(output)
        mark("losses")
        self.scaler.scale(total).backward()
        mark("backward")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        mark("optimiser")
        return total.detach()

    def timed(self) -> dict[str, float]:
        """Take a step and return the seconds of each part; parts of the forward pass that have no name are "rest"."""
        marks: list[tuple[str, Any]] = []

        def mark(part: str) -> None:
            marks.append((part, self._now()))

        hooks = []
        for part, children in PARTS.items():
            for child in children:
                module = getattr(self.network, child, None)
                if isinstance(module, torch.nn.Module):
                    hooks.append(module.register_forward_pre_hook(lambda *_: mark("rest")))
                    hooks.append(module.register_forward_hook(lambda *_, part=part: mark(part)))
        wait(self.device)
        mark("start")
        self.run(mark)
        mark("rest")
        wait(self.device)
        for hook in hooks:
            hook.remove()
        seconds: dict[str, float] = {}
        for (_, before), (part, after) in zip(marks, marks[1:], strict=False):
            seconds[part] = seconds.get(part, 0.0) + self._between(before, after)
        return seconds

    def _now(self) -> Any:
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _between(self, before: Any, after: Any) -> float:
        return before.elapsed_time(after) / 1000 if self.device.type == "cuda" else after - before

    def work(self) -> dict[str, float]:
        """Return the floating-point operations of each part of a step: two per multiplication and addition."""
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        counter = FlopCounterMode(display=False, custom_mapping={flash: _attention_flops})
        with counter:
            output = self.forward()
            forward = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
            if not self.test:
                self.scaler.scale(self.loss(output)).backward()
        self.optimizer.zero_grad()
        root = type(self.network).__name__
        parts = {part: sum(forward.get(f"{root}.{child}", 0) for child in children) for part, children in PARTS.items()}
        return parts | {"backward": counter.get_total_flops() - forward["Global"], "all": counter.get_total_flops()}

    def facts(self) -> dict[str, Any]:
        """Return what is measured once: work, copies, waits for the device, and the rate of a matrix product."""
        copies = self._copies()
        return {
            "work": self.work(),
            "copies": copies[0],
            "copied_seconds": copies[1],
            "waits": self._waits(),
            "rate": self._product_rate(),
            "memory": peak_memory(self.device),
        }

    def _copies(self) -> tuple[int, float]:
        """Return the number of copies between layouts, types and devices in a step, and their seconds."""
        cuda = self.device.type == "cuda"
        kinds = torch.profiler.ProfilerActivity
        with torch.profiler.profile(activities=[kinds.CPU, *([kinds.CUDA] if cuda else [])]) as profile:
            self.run()
            wait(self.device)
        events = [event for event in profile.key_averages() if event.key == "aten::copy_"]
        microseconds = sum(e.self_device_time_total if cuda else e.self_cpu_time_total for e in events)
        return sum(event.count for event in events), microseconds / 1e6

    def _waits(self) -> int | None:
        """Return how often a step waits for the device; None on the CPU."""
        if self.device.type != "cuda":
            return None
        wait(self.device)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            self.run()
            torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(warning.message) for warning in caught)

    def _product_rate(self) -> float:
        """Return the operations per second of a large matrix product in the type of the step."""
        side = SIDE[self.device.type]
        matrix = torch.randn(side, side, device=self.device, dtype=self.precision.dtype)
        seconds = []
        for _ in range(6):
            wait(self.device)
            start = time.perf_counter()
            matrix @ matrix
            wait(self.device)
            seconds.append(time.perf_counter() - start)
        return 2 * side**3 / min(seconds)


def _attention_flops(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def main() -> None:
    """Answer the commands of `scripts/benchmarks/step.py` until its pipe is closed."""
    parser = argparse.ArgumentParser()
    for name in ("cfgs", "precision", "device", "phase"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("people", "tracklets", "frames"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--set", nargs="*", default=[], dest="overrides")
    args = parser.parse_args()
    device = torch.device(args.device)
    cfgs = load_config(args.cfgs, args.overrides)
    sampler = cfgs["trainer_cfg"]["sampler"]
    people, tracklets = sampler["batch_size"]
    people, tracklets = args.people or people, args.tracklets or tracklets
    batch = noise(cfgs, people, tracklets, args.frames or sampler["frames_num_fixed"], device)
    step = Step(cfgs, batch, args.precision, args.phase == "test")
    machine = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    first = step.run()
    ready = {"machine": machine, "torch": torch.__version__, "shape": list(batch[0].shape)}
    _answer(ready | {"loss": None if first is None else float(first)})
    for line in sys.stdin:
        _answer(step.timed() if line.strip() == "step" else step.facts())


def _answer(value: Any) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
