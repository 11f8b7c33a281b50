"""HTML of the page: sections, tables, and figures embedded as data URLs."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import imageio.v3 as imageio
import numpy as np
from matplotlib.figure import Figure

from opengait.utils.text import one_line
from opengait_ext.runs.figures.style import DPI, write_figure
from opengait_ext.runs.report.assets import SCRIPT, STYLE

# Wider figures scroll on narrow screens instead of shrinking, which would make their text unreadable.
READABLE_WIDTH = 600


@dataclass(frozen=True)
class Cell:
    """A table cell with HTML content.

    Attributes:
        html: the content, not escaped.
        value: the value by which the column is sorted.
        left: align to the left, like text.
    """

    html: str
    value: float | str = ""
    left: bool = False


@dataclass(frozen=True)
class Section:
    """A section of the page: an anchor for links, a heading and the content."""

    name: str
    title: str
    html: str


def escape(text: object) -> str:
    """Return text of unknown origin as HTML for contents and attributes; lines stay lines."""
    return html.escape("\n".join(map(one_line, str(text).split("\n"))))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], sortable: bool = True) -> str:
    """Return a table of numbers, strings and `Cell`s; floats have two decimals."""
    first = rows[0] if rows else [""] * len(heads)
    classes = [' class="text"' if isinstance(cell, str) or getattr(cell, "left", False) else "" for cell in first]
    head = "".join(f"<th scope=col{kind}>{escape(text)}</th>" for kind, text in zip(classes, heads, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    kind = ' class="sortable"' if sortable else ""
    return f'<div class="scroll"><table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: object) -> str:
    if isinstance(value, Cell):
        kind = ' class="text"' if value.left else ""
        return f'<td{kind} data-value="{escape(value.value)}">{value.html}</td>'
    if isinstance(value, float | np.floating):
        text = "-" if np.isnan(value) else f"{value:.2f}"
        return f'<td data-value="{float(value)}">{text}</td>'
    if isinstance(value, int | np.integer):
        return f'<td data-value="{int(value)}">{int(value):,}</td>'
    return f'<td class="text">{escape(value)}</td>'


def figure(drawn: Figure, caption: str) -> str:
    """Return a matplotlib figure as an embedded PNG with a caption."""
    buffer = io.BytesIO()
    write_figure(drawn, buffer, format="png", dpi=DPI)
    width, height = (round(inches * 96) for inches in drawn.get_size_inches())
    text = escape(caption)
    minimum = f' style="min-width:{READABLE_WIDTH}px"' if width > READABLE_WIDTH else ""
    return (
        f'<figure><div class="scroll"><img src="{_data("image/png", buffer.getvalue())}" width="{width}" '
        f'height="{height}"{minimum} alt="{text}"></div><figcaption>{text}</figcaption></figure>'
    )


def picture(pixels: np.ndarray, text: str, height: int = 64, kind: str = "") -> str:
    """Return uint8 (h, w, 3) as an embedded image, displayed `height` pixels high."""
    content = imageio.imwrite("<bytes>", pixels, extension=".png", plugin="pillow")
    width = round(pixels.shape[1] * height / pixels.shape[0])
    named = f' class="{kind}"' if kind else ""
    return f'<img{named} src="{_data("image/png", content)}" width="{width}" height="{height}" alt="{escape(text)}">'


def animation(content: bytes, caption: str) -> str:
    """Return an embedded GIF with a caption."""
    text = escape(caption)
    return f'<figure><img src="{_data("image/gif", content)}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def note(text: str) -> str:
    """Return a remark."""
    return f'<p class="note">{escape(text)}</p>'


def page(title: str, about: Sequence[str], sections: Sequence[Section]) -> str:
    """Return the whole page; `about` holds the sentences below its title."""
    links = "".join(f'<a href="#{section.name}">{escape(section.title)}</a>' for section in sections)
    sentences = "".join(map(note, about))
    parts = "".join(f'<section id="{s.name}"><h2>{escape(s.title)}</h2>{s.html}</section>' for s in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # An empty icon, because browsers request one even for local files and log that it is missing.
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{sentences}</header><nav>{links}</nav>{parts}"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
