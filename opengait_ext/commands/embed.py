"""Describe tracklets of your own: folders of frames, or videos with boxes.

    vvi embed --cfgs FILE --checkpoint FILE.pt --input DIR --out features.npz
    vvi embed --cfgs FILE --checkpoint FILE.pt --input clip.mp4 --boxes boxes.csv --modality visible ...

Every folder of images below DIR, at any depth, is one tracklet. Its modality is read from the names of the folders
(visible, rgb, infrared, ir, ...) or set with --modality. The CSV file has the columns frame,track,x,y,w,h.
"""

import argparse

from opengait.command_line import count
from opengait_ext.commands.options import add_network

HELP = "compute descriptors of your own footage"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_network(parser)
    parser.add_argument("--input", required=True, nargs="+", metavar="DIR_OR_VIDEO")
    parser.add_argument("--out", required=True, metavar="FILE.npz")
    parser.add_argument("--modality", choices=("visible", "infrared"), help="of all inputs (default: from the names)")
    parser.add_argument("--boxes", nargs="+", default=[], metavar="CSV", help="boxes of people, one file per video")
    parser.add_argument("--frames", type=count, metavar="N", help="frames per tracklet (default: as in the test)")
    parser.add_argument("--batch", type=count, default=8, metavar="N", help="tracklets per batch (default: 8)")


def run(args: argparse.Namespace) -> int:
    """Describe the tracklets and write their descriptors.

    Raises:
        UserError: an input or the network cannot be used.
    """
    from opengait_ext.search import find_clips, load_describer, save_descriptors

    describer = load_describer(args.cfgs, args.checkpoint, args.overrides, args.device)
    clips = find_clips(args.input, describer.size, args.modality, args.boxes)
    descriptors = describer.describe(clips, args.frames, args.batch)
    path = save_descriptors(args.out, descriptors)
    modalities = list(descriptors.types)
    counts = " and ".join(f"{modalities.count(modality)} {modality}" for modality in sorted(set(modalities)))
    print(f"{counts} tracklets, {descriptors.frames} frames of each, written to {path}.")
    return 0
