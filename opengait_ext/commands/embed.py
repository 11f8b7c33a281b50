"""Describe tracklets of your own with any model: folders of frames or of silhouettes, or videos with boxes.

    vvi embed --network dinogrl-hitsz --input DIR --out features.npz
    vvi embed --cfgs FILE --checkpoint FILE.pt --input clip.mp4 --boxes boxes.txt --modality visible ...

Every folder of images below DIR, at any depth, is one tracklet. Its modality is read from the names of the folders
(visible, rgb, infrared, ir, ...) or set with --modality. Boxes are MOT text, CSV with the columns frame, track, x, y, w
and h, or COCO-video JSON; without --boxes, those that `vvi track` wrote are used. Models on silhouettes take folders of
OpenGait's .pkl files, or of pictures.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from opengait.command_line import count
from opengait_ext.commands.options import add_footage, add_network, network_of

if TYPE_CHECKING:
    from opengait_ext.search import Descriptors

HELP = "compute descriptors of your own footage"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_network(parser)
    parser.add_argument("--input", required=True, nargs="+", metavar="DIR_OR_VIDEO[#TRACK]")
    parser.add_argument("--out", required=True, metavar="FILE.npz")
    add_footage(parser)
    parser.add_argument("--frames", type=count, metavar="N", help="frames per tracklet (default: as in the test)")
    parser.add_argument("--batch", type=count, default=8, metavar="N", help="tracklets per batch (default: 8)")


def run(args: argparse.Namespace) -> int:
    """Describe the tracklets and write their descriptors.

    Raises:
        UserError: an input or the network cannot be used.
    """
    from opengait.utils.files import check_writable
    from opengait_ext import search

    check_writable(search.npz_path(args.out))
    describer = search.load_describer(*network_of(args), args.overrides, args.device)
    clips = search.find_clips(args.input, describer.kind, args.modality, args.boxes, args.between)
    descriptors = describer.describe(clips, args.frames, args.batch)
    path = save(args.out, descriptors)
    modalities = list(descriptors.types)
    counts = " and ".join(f"{modalities.count(modality)} {modality}" for modality in sorted(set(modalities)))
    frames = f"{descriptors.frames} frames of each" if descriptors.frames else "as many frames as in the test"
    print(f"{counts} tracklets, {frames}, written to {path}.")
    return 0


def save(out: str, descriptors: "Descriptors") -> Path:
    """Write the descriptors and return their file: `out`, or one in the temporary folder if `out` is full or gone."""
    from opengait.errors import UserError
    from opengait_ext import search

    try:
        return search.save_descriptors(out, descriptors)
    except (OSError, UserError) as error:
        path = search.save_descriptors(Path(tempfile.mkdtemp(), Path(out).name), descriptors)
        print(f"{out} cannot be written: {getattr(error, 'strerror', None) or error}.", file=sys.stderr)
        return path
