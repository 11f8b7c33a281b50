"""Find and follow the people in a video, and write their boxes for `vvi embed` and `vvi search`.

    vvi track clip.avi
    vvi track clip.avi --detector fasterrcnn_mobilenet_v3_large_fpn --out boxes.txt

By default people are what moves before a fixed camera, which needs no weights. Detectors of torchvision find people who
stand, or before a moving camera; they download their weights unless --weights names a file. The boxes are MOT text
(frame from 1, track, left, top, width, height, score), as other trackers write it, beside the video: clip.boxes.txt.
"""

import argparse
import sys
from pathlib import Path

from opengait.command_line import seconds, share
from opengait_ext.commands.options import add_device

HELP = "find and follow people in a video"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("video", nargs="+", type=Path, metavar="VIDEO")
    parser.add_argument("--out", type=Path, metavar="FILE", help="for one video (default: VIDEO.boxes.txt beside it)")
    parser.add_argument("--detector", default="motion", metavar="NAME", help="motion (default) or one of torchvision")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights of the detector")
    parser.add_argument(
        "--least-seconds", type=seconds, default=1.0, metavar="S", help="leave out shorter tracks (default: 1)"
    )
    parser.add_argument(
        "--lost-seconds", type=seconds, default=1.0, metavar="S", help="how long a person may be hidden (default: 1)"
    )
    parser.add_argument(
        "--least-height", type=share, default=0.08, metavar="H", help="of people, in picture heights (default: 0.08)"
    )
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Track people and write their boxes.

    Raises:
        UserError: a video cannot be read, the output cannot be written, or something is not installed.
    """
    from opengait.errors import ConfigError
    from opengait.utils.files import check_writable
    from opengait_ext.models.load import usable_device
    from opengait_ext.search.boxes import boxes_beside
    from opengait_ext.track import Detector, Motion, TorchvisionDetector, track_video

    if args.out and len(args.video) > 1:
        raise ConfigError(f"--out names one file, but there are {len(args.video)} videos; leave it out.")
    files = [args.out or boxes_beside(video) for video in args.video]
    for file in files:
        check_writable(file)
    for video, file in zip(args.video, files, strict=True):
        detector: Detector
        if args.detector == "motion":
            detector = Motion(args.least_height)
        else:
            detector = TorchvisionDetector(args.detector, args.weights, usable_device(args.device))
        summary = track_video(video, file, detector, args.least_seconds, args.lost_seconds)
        print(
            f"{video}: {summary.tracks} tracks, {summary.boxes} boxes in {summary.frames} frames "
            f"({summary.seconds:.1f} s), written to {file}."
        )
        if not summary.tracks:
            print("Nobody was found; try --least-height, --least-seconds or another --detector.", file=sys.stderr)
    return 0
