"""A plot as a matplotlib figure, without pyplot, without global settings, and the same bytes each time it is saved."""

from __future__ import annotations

import html
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
from matplotlib.figure import Figure

from bayeslogit.figure_drawing import Drawing
from bayeslogit.marks import Plot
from bayeslogit.palette import DARK, LIGHT
from bayeslogit.plaintext import printable

# What a drawing depends on beside the defaults of matplotlib; the user's own settings are put back.
_STYLE = {
    "font.family": ["DejaVu Sans"],
    "text.usetex": False,
    "text.hinting": "none",  # widths in proportion to the resolution, so that one layout is right for all
    "svg.fonttype": "none",
    "svg.hashsalt": "bayeslogit",
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
}
_NO_DATES: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "ModDate": None},
    "ps": {},
    "eps": {},
    "png": {"Software": None},
}
_LOCK = threading.RLock()


@contextmanager
def _our_style() -> Iterator[None]:
    with _LOCK, mpl.style.context(_STYLE, after_reset=True):
        yield


@contextmanager
def _any_font() -> Iterator[None]:
    """Where nothing is drawn with our font: the reader's own fonts draw the text of an SVG."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def _settle(figure: Figure) -> None:
    """Keep the layout as it is: the next one would move things by a fraction of a point.

    Places are rounded, because the solver of the layout does not add in the same order each time, and the names of
    clipping paths are hashes of their last digits.
    """
    figure.set_layout_engine("none")
    for axes in figure.axes:
        x, y, width, height = (round(float(v), 6) for v in axes.get_position().bounds)
        axes.set_position((x, y, width, height))
    for text in figure.texts:
        x, y = (round(float(v), 6) for v in text.get_position())
        text.set_position((x, y))


class ChartFigure(Figure):
    """A matplotlib figure of a chart; saved as SVG it says what it shows, and saved twice it is the same file.

    Attributes
    ----------
    chart : Plot
        What is drawn; ``figure.chart.data`` is the table of its numbers.
    dark : bool
    """

    chart: Plot
    dark: bool

    def savefig(self, fname: Any, *, transparent: bool | None = None, **kwargs: Any) -> None:
        """As `matplotlib.figure.Figure.savefig`, with our fonts, no date, and title and description in the file."""
        kind = kwargs.get("format") or (Path(fname).suffix[1:] if isinstance(fname, str | Path) else "") or "png"
        kind = str(kind).lower()
        titled = kind in ("svg", "pdf", "png", "ps", "eps")
        words = {"Title": printable(self.chart.title)} if titled else {}
        more = (
            {"metadata": {**_NO_DATES.get(kind, {}), **words, **(kwargs.pop("metadata", None) or {})}} if titled else {}
        )
        with _our_style():
            if kind != "svg":
                super().savefig(fname, transparent=transparent, **kwargs, **more)
                return
            buffer = io.BytesIO()
            with _any_font():
                super().savefig(buffer, transparent=transparent, **{**kwargs, "format": "svg"}, **more)
        text = _described(buffer.getvalue().decode("utf-8"), self.chart).encode("utf-8")
        if isinstance(fname, str | Path):
            Path(fname).write_bytes(text)
        elif isinstance(fname, io.TextIOBase):
            fname.write(text.decode("utf-8"))
        else:
            fname.write(text)

    def svg(self) -> str:
        """The figure as SVG text."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="svg")
        return buffer.getvalue().decode("utf-8")

    def _repr_svg_(self) -> str:
        return self.svg()


def _described(svg: str, plot: Plot) -> str:
    """Role, title and description for those who cannot see the drawing; the title that matplotlib wrote goes."""
    start = svg.index("<svg ")
    head_end = svg.index(">", start) + 1
    key = "".join(c if c.isascii() and c.isalnum() else "-" for c in plot.name)
    head = f'{svg[start : head_end - 1]} role="img" aria-labelledby="{key}-title {key}-desc">'
    rest = svg[head_end:]
    end = rest.find("</title>")
    if 0 <= end < 2000 + len(plot.title) * 6:
        rest = rest[end + len("</title>") :]
    title, words = (html.escape(printable(part)) for part in (plot.title, plot.description))
    return f'{svg[:start]}{head}\n <title id="{key}-title">{title}</title>\n <desc id="{key}-desc">{words}</desc>{rest}'


def draw_figure(
    plot: Plot, *, dark: bool = False, width: float = 7.2, height: float | None = None, title: str | None = None
) -> ChartFigure:
    """Draw a plot as a figure with a transparent background.

    Parameters
    ----------
    dark : bool
        For a dark page: light ink and brighter hues.
    width, height : float
        Inches; without a height it follows from what is drawn.
    title : str, optional
        Instead of the plot's own; "" for none above the drawing.
    """
    words = plot.title if title is None else title
    named = replace(plot, title=words or plot.title)
    with _our_style():
        figure = Drawing(ChartFigure, named, bool(words), DARK if dark else LIGHT, (width, height)).figure
        with _any_font():
            figure.draw_without_rendering()
    _settle(figure)
    figure.chart, figure.dark = named, dark
    return figure
