"""The style of all figures, suitable for print and for colour-blind readers, and how they are saved."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from opengait.utils.files import write_whole

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


def save_figure(figure: Figure, path: str | Path) -> list[Path]:
    """Write a figure to `path` with the suffixes .png and .pdf, and return the two files.

    The PDF holds no date, so the same figure gives the same bytes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    files = [path.with_suffix(".png"), path.with_suffix(".pdf")]
    with rc_context(SETTINGS):
        write_whole(files[0], lambda partial: figure.savefig(partial, format="png", dpi=DPI))
        write_whole(files[1], lambda partial: figure.savefig(partial, format="pdf", metadata={"CreationDate": None}))
    return files
