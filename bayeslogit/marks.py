"""What a chart is made of, in data units: axes, marks and their ticks. No pixels, no colours, no statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bayeslogit.table import Table

HUES = tuple(f"h{i}" for i in range(8))  # one a line, where several are told apart
STYLES = ("main", "muted", "guide", "thin", *HUES)
_LEADS = (
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7),
    (1, 1.5, 2, 3, 5, 7),
    (1, 2, 5),
    (1, 3),
    (1,),
)  # of ratios, from fine to coarse


@dataclass(frozen=True)
class Axis:
    """One axis: its label names the quantity and its scale; ticks are (position, text) pairs."""

    label: str
    lower: float
    upper: float
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Row:
    """One line of a chart whose vertical axis is a list: its name, and its numbers as text."""

    label: str
    value: str = ""


@dataclass(frozen=True)
class Points:
    """Points; `size` is the area of each relative to the largest (None: all the same small point)."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    size: tuple[float, ...] | None = None
    style: str = "main"
    label: str = ""


@dataclass(frozen=True)
class Intervals:
    """Intervals from `lower` to `upper` at the positions `at` of the other axis; clipped ends become arrows."""

    at: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    vertical: bool = False
    style: str = "main"
    label: str = ""


@dataclass(frozen=True)
class Line:
    """A line through points; where hues tell curves apart, `dashed` makes them differ in grey print too."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    style: str = "main"
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Band:
    """The area between two curves."""

    x: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    style: str = "muted"
    label: str = ""


@dataclass(frozen=True)
class Rule:
    """A straight rule across the whole chart at one position of x (vertical) or of y."""

    position: float
    vertical: bool = True
    style: str = "guide"
    label: str = ""


@dataclass(frozen=True)
class Note:
    """Words at a place in the chart, or on one side ("left", "right") of a mark there."""

    x: float
    y: float
    text: str
    style: str = "guide"
    label: str = ""
    side: str = ""


@dataclass(frozen=True)
class End:
    """The name of a line, written beside the right edge of the chart near the height `y`."""

    y: float
    text: str
    style: str = "main"


@dataclass(frozen=True)
class Strip:
    """A histogram under the chart on the same x axis: `heights` between consecutive `edges`, named by `label`."""

    edges: tuple[float, ...]
    heights: tuple[float, ...]
    label: str


Layer = Points | Intervals | Line | Band | Rule | Note


@dataclass(frozen=True)
class Plot:
    """Everything that a drawing needs.

    Attributes
    ----------
    name : str
        Stable identifier.
    title, description : str
        For every reader, and for those who cannot see the drawing.
    x, y : Axis
    layers : tuple of layers
        Drawn in order. A layer's `label` is its line in the legend.
    data : Table
        The numbers of the drawing, for readers and for screen readers.
    top : Axis or None
        The same positions as `x`, in other words (odds ratios over log-odds).
    rows : tuple of Row
        With rows the vertical axis is a list: row i stands at y = i, the first on top.
    row_heading : str
        What the rows' values are.
    strip : Strip or None
        A histogram under the chart.
    ends : tuple of End
        Names at the right edge, spread so that none covers another; such a chart is wider than tall.
    notes : tuple of str
        Each reaches every rendering.
    row_height : float
        Of every row, relative to that of one line of text and its interval.
    """

    name: str
    title: str
    description: str
    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    data: Table
    top: Axis | None = None
    rows: tuple[Row, ...] = ()
    row_heading: str = ""
    strip: Strip | None = None
    ends: tuple[End, ...] = ()
    notes: tuple[str, ...] = ()
    row_height: float = 1.0


def unit_range(values: Sequence[float]) -> tuple[float, float]:
    """0 to 1, or the part of it that the values fill when that is small."""
    low, high = max(min(values), 0.0), min(max(values), 1.0)
    least = 0.2 * min(high, 1.0 - low)  # what hardly varies is not blown up
    if high - low < least:
        low, high = max(0.5 * (low + high - least), 0.0), min(0.5 * (low + high + least), 1.0)
    if high - low > 0.45 or high <= low:
        return 0.0, 1.0
    step = next(s * 10.0**-k for k in range(12, 0, -1) for s in (1.0, 2.0, 5.0) if s * 10.0**-k * 5 >= high - low)
    left = 0.0 if low < 0.35 * high else step * math.floor(low / step)
    return left, min(step * math.ceil(high / step + 1e-9), 1.0)


def nice_ticks(lower: float, upper: float, most: int = 7) -> tuple[tuple[float, str], ...]:
    """At most about `most` round positions in [lower, upper], each with the shortest text that tells them apart."""
    raw = (upper - lower) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(lower / step - 1e-9), math.floor(upper / step + 1e-9)
    large = max(abs(lower), abs(upper)) >= 1e6 or step < 1e-6
    return tuple((k * step, f"{k * step:.2g}" if large else f"{k * step:.{decimals}f}") for k in range(first, last + 1))


def ratio_ticks(lower: float, upper: float, most: int = 8) -> tuple[tuple[float, str], ...]:
    """Ticks at log(r) for round ratios r, on an axis of logarithms from `lower` to `upper`."""
    if upper - lower > 0.6:
        found: tuple[tuple[float, str], ...] = ()
        for leads in _LEADS:
            found = _decades(leads, lower, upper)
            if len(found) <= most:
                return found
        return found[:: math.ceil(len(found) / most)]
    linear = nice_ticks(math.exp(lower), math.exp(upper), most)
    return tuple((math.log(r), text) for r, text in linear if r > 0.0 and lower <= math.log(r) <= upper)


def _decades(leads: Sequence[float], lower: float, upper: float) -> tuple[tuple[float, str], ...]:
    first, last = math.floor(lower / math.log(10.0)), math.ceil(upper / math.log(10.0))
    ticks = []
    for power in range(max(first, -300), min(last, 300) + 1):
        for lead in leads:
            position = math.log(lead) + power * math.log(10.0)
            if lower - 1e-12 <= position <= upper + 1e-12:
                plain = -4 <= power <= 4
                text = f"{float(f'{lead}e{power}'):.10g}" if plain else f"{lead:g}e{power:+03d}"
                ticks.append((position, text))
    return tuple(ticks)


def names_first(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Rows in equal groups, one name to each: the name moved to the first row of its group."""
    named, size = [row.label for row in rows if row.label], rows_to_a_name(rows)
    if size < 2:
        return rows
    return tuple(Row("" if i % size else named[i // size], row.value) for i, row in enumerate(rows))


def rows_to_a_name(rows: tuple[Row, ...]) -> int:
    """How many rows share each name, where they stand in groups of one size with a name each; else 1."""
    named = [bool(row.label) for row in rows]
    size = len(rows) // max(sum(named), 1)
    groups = [named[i : i + size] for i in range(0, len(rows), size)] if size else []
    return size if size and all(sum(group) == 1 for group in groups) else 1


def name_place(row: int, size: int) -> float:
    """Where the name of a row stands, counted in rows: in the middle of its group."""
    return row // size * size + (size - 1) / 2
