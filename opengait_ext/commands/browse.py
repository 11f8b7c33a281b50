"""Look through a gallery in the browser: pick or drop somebody, and see who is most alike.

    vvi browse gallery.npz

The page shows moving strips with silhouettes, verdicts and times. It is for this machine only. A video that is dropped
on it is tracked as by `vvi track`, unless its file of boxes is dropped with it.
"""

import argparse
from pathlib import Path

from opengait.command_line import share
from opengait_ext.commands.options import add_gallery_network, network_of_gallery

HELP = "look through a gallery in the browser"
INTERRUPTED = "Stopped."
# Tracklets per modality of a gallery folder that are shown.
MOST = 20_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("gallery", metavar="GALLERY", help="written by `vvi embed` or `vvi gallery`")
    parser.add_argument("--port", type=port, default=8765, metavar="N", help="0 for any that is free (default: 8765)")
    parser.add_argument("--level", type=share, default=0.05, metavar="P", help="FPIR of the verdicts (default: 0.05)")
    add_gallery_network(parser)


def port(text: str) -> int:
    """Return a number from 0 to 65535.

    Raises:
        argparse.ArgumentTypeError: the text is not one.
    """
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, got {text!r}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Serve the page until interrupted.

    Raises:
        UserError: the gallery or the network cannot be used, Flask is missing, or the port is taken.
    """
    from opengait.errors import ConfigError
    from opengait_ext import search
    from opengait_ext.browse import Session, serve
    from opengait_ext.runs.silhouettes import load_silhouette_network
    from opengait_ext.search.calibrating import calibration_for, described_as_tested
    from opengait_ext.search.matching import check_gallery

    opened = search.open_any(args.gallery)
    if isinstance(opened, search.MilvusGallery):
        raise ConfigError(f"{args.gallery} is on a server; browse a gallery folder, or a file of `vvi embed`.")
    gallery = opened.descriptors(MOST) if isinstance(opened, search.Gallery) else opened
    if len(gallery) < len(opened):
        print(f"Shows {len(gallery):,} of the {len(opened):,} tracklets, drawn at random.")
    network = network_of_gallery(args, gallery.cfgs, gallery.checkpoint)
    describer = search.load_describer(*network, [*gallery.overrides, *args.overrides], args.device)
    checkpoint = describer.trained.checkpoint
    check_gallery(gallery, str(checkpoint), describer.checkpoint_sha256)
    try:
        silhouettes = load_silhouette_network(describer.config, checkpoint, args.device)
    except ConfigError:
        silhouettes = None  # Models on silhouettes show those that they take.
    as_tested = described_as_tested(gallery, describer.frames)
    calibration = calibration_for(
        checkpoint, describer.checkpoint_sha256, describer.metric, Path(args.gallery), as_tested
    )
    session = Session(gallery, describer, silhouettes, args.level, calibration)
    serve(
        session, args.port, lambda address: print(f"{address} shows {len(gallery)} tracklets; Ctrl-C ends.", flush=True)
    )
    return 0
