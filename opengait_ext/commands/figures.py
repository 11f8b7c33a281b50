"""Draw the paper's figures, and others of a run, as PNG and PDF.

    vvi figures silhouettes RUN --people 0503 0611 --out figure1 # Figures 1 and 3
    vvi figures lists RUN --against BASELINE --out figure5       # Figure 5, ranked lists
    vvi figures distances RUN --against BASELINE --out figure6   # Figure 6, distance distributions
    vvi figures cmc|det|map RUN --out FILE
    vvi figures attention|channels|steps RUN --out FILE          # inside SASG and PBMGE

RUN is a run folder tested with --set evaluator_cfg.save_features=true. `vvi ablate --figure 4` draws Figure 4.
"""

import argparse

from opengait.command_line import count, share
from opengait_ext.commands.options import add_overrides, add_people

HELP = "draw the paper's figures from a tested run"
KINDS = ("silhouettes", "lists", "distances", "cmc", "det", "map", "attention", "channels", "steps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--against", metavar="RUN2", help="another run on the same tracklets, drawn above")
    parser.add_argument("--out", required=True, metavar="FILE", help="without suffix; writes .png and .pdf")
    parser.add_argument(
        "--direction", default="infrared_to_visible", metavar="NAME", help="direction of lists and distances"
    )
    parser.add_argument("--queries", type=count, default=4, metavar="N", help="ranked lists (default: 4)")
    parser.add_argument("--choose", choices=("random", "worst", "best"), default="random", help="queries to show")
    add_people(parser, "show only these people, as queries or silhouettes")
    parser.add_argument("--top", type=count, default=6, metavar="N", help="tracklets per list (default: 6)")
    parser.add_argument("--method", choices=("pca", "tsne"), default="pca", help="of the map; tsne needs scikit-learn")
    parser.add_argument(
        "--level", type=share, default=0.05, metavar="P", help="FPIR of the operating point of det (default: 0.05)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of random queries (default: 0)")
    add_overrides(parser)


def run(args: argparse.Namespace) -> int:
    """Draw the figure and print its files.

    Raises:
        UserError: the run cannot be read, or lacks what the figure shows.
    """
    from opengait.utils.files import check_writable
    from opengait_ext.runs.figures.of_runs import draw
    from opengait_ext.runs.figures.style import figure_files, save_figure

    for file in figure_files(args.out):
        check_writable(file)
    figure = draw(
        args.kind,
        args.run,
        against=args.against,
        direction=args.direction,
        queries=args.queries,
        choose=args.choose,
        people=args.people,
        top=args.top,
        method=args.method,
        seed=args.seed,
        level=args.level,
        overrides=args.overrides,
    )
    print(" ".join(map(str, save_figure(figure, args.out))))
    return 0
