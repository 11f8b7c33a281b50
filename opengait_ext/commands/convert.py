"""Convert checkpoints that a method's authors published to a checkpoint of this project.

    vvi convert agw --file PUBLISHED.t --out FILE.pt

The method is agw, auxnet, caj, deen, m3_reid, mitml or vld. FILE.pt goes with the method's configuration, whose model
it has to be. A file that holds Python objects beside its weights is refused, since loading it can run code; --trust
loads it nevertheless.

The DinoGRL authors' release is three files, and can also be converted back:

    vvi convert official --model best_model.pth --model2 best_model2.pth \\
        --shape best_shape.pth --out FILE.pt
    vvi convert official --to official --checkpoint FILE.pt --out DIR

FILE.pt goes with configs/dinogrl/hitsz_official.yaml (or bupt_official.yaml):

    torchrun opengait/main.py --cfgs configs/dinogrl/hitsz_official.yaml --phase test \\
        --set evaluator_cfg.restore_hint=FILE.pt data_cfg.dataset_root=PATH

DIR gets best_model.pth, best_model2.pth and best_shape.pth. Checkpoints trained here do not contain DINOv2; name its
file with --vision-model.
"""

import argparse
from pathlib import Path

HELP = "convert published checkpoints; those of DinoGRL's release also back"
NEEDED = {"engine": ("model", "model2", "shape"), "official": ("checkpoint",)}
# The keys of `opengait_ext.checkpoints.PUBLISHED`, which a test compares; importing that would load torch.
METHODS = ("agw", "auxnet", "caj", "deen", "m3_reid", "mitml", "vld")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("kind", choices=("official", *METHODS), help="official is the DinoGRL authors' release")
    parser.add_argument("--file", type=Path, metavar="FILE", help="with a method: its published file")
    parser.add_argument("--trust", action="store_true", help="with a method: load objects too, which can run code")
    parser.add_argument("--to", choices=tuple(NEEDED), default="engine", help="format to convert to (default: engine)")
    parser.add_argument("--out", required=True, type=Path, metavar="PATH", help="file, or folder with --to official")
    parser.add_argument("--model", type=Path, metavar="FILE", help="the appearance stream, best_model.pth")
    parser.add_argument("--model2", type=Path, metavar="FILE", help="PBMGE, best_model2.pth")
    parser.add_argument("--shape", type=Path, metavar="FILE", help="the gait stream, best_shape.pth")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="with --to official: the engine's checkpoint")
    parser.add_argument("--vision-model", type=Path, metavar="FILE", help="with --to official: DINOv2's public file")


def run(args: argparse.Namespace) -> int:
    """Convert in the requested direction.

    Raises:
        UserError: a file is missing, or is not a checkpoint of the expected model.
    """
    from opengait.errors import ConfigError
    from opengait_ext import checkpoints

    if args.kind != "official":
        if args.file is None or args.to != "engine":
            raise ConfigError(f"convert {args.kind} needs --file, the published file, and converts only to the engine.")
        left_out = checkpoints.from_published_file(args.kind, args.file, args.out, args.trust)
        unread = f" ({len(left_out)} entries left out, which the published forward pass does not read)"
        print(f"Written: {args.out}{unread if left_out else ''}")
        return 0
    for name in NEEDED[args.to]:
        if getattr(args, name) is None:
            options = ", ".join(f"--{option}" for option in NEEDED[args.to])
            raise ConfigError(f"--{name} is missing; --to {args.to} needs {options}.")
    if args.to == "official":
        for path in checkpoints.to_official_files(args.checkpoint, args.out, args.vision_model):
            print(f"Written: {path}")
        return 0
    classes = checkpoints.from_official_files(args.model, args.model2, args.shape, args.out)
    print(f"Written: {args.out} (classifiers of {classes[0]} and {classes[1]} people: appearance and gait stream)")
    return 0
