"""Tables fit for a page: dashes with their reasons, and long tables shortened to what matters most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bayeslogit.chart import Chart
from bayeslogit.render.document import Block, Document, Section
from bayeslogit.table import Cell, Column, Table

# Rows of a table that a page can carry, and how many are left of one that is longer.
LONGEST, KEPT = 80, 60
# Of tables that only describe what the results rest on, fewer: a reader scrolls past them.
_DESCRIBING, _OF_THESE = ("columns", "priors"), 20
# Rows of the numbers of a chart, where its picture stands above them, and where they stand for it.
UNDER_PICTURE, INSTEAD = 100, 20


def explained(table: Table, reasons: Mapping[str, str]) -> Table:
    """The table with a note on every column of some that has a dash: why.

    Parameters
    ----------
    reasons : mapping of str to str
        Key of a column to the reason for its dashes.
    """
    notes = [
        f"A dash under \u201c{column.label}\u201d: {reasons[column.key]}."
        for column in table.columns
        if column.key in reasons and any(map(_missing, table.column(column.key)))
    ]
    return replace(table, notes=(*table.notes, *notes))


def without(table: Table, keys: Sequence[str]) -> Table:
    """The table without some of its columns, by key."""
    stay = [k for k, column in enumerate(table.columns) if column.key not in keys]
    columns = tuple(table.columns[k] for k in stay)
    return replace(table, columns=columns, rows=tuple(tuple(row[k] for k in stay) for row in table.rows))


def without_empty(table: Table, keys: Sequence[str]) -> Table:
    """The table without those of some columns that hold nothing but dashes."""
    there = {column.key for column in table.columns}
    return without(table, [key for key in keys if key in there and all(map(_missing, table.column(key)))])


def _missing(value: Cell) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def with_column(table: Table, column: Column, values: Sequence[Cell], after: str) -> Table:
    """The table with one more column after that of a key."""
    at = [c.key for c in table.columns].index(after) + 1
    columns = (*table.columns[:at], column, *table.columns[at:])
    rows = tuple((*row[:at], value, *row[at:]) for row, value in zip(table.rows, values, strict=True))
    return replace(table, columns=columns, rows=rows)


@dataclass(frozen=True)
class Shortened:
    """A document for a page, and the tables that are whole elsewhere: file name and table."""

    document: Document
    aside: tuple[tuple[str, Table], ...]


def shortened(document: Document, order: Sequence[str], stem: str, *, pictures: bool) -> Shortened:
    """Long tables of terms cut to the terms that come first in an order; what is left out goes into files beside.

    Parameters
    ----------
    order : sequence of str
        Terms, those with the largest effects first.
    stem : str
        Of the page's file name.
    pictures : bool
        Whether the page shows charts, or only their numbers.
    """
    most = UNDER_PICTURE if pictures else INSTEAD
    rank = {term: k for k, term in enumerate(order)}
    aside: list[tuple[str, Table]] = []

    def cut(block: Block) -> Block:
        if isinstance(block, Chart):
            return replace(block, data=thinned(block.data, most))
        if not isinstance(block, Table) or len(block.rows) <= LONGEST:
            return block
        name = f"{stem}.{block.name}.csv"
        aside.append((name, block))
        return _cut(block, rank, name)

    sections = tuple(Section(s.id, s.title, tuple(map(cut, s.body))) for s in document.sections)
    return Shortened(replace(document, sections=sections), tuple(aside))


def _cut(table: Table, rank: Mapping[str, int], name: str) -> Table:
    total, kept = len(table.rows), _OF_THESE if table.name in _DESCRIBING else KEPT
    if any(column.key == "term" for column in table.columns):
        at = [column.key for column in table.columns].index("term")
        head = [row for row in table.rows if row[at] == "Intercept"]
        rest = [row for row in table.rows if row[at] != "Intercept"]
        rest.sort(key=lambda row: rank.get(str(row[at]), len(rank)))
        rows, what = [*head, *rest][:kept], "with the largest effects (estimate times sd of the column)"
    else:
        rows, what = list(table.rows[:kept]), "that come first"
    note = f"{kept} of {total:,} rows stand here, those {what}; all are in {name} beside this file."
    return replace(table, rows=tuple(rows), notes=(note, *table.notes))


def thinned(table: Table, most: int) -> Table:
    """The numbers of a chart, evenly thinned where they are many."""
    n = len(table.rows)
    if n <= most:
        return table
    picked = sorted({round(k * (n - 1) / (most - 1)) for k in range(most)})
    note = f"{len(picked)} of {n:,} rows, evenly spaced."
    return replace(table, rows=tuple(table.rows[k] for k in picked), notes=(*table.notes, note))
