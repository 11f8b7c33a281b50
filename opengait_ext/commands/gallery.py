"""Keep a gallery: a folder of descriptors that grows, for `vvi search`.

    vvi gallery add GALLERY --network dinogrl-hitsz --input DIR_OR_VIDEO ...
    vvi gallery add GALLERY --input MORE
    vvi gallery add GALLERY --from features.npz
    vvi gallery remove GALLERY 'monday.mp4#*'
    vvi gallery info GALLERY
    vvi gallery index GALLERY

GALLERY is a folder, or the address of a collection on a Milvus server (http://HOST:19530/COLLECTION).
The first tracklets choose the network, and what is there already is skipped. `remove` takes names, sources and
SOURCE#TRACK, where * is wild; in a folder, ? is too. `index` builds an approximate index with faiss, for galleries of a
million tracklets and more; it states its recall, and tracklets that are added later are searched exactly.
"""

import argparse
from typing import TYPE_CHECKING

from opengait.command_line import count
from opengait_ext.commands.options import add_footage, add_network, network_of, network_of_gallery

if TYPE_CHECKING:
    from opengait_ext.search import Descriptors, Gallery, MilvusGallery

HELP = "keep a gallery folder: add, remove, info, index"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add tracklets")
    add.add_argument("gallery", metavar="GALLERY")
    inputs = add.add_mutually_exclusive_group(required=True)
    inputs.add_argument("--input", nargs="+", metavar="DIR_OR_VIDEO[#TRACK]")
    inputs.add_argument("--from", dest="file", metavar="FILE.npz", help="descriptors of `vvi embed`")
    add.add_argument("--frames", type=count, metavar="N", help="frames per tracklet of a new gallery")
    add.add_argument("--batch", type=count, default=8, metavar="N", help="tracklets per batch (default: 8)")
    add_footage(add)
    add_network(add)
    remove = actions.add_parser("remove", help="remove tracklets")
    remove.add_argument("gallery", metavar="GALLERY")
    remove.add_argument("patterns", nargs="+", metavar="NAME_OR_SOURCE")
    for name, text in (("info", "say what a gallery holds"), ("index", "build an approximate index with faiss")):
        actions.add_parser(name, help=text).add_argument("gallery", metavar="GALLERY")


def run(args: argparse.Namespace) -> int:
    """Do what the action says.

    Raises:
        UserError: the gallery, an input or the network cannot be used.
    """
    from opengait.config import load_config
    from opengait.errors import ConfigError
    from opengait_ext import search
    from opengait_ext.search.index import build_index

    if args.action == "add":
        descriptors = search.load_descriptors(args.file) if args.file else _describe(args)
        grown = search.open_or_create(args.gallery, descriptors)
        added, present = grown.add(descriptors)
        skipped = f", {present:,} were there already" if present else ""
        print(f"{added:,} tracklets added{skipped}. {_summary(args.gallery, grown)}")
        return 0
    gallery = search.open_any(args.gallery)
    if isinstance(gallery, search.Descriptors):
        raise ConfigError(f"{args.gallery} is a file of `vvi embed`, which does not change; give a gallery folder.")
    if args.action == "remove":
        print(f"{gallery.remove(args.patterns):,} tracklets removed. {_summary(args.gallery, gallery)}")
    elif args.action == "index":
        if not isinstance(gallery, search.Gallery):
            raise ConfigError(f"{args.gallery} is on a server, which has an index of its own.")
        metric = load_config(gallery.cfgs, list(gallery.overrides))["evaluator_cfg"].get("metric", "euc")
        for modality in gallery.counts():
            index = build_index(gallery.folder, modality, gallery.stored(modality), metric)
            print(f"{modality}: {index.rows:,} rows, {index.probes} probes, recall@10 {index.recall:.3f}")
    else:
        print(_summary(args.gallery, gallery))
        print(f"network     {gallery.checkpoint} ({gallery.checkpoint_sha256[:12]}), {gallery.cfgs}")
        print(
            f"descriptors {gallery.shape[0]} x {gallery.shape[1]}, {gallery.frames or 'as many as in the test'} frames"
        )
        for kind, built in gallery.indices.items() if isinstance(gallery, search.Gallery) else ():
            if built is not None:
                print(f"index       {kind}: {built.rows:,} rows, recall@10 {built.recall:.3f}")
    return 0


def _summary(address: str, gallery: "Gallery | MilvusGallery") -> str:
    counts = [f"{count:,} {kind}" for kind, count in gallery.counts().items()]
    return f"{address} holds {' and '.join(counts) or 'no'} tracklets."


def _describe(args: argparse.Namespace) -> "Descriptors":
    """Describe the inputs with the gallery's network, or for a new gallery with the given one."""
    from opengait.errors import ConfigError
    from opengait_ext import search

    gallery = search.open_if_there(args.gallery)
    if gallery is None and not (args.network or args.checkpoint):
        raise ConfigError(f"{args.gallery} is new; name its network: --network NAME, or --cfgs and --checkpoint.")
    network = network_of(args) if gallery is None else network_of_gallery(args, gallery.cfgs, gallery.checkpoint)
    overrides = [*(gallery.overrides if gallery else ()), *args.overrides]
    describer = search.load_describer(*network, overrides, args.device)
    clips = search.find_clips(args.input, describer.kind, args.modality, args.boxes, args.between)
    return describer.describe(clips, gallery.frames if gallery else args.frames, args.batch)
