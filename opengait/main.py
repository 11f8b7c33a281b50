"""Train or test the model of a configuration.

    python opengait/main.py --cfgs FILE --phase train            one process, CPU or one GPU
    torchrun --nproc_per_node=4 opengait/main.py --cfgs FILE --phase test

It runs from any working directory, also as `python -m opengait.main`. Invalid input ends with a message and status 2.
Ctrl-C (status 130) and SIGTERM (143) end a training after the current iteration, with a checkpoint.
"""

import argparse
import logging
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if not __package__:
    # A script's folder comes first on sys.path, where every module could be imported a second time, as `modeling.x`
    # besides `opengait.modeling.x`.
    _here = Path(__file__).resolve().parent
    sys.path[:] = [str(_here.parent), *(entry for entry in sys.path if entry and Path(entry).resolve() != _here)]

import torch  # noqa: E402

from opengait import distributed, registry  # noqa: E402
from opengait.command_line import INTERRUPTED, count, error_text, tolerant_output  # noqa: E402
from opengait.config import config_text, load_config, save_config  # noqa: E402
from opengait.cross_test import load_test  # noqa: E402
from opengait.engine.capsule import write_capsule  # noqa: E402
from opengait.engine.restore import hinted_path  # noqa: E402
from opengait.engine.results import write_results  # noqa: E402
from opengait.engine.run_folder import RunFolder, newest_checkpoint, output_path  # noqa: E402
from opengait.engine.stop import Stopped  # noqa: E402
from opengait.engine.sync_batchnorm import convert_sync_batchnorm  # noqa: E402
from opengait.engine.trained_run import CONFIG, run_of  # noqa: E402
from opengait.utils.files import from_here  # noqa: E402
from opengait.utils.messages import get_msg_mgr  # noqa: E402
from opengait.utils.process import init_seeds  # noqa: E402
from opengait.utils.sinks import check_sinks  # noqa: E402
from opengait.utils.tensors import get_ddp_module, params_count  # noqa: E402

# Seconds that other ranks wait before they report an error.
HEAD_START = 5.0
LAST = "last"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; `argv` defaults to that of the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="the configuration, a YAML file")
    parser.add_argument("--phase", default="train", choices=("train", "test"))
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--iter",
        type=_iteration,
        default=0,
        metavar="N",
        help="iteration to continue from or to test, or `last` for the newest checkpoint",
    )
    which.add_argument(
        "--checkpoint",
        metavar="RUN|FILE",
        help="test the network of another run, such as one trained on another dataset: its folder or a checkpoint",
    )
    which.add_argument("--resume", action="store_true", help="continue the run from its newest checkpoint")
    which.add_argument("--overwrite", action="store_true", help="replace the run that the run folder holds")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="overrides, such as data_cfg.cache=true",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda if there is a usable GPU")
    parser.add_argument(
        "--log_to_file",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also write the log to <run folder>/logs (the default)",
    )
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help="ignored; passed by old launchers")
    args = parser.parse_args(argv)
    if args.phase == "test" and (args.resume or args.overwrite):
        parser.error("--resume and --overwrite are for --phase train; test the newest checkpoint with --iter last")
    if args.phase == "train" and args.checkpoint is not None:
        parser.error("--checkpoint is for --phase test; start a training with --set trainer_cfg.restore_hint=FILE")
    args.iter = LAST if args.resume else args.iter
    return args


def _iteration(text: str) -> int | str:
    if text == LAST:
        return text
    try:
        return count(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"expected a positive integer or {LAST}, got {text!r}") from error


def run(args: argparse.Namespace) -> None:
    """Run one phase, from the configuration to the checkpoint or the results.

    Raises:
        UserError: something outside the code cannot be used.
        Stopped: a signal ended the training.
    """
    messages = get_msg_mgr()
    messages.hold()
    training = args.phase == "train"
    if args.checkpoint is None:
        cfgs = load_config(args.cfgs, args.set)
    else:
        cfgs = load_test(args.cfgs, args.set, args.checkpoint)
    # Look the model up before a folder of that name is created.
    build = registry.models.get(cfgs["model_cfg"].get("model"))
    engine_cfg = cfgs["trainer_cfg"] if training else cfgs["evaluator_cfg"]
    if training:
        check_sinks(engine_cfg["sinks"] or [])
    folder = output_path(cfgs, training)
    if args.iter == LAST:
        args.iter = distributed.on_main(lambda: newest_checkpoint(folder, engine_cfg["save_name"]))
    if args.iter:
        cfgs["trainer_cfg"]["restore_hint"] = cfgs["evaluator_cfg"]["restore_hint"] = args.iter
    hint = engine_cfg["restore_hint"]
    continues = hint if isinstance(hint, int) else 0
    weights = Path(hint) if isinstance(hint, str) else None
    run_folder = RunFolder(folder, engine_cfg["save_name"], continues, args.overwrite, weights)
    try:
        distributed.on_main(run_folder.claim if training else run_folder.check_writable)
        if training:
            messages.init_manager(folder, args.log_to_file, engine_cfg["log_iter"], continues)
            messages.use_sinks(engine_cfg["sinks"] or [], folder, cfgs)
        else:
            messages.init_logger(folder, args.log_to_file)
        _introduce(args, cfgs, folder)
        _run_phase(args, cfgs, build, run_folder)
    finally:
        messages.close_sinks()
        run_folder.close()


def _introduce(args: argparse.Namespace, cfgs: dict[str, Any], folder: Path) -> None:
    """Log the run in a few lines; its files hold the whole configuration."""
    messages = get_msg_mgr()
    overrides = f" with {' '.join(args.set)}" if args.set else ""
    name = "config.yaml" if args.phase == "train" else "capsule-test-<time>.yaml"
    messages.log_summary(
        f"Configuration: {args.cfgs}{overrides}; written in full to {folder / name}",
        f"Configuration: {args.cfgs}{overrides}\n{config_text(cfgs)}",
    )
    if args.checkpoint is not None:
        run = run_of(Path(cfgs["evaluator_cfg"]["restore_hint"]))
        source = args.cfgs if run is None else run / CONFIG
        messages.log_info(f"Network: {cfgs['evaluator_cfg']['restore_hint']}, built as in {source}")
    messages.log_info(f"Device: {distributed.device_text()}")
    if args.device is None and torch.version.cuda is not None and (reason := distributed.no_gpu_reason()):
        messages.log_warning(f"Running on the CPU: {reason}. Add --device cpu if that is intended.")


def _run_phase(args: argparse.Namespace, cfgs: dict[str, Any], build: Any, run_folder: RunFolder) -> None:
    messages = get_msg_mgr()
    training = args.phase == "train"
    init_seeds(cfgs["trainer_cfg"]["seed"])
    model = build(cfgs, training)
    if training and cfgs["trainer_cfg"]["sync_BN"]:
        model = convert_sync_batchnorm(model)
    if cfgs["trainer_cfg"]["fix_BN"]:
        model.fix_BN()
    messages.log_info(params_count(model))
    messages.log_info("Model Initialization Finished!")

    def begin() -> None:
        if training:
            aside = run_folder.begin()
            save_config(cfgs, run_folder.path / "config.yaml")
            if aside is not None:
                later = f"iteration {run_folder.continues}"
                messages.log_warning(f"Checkpoints and results after {later} were moved to {aside}.")
        write_capsule(model, args.phase)

    messages.on_begin(begin)
    # OpenGait wraps every model in DDP, and loops written for it may rely on that.
    own_loop = args.phase in model.own_loops
    wrapped = get_ddp_module(model, cfgs["trainer_cfg"]["find_unused_parameters"], alone_too=own_loop)
    if training:
        build.run_train(wrapped)
        if own_loop and model.iteration and not hinted_path(model, model.iteration).is_file():
            # A loop of its own may end between two checkpoints.
            model.save_ckpt(model.iteration)
        _conclude(args, cfgs, model, run_folder)
        return
    if model.run_state.restored_from is None:
        messages.log_warning("evaluator_cfg.restore_hint is 0: testing the model as initialised, without a checkpoint.")
    messages.log_info("Running test...")
    with messages.results_last():
        result = build.run_test(wrapped)
        messages.begin()
        # A model's own test loop may return something other than an evaluator's numbers.
        if distributed.is_main() and isinstance(result, dict):
            file = write_results(model, result)
            messages.log_info(f"Results written to {file}")


def _conclude(args: argparse.Namespace, cfgs: dict[str, Any], model: Any, run_folder: RunFolder) -> None:
    """Log the last checkpoint and the command that tests it."""
    file = run_folder.checkpoint(model.iteration)
    if not file.is_file():
        return
    which = ["--iter", str(model.iteration)]
    if output_path(cfgs, training=False) != run_folder.path:
        which = ["--set", f"evaluator_cfg.restore_hint={file}"]
    get_msg_mgr().log_info(f"Trained to iteration {model.iteration}: {file}")
    get_msg_mgr().log_info(f"Test it with: {_command(args, '--phase', 'test', *which)}")


def _command(args: argparse.Namespace, *options: str) -> str:
    """Return a command line with the configuration, overrides and number of processes of this one."""
    processes = distributed.world_size()
    launcher = ["python"] if processes == 1 else ["torchrun", f"--nproc_per_node={processes}"]
    overrides = ["--set", *args.set] if args.set else []
    return shlex.join([*launcher, from_here(Path(__file__)), "--cfgs", args.cfgs, *options, *overrides])


def _report(error: str) -> None:
    """Print an error. Usually all ranks raise the same one, and the launcher ends the others once rank 0 has exited."""
    # Before the processes have met, only the launcher says which one this is.
    launched = os.environ.get("RANK", "0")
    rank = distributed.rank() or (int(launched) if launched.isdecimal() else 0)
    if rank:
        time.sleep(HEAD_START)
    text = f"[rank {rank}] error: {error}" if rank else f"error: {error}"
    distributed.tell_launcher(text)
    print(text, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    tolerant_output()
    args = parse_arguments(argv)
    failed = True
    try:
        distributed.start(args.device)
        run(args)
    except Stopped as stopped:
        again = _command(args, "--phase", "train", "--resume")
        get_msg_mgr().log_info(f"Stopped at iteration {stopped.iteration}; continue with: {again}")
        status, failed = stopped.status, False
    except KeyboardInterrupt:
        print("Interrupted; the last checkpoint, if any, is complete.", file=sys.stderr)
        status = INTERRUPTED
    except Exception as error:
        text = error_text(error)
        if text is None:
            raise
        _report(text)
        status = 2
    else:
        status, failed = 0, False
    if failed and distributed.world_size() > 1:
        # At once: leaving the group in order would wait for the others, and its threads would log below the error.
        logging.shutdown()
        os._exit(status)
    distributed.stop()
    return status


if __name__ == "__main__":
    sys.exit(main())
