"""Try a configuration without training: report its input, the output of each stage and the cost of a step.

    python -m opengait.dry_run --cfgs FILE [--set KEY=VALUE ...]

Builds the loaders, the model and the losses, then runs one training batch through forward, loss and backward, and one
test batch through forward. Nothing is written (no run folder, log or checkpoint) but the report that --out names, and
no parameter changes.
"""

import argparse
import logging
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

if not __package__:
    # A script's folder comes first on sys.path; `opengait` is one level above.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from opengait import distributed, registry  # noqa: E402
from opengait.config import load_config  # noqa: E402
from opengait.engine.contract import EngineModel  # noqa: E402
from opengait.engine.critics import train_critics  # noqa: E402
from opengait.engine.precision import Precision  # noqa: E402
from opengait.engine.train import check_classes  # noqa: E402
from opengait.errors import ConfigError, UserError  # noqa: E402
from opengait.utils.files import write_json  # noqa: E402
from opengait.utils.memory import peak_memory  # noqa: E402
from opengait.utils.process import init_seeds  # noqa: E402
from opengait.utils.text import first_line


@dataclass
class Stage:
    """A sub-module in one forward pass; `seconds` and `shape` describe its last call."""

    name: str
    kind: str
    shape: str
    parameters: int
    trainable: int
    calls: int
    seconds: float


@dataclass(frozen=True)
class Report:
    """Measurements from one training batch and one test batch.

    Attributes:
        inputs: shapes of the training batch.
        stages: the sub-modules, in the order in which they finished.
        losses: the logged values.
        seconds: time of loading the batch (`load`), `forward`, `loss`, `backward`, and a test batch's forward (`test`).
        memory: peak memory after the backward pass, in bytes; on the GPU if there is one.
        outputs: shapes of `inference_feat` of the test batch.
        without_gradient: trainable parameters that the loss does not reach.
        parameters, trainable: numbers of parameters, and of those that are trained.
        gflops: billions of floating-point operations per tracklet of the test batch, of matrix products, convolutions
            and attention; a multiplication and an addition count as two.
    """

    inputs: str
    stages: list[Stage]
    losses: dict[str, float]
    seconds: dict[str, float]
    memory: int
    outputs: str
    without_gradient: list[str]
    parameters: int
    trainable: int
    gflops: float


def check(cfgs: dict[str, Any], depth: int = 2) -> Report:
    """Run one batch of each phase through the model of a configuration.

    Args:
        cfgs: return value of `opengait.config.load_config`; a checkpoint named in it is not loaded.
        depth: levels of sub-modules to report.

    Raises:
        UserError: training or testing would fail.
    """
    cfgs["trainer_cfg"]["restore_hint"] = cfgs["evaluator_cfg"]["restore_hint"] = 0
    cfgs["trainer_cfg"]["with_test"] = True
    init_seeds(cfgs["trainer_cfg"]["seed"])
    kind = registry.models.get(cfgs["model_cfg"].get("model"))
    with _explained(f"{kind.__name__} cannot be built"):
        model = kind(cfgs, True)
    # So that every loss has begun.
    model.iteration = max((use.begin for use in model.loss_aggregator.uses.values()), default=0)
    with _explained(f"{kind.__name__} fails on a batch"):
        return _measured(model, cfgs, depth)


@contextmanager
def _explained(problem: str) -> Iterator[None]:
    """Turn an error of a model's own code into a sentence, since it usually comes from the values in `model_cfg`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        *_, last = traceback.extract_tb(error.__traceback__)
        raise ConfigError(
            f"{problem}: {type(error).__name__}: {first_line(error)} ({last.filename}, line {last.lineno}); check the "
            f"values in model_cfg."
        ) from error


def _measured(model: Any, cfgs: dict[str, Any], depth: int) -> Report:
    seconds: dict[str, float] = {}
    with _Clock(seconds, "load", distributed.device()):
        batch = next(iter(model.train_loader))
    inputs = model.inputs_pretreament(batch)
    with _Stages(model, depth) as stages:
        info = _step(model, inputs, seconds)
    if distributed.device().type == "cuda":
        # The first call selects kernels and fills the allocator, so the second is timed.
        _step(model, inputs, seconds)
    memory = peak_memory(distributed.device())
    unreached = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    model.eval()
    test_inputs = model.inputs_pretreament(next(iter(model.test_loader)))
    precision = Precision.of(cfgs, distributed.device(), training=False)
    with torch.no_grad(), _Clock(seconds, "test", distributed.device()), precision.autocast():
        outputs = model(test_inputs)["inference_feat"]
    # Apart, since counting takes time.
    with torch.no_grad(), counted_operations() as operations, precision.autocast():
        model(test_inputs)
    of_critics = {id(p) for critic in model.critics for p in critic.parameters}
    sizes = [(p.numel(), p.requires_grad or id(p) in of_critics) for p in model.parameters()]
    losses = {key.removeprefix("scalar/"): float(torch.as_tensor(value).float().mean()) for key, value in info.items()}
    return Report(
        inputs=_shape(inputs[0]),
        stages=stages,
        losses=losses,
        seconds=seconds,
        memory=memory,
        outputs=_shape(outputs),
        without_gradient=unreached,
        parameters=sum(size for size, _ in sizes),
        trainable=sum(size for size, trained in sizes if trained),
        gflops=operations.get_total_flops() / len(test_inputs[1]) / 1e9,
    )


def _step(model: EngineModel, inputs: tuple[Any, ...], seconds: dict[str, float]) -> dict[str, Any]:
    """Time forward, loss and backward, without an optimiser step, and return the logged values."""
    precision = Precision.of(model.cfgs, distributed.device(), training=True)
    with _Clock(seconds, "forward", distributed.device()), precision.autocast():
        outputs = model(inputs)
    check_classes(model, outputs["training_feat"], inputs)
    with _Clock(seconds, "loss", distributed.device()):
        _, critic_info = train_critics(model, outputs["training_feat"], learn=False)
        loss, info = model.loss_aggregator(outputs["training_feat"])
    with _Clock(seconds, "backward", distributed.device()):
        loss.backward()
    return info | critic_info


def text_of(report: Report, model: str) -> str:
    """Format a report for printing."""
    rows = [("stage", "class", "output", "parameters", "trained", "calls", "ms")]
    rows += [
        (s.name, s.kind, s.shape, f"{s.parameters:,}", f"{s.trainable:,}", str(s.calls), f"{1000 * s.seconds:.1f}")
        for s in report.stages
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = "\n".join(
        "  ".join(cell.rjust(width) if column > 2 else cell.ljust(width) for column, (cell, width) in enumerate(line))
        for line in ([*zip(row, widths, strict=True)] for row in rows)
    )
    step = sum(report.seconds[part] for part in ("forward", "loss", "backward"))
    lines = [
        f"{model}: a training batch of {report.inputs}",
        "",
        table,
        "",
        "losses: " + ", ".join(f"{name} {value:.4f}" for name, value in report.losses.items()),
        "times:  "
        + ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in report.seconds.items())
        + f"; forward, loss and backward {1000 * step:.0f} ms",
        f"memory: {report.memory / 2**30:.2f} GiB at its peak",
        f"test:   {report.outputs}",
        f"cost:   {report.parameters:,} parameters, {report.trainable:,} of them trained; {report.gflops:.3g} GFLOPs "
        f"per tracklet in the test",
    ]
    if report.without_gradient:
        few = ", ".join(report.without_gradient[:4]) + (", ..." if len(report.without_gradient) > 4 else "")
        lines.append(
            f"note:   {len(report.without_gradient)} trainable parameters receive no gradient ({few}); training with "
            f"several processes therefore requires trainer_cfg.find_unused_parameters: true."
        )
    return "\n".join(lines)


class _Clock:
    """Records the seconds that a block takes, including pending work on a GPU."""

    def __init__(self, seconds: dict[str, float], name: str, device: torch.device) -> None:
        self.seconds, self.name, self.device = seconds, name, device

    def __enter__(self) -> None:
        self.start = _now(self.device)

    def __exit__(self, *_: object) -> None:
        self.seconds[self.name] = _now(self.device) - self.start


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@contextmanager
def counted_operations() -> Iterator[FlopCounterMode]:
    """Yield a counter of the floating-point operations of a block.

    Attention of torch runs in parts there, since the counter does not know the kernel that joins them.
    """
    joined = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as operations:
            yield operations
    finally:
        torch.backends.mha.set_fastpath_enabled(joined)


class _Stages:
    """Records the sub-modules of one forward pass."""

    def __init__(self, model: nn.Module, depth: int) -> None:
        self.watched = [(name, m) for name, m in model.named_modules() if name and name.count(".") < depth]
        self.watched = [(name, m) for name, m in self.watched if name.partition(".")[0] != "loss_aggregator"]
        self.device = distributed.device()

    def __enter__(self) -> list[Stage]:
        by_name: dict[str, Stage] = {}
        self.stages: list[Stage] = []
        self.hooks = []
        for name, module in self.watched:
            self.hooks += self._watch(name, module, by_name)
        return self.stages

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _watch(self, name: str, module: nn.Module, by_name: dict[str, Stage]) -> list[Any]:
        started: list[float] = []

        def before(*_: object) -> None:
            started.append(_now(self.device))

        def after(_: nn.Module, __: Any, output: Any) -> None:
            stage = by_name.get(name)
            if stage is None:
                sizes = [p.numel() for p in module.parameters()]
                trained = [p.numel() for p in module.parameters() if p.requires_grad]
                stage = by_name[name] = Stage(name, type(module).__name__, "", sum(sizes), sum(trained), 0, 0.0)
                self.stages.append(stage)
            stage.calls += 1
            stage.seconds = _now(self.device) - started.pop()
            stage.shape = _shape(output)

        return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]


def _shape(value: Any) -> str:
    """Return the shapes of the tensors in a value, with the names of the fields that hold them."""
    if isinstance(value, torch.Tensor):
        return "x".join(map(str, value.shape)) or "scalar"
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        shapes = {key: _shape(item) for key, item in value.items()}
        return ", ".join(f"{key} {shape}" for key, shape in shapes.items() if shape)
    if isinstance(value, list | tuple):
        return " | ".join(shape for shape in map(_shape, value) if shape)
    return ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", metavar="FILE", help="the configuration, a YAML file")
    parser.add_argument("file", nargs="?", help=argparse.SUPPRESS)  # the former spelling of --cfgs
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="such as data_cfg.cache=true"
    )
    parser.add_argument("--depth", type=int, default=2, metavar="N", help="levels of sub-modules to show (default: 2)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the report as JSON")
    args = parser.parse_args(argv)
    args.cfgs = args.cfgs or args.file or parser.error("the following arguments are required: --cfgs")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        distributed.start()
        cfgs = load_config(args.cfgs, args.set)
        report = check(cfgs, args.depth)
        print(text_of(report, cfgs["model_cfg"]["model"]))
        if args.out is not None:
            write_json(args.out, asdict(report))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        distributed.stop(failed=True)
        return 2
    distributed.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
