"""What the HTML pages of runs share: the templates, tables that can be sorted, embedded figures, numbers as text.

A page is one file that loads nothing else, and has no dates. Its templates, style sheet and script are in
``workflow/report``. Imports no torch.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from PIL import Image

from recurrence.statistics import Band

WIDEST = 1440  # pixels of an embedded figure, whatever figures.dpi is
NONE = "\u2013"  # a cell without a value


@dataclass(frozen=True)
class Column:
    """A column of a table; ``style`` is a class of the style sheet: text, wrap (long text), grey; numbers have none."""

    title: str
    style: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell: what is shown, and the value to sort by (none: what is shown; an empty text: always last).

    ``chip`` marks a verdict: yes, no or unclear.
    """

    text: str
    sort: float | str | None = None
    chip: str = ""


@dataclass(frozen=True)
class Table:
    """A table of a page. ``csv`` is the file in the run's folder ``tables`` with the values behind it."""

    title: str
    note: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    csv: str = ""


@dataclass(frozen=True)
class Picture:
    """An embedded figure: a data URL, the size in pixels, and the text for those who do not see it."""

    data: str
    width: int
    height: int
    alt: str


def filled(template: Path, **values: Any) -> str:
    """A page as HTML text: a template with ``values`` for its names."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return templates.get_template(template.name).render(**values)


def picture(path: Path, alt: str) -> Picture:
    """Embed a PNG as WebP without loss, which is half as large; what is wider than :data:`WIDEST` is scaled down."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    if image.width > WIDEST:
        size = WIDEST, round(image.height * WIDEST / image.width)
        image = image.resize(size, Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.save(data, "WEBP", lossless=True)
    encoded = base64.b64encode(data.getvalue()).decode()
    return Picture(f"data:image/webp;base64,{encoded}", *image.size, alt)


def columns(text: Sequence[str], numbers: Sequence[str]) -> list[Column]:
    """Columns of text, then columns of numbers."""
    return [*(Column(title, "text") for title in text), *(Column(title) for title in numbers)]


def number(value: float, digits: int = 3) -> str:
    """A number for people to read; a dash for nan."""
    return NONE if pd.isna(value) else f"{value:z.{digits}f}".replace("-", "\u2212")


def interval(mean: Band, digits: int = 3) -> str:
    """Mean and half-width of the authors' 95 % band, or only the mean for one instance."""
    half = "" if mean.instances < 2 else f" \u00b1 {(mean.high - mean.low) / 2:.{digits}f}"
    return number(mean.mean, digits) + half


def text_cell(value: Any) -> Cell:
    """A cell that shows ``value`` as it is, and is sorted by it."""
    return Cell(str(value))


def number_cell(value: float, digits: int = 3) -> Cell:
    """A cell with a number, sorted by its unrounded value."""
    return Cell(number(value, digits), _order(value))


def band_cell(mean: Band | None, digits: int = 3) -> Cell:
    """A cell with a band, sorted by its mean; a dash for none."""
    if mean is None:
        return Cell(NONE, "")
    return Cell(interval(mean, digits), _order(mean.mean))


def _order(value: float) -> float | str:
    return "" if pd.isna(value) else float(value)
