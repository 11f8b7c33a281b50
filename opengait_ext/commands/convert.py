"""Make the DinoGRL authors' released checkpoints into one of the engine, or a checkpoint of the engine into theirs.

    python scripts/convert_checkpoint.py official --model best_model.pth --model2 best_model2.pth \\
        --shape best_shape.pth --out FILE.pt
    python scripts/convert_checkpoint.py official --to official --checkpoint FILE.pt --out DIR

FILE.pt goes with configs/dinogrl/hitsz_official.yaml (or bupt_official.yaml):

    torchrun opengait/main.py --cfgs configs/dinogrl/hitsz_official.yaml --phase test \\
        --set evaluator_cfg.restore_hint=FILE.pt --set data_cfg.dataset_root=PATH

DIR gets best_model.pth, best_model2.pth and best_shape.pth. A checkpoint that was trained here has no DINOv2 inside;
name its file with --vision-model then.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.errors import ConfigError, UserError  # noqa: E402 - the project need not be installed
from opengait_ext import checkpoints  # noqa: E402


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    official = kinds.add_parser("official", help="the DinoGRL authors' release")
    official.add_argument(
        "--to", choices=("engine", "official"), default="engine", help="what to make; engine if left out"
    )
    official.add_argument("--out", required=True, type=Path, metavar="PATH", help="file, or folder with --to official")
    official.add_argument("--model", type=Path, metavar="FILE", help="the appearance stream, best_model.pth")
    official.add_argument("--model2", type=Path, metavar="FILE", help="PBMGE, best_model2.pth")
    official.add_argument("--shape", type=Path, metavar="FILE", help="the gait stream, best_shape.pth")
    official.add_argument("--checkpoint", type=Path, metavar="FILE", help="with --to official: the engine's checkpoint")
    official.add_argument("--vision-model", type=Path, metavar="FILE", help="with --to official: DINOv2's public file")
    return parser.parse_args(argv)


def convert(args: argparse.Namespace) -> None:
    """Convert in the direction that was asked for.

    Raises:
        UserError: a file is missing, or holds something else.
    """
    wanted = ("checkpoint",) if args.to == "official" else ("model", "model2", "shape")
    for name in wanted:
        if getattr(args, name) is None:
            raise ConfigError(f"--{name} is missing; --to {args.to} needs {', '.join(f'--{n}' for n in wanted)}.")
    if args.to == "official":
        for path in checkpoints.to_official_files(args.checkpoint, args.out, args.vision_model):
            print(f"Written: {path}")
        return
    classes = checkpoints.from_official_files(args.model, args.model2, args.shape, args.out)
    print(f"Written: {args.out} (classifiers of {classes[0]} and {classes[1]} people: appearance and gait stream)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    try:
        convert(arguments(argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
