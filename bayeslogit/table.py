"""One table record for every face of a result: raw values in; `formats` is where they become text."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bayeslogit.boundary import guarded_methods
from bayeslogit.errors import ArgumentError, NoColumnError
from bayeslogit.formats import FIGURE_SPACE, POINT_SPACE
from bayeslogit.formats import KINDS as KINDS
from bayeslogit.formats import MINUS as MINUS
from bayeslogit.formats import MISSING as MISSING
from bayeslogit.formats import Cell as Cell
from bayeslogit.formats import align_decimals as align_decimals
from bayeslogit.formats import format_cell as format_cell
from bayeslogit.formats import format_column as format_column
from bayeslogit.formats import prose_with_minus as prose_with_minus
from bayeslogit.formats import with_minus as with_minus
from bayeslogit.plaintext import grid_lines, printable, wrap

_SIDE = {"text": "left", "text long": "left", "num": "right"}
_SPACES = str.maketrans({FIGURE_SPACE: " ", POINT_SPACE: " "})
_RULED_BY_SD = ("estimate", "effect", "mode", "mean", "median", "lower", "upper")


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


@guarded_methods
@dataclass(frozen=True, repr=False)
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
        """Raw values of one column, by key; `errors.NoColumnError`, a KeyError, when there is none."""
        keys = [column.key for column in self.columns]
        if key not in keys:
            raise NoColumnError(f"Table {self.name!r} has no column {key!r}; it has {', '.join(keys)}")
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

    # --- to take elsewhere ---------------------------------------------------------------------------------------

    def to_frame(self, *, labels: bool = False) -> Any:
        """The raw values as a pandas frame, under the keys of the columns, or under their labels."""
        import pandas as pd

        names = [column.label if labels else column.key for column in self.columns]
        frame = pd.DataFrame([list(row) for row in self.rows], columns=range(len(names)))
        return frame.set_axis(names, axis=1)

    def to_csv(self) -> str:
        """The raw values as CSV, under the keys; texts that a spreadsheet would obey get an apostrophe in front."""
        from bayeslogit.render.data import to_csv

        return to_csv(self)

    def to_json(self) -> str:
        """The table as JSON: name, title, header, columns, rows of raw values, notes."""
        from bayeslogit.render.data import to_json

        return to_json(self)

    def to_markdown(self) -> str:
        """The table as Markdown, formatted as in print."""
        from bayeslogit.render.markdown import to_markdown

        return to_markdown(self)

    def to_latex(self) -> str:
        """The table as LaTeX (booktabs), formatted as in print."""
        from bayeslogit.render.latex import to_latex

        return to_latex(self)

    def to_html(self) -> str:
        """The table as a fragment of HTML, formatted as in print, everything in it escaped."""
        return html_fragment(self)

    def __repr__(self) -> str:
        return str(self)  # what an interactive session shows

    def __str__(self) -> str:
        return "\n".join(line for _, line in plain_lines(self, width=100))

    def _repr_html_(self) -> str:
        return html_fragment(self)


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


# What a style sheet may do to a table with so many columns: fold its rows on a phone, set it tighter on a tablet, fold
# them there too.
_FOLDS = {
    **dict.fromkeys(range(4), ""),
    4: " bl-fold",
    5: " bl-fold bl-wide",
    10: " bl-fold bl-wide bl-dense",
    12: " bl-fold bl-wide bl-dense bl-crowded",
}
_ONE_PAGE = 15  # rows that are kept together in print
_PADDING = "\u2007\u2008"  # with which numbers are aligned


# --- HTML ------------------------------------------------------------------------------------------------------------


def html_fragment(table: Table) -> str:
    """Escaped HTML of a table, for notebooks and for documents: caption, scoped headers, notes; no style of its own.

    Every cell carries its header in `data-label`, with which a style sheet may fold rows into cards on a phone; the
    explicit roles keep it a table for screen readers when it does.
    """
    by_column = _aligned(table)
    kinds = [_html_class(c.kind, cells) for c, cells in zip(table.columns, by_column, strict=True)]
    labels = [_escaped(c.label) for c in table.columns]
    lines = [("bl-title", _escaped(table.title)), *(("bl-header", _prose(line)) for line in table.header)]
    caption = "".join(f'<span class="{role}" style="display:block">{line}</span>' for role, line in lines)
    head = "".join(
        f'<th scope="col" role="columnheader" class="{kind}" style="text-align:{_SIDE[kind]}">{label}</th>'
        for kind, label in zip(kinds, labels, strict=True)
    )
    body = [
        "".join(_html_cell(by_column[j][i], kinds[j], labels[j], j) for j in range(len(kinds)))
        for i in range(len(table.rows))
    ]
    long = " bl-long" if len(table.rows) > _ONE_PAGE else ""
    notes = "".join(f"<li>{_prose(note)}</li>" for note in table.notes)
    return "\n".join(
        [
            f'<div class="bl-table{_FOLDS[max(n for n in _FOLDS if n <= len(kinds))]}{long}" tabindex="0" role="group" '
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
    number = text.rstrip(_PADDING) if kind == "num" else text
    pad = f'<span class="bl-pad">{text[len(number) :]}</span>' if len(number) < len(text) else ""
    shown = html.escape(with_minus(number) if kind == "num" else number) + pad
    style = f'class="{kind}" style="text-align:{_SIDE[kind]}"'
    if position == 0:
        return f'<th scope="row" role="rowheader" {style} data-label="{label}">{shown}</th>'
    return f'<td role="cell" {style} data-label="{label}">{shown}</td>'


def _html_class(kind: str, cells: Sequence[str]) -> str:
    """`long` marks columns of words that want room before the numbers do."""
    if kind != "text":
        return "num"
    return "text long" if max(map(len, cells), default=0) > 16 else "text"


def _prose(text: str) -> str:
    return _escaped(prose_with_minus(text))


def _escaped(text: str) -> str:
    return html.escape(printable(text).replace(" %", "\u00a0%"))  # a percent sign stays with its number
