"""Train or test what a configuration describes.

    python opengait/main.py --cfgs FILE --phase train            one process, CPU or one GPU
    torchrun --nproc_per_node=4 opengait/main.py --cfgs FILE --phase test

The same from any working directory, and as `python -m opengait.main`. Bad input ends with one message and status 2.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from torch.distributed import DistError, TCPStore

if not __package__:
    # As a script, this file's own folder leads sys.path; from there every module would exist a second time as
    # `modeling.x` besides `opengait.modeling.x`.
    _here = Path(__file__).resolve().parent
    sys.path[:] = [str(_here.parent), *(entry for entry in sys.path if entry and Path(entry).resolve() != _here)]

from opengait import distributed, registry  # noqa: E402
from opengait.config import config_text, load_config, save_config  # noqa: E402
from opengait.engine.capsule import write_capsule  # noqa: E402
from opengait.engine.results import write_results  # noqa: E402
from opengait.engine.sync_batchnorm import convert_sync_batchnorm  # noqa: E402
from opengait.errors import UserError  # noqa: E402
from opengait.modeling.base_model import BaseModel, output_path  # noqa: E402
from opengait.utils.messages import get_msg_mgr  # noqa: E402
from opengait.utils.process import init_seeds  # noqa: E402
from opengait.utils.tensors import get_ddp_module, params_count  # noqa: E402


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; `argv` defaults to that of the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="the configuration, a YAML file")
    parser.add_argument("--phase", default="train", choices=("train", "test"))
    parser.add_argument("--iter", type=int, default=0, metavar="N", help="continue from, or test, iteration N")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="such as data_cfg.cache=true"
    )
    parser.add_argument("--log_to_file", action="store_true", help="write the log under <run folder>/logs too")
    parser.add_argument(
        "--local_rank", "--local-rank", type=int, default=0, help="ignored; old launchers pass it, torchrun does not"
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """One phase, from the configuration to the checkpoint or the numbers."""
    messages = get_msg_mgr()
    messages.hold()
    training = args.phase == "train"
    cfgs = load_config(args.cfgs, args.set)
    if args.iter:
        cfgs["trainer_cfg"]["restore_hint"] = cfgs["evaluator_cfg"]["restore_hint"] = args.iter
    # Before the log goes to a folder of the model's name, the name must stand for a model.
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
    model.capsule = write_capsule(model, args.phase)
    messages.log_info("Model Initialization Finished!")
    loop = build.run_train if training else build.run_test
    # A loop of the model's own may expect the wrapper that OpenGait puts around every model.
    own_loop = loop not in (BaseModel.run_train, BaseModel.run_test)
    wrapped = get_ddp_module(model, cfgs["trainer_cfg"]["find_unused_parameters"], alone_too=own_loop)
    if training:
        loop(wrapped)
        return
    messages.log_info("Running test...")
    result = loop(wrapped)
    # A test loop of the model's own may return something else than an evaluator's numbers.
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


def _tell(error: UserError) -> None:
    """Print an error once: the first rank that comes here does, for usually all ranks met the same one."""
    told = f"error-told/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    store, speaks = None, distributed.is_main()
    # Where the meeting point went away with rank 0, that one spoke before it went.
    with suppress(DistError):
        if distributed.world_size() > 1:
            address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            store = TCPStore(address, port, timeout=timedelta(seconds=10))
            speaks = store.add(told, 1) == 1
    if speaks:
        print(f"error: {error}", file=sys.stderr, flush=True)
    # The launcher ends all ranks when the first one ends, so that must not be before it is said.
    with suppress(DistError):
        if store is not None and speaks:
            store.set(f"{told}/done", "")
        elif store is not None:
            store.wait([f"{told}/done"], timedelta(seconds=10))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the process's exit status."""
    args = parse_arguments(argv)
    try:
        distributed.start()
        run(args)
    except UserError as error:
        _tell(error)
        distributed.stop(failed=True)
        return 2
    distributed.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
