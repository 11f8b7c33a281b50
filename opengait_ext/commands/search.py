"""Search a gallery for people: the nearest tracklets, or "no match".

    vvi search --gallery features.npz --query DIR [DIR ...] --top 10
    ... --json answers.json --picture answers.png

`vvi embed` writes the gallery; the network that it names describes the queries. A p-value is the probability that the
nearest tracklet of a gallery of strangers is as near; above --level the answer is "no match".
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from opengait.command_line import count, share
from opengait_ext.commands.options import add_device, add_overrides

if TYPE_CHECKING:
    from opengait_ext.search import QueryResult

HELP = "search a gallery of descriptors for the people of your queries"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--gallery", required=True, metavar="FILE.npz", help="written by `vvi embed`")
    parser.add_argument("--query", required=True, nargs="+", metavar="DIR_OR_VIDEO")
    parser.add_argument("--modality", choices=("visible", "infrared"), help="of all queries (default: from the names)")
    parser.add_argument("--boxes", nargs="+", default=[], metavar="CSV", help="boxes of people, one file per video")
    parser.add_argument("--top", type=count, default=10, metavar="N", help="candidates per query (default: 10)")
    parser.add_argument("--level", type=share, default=0.05, metavar="P", help="false-alarm level (default: 0.05)")
    parser.add_argument("--network", metavar="NAME", help="the network by name or folder, if it moved since then")
    parser.add_argument("--cfgs", metavar="FILE", help="configuration, if it moved since the gallery was written")
    parser.add_argument("--checkpoint", metavar="FILE", help="checkpoint, if it moved since the gallery was written")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the answers as JSON")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw the answers as .png and .pdf")
    add_device(parser)
    add_overrides(parser)


def run(args: argparse.Namespace) -> int:
    """Search, and print and write the answers.

    Raises:
        UserError: the gallery, a query or the network cannot be used.
    """
    from opengait.utils.files import check_writable, write_json
    from opengait_ext import search
    from opengait_ext.runs.figures.style import figure_files, save_figure
    from opengait_ext.search.answer_figure import draw_answers
    from opengait_ext.search.matching import check_gallery

    for path in [args.json] * bool(args.json) + (figure_files(args.picture) if args.picture else []):
        check_writable(path)
    gallery = search.load_descriptors(args.gallery)
    source, checkpoint = args.network, None
    if source is None:
        source, checkpoint = args.cfgs or gallery.cfgs, args.checkpoint or gallery.checkpoint
    overrides = [*gallery.overrides, *args.overrides]
    describer = search.load_describer(source, checkpoint, overrides, args.device)
    check_gallery(gallery, checkpoint or source, describer.checkpoint_sha256)
    clips = search.find_clips(args.query, describer.kind, args.modality, args.boxes)
    queries = describer.describe(clips, gallery.frames)
    results = search.search(gallery, queries, args.top, args.level, describer.metric)
    try:
        if args.json:
            write_json(args.json, [asdict(result) for result in results])
        if args.picture:
            save_figure(draw_answers(results, clips, gallery, describer.kind), args.picture)
    finally:
        # If one of the two cannot be written or printed, the other is not lost.
        print("\n\n".join(text_of(result, args.level) for result in results))
    return 0


def text_of(result: "QueryResult", level: float) -> str:
    """Return the table of one query."""
    from opengait.utils.text import one_line

    verdict = {
        True: f"match (level {level:g})",
        False: f"no match (level {level:g}); the nearest are",
        None: f"{result.undecided}, so a distance cannot be judged; the nearest are",
    }[result.somebody]
    names = [one_line(candidate.name) for candidate in result.candidates]
    width = max(9, *map(len, names))
    lines = [
        f"{one_line(result.query)} ({result.modality}): {verdict}",
        f"{'rank':>4}  {'tracklet':<{width}}  {'':<8}  distance  p",
    ]
    for rank, (name, candidate) in enumerate(zip(names, result.candidates, strict=True), start=1):
        chance = "-" if candidate.p_value is None else f"{candidate.p_value:.3g}"
        lines.append(f"{rank:>4}  {name:<{width}}  {candidate.modality:<8}  {candidate.distance:8.4f}  {chance}")
    return "\n".join(lines)
