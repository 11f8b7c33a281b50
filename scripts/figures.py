"""Draw the paper's figures, and what else tells how a run works, as PNG and PDF.

    python scripts/figures.py silhouettes RUN --people 0503 0611 --out figure1 # Figures 1 and 3
    python scripts/figures.py lists RUN --against BASELINE --out figure5       # Figure 5, ranked lists
    python scripts/figures.py distances RUN --against BASELINE --out figure6   # Figure 6, distance distributions
    python scripts/figures.py cmc|map RUN --out FILE
    python scripts/figures.py attention|channels|steps RUN --out FILE          # inside SASG and PBMGE

RUN is a run folder that was tested with --set evaluator_cfg.save_features=true. Figure 4 is drawn by scripts/ablate.py.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.command_line import count  # noqa: E402
from opengait.errors import UserError  # noqa: E402 - the project need not be installed
from opengait_ext.runs.figures.of_runs import KINDS, draw  # noqa: E402
from opengait_ext.runs.figures.style import save_figure  # noqa: E402


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--against", metavar="RUN2", help="another run on the same tracklets, drawn above")
    parser.add_argument("--out", required=True, metavar="FILE", help="without suffix; .png and .pdf are written")
    parser.add_argument("--direction", default="infrared_to_visible", metavar="NAME", help="of lists and distances")
    parser.add_argument("--queries", type=count, default=4, metavar="N", help="ranked lists (default: 4)")
    parser.add_argument("--choose", choices=("random", "worst", "best"), default="random", help="which queries")
    parser.add_argument("--people", nargs="+", metavar="ID", help="only these people, queries or shown to the network")
    parser.add_argument("--top", type=count, default=6, metavar="N", help="tracklets a list (default: 6)")
    parser.add_argument("--method", choices=("pca", "tsne"), default="pca", help="of the map; tsne needs scikit-learn")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    args = arguments(argv)
    try:
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
            overrides=args.overrides,
        )
        files = save_figure(figure, args.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(" ".join(map(str, files)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
