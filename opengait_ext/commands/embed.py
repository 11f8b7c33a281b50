"""Describe anybody's tracklets: folders of frames, or videos with boxes, in; descriptors out.

    python scripts/embed.py --cfgs FILE --checkpoint FILE.pt --input DIR --out features.npz
    python scripts/embed.py --cfgs FILE --checkpoint FILE.pt --input clip.mp4 --boxes boxes.csv --modality visible ...

Every folder with pictures in it, at any depth below DIR, is one tracklet. Whether it is visible or infrared is read
from the folders' names (visible, rgb, infrared, ir, ...) or given. The CSV file has the columns frame,track,x,y,w,h.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.command_line import count  # noqa: E402 - the project need not be installed
from opengait.errors import UserError  # noqa: E402
from opengait_ext.search import find_clips, load_describer, save_descriptors  # noqa: E402


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="configuration that the network was trained with")
    parser.add_argument("--checkpoint", required=True, metavar="FILE", help="checkpoint (.pt) of the training run")
    parser.add_argument("--input", required=True, nargs="+", metavar="DIR_OR_VIDEO")
    parser.add_argument("--out", required=True, metavar="FILE.npz")
    parser.add_argument("--modality", choices=("visible", "infrared"), help="of all inputs; else read from the names")
    parser.add_argument("--boxes", nargs="+", default=[], metavar="CSV", help="people's boxes: a file for each video")
    parser.add_argument("--frames", type=count, metavar="N", help="of each tracklet; by default as in its test")
    parser.add_argument("--batch", type=count, default=8, metavar="N", help="tracklets at a time (default: 8)")
    parser.add_argument("--device", help="such as cpu or cuda:1; the GPU by default, if there is one")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    args = arguments(argv)
    try:
        describer = load_describer(args.cfgs, args.checkpoint, args.overrides, args.device)
        clips = find_clips(args.input, describer.size, args.modality, args.boxes)
        descriptors = describer.describe(clips, args.frames, args.batch)
        path = save_descriptors(args.out, descriptors)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    kinds = {str(kind): int((descriptors.types == kind).sum()) for kind in sorted(set(descriptors.types))}
    counts = " and ".join(f"{count} {kind}" for kind, count in kinds.items())
    print(f"{counts} tracklets, {descriptors.frames} frames of each, written to {path}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
