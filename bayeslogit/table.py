"""One table record for every face of a result: raw values in, one place where a number becomes text.

Nobody rounds before this room. A column is formatted as a whole, so that its decimals line up and the smallest value
still shows two or three digits; the terminal, Markdown and HTML only lay the same texts out.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bayeslogit.errors import ArgumentError
from bayeslogit.plaintext import grid_lines, printable, wrap

Cell = str | float | int | bool | None

KINDS = ("text", "number", "count", "percent", "ratio")
MISSING = "\u2014"
MINUS = "\u2212"
_SIDE = {"text": "left", "text long": "left", "num": "right"}
_FIGURE_SPACE, _POINT_SPACE = "\u2007", "\u2008"
_SPACES = str.maketrans({_FIGURE_SPACE: " ", _POINT_SPACE: " "})
_RULED_BY_SD = ("estimate", "mode", "mean", "median", "lower", "upper")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    key : str
        Stable machine name, such as "estimate".
    label : str
        The header, with its unit or scale: "log-odds (mode)".
    kind : str
        "text"; "number"; "count" (whole numbers); "percent" (the raw value is a fraction, 0.25 prints as 25.0%);
        "ratio" (odds ratios: three significant digits).
    """

    key: str
    label: str
    kind: str = "text"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ArgumentError(f"Column {self.key!r}: kind {self.kind!r} is not one of {', '.join(KINDS)}.")


@dataclass(frozen=True)
class Table:
    """A titled table of raw values.

    Attributes
    ----------
    name : str
        Stable identifier, such as "coefficients"; the id of the table in every document.
    title : str
        One line for the reader.
    columns : tuple of Column
    rows : tuple of tuple
        Raw values, never rounded; None and NaN print as a dash.
    header : tuple of str
        Lines under the title: the prior, the interval, the unit.
    notes : tuple of str
        Footnotes; each reaches every rendering.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    header: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        keys = [column.key for column in self.columns]
        if len(set(keys)) < len(keys):
            raise ArgumentError(f"Table {self.name!r}: two columns share a key in {keys}; give each its own.")
        for position, row in enumerate(self.rows):
            if len(row) != len(keys):
                raise ArgumentError(
                    f"Table {self.name!r}: row {position} has {len(row)} cells for {len(keys)} columns ({keys})."
                )

    def column(self, key: str) -> tuple[Cell, ...]:
        """Raw values of one column, by key; KeyError when there is none."""
        keys = [column.key for column in self.columns]
        if key not in keys:
            raise KeyError(f"table {self.name!r} has no column {key!r}; it has {', '.join(keys)}")
        position = keys.index(key)
        return tuple(row[position] for row in self.rows)

    def records(self) -> list[dict[str, Cell]]:
        """One dict a row, from column key to raw value."""
        return [dict(zip((column.key for column in self.columns), row, strict=True)) for row in self.rows]

    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Every cell as text, row by row, formatted by column and not yet padded."""
        sds = self.column("sd") if any(column.key == "sd" for column in self.columns) else ()
        by_column = [
            format_column(self.column(c.key), c.kind, sds if c.kind == "number" and c.key in _RULED_BY_SD else ())
            for c in self.columns
        ]
        return tuple(zip(*by_column, strict=True)) if self.rows and self.columns else ()

    def __str__(self) -> str:
        return "\n".join(line for _, line in plain_lines(self, width=100))

    def _repr_html_(self) -> str:
        return html_fragment(self)


# --- numbers to text -------------------------------------------------------------------------------------------------


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
        return tuple(_special(cell) or _decimal(_as_float(cell), decimals, kind, ruler is not None) for cell in cells)
    if kind == "percent":
        places = _percent_places(_finite(cells))
        return tuple(_special(cell) or _percent(_as_float(cell), places) for cell in cells)
    if kind == "count":
        return tuple(_special(cell) or _count(_as_float(cell)) for cell in cells)
    return tuple(_special(cell) or f"{_as_float(cell):.6g}" for cell in cells)


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


def _special(cell: Cell) -> str:
    """Text of what is not a finite number; empty when it is one."""
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
    return ""


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
        return text + ("" if "." in text else _POINT_SPACE) + _FIGURE_SPACE * (longest - tails[text])

    return tuple(pad(text) for text in texts)


# --- aligned plain text ----------------------------------------------------------------------------------------------


def plain_lines(table: Table, width: int = 100) -> list[tuple[str, str]]:
    """Lay a table out in lines of at most `width` terminal cells; see `plaintext.grid_lines`. Nothing is cut.

    Returns
    -------
    list of (role, line)
        Roles: "title", "header", "label", "rule", "row", "note", "blank".
    """
    lines = [("title", line) for line in wrap(printable(table.title), width)]
    lines += [("header", line) for text in table.header for line in wrap(printable(text), width)]
    labels = [printable(column.label) for column in table.columns]
    is_text = [column.kind == "text" for column in table.columns]
    lines += grid_lines(
        labels, [[cell.translate(_SPACES) for cell in cells] for cells in _aligned(table)], is_text, width
    )
    if not table.rows:
        lines.append(("row", "(no rows)"))
    for note in table.notes:
        first, *rest = wrap(printable(note), width - 2)
        lines += [("note", "* " + first), *(("note", "  " + line) for line in rest)]
    return lines


def _aligned(table: Table) -> list[tuple[str, ...]]:
    """The texts of each column, numbers padded so that their decimal points meet."""
    texts = table.texts()
    columns = [tuple(row[j] for row in texts) for j in range(len(table.columns))]
    return [c if column.kind == "text" else align_decimals(c) for c, column in zip(columns, table.columns, strict=True)]


# --- HTML ------------------------------------------------------------------------------------------------------------


def html_fragment(table: Table) -> str:
    """Escaped HTML of a table, for notebooks and for documents: caption, scoped headers, notes; no style of its own.

    Every cell carries its header in `data-label`, with which a style sheet may fold rows into cards on a phone; the
    explicit roles keep it a table for screen readers when it does.
    """
    by_column = _aligned(table)
    kinds = [_html_class(c.kind, cells) for c, cells in zip(table.columns, by_column, strict=True)]
    labels = [_escaped(c.label) for c in table.columns]
    lines = [("bl-title", table.title), *(("bl-header", line) for line in table.header)]
    caption = "".join(f'<span class="{role}" style="display:block">{_escaped(line)}</span>' for role, line in lines)
    head = "".join(
        f'<th scope="col" role="columnheader" class="{kind}" style="text-align:{_SIDE[kind]}">{label}</th>'
        for kind, label in zip(kinds, labels, strict=True)
    )
    body = [
        "".join(_html_cell(by_column[j][i], kinds[j], labels[j], j) for j in range(len(kinds)))
        for i in range(len(table.rows))
    ]
    notes = "".join(f"<li>{_escaped(note)}</li>" for note in table.notes)
    return "\n".join(
        [
            f'<div class="bl-table{" bl-fold" if len(kinds) > 4 else ""}" tabindex="0" role="group" '
            f'aria-label="{_escaped(table.title)}">',
            f'<table role="table"><caption style="text-align:left">{caption}</caption>',
            f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>',
            '<tbody role="rowgroup">',
            *(
                f'<tr role="row">{cells}</tr>'
                for cells in body or [f'<td role="cell" colspan="{len(kinds)}">(no rows)</td>']
            ),
            "</tbody></table>",
            *([f'<ul class="bl-notes">{notes}</ul>'] if notes else []),
            "</div>",
        ]
    )


def _html_cell(text: str, kind: str, label: str, position: int) -> str:
    shown = html.escape(with_minus(text) if kind == "num" else text)
    style = f'class="{kind}" style="text-align:{_SIDE[kind]}"'
    if position == 0:
        return f'<th scope="row" role="rowheader" {style} data-label="{label}">{shown}</th>'
    return f'<td role="cell" {style} data-label="{label}">{shown}</td>'


def _html_class(kind: str, cells: Sequence[str]) -> str:
    """`long` marks columns of words that want room before the numbers do."""
    if kind != "text":
        return "num"
    return "text long" if max(map(len, cells), default=0) > 16 else "text"


def with_minus(number: str) -> str:
    """The text of a number with proper minus signs, for HTML and SVG."""
    return re.sub(r"-(?=[\d.\u221e])", MINUS, number)


def _escaped(text: str) -> str:
    return html.escape(printable(text).replace(" %", "\u00a0%"))  # a percent sign stays with its number
