"""The style of all figures, suitable for print and for colour-blind readers, and how they are saved."""

import warnings
from pathlib import Path
from typing import Any, BinaryIO

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from opengait.utils.files import write_whole
from opengait.utils.text import one_line, shortened

# The palette of Okabe and Ito, which is safe for most kinds of colour vision, in order of decreasing contrast.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
# Green and red as in the paper, in shades that also differ in lightness.
CORRECT, WRONG = "#009E73", "#C1272D"
MATCHING, OTHER = PALETTE[0], PALETTE[1]
SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # keep text as text
    "savefig.bbox": "tight",
}
DPI = 160


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches; it needs no window and no display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def figure_files(path: str | Path) -> list[Path]:
    """Return the two files of a figure: `path` with .png and .pdf appended, in place of such a suffix."""
    path = Path(path)
    name = path.stem if path.suffix.lower() in (".png", ".pdf") else path.name
    return [path.with_name(f"{name}{suffix}") for suffix in (".png", ".pdf")]


def save_figure(figure: Figure, path: str | Path) -> list[Path]:
    """Write a figure to the two files of `figure_files`, and return them.

    The PDF holds no date, so the same figure gives the same bytes.
    """
    files = figure_files(path)
    write_whole(files[0], lambda partial: write_figure(figure, partial, format="png", dpi=DPI))
    write_whole(files[1], lambda partial: write_figure(figure, partial, format="pdf", metadata={"CreationDate": None}))
    return files


def write_figure(figure: Figure, file: Path | BinaryIO, **options: Any) -> None:
    """Write a figure in this style, with names of unknown origin in its texts as they are.

    A name may look like mathematics (two dollar signs), hold undecodable bytes, be very long, or need letters that the
    font lacks, which are drawn as boxes.
    """
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text("\n".join(shortened(one_line(line)) for line in text.get_text().split("\n")))
    with rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(file, **options)
