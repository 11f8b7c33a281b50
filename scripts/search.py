"""Look for people in a gallery: matches with distances, or "nobody here".

    python scripts/search.py --gallery features.npz --query DIR [DIR ...] --top 10
    ... --json answers.json --picture answers.png

The gallery is made by scripts/embed.py; queries are described by the network that the gallery file names. A p-value is
the chance that the nearest of a gallery of strangers is as near; above --level the answer is "nobody here".
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.command_line import count, share  # noqa: E402 - the project need not be installed
from opengait.errors import UserError  # noqa: E402
from opengait.utils.files import write_text  # noqa: E402
from opengait_ext import search  # noqa: E402
from opengait_ext.runs.figures.style import save_figure  # noqa: E402
from opengait_ext.search.answer_figure import draw_answers  # noqa: E402
from opengait_ext.search.matching import LEAST  # noqa: E402


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", required=True, metavar="FILE.npz", help="written by scripts/embed.py")
    parser.add_argument("--query", required=True, nargs="+", metavar="DIR_OR_VIDEO")
    parser.add_argument("--modality", choices=("visible", "infrared"), help="of all queries; else read from the names")
    parser.add_argument("--boxes", nargs="+", default=[], metavar="CSV", help="people's boxes: a file for each video")
    parser.add_argument("--top", type=count, default=10, metavar="N", help="candidates a query (default: 10)")
    parser.add_argument("--level", type=share, default=0.05, metavar="P", help="of a false answer (default: 0.05)")
    parser.add_argument("--cfgs", metavar="FILE", help="where the gallery's configuration is now, if it moved")
    parser.add_argument("--checkpoint", metavar="FILE", help="where the gallery's checkpoint is now, if it moved")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the answers there, too")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw the answers as .png and .pdf")
    parser.add_argument("--device", help="such as cpu or cuda:1; the GPU by default, if there is one")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides")
    return parser.parse_args(argv)


def answer(args: argparse.Namespace) -> None:
    """Search, and print and write what was asked for.

    Raises:
        UserError: something that is needed is missing or does not fit.
    """
    gallery = search.load_descriptors(args.gallery)
    cfgs, checkpoint = args.cfgs or gallery.cfgs, args.checkpoint or gallery.checkpoint
    describer = search.load_describer(cfgs, checkpoint, [*gallery.overrides, *args.overrides], args.device)
    clips = search.find_clips(args.query, describer.size, args.modality, args.boxes)
    queries = describer.describe(clips, gallery.frames)
    results = search.search(gallery, queries, args.top, args.level, describer.metric)
    print("\n\n".join(text_of(result, args.level) for result in results))
    if args.json:
        write_text(args.json, json.dumps([asdict(result) for result in results], indent=2) + "\n")
    if args.picture:
        save_figure(draw_answers(results, clips, gallery, describer.size), args.picture)


def text_of(result: search.QueryResult, level: float) -> str:
    """A query's table."""
    verdict = {
        True: f"somebody is near enough (level {level:g})",
        False: f"nobody here (level {level:g}); the nearest are",
        None: f"the gallery has fewer than {LEAST} tracklets of a modality, so a distance cannot be judged",
    }[result.somebody]
    width = max(9, *(len(candidate.name) for candidate in result.candidates))
    lines = [
        f"{result.query} ({result.modality}): {verdict}",
        f"{'rank':>4}  {'tracklet':<{width}}  {'':<8}  distance  p",
    ]
    for rank, found in enumerate(result.candidates, start=1):
        chance = "-" if found.p_value is None else f"{found.p_value:.3g}"
        lines.append(f"{rank:>4}  {found.name:<{width}}  {found.modality:<8}  {found.distance:8.4f}  {chance}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    try:
        answer(arguments(argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
