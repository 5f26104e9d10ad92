"""A plot turned into matplotlib's axes, lines and texts; `figures` makes the figure around it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

from bayeslogit.lettering import beside, cut_off, fit_lines, kept_apart, shortened, text_width
from bayeslogit.marks import (
    HUES,
    Axis,
    Band,
    Intervals,
    Layer,
    Line,
    Note,
    Plot,
    Points,
    Rule,
    name_place,
    rows_to_a_name,
)
from bayeslogit.palette import Palette
from bayeslogit.plaintext import printable
from bayeslogit.table import with_minus

_MARKERS = ("o", "D", "s", "^", "v", "P", "X", "p")
_DASHES = ((0, ()), (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)))
_SMALL, _NORMAL, _TITLE = 7.5, 8.5, 10.5
# Inches: a line of small text, a row of a list, what stands above and below the rows.
_LINE, _ROW, _AROUND = 0.145, 0.3, 1.0


def _plain(text: str) -> str:
    return printable(text)


class Drawing[F: Figure]:
    """One figure of some kind on its way; made inside a style of ours."""

    def __init__(
        self, kind: type[F], plot: Plot, titled: bool, palette: Palette, size: tuple[float, float | None]
    ) -> None:
        self.plot, self.titled, self.palette = plot, titled, palette
        width, height = size
        self.notes = [line for note in plot.notes for line in fit_lines(note, 96.0 * width, most=6, size=9.5)]
        notes = _LINE * len(self.notes) + (0.06 if self.notes else 0.0)
        names, columns = _legend_names(plot, width)
        foot = notes + _legend_height(names, columns)
        around = _AROUND + (0.3 if plot.top else 0.0)
        shape = 0.58 if plot.strip is None else 0.74
        tall = height or (around + _ROW * plot.row_height * len(plot.rows) if plot.rows else shape * width) + foot
        self.figure: F = kind(figsize=(width, tall), facecolor="none", layout="constrained")
        engine: Any = self.figure.get_layout_engine()
        engine.set(rect=(0.0, foot / tall, 1.0, 1.0 - foot / tall), w_pad=0.09, h_pad=0.05 if titled else 0.09)
        self.upper, self.lower = self._axes()
        for layer in plot.layers:
            _DRAW[type(layer)](self, layer)
        self._scales()
        self._names_at_the_edge()
        self._row_values()
        self._legend(names, columns, notes / tall)
        for k, line in enumerate(reversed(self.notes)):
            at = (0.05 + _LINE * k) / tall
            self.figure.text(0.06 / width, at, _plain(line), fontsize=_SMALL, color=self._soft, **_LITERAL)
        for text in self.figure.findobj(Text):
            text.set_parse_math(False)
            text.set_usetex(False)

    @property
    def _soft(self) -> tuple[str, float]:
        return (self.palette.ink, 0.75)

    def color(self, style: str) -> Any:
        """The colour of a style."""
        if style in HUES:
            return self.palette.hues[HUES.index(style)]
        return self.palette.main if style == "main" else self.palette.ink

    def _axes(self) -> tuple[Any, Any]:
        strip = self.plot.strip
        if strip is None:
            axes = self.figure.subplots()
            return axes, axes
        upper, lower = self.figure.subplots(2, 1, sharex=True, height_ratios=(6, 1))
        widths = [b - a for a, b in zip(strip.edges[:-1], strip.edges[1:], strict=True)]
        lower.bar(strip.edges[:-1], strip.heights, widths, align="edge", color=self.palette.ink, alpha=0.3, lw=0)
        lower.set_title(_plain(strip.label), fontsize=_SMALL, loc="left", color=self._soft, pad=3, **_LITERAL)
        lower.set_yticks([])
        upper.tick_params(labelbottom=False, bottom=False)
        return upper, lower

    # --- axes ----------------------------------------------------------------------------------------------------

    def _scales(self) -> None:
        plot, upper, lower = self.plot, self.upper, self.lower
        ink = self.palette.ink
        for axes in {id(upper): upper, id(lower): lower}.values():
            axes.set_facecolor("none")
            axes.spines[["top", "right"]].set_visible(False)
            axes.spines[["left", "bottom"]].set(color=(ink, 0.5), linewidth=0.8)
            axes.tick_params(color=(ink, 0.5), labelcolor=ink, labelsize=_NORMAL, width=0.8, length=3)
        upper.set_xlim(plot.x.lower, plot.x.upper)
        upper.grid(visible=True, axis="x" if plot.rows else "both", color=(ink, 0.1), linewidth=0.7)
        upper.set_axisbelow(True)
        _ticks(lower.set_xticks, _spaced(plot.x, self._room()))
        lower.set_xlabel(_broken(plot.x.label, 62.0 * self.figure.get_figwidth()), color=ink, fontsize=9, **_LITERAL)
        title = _broken(plot.title, 82.0 * self.figure.get_figwidth())
        if plot.rows:
            upper.set_ylim(len(plot.rows) - 0.5, -0.5)
            size = rows_to_a_name(plot.rows)
            named = [(name_place(i, size), row.label) for i, row in enumerate(plot.rows) if row.label]
            parts = kept_apart([_plain(label) for _, label in named], lambda name: fit_lines(name, 210.0, most=2))
            labels = ["\n".join(part) for part in parts]
            upper.set_yticks([i for i, _ in named], labels, **_LITERAL)
            upper.tick_params(axis="y", length=0)
            upper.spines["left"].set_visible(False)
        else:
            upper.set_ylim(plot.y.lower, plot.y.upper)
            _ticks(upper.set_yticks, plot.y.ticks)
            upper.set_ylabel(
                _broken(plot.y.label, 96.0 * (0.55 if plot.strip is None else 0.38) * self.figure.get_figheight()),
                color=ink,
                fontsize=9,
                **_LITERAL,
            )
        if plot.top:
            twin = upper.secondary_xaxis("top")
            twin.spines["top"].set(color=(ink, 0.5), linewidth=0.8)
            twin.tick_params(color=(ink, 0.5), labelcolor=ink, labelsize=_NORMAL, width=0.8, length=3)
            _ticks(twin.set_xticks, _spaced(plot.top, self._room()))
            twin.set_xlabel(_plain(plot.top.label), color=ink, fontsize=9, **_LITERAL)
        if self.titled:
            self.figure.suptitle(
                title, x=0.06 / self.figure.get_figwidth(), ha="left", fontsize=_TITLE, color=ink, **_LITERAL
            )

    def _room(self) -> float:
        """Rough width of the axes in inches."""
        side = 0.0
        if self.plot.rows:
            names = max(min(text_width(row.label), 210.0) for row in self.plot.rows)
            side = names / 96.0 + max(text_width(row.value, 10.0) for row in self.plot.rows) / 96.0
        return max(self.figure.get_figwidth() - side - 0.6, 1.0)

    def _row_values(self) -> None:
        rows = self.plot.rows
        if not any(row.value for row in rows):
            return
        place = self.upper.get_yaxis_transform()
        for i, row in enumerate(rows):
            self.upper.text(
                1.02, i, _plain(with_minus(row.value)), transform=place, va="center", fontsize=_SMALL,
                color=self.palette.ink, **_LITERAL,
            )  # fmt: skip
        if self.plot.row_heading:
            wide = max(text_width(row.value, 10.0) for row in rows)
            heading = "\n".join(fit_lines(_plain(self.plot.row_heading), max(wide, 90.0), most=3, size=10.0))
            self.upper.text(
                1.02, 1.02, heading, transform=self.upper.transAxes, va="bottom", fontsize=_SMALL,
                color=self._soft, **_LITERAL,
            )  # fmt: skip

    def _names_at_the_edge(self) -> None:
        ends = self.plot.ends
        names = kept_apart(
            [_plain(end.text) for end in ends],
            lambda name: [shortened(name, 170.0)],
            lambda name: [cut_off(name, 170.0)],
        )
        for y, end, (name,) in zip(_apart([end.y for end in ends], self.plot.y), ends, names, strict=True):
            at = min(max(end.y, self.plot.y.lower), self.plot.y.upper)
            self.upper.annotate(
                name, (1.0, at), (1.025, y), xycoords=("axes fraction", "data"),
                textcoords=("axes fraction", "data"), fontsize=_SMALL, color=self.color(end.style), va="center",
                arrowprops={"arrowstyle": "-", "color": self.color(end.style), "lw": 0.7, "shrinkA": 1, "shrinkB": 0},
                annotation_clip=False, **_LITERAL,
            )  # fmt: skip

    def _legend(self, names: Sequence[str], columns: int, foot: float) -> None:
        if not names:
            return
        legend = self.figure.legend(
            fontsize=_SMALL,
            frameon=False,
            loc="lower left",
            ncols=columns,
            labelcolor=self.palette.ink,
            bbox_to_anchor=(0.0, foot),
            borderaxespad=0.2,
        )
        legend.set_in_layout(False)  # its place is left free by the layout's rectangle
        for text, name in zip(legend.get_texts(), names, strict=True):
            text.set_text(name)

    # --- layers --------------------------------------------------------------------------------------------------

    def points(self, layer: Points) -> None:
        index = HUES.index(layer.style) if layer.style in HUES else 0
        area: float | list[float] = 24.0 if layer.size is None else [max(120.0 * s, 6.0) for s in layer.size]
        many = len(layer.x) > 60
        look = {"alpha": 0.45 if layer.size is not None else 0.6 if many else 1.0, "zorder": 3, "lw": 0}
        if layer.size is None and many:
            area = 12.0
        axis_x, axis_y = self.plot.x, self.plot.y
        inside = [
            axis_x.lower <= x <= axis_x.upper and axis_y.lower <= y <= axis_y.upper
            for x, y in zip(layer.x, layer.y, strict=True)
        ]  # what lies outside is not drawn, what lies on the edge is drawn whole
        x, y = (list(itertools.compress(part, inside)) for part in (layer.x, layer.y))
        sizes = list(itertools.compress(area, inside)) if isinstance(area, list) else area
        self.upper.scatter(
            x, y, s=sizes, color=self.color(layer.style), marker=_MARKERS[index], label=_label(layer), clip_on=False,
            **look,
        )  # fmt: skip

    def intervals(self, layer: Intervals) -> None:
        axis = self.plot.y if layer.vertical else self.plot.x
        low, high = (_clipped(part, axis) for part in (layer.lower, layer.upper))
        draw = self.upper.vlines if layer.vertical else self.upper.hlines
        draw(layer.at, low, high, label=_label(layer), **self._line_look(layer.style))
        if layer.vertical:
            return
        for ends, bound, marker in ((layer.lower, axis.lower, "<"), (layer.upper, axis.upper, ">")):
            over = [at for at, e in zip(layer.at, ends, strict=True) if (e < bound if marker == "<" else e > bound)]
            ink = (self.palette.ink, 0.5) if layer.style == "muted" else self.color(layer.style)
            look = {"ls": "none", "marker": marker, "ms": 4, "color": ink, "mew": 0, "clip_on": False, "zorder": 4}
            if over:
                self.upper.plot([bound] * len(over), over, **look)

    def _line_look(self, style: str) -> dict[str, Any]:
        ink = self.palette.ink
        looks: dict[str, dict[str, Any]] = {
            "muted": {"color": (ink, 0.22), "lw": 5.0},
            "thin": {"color": (ink, 0.3), "lw": 0.7},
            "guide": {"color": (ink, 0.6), "lw": 1.0, "ls": (0, (4, 3))},
        }
        return looks.get(style, {"color": self.color(style), "lw": 1.7})

    def line(self, layer: Line) -> None:
        look = self._line_look(layer.style)
        if layer.dashed and layer.style in HUES:
            look["ls"] = _DASHES[HUES.index(layer.style) % len(_DASHES)]
        self.upper.plot(layer.x, layer.y, label=_label(layer), solid_capstyle="butt", **look)

    def band(self, layer: Band) -> None:
        strength = 0.18 if layer.style in HUES else 0.13
        color = (self.color(layer.style), strength)
        self.upper.fill_between(layer.x, layer.lower, layer.upper, facecolor=color, lw=0, label=_label(layer))

    def rule(self, layer: Rule) -> None:
        draw = self.upper.axvline if layer.vertical else self.upper.axhline
        draw(layer.position, label=_label(layer), zorder=1.5, **self._line_look(layer.style))

    def note(self, layer: Note) -> None:
        across, up, side = self._asides.get(layer, (0.0, 0.0, ""))
        self.upper.annotate(
            _plain(layer.text), (layer.x, layer.y), (across, up), textcoords="offset points",
            ha="right" if side == "left" else "left",
            va="center" if layer.side else "baseline", fontsize=_SMALL, color=self._soft, **_LITERAL,
        )  # fmt: skip

    @cached_property
    def _asides(self) -> dict[Note, tuple[float, float, str]]:
        """How far from its mark each note stands, in points; the size of the axes is guessed."""
        notes = [each for each in self.plot.layers if isinstance(each, Note) and each.side]
        wide, tall = 72.0 * self._room(), 72.0 * max(self.figure.get_figheight() - _AROUND, 1.0)
        across = wide / (self.plot.x.upper - self.plot.x.lower)
        down = tall / (self.plot.y.upper - self.plot.y.lower)
        marks = [(across * (n.x - self.plot.x.lower), -down * n.y, n.text, n.side) for n in notes]
        points = [
            (across * (x - self.plot.x.lower), -down * y)
            for each in self.plot.layers
            if isinstance(each, Points)
            for x, y in zip(each.x, each.y, strict=True)
        ]
        ends = [
            (x - mark[0], mark[1] - y, side)
            for mark, (x, y, side) in zip(marks, beside(marks, 0.0, wide, points, 1.2 * _SMALL), strict=True)
        ]
        return dict(zip(notes, ends, strict=True))


_LITERAL: dict[str, Any] = {"parse_math": False, "usetex": False}  # a column name is not mathematics
_DRAW: dict[type[Layer], Callable[[Drawing[Any], Any], None]] = {
    Points: Drawing.points,
    Intervals: Drawing.intervals,
    Line: Drawing.line,
    Band: Drawing.band,
    Rule: Drawing.rule,
    Note: Drawing.note,
}


def _legend_names(plot: Plot, width: float) -> tuple[list[str], int]:
    """Names in the legend, broken where they are longer than the figure, and how many stand side by side."""
    names = [_broken(layer.label, 84.0 * width) for layer in plot.layers if layer.label]
    longest = max((text_width(line, 10.5) for name in names for line in name.split("\n")), default=0.0) + 50.0
    return names, max(1, min(3, len(names), int(96.0 * width / longest)))


def _legend_height(names: Sequence[str], columns: int) -> float:
    """Inches; a legend fills its columns from top to bottom, the first ones with one name more."""
    if not names:
        return 0.0
    lines, start = [], 0
    for k in range(columns):
        size = len(names) // columns + (k < len(names) % columns)
        lines.append(sum(name.count("\n") + 1 for name in names[start : start + size]))
        start += size
    return 0.158 * max(lines) + 0.13


def _label(layer: Layer) -> str:
    text = _plain(layer.label)
    return f"\u200b{text}" if text.startswith("_") else text or "_nolegend_"  # a leading underscore would hide it


def _broken(text: str, width: float, most: int = 3) -> str:
    return "\n".join(fit_lines(_plain(text), width, most=most))


def _ticks(put: Any, ticks: Sequence[tuple[float, str]]) -> None:
    put([p for p, _ in ticks], [_plain(with_minus(t)) for _, t in ticks], **_LITERAL)


def _spaced(axis: Axis, inches: float) -> list[tuple[float, str]]:
    """Ticks whose texts do not touch: a 0 (or a ratio of 1) first, then from left to right."""
    per = 96.0 * inches / (axis.upper - axis.lower)
    kept: list[tuple[float, str]] = []
    for position, text in sorted(axis.ticks, key=lambda tick: (abs(tick[0]) > 1e-12, tick[0])):
        half = text_width(text, 11.5) / 2
        if all(abs(position - p) * per > half + text_width(t, 11.5) / 2 + 6.0 for p, t in kept):
            kept.append((position, text))
    return sorted(kept)


def _apart(heights: Sequence[float], axis: Axis) -> list[float]:
    """Heights pushed apart so far that a line of text fits between them."""
    gap, at = 0.045 * (axis.upper - axis.lower), [0.0] * len(heights)
    last = -math.inf
    for k in sorted(range(len(heights)), key=lambda k: heights[k]):
        last = at[k] = max(heights[k], last + gap)
    over = max(last - axis.upper, 0.0) if heights else 0.0
    return [y - over for y in at]


def _clipped(ends: Sequence[float], axis: Axis) -> list[float]:
    return [min(max(end, axis.lower), axis.upper) if not math.isnan(end) else end for end in ends]
