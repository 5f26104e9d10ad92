"""One place where a number becomes text.

Nobody rounds before this room. A column is formatted as a whole, so that its decimals line up and the smallest value
still shows two or three digits; the terminal, Markdown and HTML only lay the same texts out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence

from bayeslogit.plaintext import printable

Cell = str | float | int | bool | None

KINDS = ("text", "number", "count", "percent", "ratio")
MISSING = "\u2014"
MINUS = "\u2212"
FIGURE_SPACE, POINT_SPACE = "\u2007", "\u2008"


def format_column(values: Sequence[Cell], kind: str = "number", sds: Sequence[Cell] = ()) -> tuple[str, ...]:
    """Texts of one column, decided over the whole column. ASCII minus; the HTML fragment exchanges it.

    Parameters
    ----------
    values : sequence of cells
        Raw values.
    kind : str
        One of `KINDS`.
    sds : sequence of cells, optional
        Standard deviations of these numbers. With them the smallest sd decides how many decimals are worth printing,
        so that an estimate of 0.000271 with an sd of 0.04 prints as 0.000 and not with six digits of noise.
    """
    cells = [_plain_value(value) for value in values]
    if kind in ("number", "ratio"):
        spread = _finite(map(_plain_value, sds))
        ruled = kind == "number" and bool(spread) and all(_ordinary(v, kind) for v in spread if v)
        ruler = _shared_decimals(spread, kind) if ruled else None
        decimals = ruler if ruler is not None else _shared_decimals(_finite(cells), kind)
        if kind == "number" and decimals is not None and ruler is None:
            decimals = _without_zeros([v for v in _finite(cells) if _ordinary(abs(v), kind)], decimals)
        return _texts(cells, lambda value: _decimal(value, decimals, kind, ruler is not None))
    if kind == "percent":
        places = _percent_places(_finite(cells))
        return _texts(cells, lambda value: _percent(value, places))
    if kind == "count":
        return _texts(cells, _count)
    return _texts(cells, lambda value: f"{value:.6g}")


def _texts(cells: Sequence[Cell], number: Callable[[float], str]) -> tuple[str, ...]:
    special = [_special(cell) for cell in cells]
    return tuple(number(_as_float(c)) if text is None else text for c, text in zip(cells, special, strict=True))


def format_cell(value: Cell, kind: str = "number") -> str:
    """Text of one value by itself, as in a sentence or a list of facts."""
    return format_column((value,), kind)[0]


def _plain_value(value: object) -> Cell:
    item = getattr(value, "item", None)  # numpy scalars carry their Python twin
    return item() if callable(item) else value  # type: ignore[return-value]


def _as_float(cell: Cell) -> float:
    assert isinstance(cell, int | float)  # `_special` has answered for everything else
    return float(cell)


def _finite(cells: Iterable[Cell]) -> list[float]:
    return [float(c) for c in cells if isinstance(c, int | float) and not isinstance(c, bool) and math.isfinite(c)]


def _special(cell: Cell) -> str | None:
    """Text of what is not a finite number; None when it is one."""
    if cell is None:
        return MISSING
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return printable(cell)
    if math.isnan(cell):
        return MISSING
    if math.isinf(cell):
        return "\u221e" if cell > 0 else "-\u221e"
    return None


def _exponent(value: float) -> int:
    return math.floor(math.log10(value))


def _ordinary(value: float, kind: str) -> bool:
    return 1e-4 <= value < (1e5 if kind == "ratio" else 1e6)


def _shared_decimals(values: list[float], kind: str) -> int | None:
    """Decimals for all cells of a column, or None when its values span too much: then each has three digits."""
    sizes = [abs(v) for v in values if _ordinary(abs(v), kind)]
    if not sizes:
        return 0
    smallest, largest = min(sizes), max(sizes)
    if largest / smallest > (100 if kind == "ratio" else 1000):
        return None
    three_digits = 2 - _exponent(smallest)
    if kind == "ratio":  # a column of ratios all close to 1 (effects per metre, per dollar) shows how far from 1
        close = max(abs(v - 1.0) for v in sizes) < 0.05
        return max(three_digits, 2, _resolving(abs(v - 1.0) for v in sizes) if close else 0)
    decimals = max(three_digits if three_digits <= 3 else max(3, three_digits - 1), 1)
    if smallest > 0.9 * largest and max(values) > min(values):
        decimals = max(decimals, 2, _resolving([max(values) - min(values)]))  # log evidences: the difference matters
    return decimals


def _without_zeros(values: list[float], decimals: int) -> int:
    """Fewer decimals where every value is exact with fewer: 2.5 and 5.0, not 2.500 and 5.000."""
    return next((d for d in range(decimals) if all(round(v, d) == v for v in values)), decimals)


def _resolving(gaps: Iterable[float]) -> int:
    """Decimals that give the smallest gap two digits; gaps below 1e-4 ask for nothing."""
    seen = [gap for gap in gaps if gap >= 1e-4]
    return min(1 - _exponent(min(seen)), 4) if seen else 0


def _decimal(value: float, decimals: int | None, kind: str, ruled_by_sd: bool) -> str:
    size = abs(value)
    if size and not _ordinary(size, kind) and not (ruled_by_sd and size < 1.0):
        return f"{value:.1e}"
    if decimals is None:
        decimals = max(0, 2 - _exponent(size)) if size else 0
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0.0 else text


def _percent_places(values: list[float]) -> int:
    largest = max(map(abs, values), default=0.0)
    return min(-1 - _exponent(largest), 3) if 0.0 < largest < 0.01 else 1


def _percent(value: float, places: int) -> str:
    finest = 10.0**-places
    text = f"{100.0 * value if value else 0.0:.{places}f}"
    if value and float(text) == 0.0:
        return f"<{finest:.{places}f}%" if value > 0 else f">-{finest:.{places}f}%"
    if value < 1.0 and float(text) == 100.0:
        return f">{100.0 - finest:.{places}f}%"
    return text + "%"


def _count(value: float) -> str:
    if abs(value) >= 1e15:
        return f"{value:.1e}"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"  # weighted counts need not be whole


def align_decimals(texts: Sequence[str]) -> tuple[str, ...]:
    """Pad on the right so that decimal points meet when the texts are set flush right.

    The padding is U+2007 (as wide as a digit) and U+2008 (as wide as a point); words, dashes and powers keep theirs.
    """
    tails = {text: len(text.partition(".")[2]) for text in texts if text.strip("-+.0123456789,") == "" and text}
    longest = max(tails.values(), default=0)

    def pad(text: str) -> str:
        if text not in tails or tails[text] == longest:
            return text
        return text + ("" if "." in text else POINT_SPACE) + FIGURE_SPACE * (longest - tails[text])

    return tuple(pad(text) for text in texts)


def with_minus(number: str) -> str:
    """The text of a number with proper minus signs, for HTML and SVG."""
    return re.sub(r"-(?=[\d.\u221e])", MINUS, number)


# A whole number of a sentence: not part of a name, a range, a date, a level in brackets, or an argument after "=".
_NUMBER_IN_PROSE = re.compile(
    r"(?<![\w.)\]\[=~-])(?<!~ )-?(?:(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?|\u221e)(?![\w]|[.,=-]\w)"
)


def prose_with_minus(text: str) -> str:
    """Prose with proper minus signs in its numbers, for HTML and SVG.

    Hyphens of names, ranges and dates stay, and all of a formula: whatever follows a tilde.
    """
    words, tilde, formula = text.partition("~")
    return _NUMBER_IN_PROSE.sub(lambda number: number[0].replace("-", MINUS), words) + tilde + formula
