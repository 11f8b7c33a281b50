"""Write the silhouettes that a trained network makes: DinoGRL, BigGait or BiggerGait.

    vvi export-silhouettes --cfgs configs/dinogrl/demo.yaml --checkpoint FILE.pt --out DIR
    ... --split query --people 0503 0504 --frames 6       # some tracklets, six frames of each
    ... --split train --no-gif --pkl                      # training data for OpenGait's silhouette models
    ... --truth output/demo/data                          # measure the overlap with the synthetic ground truth
    ... --input clip.avi --modality visible               # footage of your own, as for `vvi embed`

Run again with the same --out to continue after an interruption.
"""

import argparse
from pathlib import Path

from opengait.command_line import count
from opengait_ext.commands.options import add_footage, add_network, add_people, network_of

HELP = "write the silhouettes that a trained network makes"
INTERRUPTED = "Stopped; run the same command again to continue."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_network(parser)
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder to write into")
    parser.add_argument("--input", nargs="+", metavar="DIR_OR_VIDEO", help="footage of your own (default: the dataset)")
    add_footage(parser)
    parser.add_argument("--split", choices=("train", "test", "query", "gallery"), default="test")
    add_people(parser, "identities to export (default: all)")
    parser.add_argument("--tracklets", type=count, metavar="N", help="limit; takes the first ones of each person first")
    parser.add_argument(
        "--frames", type=count_or_all, metavar="all|N", help="evenly spread frames per tracklet (default: all)"
    )
    parser.add_argument("--pkl", action="store_true", help="also write OpenGait silhouette folders")
    parser.add_argument("--soft", action="store_true", help="with --pkl: keep the mask's probability, 0 to 255")
    parser.add_argument("--no-gif", action="store_false", dest="gif", help="write no animations")
    parser.add_argument("--truth", metavar="DIR", help="true silhouettes to compare with")
    parser.add_argument("--batch", type=count, default=64, metavar="N", help="frames per batch (default: 64)")


def count_or_all(text: str) -> int | None:
    """Parse a positive integer, or "all" as None."""
    return None if text == "all" else count(text)


def run(args: argparse.Namespace) -> int:
    """Export the silhouettes and the optional outputs.

    Raises:
        UserError: the data, the network or the true silhouettes cannot be used.
    """
    from opengait.config import load_config
    from opengait.utils.files import check_writable
    from opengait_ext.runs import silhouettes
    from opengait_ext.runs.silhouettes.overlap import truth_folder
    from opengait_ext.search.inputs import find_clips, kind_of
    from opengait_ext.search.tracklets import as_tracklets
    from opengait_ext.weights.find import find_trained

    check_writable(args.out / silhouettes.export.RECORD)
    truth = None if args.truth is None else truth_folder(args.truth)
    trained = find_trained(*network_of(args))
    cfg = load_config(trained.cfgs, args.overrides)
    network = silhouettes.load_silhouette_network(cfg, trained.checkpoint, args.device)
    if args.input:
        clips = find_clips(args.input, kind_of(cfg), args.modality, args.boxes, args.between)
        tracklets = as_tracklets(clips[: args.tracklets], args.frames)
    else:
        tracklets = silhouettes.choose_tracklets(cfg["data_cfg"], args.split, args.people, args.tracklets, args.frames)
    done = silhouettes.export_silhouettes(network, tracklets, args.out, args.gif, args.batch)
    print(f"{done.written} tracklets ({done.frames} frames) written to {args.out}, {done.kept} already existed.")
    pages = silhouettes.draw_contact_sheets(args.out, tracklets)
    print(f"Contact sheet: {pages[0]}" + (f" to {pages[-1].name}" if len(pages) > 1 else ""))
    if args.pkl:
        folders = silhouettes.write_opengait_silhouettes(args.out, tracklets, args.split == "train", args.soft)
        print(
            f"OpenGait silhouettes: {folders.tracklets} tracklets, {folders.frames} frames in "
            f"{args.out}/silhouettes-64x64 and -64x44; {folders.empty_frames} frames and "
            f"{folders.empty_tracklets} whole tracklets have empty masks."
        )
    if truth is not None:
        result = silhouettes.compare_with_truth(args.out, tracklets, truth)
        named = {key: result[key] for key in ("visible", "infrared", "silhouette_iou") if result[key] is not None}
        numbers = ", ".join(f"{'all' if key == 'silhouette_iou' else key} {value:.3f}" for key, value in named.items())
        print(f"Mean intersection over union with the true silhouettes, {result['frames']} frames: {numbers}.")
    return 0
