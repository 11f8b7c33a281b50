"""Learn what the distances of a network mean: the false-positive rate of a search, and the probability of a match.

    vvi calibrate RUN --report
    vvi calibrate GALLERY --people people.csv --out calibration.json
    vvi calibrate GALLERY --from RUN --out calibration.json

RUN is a run that was tested with evaluator_cfg.save_features=true, or the JSON file of such a test. Every test
calibrates its network, so the first form is for looking: it states what verdicts are worth on people that the
calibration has not seen. people.csv names the person of each tracklet of a gallery (columns tracklet,person). Without
names, --from takes a calibration to other footage: the distances between the gallery's tracklets give its place and
scale.
"""

import argparse
from pathlib import Path

from opengait.command_line import share

HELP = "learn from known people how near is near enough"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("tracklets", metavar="RUN_OR_GALLERY", type=Path)
    names = parser.add_mutually_exclusive_group()
    names.add_argument("--people", metavar="CSV", type=Path, help="names of the gallery's people (tracklet,person)")
    names.add_argument("--from", metavar="RUN_OR_FILE", type=Path, dest="origin", help="calibration to adapt")
    parser.add_argument("--level", type=share, default=0.05, metavar="P", help="FPIR of the report (default: 0.05)")
    parser.add_argument("--report", action="store_true", help="also measure verdicts on held-out people")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write the calibration, for `vvi search --calibration`"
    )


def run(args: argparse.Namespace) -> int:
    """Calibrate, and print and write what was asked for.

    Raises:
        UserError: the run or the gallery cannot be used.
    """
    from opengait.errors import ConfigError
    from opengait.utils.files import check_writable
    from opengait_ext.evaluation.calibration_file import save_calibration
    from opengait_ext.search import calibrating

    if args.out and not args.out.is_dir():
        check_writable(args.out)
    if args.origin:
        if args.report:
            raise ConfigError("--report needs the names of people, which --from does without.")
        calibration = calibrating.adapt(args.tracklets, args.origin)
    else:
        known = calibrating.known_people(args.tracklets, args.people)
        calibration = known.calibrate()
        if args.report:
            print(known.report(args.level), end="\n\n")
    print(calibrating.thresholds(calibration, args.level))
    if args.out:
        print(f"Written to {save_calibration(args.out, calibration)}.")
    return 0
