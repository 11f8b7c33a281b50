"""Use names that no one should give as people, tracklets, files, datasets and runs.

    python -m tests.campaigns.names [--count 200] [--seed 0]

Each name goes through the report and the figures of a run, the descriptors and the search of footage, and the folders
of runs and exports. A finding is an exception other than a `UserError`, a file outside the output folder, or an element
or attribute of the page that a name made. The exit status is 1 if there is a finding.
"""

import argparse
import itertools
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from opengait.errors import UserError

NAMES = (
    *("../../up", "/tmp/absolute", "..", ".", "", " ", "-rf", "--help", ".hidden", "CON", "nul.txt", "a/b", "a\\b"),
    *("<script>alert(1)</script>", "\"' onload=alert(1) x='", "</title><img src=x onerror=alert(1)>", "&lt;b&gt;"),
    *("$\\frac{$", "$x$", "{0}%s%d", "_legend", "#&?", "a\nb\rc\td", "a\0b", "\x1b[31mred", "\u202eRTL\u200f"),
    *("x" * 300, "word " * 60, "\U0001f600\u4e2d\u00e9", "a\udcffb", "\ud800", "e\u0301", "\ufeffbom", "1e5", "null"),
)
# What the report itself consists of, as words between spaces.
TAGS = (
    " html head meta link title style body header h1 h2 h3 p nav a section div table thead tbody tr th td figure img "
    "figcaption small span br details summary pre script button main dialog form label select option input datalist "
    "output ol noscript dl dt dd b code "
)
ATTRIBUTES = (
    " lang charset name content rel href id class scope data-value src width height alt style open aria-label method "
    "tabindex loading role type min value list size autocomplete spellcheck for form data-step data-person "
)


class Page(HTMLParser):
    """What a browser would see in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.foreign: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.foreign |= {tag for tag in [tag] if f" {tag} " not in TAGS}
        self.foreign |= {name for name, _ in attrs if f" {name} " not in ATTRIBUTES}
        self.foreign |= {value for name, value in attrs if name in ("href", "src") and value and value[0] not in "#d"}


def report(name: str, out: Path) -> None:
    """Name a person and a run, and build the report and the figures."""
    from opengait_ext.runs.figures.of_runs import draw
    from opengait_ext.runs.figures.style import save_figure
    from opengait_ext.runs.report import build_report
    from tests.opengait_ext.runs.stand_in_test import planted, write_run

    data = planted(people=3)
    data["labels"] = [name if label == "0001" else label for label in data["labels"]]
    folder = write_run(out / "run", data, dataset=f"Synthetic-VVI{name}")
    page = Page()
    page.feed(build_report(folder, out / "page", queries=1, worst=2).read_text(encoding="utf-8"))
    assert page.scripts == 3 and not page.foreign, f"the page has {page.scripts} scripts and {page.foreign}"
    save_figure(draw("cmc", folder), out / "cmc")


def search(name: str, out: Path) -> None:
    """Name tracklets, print and save what a search of them finds."""
    from opengait.utils.files import write_json
    from opengait_ext import search as footage
    from opengait_ext.commands.search import text_of
    from opengait_ext.runs.figures.style import save_figure
    from opengait_ext.search.answer_figure import draw_answers

    points = np.random.default_rng(0).standard_normal((4, 6, 2)).astype(np.float32)
    names, types = np.array([name, "b", "c", "d"]), np.array(["visible"] * 4)
    gallery = footage.Descriptors(points, names, types, names, name, name, name, 6)
    # Strings of numpy end at their last character that is not NUL.
    gallery = footage.load_descriptors(footage.save_descriptors(out / "gallery", gallery))
    results = footage.search(gallery, gallery, top=2)
    for result in results:
        assert all(line.isprintable() for line in text_of(result, 0.05).split("\n"))
    write_json(out / "found.json", [result.candidates[0].name for result in results])
    clip = footage.Clip(name, "visible", (np.zeros((3, 3, 8, 4), np.uint8),))
    save_figure(draw_answers(results[:1], [clip], gallery, footage.Pictures((8, 4))), out / "found")


def footage(name: str, out: Path) -> None:
    """Name a folder of frames, a video and the file of descriptors."""
    from PIL import Image

    from opengait.utils.files import check_writable
    from opengait_ext import search as package

    folder = out / "in/visible" / Path(name).name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 8)).save(folder / "1.png")
        (folder / "1.png").replace(folder / f"{Path(name).name}.png")
    except (OSError, ValueError):
        return
    for clip in package.find_clips([out / "in"], (8, 4), "visible"):
        clip.frames[[0]]
    check_writable(package.npz_path(folder / name.replace("/", "-")))


def folders(name: str, out: Path) -> None:
    """Name a dataset, a run, and a person whose silhouettes are exported."""
    from opengait.engine.run_folder import output_path
    from opengait_ext.data.choose import ChosenTracklet

    for dataset, run in ((name, "run"), ("data", name)):
        cfgs = {"data_cfg": {"dataset_name": dataset}, "model_cfg": {"model": "M"}}
        cfgs["trainer_cfg"] = {"output_root": str(out), "save_name": run}
        for folder in (
            lambda cfgs=cfgs: output_path(cfgs, True),
            lambda: out / ChosenTracklet(name, "visible", "c1", [], (), ()).folder,
        ):
            try:
                path = folder()
            except UserError:
                continue
            assert Path(os.path.normpath(path)).is_relative_to(out) and path != out, f"{path} is outside {out}"


USES: tuple[Callable[[str, Path], None], ...] = (report, search, footage, folders)


def names(count: int, seed: int) -> Iterator[str]:
    """Yield the listed names, then random combinations of them."""
    rng = random.Random(seed)
    mixed = ("".join(rng.sample(NAMES, 2))[: rng.choice([20, 400])] for _ in itertools.count())
    yield from itertools.islice(itertools.chain(NAMES, mixed), count)


def run(chosen: Sequence[str], uses: Sequence[Callable[[str, Path], None]] = USES) -> list[str]:
    """Use every name in every way, and return the findings."""
    findings = []
    for name, use in itertools.product(chosen, uses):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder).resolve() / "up/and/out"
            out.mkdir(parents=True)
            try:
                use(name, out)
            except UserError:
                pass
            except Exception as error:
                findings.append(f"{use.__name__} {name!a}: {type(error).__name__}: {error!a}")
            strays = [str(path) for path in Path(folder).resolve().rglob("*") if not is_inside(path, out)]
            findings += [f"{use.__name__} {name!a}: wrote {stray}" for stray in strays]
    return findings


def is_inside(path: Path, out: Path) -> bool:
    return path.is_relative_to(out) or out.is_relative_to(path)


def main() -> int:
    """Run the campaign and print the findings and their number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=len(NAMES), help="names (default: the listed ones)")
    parser.add_argument("--seed", type=int, default=0, help="seed of further names")
    args = parser.parse_args()
    findings = run(list(names(args.count, args.seed)))
    print("\n".join([*findings, f"{args.count} names in {len(USES)} uses each: {len(findings)} findings"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
