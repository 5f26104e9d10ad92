"""A small deterministic SVG writer: a plot in, a string out, at the width that is asked for.

Colours are CSS classes and `currentColor`, so that one drawing serves light, dark and print. What does not fit is
wrapped, then shortened with its full text in a <title>.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cached_property

from bayeslogit.canvas import Canvas, escaped, escaped_prose, px
from bayeslogit.lettering import beside, cut_off, kept_apart, shortened
from bayeslogit.lettering import fit_lines as fit_lines
from bayeslogit.lettering import text_width as text_width
from bayeslogit.marks import (
    HUES,
    Axis,
    Band,
    End,
    Intervals,
    Layer,
    Line,
    Note,
    Plot,
    Points,
    Rule,
    Strip,
    name_place,
    names_first,
    rows_to_a_name,
)
from bayeslogit.palette import CSS
from bayeslogit.plaintext import printable
from bayeslogit.table import with_minus

_LINE = 15.0  # from one line of text to the next
_NARROW = 560.0  # below this width labels stand above their intervals and the legend below the chart


class _Frame:
    """The inner rectangle of the drawing and the two scales onto it."""

    def __init__(self, plot: Plot, left: float, right: float, top: float, bottom: float) -> None:
        self.x_axis, self.y_axis = plot.x, plot.y
        self.left, self.right, self.top, self.bottom = left, right, top, bottom
        self.spans = [(top, bottom)]  # where vertical rules are drawn
        self.notes = [layer for layer in plot.layers if isinstance(layer, Note) and layer.side]
        self.points = [p for each in plot.layers if isinstance(each, Points) for p in zip(each.x, each.y, strict=True)]

    @cached_property
    def asides(self) -> dict[Note, tuple[float, float, str]]:
        """Where the words beside marks go."""
        marks = [(self.x(note.x), self.y(note.y), note.text, note.side) for note in self.notes]
        points = [(self.x(x), self.y(y)) for x, y in self.points]
        return dict(zip(self.notes, beside(marks, self.left, self.right, points), strict=True))

    def x(self, value: float) -> float:
        return self.left + (value - self.x_axis.lower) / (self.x_axis.upper - self.x_axis.lower) * (
            self.right - self.left
        )

    def inside(self, x: float, y: float) -> tuple[float, float]:
        """A place of the drawing, at the edge where it would be outside."""
        across, down = self.x(x), self.y(y)
        return min(max(across, self.left), self.right), min(max(down, self.top), self.bottom)

    def y(self, value: float) -> float:
        return self.bottom - (value - self.y_axis.lower) / (self.y_axis.upper - self.y_axis.lower) * (
            self.bottom - self.top
        )


def draw(plot: Plot, width: float = 720.0) -> str:
    """Draw a plot as one <svg> element, `width` pixels wide; the height follows from what is in it."""
    canvas = Canvas()
    height = _draw_list(canvas, plot, width) if plot.rows else _draw_square(canvas, plot, width)
    height += 5 if plot.notes else 0
    for note in plot.notes:
        for line in fit_lines(note, width - 8, most=6, size=11.0):
            height += _LINE
            canvas.text(4, height - 6, line, "small soft")
    key = re.sub(r"[^A-Za-z0-9]+", "-", f"bl-{plot.name}-{width:.0f}")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="bl-chart" viewBox="0 0 {px(width)} {px(height)}" '
            f'width="{px(width)}" height="{px(height)}" role="img" aria-labelledby="{key}-title {key}-desc">',
            f'<title id="{key}-title">{escaped(plot.title)}</title>',
            f'<desc id="{key}-desc">{escaped_prose(plot.description)}</desc>',
            f"<style>{CSS}</style>",
            *canvas.parts,
            "</svg>",
        ]
    )


# --- the two layouts -------------------------------------------------------------------------------------------------


def _draw_list(canvas: Canvas, plot: Plot, width: float) -> float:
    """Rows from top to bottom: a name, its marks, its numbers. Narrow: the name and the numbers above the marks."""
    narrow = width < _NARROW
    rows = names_first(plot.rows) if narrow else plot.rows
    widest = max(text_width(row.value) for row in rows)
    heading = [plot.row_heading] if narrow else fit_lines(plot.row_heading, max(widest, 160.0), most=3, size=11.0)
    values = max(widest, *(text_width(line, 11.0) for line in heading)) + 8
    names = min(max(text_width(row.label) for row in rows) + 20, 0.32 * width)
    room = width - widest - 20 if narrow else names - 12  # narrow: the heading of the numbers stands above all rows
    lines = kept_apart([row.label for row in rows], lambda name: fit_lines(name, room, most=3 if narrow else 2))
    steps = [
        33.0 + _LINE * len(part) if narrow else 16.0 + _LINE * max(len(part), 1) - (len(part) > 1) * 6 for part in lines
    ]
    steps = [step + 31.0 * (plot.row_height - 1.0) for step in steps]
    above = _LINE * 2 + 18 if plot.top else 8.0  # from the first row up to the heading of the numbers
    top = 14.0 + 2 * _LINE + (20.0 if narrow else 0.0) if plot.top or not narrow else 8.0 + _LINE
    left, right = (12.0, width - 12.0) if narrow else (names + 4, width - values - 16)
    ends = [top + sum(steps[: i + 1]) for i in range(len(steps))]
    bottom = ends[-1] + 4
    frame = _Frame(plot, left, right, top, bottom)
    centre = [
        end - 10 - 20 * (plot.row_height - 1.0) if narrow else end - step / 2 + 2
        for end, step in zip(ends, steps, strict=True)
    ]
    frame.y = lambda value: _between(centre, value, steps[0])  # type: ignore[method-assign]
    reach = 10 + 15 * (plot.row_height - 1.0)
    if narrow:  # rules pause where a name stands
        frame.spans = [(top, top + 8), *((y - reach, y + reach) for y in centre), (bottom - 2, bottom)]
    for k, line in enumerate(reversed(heading if plot.row_heading else ())):
        canvas.text(width - 4, top - (above if narrow else 8 + 13 * k), line, "small soft end")
    _x_grid(canvas, frame)
    for layer in plot.layers:
        _draw_layer(canvas, frame, layer)
    size = 1 if narrow else rows_to_a_name(rows)
    for i, (row, label, y) in enumerate(zip(rows, lines, centre, strict=True)):
        more = _LINE * (len(label) - 1)
        middle = _between(centre, name_place(i, size), steps[0])
        base = y - 14 - 15 * (plot.row_height - 1.0) - more if narrow else middle + 4 - more / 2
        for k, part in enumerate(label):
            canvas.text(4, base + _LINE * k, part, "", row.label)
        canvas.text(width - 4, base if narrow else y + 4, with_minus(row.value), "end")
    if plot.top:
        _top_axis(canvas, frame, plot.top)
    bottom = _bottom_axis(canvas, frame, plot.x)
    return _legend(canvas, plot.layers, 4, bottom + 10, width - 8, True)


def _between(centres: list[float], value: float, alone: float) -> float:
    """Rows stand at whole numbers; what lies between two of them stands there."""
    low = min(max(math.floor(value), 0), max(len(centres) - 2, 0))
    step = centres[low + 1] - centres[low] if len(centres) > 1 else alone
    return centres[low] + (value - low) * step


def _draw_square(canvas: Canvas, plot: Plot, width: float) -> float:
    """An ordinary chart with two scales; wide: the legend stands beside it, narrow: below."""
    narrow = width < _NARROW
    left = 26.0 + max(text_width(with_minus(text)) for _, text in plot.y.ticks or ((0.0, "0"),))
    right = width - 14.0 if narrow else min(left + 0.58 * width, width - 200.0)
    room = 0.26 * width
    ends = kept_apart(
        [printable(end.text) for end in plot.ends],
        lambda name: [shortened(name, room, 11.0)],
        lambda name: [cut_off(name, room, 11.0)],
    )
    names = [line for (line,) in ends]
    if names:
        right = width - 22.0 - max(text_width(name, 11.0) for name in names)
    top = 12.0
    side = (0.95 if narrow else 0.62) * (right - left) if names else right - left
    frame = _Frame(plot, left, right, top, top + side)
    _x_grid(canvas, frame)
    for position, text in plot.y.ticks:
        canvas.line(left, frame.y(position), right, frame.y(position), "grid")
        canvas.text(left - 8, frame.y(position) + 4, with_minus(text), "small soft end")
    canvas.text(13, top + side / 2, plot.y.label, "mid", turn=True)
    for layer in plot.layers:
        _draw_layer(canvas, frame, layer)
    canvas.path([(left, top), (left, top + side), (right, top + side)], "frame")
    if plot.strip:
        frame.bottom = _draw_strip(canvas, frame, plot.strip)
    _name_ends(canvas, frame, plot.ends, names)
    bottom = _bottom_axis(canvas, frame, plot.x)
    if narrow or names:
        return _legend(canvas, plot.layers, 4, bottom + 10, width - 8, True)
    return max(bottom, _legend(canvas, plot.layers, right + 28, top + 4, width - 4, False))


def _name_ends(canvas: Canvas, frame: _Frame, ends: tuple[End, ...], names: list[str]) -> None:
    """Names at the right edge, pushed apart as far as they need, each with a stroke to the end of its line."""
    order = sorted(range(len(ends)), key=lambda k: frame.y(ends[k].y))
    heights = [min(max(frame.y(ends[k].y), frame.top), frame.bottom) for k in order]
    at = heights.copy()
    for _ in range(200):
        moved = False
        for i in range(len(at) - 1):
            overlap = 13.5 - (at[i + 1] - at[i])
            if overlap > 0.01:
                up = min(overlap / 2, max(at[i] - frame.top, 0.0))
                at[i], at[i + 1], moved = at[i] - up, at[i + 1] + overlap - up, True
        if not moved:
            break
    for k, line, y in zip(order, heights, at, strict=True):
        canvas.path([(frame.right, line), (frame.right + 12, y)], _classes(ends[k].style))
        canvas.text(frame.right + 16, y + 4, names[k], "small", ends[k].text)


def _classes(style: str, *, area: bool = False) -> str:
    if style in HUES:
        return f"{'tint' if area else 'hue'} {style}"
    return "area" if area else style


def _draw_strip(canvas: Canvas, frame: _Frame, strip: Strip) -> float:
    """The histogram under the chart; returns its lower edge."""
    words = fit_lines(strip.label, frame.right - frame.left, size=11.0)
    for k, line in enumerate(words):
        canvas.text(frame.left, frame.bottom + 19 + _LINE * k, line, "small soft")
    top, height = frame.bottom + 11 + _LINE * len(words), 44.0
    tallest = max((*strip.heights, 1e-300))
    for a, b, h in zip(strip.edges[:-1], strip.edges[1:], strip.heights, strict=True):
        x1, x2 = (min(max(frame.x(v), frame.left), frame.right) for v in (a, b))
        if h > 0 and x2 - x1 > 0.05:
            tall = max(height * h / tallest, 0.8)
            canvas.box(x1 + 0.3, top + height - tall, max(x2 - x1 - 0.6, 0.5), tall, "bar")
    return top + height


# --- axes, layers, legend --------------------------------------------------------------------------------------------


def _x_grid(canvas: Canvas, frame: _Frame) -> None:
    for position, _ in frame.x_axis.ticks:
        for start, stop in frame.spans:
            canvas.line(frame.x(position), start, frame.x(position), stop, "grid")


def _spaced(frame: _Frame, axis: Axis, gap: float = 10.0) -> list[tuple[float, str]]:
    """Ticks whose texts do not touch: a 0 (or a ratio of 1) first, then from left to right."""
    kept: list[tuple[float, str]] = []
    for position, text in sorted(axis.ticks, key=lambda tick: (abs(tick[0]) > 1e-12, tick[0])):
        half = text_width(text, 11.0) / 2
        if all(abs(frame.x(position) - frame.x(p)) > half + text_width(t, 11.0) / 2 + gap for p, t in kept):
            kept.append((position, text))
    return kept


def _bottom_axis(canvas: Canvas, frame: _Frame, axis: Axis) -> float:
    canvas.line(frame.left, frame.bottom, frame.right, frame.bottom, "frame")
    for position, text in _spaced(frame, axis):
        canvas.line(frame.x(position), frame.bottom, frame.x(position), frame.bottom + 4, "frame")
        canvas.text(frame.x(position), frame.bottom + 17, with_minus(text), "small soft mid")
    y = frame.bottom + 17
    for line in fit_lines(axis.label, frame.right - frame.left, most=3):
        y += _LINE + 2
        canvas.text((frame.left + frame.right) / 2, y, line, "mid")
    return y + 6


def _top_axis(canvas: Canvas, frame: _Frame, axis: Axis) -> None:
    canvas.line(frame.left, frame.top, frame.right, frame.top, "frame")
    for position, text in _spaced(frame, axis):
        canvas.line(frame.x(position), frame.top, frame.x(position), frame.top - 4, "frame")
        canvas.text(frame.x(position), frame.top - 8, text, "small soft mid")
    canvas.text((frame.left + frame.right) / 2, frame.top - 8 - _LINE - 3, axis.label, "mid")


def _draw_layer(canvas: Canvas, frame: _Frame, layer: Layer) -> None:
    style = layer.style
    if isinstance(layer, Points):
        _draw_points(canvas, frame, layer)
    elif isinstance(layer, Intervals):
        for at, low, high in zip(layer.at, layer.lower, layer.upper, strict=True):
            if not (math.isnan(low) or math.isnan(high) or math.isnan(at)):
                _draw_interval(canvas, frame, layer, at, low, high)
    elif isinstance(layer, Line):
        _draw_line(canvas, frame, layer)
    elif isinstance(layer, Band):
        there = list(zip(layer.x, layer.lower, strict=True))
        back = list(zip(layer.x, layer.upper, strict=True))[::-1]
        canvas.path([(frame.x(x), frame.y(y)) for x, y in there + back], _classes(style, area=True), closed=True)
    elif isinstance(layer, Rule):
        if layer.vertical:
            for start, stop in frame.spans:
                canvas.line(frame.x(layer.position), start, frame.x(layer.position), stop, style)
        else:
            canvas.line(frame.left, frame.y(layer.position), frame.right, frame.y(layer.position), style)
    elif isinstance(layer, Note):
        x, y, side = frame.asides.get(layer, (frame.x(layer.x), frame.y(layer.y) - 4, ""))
        canvas.text(x, y + 4, layer.text, f"small soft{' end' if side == 'left' else ''}")


def _draw_line(canvas: Canvas, frame: _Frame, layer: Line) -> None:
    """A line, broken where a value is missing."""
    there = [math.isfinite(x) and math.isfinite(y) for x, y in zip(layer.x, layer.y, strict=True)]
    start = 0
    for k in range(len(there) + 1):
        if k == len(there) or not there[k]:
            if k - start > 1:
                part = zip(layer.x[start:k], layer.y[start:k], strict=True)
                canvas.path([frame.inside(x, y) for x, y in part], _line_class(layer))
            start = k + 1


def _line_class(layer: Line) -> str:
    dashes = f" d{HUES.index(layer.style) % 4}" if layer.dashed and layer.style in HUES else ""
    return _classes(layer.style) + dashes


def _draw_points(canvas: Canvas, frame: _Frame, layer: Points) -> None:
    sizes = layer.size or (None,) * len(layer.x)
    kind, small = _point_class(layer), 2.2 if len(layer.x) > 60 else 3.6 if layer.style in HUES else 4.5
    for x, y, size in zip(layer.x, layer.y, sizes, strict=True):
        inside = frame.x_axis.lower <= x <= frame.x_axis.upper  # NaN is not inside
        if inside and math.isfinite(y):
            radius = small if size is None else max(8.5 * math.sqrt(max(size, 0.0)), 2.0)
            canvas.spot(frame.x(x), frame.y(y), radius, kind)


def _point_class(layer: Points) -> str:
    return f"spot {layer.style}" if layer.style in HUES else "dot" if layer.size is None else "disc"


def _draw_interval(canvas: Canvas, frame: _Frame, layer: Intervals, at: float, low: float, high: float) -> None:
    axis = frame.y_axis if layer.vertical else frame.x_axis
    start, stop = (min(max(end, axis.lower), axis.upper) for end in (low, high))
    if layer.vertical:
        canvas.line(frame.x(at), frame.y(start), frame.x(at), frame.y(stop), _classes(layer.style))
        return
    y, tip = frame.y(at), "tip" if layer.style == "muted" else _classes(layer.style)
    canvas.line(frame.x(start), y, frame.x(stop), y, _classes(layer.style))
    if low < axis.lower:
        canvas.path([(frame.left + 5, y - 4), (frame.left, y), (frame.left + 5, y + 4)], tip)
    if high > axis.upper:
        canvas.path([(frame.right - 5, y - 4), (frame.right, y), (frame.right - 5, y + 4)], tip)


def _legend(canvas: Canvas, layers: Iterable[Layer], x: float, y: float, right: float, flow: bool) -> float:
    """Keys and words, one after another (`flow`) or one below another; returns the lower edge."""
    at, base = x, y + 10
    for layer in layers:
        if not layer.label:
            continue
        size = text_width(layer.label, 11.0) + 34
        if flow and at > x and at + size > right:
            at, base = x, base + _LINE + 4
        _key(canvas, layer, at, base - 4)
        lines = fit_lines(layer.label, right - at - 34, most=5, size=11.0)
        for k, line in enumerate(lines):
            canvas.text(at + 34, base + _LINE * k, line, "small soft")
        if flow and len(lines) == 1:
            at += size + 18
        else:
            at, base = x, base + _LINE * len(lines) + 5
    return base + 12 if at > x else base


def _key(canvas: Canvas, layer: Layer, x: float, y: float) -> None:
    if isinstance(layer, Points):
        canvas.spot(x + 13, y, 6 if layer.size else 4.5, _point_class(layer))
    elif isinstance(layer, Band):
        canvas.box(x + 1, y - 5, 24, 10, _classes(layer.style, area=True))
    elif isinstance(layer, Intervals) and layer.vertical:
        canvas.line(x + 13, y - 7, x + 13, y + 7, _classes(layer.style))
    elif not isinstance(layer, Note):
        classes = _line_class(layer) if isinstance(layer, Line) else _classes(layer.style)
        canvas.line(x + 1, y, x + 25, y, classes)
