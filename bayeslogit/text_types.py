"""What the columns of text files are, from all of their cells: numbers, booleans or text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayeslogit.errors import DataError
from bayeslogit.learning import Wanted
from bayeslogit.sources.parts import CHUNK_ROWS, FALSE_WORDS, TRUE_WORDS, TextPart
from bayeslogit.sources.spread import sum_of_sums

# As `missing.no_stray_text` judges a frame: the largest share of cells that may be text, and of how many kinds.
_FEW, _KINDS = 0.1, 3


@dataclass(frozen=True)
class Cells:
    """What the cells of one column were; two of them add.

    Attributes
    ----------
    whole, numbers, booleans, texts, missing : int
        Whole numbers, other numbers, words for true and false, anything else, missing cells.
    strays : tuple of (str, int, str)
        The first texts of different kinds: file, row, cell; one more than are few.
    varied : bool
        Whether a chunk had more than a few different numbers.
    """

    whole: int = 0
    numbers: int = 0
    booleans: int = 0
    texts: int = 0
    missing: int = 0
    strays: tuple[tuple[str, int, str], ...] = ()
    varied: bool = False

    def __add__(self, other: Cells) -> Cells:
        strays = self.strays
        for each in other.strays:
            if each[2] not in {known[2] for known in strays} and len(strays) <= _KINDS:
                strays = (*strays, each)
        return Cells(
            self.whole + other.whole,
            self.numbers + other.numbers,
            self.booleans + other.booleans,
            self.texts + other.texts,
            self.missing + other.missing,
            strays,
            self.varied or other.varied,
        )

    def type(self) -> Any:
        import pyarrow as pa

        if self.texts or (self.booleans and (self.whole or self.numbers)):
            return pa.string()
        if self.booleans:
            return pa.bool_()
        return pa.int64() if self.whole and not self.numbers and not self.missing else pa.float64()


@dataclass(frozen=True)
class Columns:
    """Cells by column; two of them add."""

    cells: dict[str, Cells]

    def __add__(self, other: Columns) -> Columns:
        return Columns({name: mine + other.cells[name] for name, mine in self.cells.items()})


def typed(parts: tuple[TextPart, ...], wanted: Wanted) -> tuple[TextPart, ...]:
    """The files with the types of their columns, from one pass over their text.

    Raises
    ------
    DataError
        If a column is numbers but for a few cells.
    """
    found = sum_of_sums(_columns(part, wanted.columns) for part in parts)
    for name in wanted.reading.variables:
        if name not in wanted.reading.levelled:
            _no_strays(name, found.cells[name])
    types = {name: cells.type() for name, cells in found.cells.items()}
    return tuple(replace(part, types=types) for part in parts)


def _columns(part: TextPart, names: tuple[str, ...]) -> Columns | None:
    total = None
    for chunk in part.chunks(CHUNK_ROWS, names):
        own = Columns({name: _cells(chunk.table[name], part.name, chunk.first) for name in names})
        total = own if total is None else total + own
    return total


def _cells(column: Any, part: str, first: int) -> Cells:
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = column.null_count
    there = len(column) - missing
    if there == 0:
        return Cells(missing=missing)
    for kind, role in ((pa.int64(), "whole"), (pa.float64(), "numbers")):
        try:
            values = column.cast(kind)
        except (ValueError, NotImplementedError):
            continue
        return Cells(**{role: there}, missing=missing, varied=len(pc.unique(values)) > _KINDS)
    if pc.all(pc.is_in(column.drop_null(), pa.array([*TRUE_WORDS, *FALSE_WORDS]))).as_py():
        return Cells(booleans=there, missing=missing)
    return _mixed(column, part, first)


def _mixed(column: Any, part: str, first: int) -> Cells:
    """Cell by cell, for the chunks with text."""
    import pandas as pd

    values = column.to_pandas()
    numbers = pd.to_numeric(values, errors="coerce")
    text = (numbers.isna() & values.notna()).to_numpy()
    rows = np.flatnonzero(text)
    kinds = values.iloc[rows].drop_duplicates().iloc[: _KINDS + 1]
    strays = tuple((part, first + int(row), str(value)) for row, value in kinds.items())
    counted = int(numbers.notna().sum())
    varied = numbers.nunique() > _KINDS
    return Cells(0, counted, 0, rows.size, int(values.isna().sum()), strays, varied)


def _no_strays(name: str, cells: Cells) -> None:
    numbers = cells.whole + cells.numbers
    if 0 < cells.texts <= _FEW * (numbers + cells.texts) and len(cells.strays) <= _KINDS and cells.varied:
        part, row, value = cells.strays[0]
        raise DataError(
            f"data: {numbers} of the {numbers + cells.texts} values of {name} are numbers, but row {row} of {part} "
            f"holds {value!r}. Correct it, leave the cell empty if it is missing, or write C({name}) if {name} is a "
            "factor."
        )
