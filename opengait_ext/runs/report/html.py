"""HTML of the page: sections, tables, and figures embedded as data URLs."""

import base64
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from opengait.utils.text import one_line
from opengait_ext.runs.figures.style import write_figure

# Wider figures scroll on narrow screens instead of shrinking, which would make their text unreadable.
READABLE_WIDTH = 600
# Figures are made for print; on a screen they are this many times as large as there, if there is space.
ENLARGED = 1.5
# Dots per inch, enough for that size and for a look at details.
DPI = 220
# Height of the pictures of tracklets in pixels, and quality of their JPEGs.
STRIP_HEIGHT, QUALITY = 96, 85


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


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], sortable: bool = True, tall: bool = False) -> str:
    """Return a table of numbers, strings and `Cell`s; floats have two decimals, and `tall` ones scroll."""
    first = rows[0] if rows else [""] * len(heads)
    classes = [' class="text"' if isinstance(cell, str) or getattr(cell, "left", False) else "" for cell in first]
    head = "".join(f"<th scope=col{kind}>{escape(text)}</th>" for kind, text in zip(classes, heads, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    kind = ' class="sortable"' if sortable else ""
    scroll = '<div class="scroll tall" tabindex="0">' if tall else '<div class="scroll">'
    return f"{scroll}<table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


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
    width, height = (round(inches * 96 * ENLARGED) for inches in drawn.get_size_inches())
    text = escape(caption)
    minimum = f"min-width:{READABLE_WIDTH}px;" if width > READABLE_WIDTH else ""
    return (
        f'<figure><div class="scroll"><img src="{_data("image/png", buffer.getvalue())}" width="{width}" '
        f'height="{height}" style="{minimum}max-width:100%" alt="{text}"></div><figcaption>{text}</figcaption></figure>'
    )


def jpeg(pixels: np.ndarray) -> str:
    """Return uint8 (h, w, 3), reduced to `STRIP_HEIGHT`, as the data URL of a JPEG."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if image.height > STRIP_HEIGHT:
        width = max(1, round(image.width * STRIP_HEIGHT / image.height))
        image = image.resize((width, STRIP_HEIGHT), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return _data("image/jpeg", buffer.getvalue())


def strip(address: str, caption: str, kind: str = "") -> str:
    """Return the picture of a tracklet.

    Args:
        address: its URL; "" if there is no picture.
        caption: text below it.
        kind: "correct" or "wrong" for an answer.
    """
    text = escape(caption)
    image = f'<img loading="lazy" src="{address}" alt="{text}">' if address else '<div class="missing">no picture</div>'
    return f'<figure class="strip {kind}">{image}<figcaption>{text}</figcaption></figure>'


def animation(content: bytes, caption: str) -> str:
    """Return an embedded GIF with a caption."""
    text = escape(caption)
    return f'<figure><img src="{_data("image/gif", content)}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def note(text: str, kind: str = "") -> str:
    """Return a remark; `kind` is a class of the style sheet."""
    return f'<p class="note{" " * bool(kind)}{kind}">{escape(text)}</p>'


def data(content: Any) -> str:
    """Return JSON that can stand in a script element."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def part(name: str, values: Mapping[str, str] | None = None) -> str:
    """Return a file of this package, with HTML in place of its {{names}}."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8").strip()
    return re.sub(r"\{\{(\w+)\}\}", lambda match: (values or {})[match[1]], text) if values else text


def page(title: str, sections: Sequence[Section], about: str = "", scripts: Sequence[str] = ("page.js",)) -> str:
    """Return the whole page.

    Args:
        title: its heading.
        sections: the sections.
        about: HTML below the title.
        scripts: files of this package.
    """
    links = "".join(f'<a href="#{section.name}">{escape(section.title)}</a>' for section in sections)
    contents = "\n".join(f'<section id="{s.name}"><h2>{escape(s.title)}</h2>{s.html}</section>' for s in sections)
    values = {"title": escape(title), "about": about, "links": links, "sections": contents}
    script = "\n</script>\n<script>\n".join(map(part, scripts))
    return part("page.html", values | {"style": part("page.css"), "script": script}) + "\n"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
