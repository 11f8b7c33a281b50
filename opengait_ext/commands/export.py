"""Write a trained network as a file that runs without this project: ONNX, or torch's pt2.

    vvi export --network dinogrl-hitsz --out FILE.onnx
    vvi export --network RUN --out FILE.pt2 --frames 6

The file takes frames, uint8 (n, s, 3, h, w) in RGB at the size that the network was trained with, and modality, int64
(n) with 0 for visible and 1 for infrared, and returns the descriptors, float32 (n, c, p). Normalisation is inside. The
numbers of tracklets n and frames s are free unless --tracklets and --frames fix them. FILE.onnx.json says all of this
to a program, with the metric of the distance and the calibration.

The file is run beside the network on random tracklets, and is kept only if no descriptor deviates by more than 1e-4 of
its norm. ONNX needs the extra `export`.
"""

import argparse
from pathlib import Path

from opengait.command_line import count
from opengait_ext.commands.options import add_network, network_of

HELP = "write a network as ONNX or pt2"
# The keys of `opengait_ext.export.FORMATS`, which a test compares; importing that would load torch.
FORMATS = ("onnx", "pt2")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_network(parser, device=False)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="FILE.onnx or FILE.pt2")
    parser.add_argument("--format", choices=FORMATS, help="default: as --out ends")
    parser.add_argument("--tracklets", type=count, metavar="N", help="fixed number of tracklets (default: any)")
    parser.add_argument("--frames", type=count, metavar="N", help="fixed number of frames of each (default: any)")


def run(args: argparse.Namespace) -> int:
    """Export the network.

    Raises:
        UserError: the network cannot be exported, or the file deviates from it.
    """
    from opengait.utils.files import check_writable, from_here
    from opengait_ext import export, search

    export.format_of(args.out, args.format)
    check_writable(args.out)
    describer = search.load_describer(*network_of(args), args.overrides, "cpu")
    exported = export.export_describer(describer, args.out, args.tracklets, args.frames)
    print(f"{from_here(exported.path)}: {exported.path.stat().st_size:,} bytes; {exported.facts.name} describes it")
    print(f"Largest deviation from the network itself: {exported.deviation:.1e} of the descriptor's norm")
    return 0
