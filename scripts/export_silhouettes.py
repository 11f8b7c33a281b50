"""Write the silhouettes that a trained DinoGRL sees.

    python scripts/export_silhouettes.py --cfgs configs/dinogrl/demo.yaml --checkpoint FILE.pt --out DIR
    ... --split query --people 0503 0504 --frames 6       # some tracklets, six frames of each
    ... --split train --no-gif --pkl                      # training data for OpenGait's silhouette models
    ... --truth output/demo/data                          # measure the overlap with the synthetic data's truth

Run again with the same --out, it continues where it stopped.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opengait.command_line import count  # noqa: E402
from opengait.config import load_config  # noqa: E402 - the project need not be installed
from opengait.errors import UserError  # noqa: E402
from opengait_ext.data.choose import SPLITS  # noqa: E402
from opengait_ext.runs import silhouettes as inspection  # noqa: E402
from opengait_ext.runs.silhouettes.overlap import truth_folder  # noqa: E402


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", required=True, metavar="FILE", help="configuration that the network was trained with")
    parser.add_argument("--checkpoint", required=True, metavar="FILE", help="checkpoint (.pt) of the training run")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder to write into")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--people", nargs="+", metavar="ID", help="their numbers; everybody by default")
    parser.add_argument("--tracklets", type=count, metavar="N", help="how many, everybody's first ones first")
    parser.add_argument(
        "--frames", type=count_or_all, metavar="all|N", help="of each tracklet, evenly spread; all by default"
    )
    parser.add_argument("--pkl", action="store_true", help="also write OpenGait silhouette folders")
    parser.add_argument("--soft", action="store_true", help="with --pkl: keep the mask's probability, 0 to 255")
    parser.add_argument("--no-gif", action="store_false", dest="gif", help="write no animations")
    parser.add_argument("--truth", metavar="DIR", help="true silhouettes to compare with")
    parser.add_argument("--device", help="such as cpu or cuda:1; the first GPU by default, if there is one")
    parser.add_argument("--batch", type=count, default=64, metavar="N", help="frames at once")
    return parser.parse_args(argv)


def count_or_all(text: str) -> int | None:
    """A whole number of 1 or more, or None for "all"."""
    return None if text == "all" else count(text)


def export(args: argparse.Namespace) -> None:
    """Everything that was asked for, one step after the other.

    Raises:
        UserError: something that is needed is missing or does not fit.
    """
    truth = None if args.truth is None else truth_folder(args.truth)
    cfg = load_config(args.cfgs, args.overrides)
    network = inspection.load_silhouette_network(cfg, args.checkpoint, args.device)
    tracklets = inspection.choose_tracklets(cfg["data_cfg"], args.split, args.people, args.tracklets, args.frames)
    done = inspection.export_silhouettes(network, tracklets, args.out, args.gif, args.batch)
    print(f"{done.written} tracklets ({done.frames} frames) written to {args.out}, {done.kept} were there already.")
    pages = inspection.draw_contact_sheets(args.out, tracklets)
    print(f"Contact sheet: {pages[0]}" + (f" to {pages[-1].name}" if len(pages) > 1 else ""))
    if args.pkl:
        folders = inspection.write_opengait_silhouettes(args.out, tracklets, args.split == "train", args.soft)
        print(
            f"OpenGait silhouettes: {folders.tracklets} tracklets, {folders.frames} frames in "
            f"{args.out}/silhouettes-64x64 and -64x44; "
            f"nobody was found in {folders.empty_frames} frames and {folders.empty_tracklets} whole tracklets."
        )
    if truth is not None:
        result = inspection.compare_with_truth(args.out, tracklets, truth)
        named = {key: result[key] for key in ("visible", "infrared", "silhouette_iou") if result[key] is not None}
        numbers = ", ".join(f"{'all' if key == 'silhouette_iou' else key} {value:.3f}" for key, value in named.items())
        print(f"Mean intersection over union with the true silhouettes, {result['frames']} frames: {numbers}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after the one sentence that says what is wrong."""
    try:
        export(arguments(argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
