"""Train or test the model of a configuration.

    python opengait/main.py --cfgs FILE --phase train            one process, CPU or one GPU
    torchrun --nproc_per_node=4 opengait/main.py --cfgs FILE --phase test

It runs from any working directory, also as `python -m opengait.main`. Invalid input ends with a message and status 2.
"""

import argparse
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

from opengait import distributed, registry  # noqa: E402
from opengait.config import config_text, load_config, save_config  # noqa: E402
from opengait.engine.capsule import write_capsule  # noqa: E402
from opengait.engine.results import write_results  # noqa: E402
from opengait.engine.run_folder import output_path  # noqa: E402
from opengait.engine.sync_batchnorm import convert_sync_batchnorm  # noqa: E402
from opengait.errors import UserError  # noqa: E402
from opengait.utils.messages import get_msg_mgr  # noqa: E402
from opengait.utils.process import init_seeds  # noqa: E402
from opengait.utils.tensors import get_ddp_module, params_count  # noqa: E402

# Seconds that other ranks wait before they report an error.
HEAD_START = 5.0


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; `argv` defaults to that of the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="the configuration, a YAML file")
    parser.add_argument("--phase", default="train", choices=("train", "test"))
    parser.add_argument("--iter", type=int, default=0, metavar="N", help="iteration to continue from, or to test")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="overrides, such as data_cfg.cache=true",
    )
    parser.add_argument("--log_to_file", action="store_true", help="also write the log to <run folder>/logs")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help="ignored; passed by old launchers")
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Run one phase, from the configuration to the checkpoint or the results."""
    messages = get_msg_mgr()
    messages.hold()
    training = args.phase == "train"
    cfgs = load_config(args.cfgs, args.set)
    if args.iter:
        cfgs["trainer_cfg"]["restore_hint"] = cfgs["evaluator_cfg"]["restore_hint"] = args.iter
    # Look the model up before a folder of that name is created.
    build = registry.models.get(cfgs["model_cfg"].get("model"))
    folder = output_path(cfgs, training)
    _open_log(cfgs, folder, training, args.log_to_file)

    init_seeds(cfgs["trainer_cfg"]["seed"])
    model = build(cfgs, training)
    if training and cfgs["trainer_cfg"]["sync_BN"]:
        model = convert_sync_batchnorm(model)
    if cfgs["trainer_cfg"]["fix_BN"]:
        model.fix_BN()
    messages.log_info(params_count(model))
    write_capsule(model, args.phase)
    messages.log_info("Model Initialization Finished!")
    # OpenGait wraps every model in DDP, and loops written for it may rely on that.
    own_loop = args.phase in model.own_loops
    wrapped = get_ddp_module(model, cfgs["trainer_cfg"]["find_unused_parameters"], alone_too=own_loop)
    if training:
        build.run_train(wrapped)
        return
    messages.log_info("Running test...")
    result = build.run_test(wrapped)
    # A model's own test loop may return something other than an evaluator's numbers.
    if distributed.is_main() and isinstance(result, dict):
        file = write_results(model, result)
        messages.log_info(f"Results written to {file}")


def _open_log(cfgs: dict[str, Any], folder: Path, training: bool, to_file: bool) -> None:
    messages = get_msg_mgr()
    if training:
        trainer_cfg = cfgs["trainer_cfg"]
        hint = trainer_cfg["restore_hint"]
        messages.init_manager(folder, to_file, trainer_cfg["log_iter"], hint if isinstance(hint, int) else 0)
        if distributed.is_main():
            save_config(cfgs, folder / "config.yaml")
    else:
        messages.init_logger(folder, to_file)
    messages.log_info(f"Configuration:\n{config_text(cfgs)}")


def _report(error: UserError) -> None:
    """Print an error. Usually all ranks raise the same one, and the launcher ends the others once rank 0 has exited."""
    rank = distributed.rank()
    if rank:
        time.sleep(HEAD_START)
    print(f"[rank {rank}] error: {error}" if rank else f"error: {error}", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    args = parse_arguments(argv)
    try:
        distributed.start()
        run(args)
    except UserError as error:
        _report(error)
        distributed.stop(failed=True)
        return 2
    distributed.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
