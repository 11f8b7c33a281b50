"""Search a gallery for people: the nearest tracklets, or "no match".

    vvi search --gallery features.npz --query DIR [DIR ...] --top 10
    vvi search --gallery features.npz --query clip.avi#37 --modality visible
    ... --json answers.json --picture answers.png

`vvi gallery` and `vvi embed` write galleries, whose network describes the queries. The verdict is set for a
false-positive identification rate (--level): the share of people who are not in the gallery and yet get a match. That
takes a calibration, which every test of a run makes and which is looked for beside the checkpoint. The probability is
that of the first candidate being the person, if half of all queries are of people in the gallery.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from opengait.command_line import count, share
from opengait_ext.commands.options import add_footage, add_gallery_network, network_of_gallery

if TYPE_CHECKING:
    from opengait_ext.search import Candidate, QueryResult

HELP = "search a gallery of descriptors for the people of your queries"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--gallery", required=True, metavar="FOLDER_OR_FILE", help="of `vvi gallery` or `vvi embed`")
    parser.add_argument("--query", required=True, nargs="+", metavar="DIR_OR_VIDEO[#TRACK]")
    add_footage(parser)
    parser.add_argument("--top", type=count, default=10, metavar="N", help="candidates per query (default: 10)")
    parser.add_argument("--level", type=share, default=0.05, metavar="P", help="FPIR of the verdict (default: 0.05)")
    parser.add_argument(
        "--calibration", metavar="RUN_OR_FILE", type=Path, help="by default that of the gallery or the checkpoint"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the answers as JSON")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw the answers as .png and .pdf")
    add_gallery_network(parser)


def run(args: argparse.Namespace) -> int:
    """Search, and print and write the answers.

    Raises:
        UserError: the gallery, a query or the network cannot be used.
    """
    from opengait.utils.files import check_writable, write_json
    from opengait_ext import search
    from opengait_ext.runs.figures.style import figure_files, save_figure
    from opengait_ext.search.answer_figure import draw_answers
    from opengait_ext.search.calibrating import calibration_for, described_as_tested, find_calibration
    from opengait_ext.search.matching import check_gallery

    for path in [args.json] * bool(args.json) + (figure_files(args.picture) if args.picture else []):
        check_writable(path)
    gallery = search.open_any(args.gallery)
    network = network_of_gallery(args, gallery.cfgs, gallery.checkpoint)
    describer = search.load_describer(*network, [*gallery.overrides, *args.overrides], args.device)
    check_gallery(gallery, str(describer.trained.checkpoint), describer.checkpoint_sha256)
    clips = search.find_clips(args.query, describer.kind, args.modality, args.boxes, args.between)
    queries = describer.describe(clips, gallery.frames)
    as_tested = described_as_tested(gallery, describer.frames)
    network_files = (describer.trained.checkpoint, describer.checkpoint_sha256, describer.metric)
    calibration = (
        find_calibration(args.calibration)
        if args.calibration
        else calibration_for(*network_files, Path(args.gallery), as_tested)
    )
    results = search.search(gallery, queries, args.top, args.level, describer.metric, calibration)
    try:
        if args.json:
            write_json(args.json, [asdict(result) for result in results])
        if args.picture:
            save_figure(draw_answers(results, clips, gallery, describer.kind), args.picture)
    finally:
        # If one of the two cannot be written or printed, the other is not lost.
        print("\n\n".join(text_of(result, args.level) for result in results))
    if calibration is None and as_tested:
        print("No calibration of this network was found; test its run, or give --calibration.", file=sys.stderr)
    elif calibration is None:
        print(
            "The gallery was described from another number of frames per tracklet than the network's test uses, or "
            "with other settings (--set), so a test's calibration does not hold; run `vvi calibrate` on the gallery, "
            "and give --calibration.",
            file=sys.stderr,
        )
    return 0


def text_of(result: "QueryResult", level: float) -> str:
    """Return the table of one query."""
    from opengait.utils.text import one_line

    setting = f"{'FPIR' if result.calibrated else 'level'} {level:g}"
    chance = "" if result.probability is None else f", probability {result.probability:.2g}"
    verdict = {
        True: f"match ({setting}{chance})",
        False: f"no match ({setting}{chance}); the nearest are",
        None: f"{result.undecided}, so a distance cannot be judged; the nearest are",
    }[result.somebody]
    names = [one_line(candidate.name) + _times(candidate) for candidate in result.candidates]
    width = max(9, *map(len, names))
    lines = [
        f"{one_line(result.query)} ({result.modality}): {verdict}",
        f"{'rank':>4}  {'tracklet':<{width}}  {'':<8}  distance  p",
    ]
    for rank, (name, candidate) in enumerate(zip(names, result.candidates, strict=True), start=1):
        p_value = "-" if candidate.p_value is None else f"{candidate.p_value:.3g}"
        lines.append(f"{rank:>4}  {name:<{width}}  {candidate.modality:<8}  {candidate.distance:8.4f}  {p_value}")
    return "\n".join(lines)


def _times(candidate: "Candidate") -> str:
    """Return from when to when a candidate is seen in its video, or nothing."""
    if candidate.start_seconds is None or candidate.end_seconds is None:
        return ""
    return f" ({candidate.start_seconds:.1f}-{candidate.end_seconds:.1f} s)"
