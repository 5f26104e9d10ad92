"""Parts of data that are read anew at every pass: files, cut into chunks of a fixed number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from bayeslogit.errors import DataError
from bayeslogit.workers import threads

# Rows of a chunk where nothing is known of the columns yet.
CHUNK_ROWS = 1 << 16
# What polars writes beside a column that is one of its categoricals.
_POOL = b"_PL_CATEGORICAL"
# Bytes that a text file is read by, and a column of a Parquet file whose row groups are larger than this.
_TEXT_BYTES, _PAGE_BYTES = 1 << 22, 1 << 20
_LARGE_GROUP = 1 << 28
# Words that mean a missing value in a text file, as pandas has them.
MISSING_WORDS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"),
    *("NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
TRUE_WORDS, FALSE_WORDS = ("True", "TRUE", "true"), ("False", "FALSE", "false")


class Chunk(NamedTuple):
    """Consecutive rows of a part.

    Attributes
    ----------
    table : pyarrow.Table or array
    part : str
        What messages call the part.
    first : int
        Row of the part that comes first; they count from 0.
    number : int
        Of the chunk in its part.
    """

    table: Any
    part: str
    first: int
    number: int


class Part(Protocol):
    """Something that hands out its rows in chunks, the same at every pass."""

    @property
    def name(self) -> str: ...
    def chunks(self, rows: int, columns: tuple[str, ...]) -> Iterator[Chunk]: ...


def pooled(schema: Any) -> list[str]:
    """Columns of an Arrow schema that were categoricals of polars: text, in the order in which a process met it.

    Those of pandas and R are dictionaries too, and so is an Enum of polars; their order is their owner's.
    """
    return [field.name for field in schema if any(key.startswith(_POOL) for key in field.metadata or ())]


def arrow_to_pandas(table: Any) -> Any:
    """An Arrow table as pandas, with the categoricals of polars as text."""
    frame = _signed(table).to_pandas()
    for name in pooled(table.schema):
        frame[name] = frame[name].astype(object)
    return frame


def _signed(table: Any) -> Any:
    """With signed codes for levels: polars writes unsigned ones, which pyarrow turns into pandas from 23 on only."""
    import pyarrow as pa

    for place, column in enumerate(table.schema):
        kind = column.type
        if pa.types.is_dictionary(kind) and pa.types.is_unsigned_integer(kind.index_type):
            kind = pa.dictionary(pa.int64(), kind.value_type, kind.ordered)
            table = table.set_column(place, column.with_type(kind), table.column(place).cast(kind))
    return table


@dataclass(frozen=True)
class ParquetPart:
    """A Parquet file; ``n_rows`` and the Arrow types of its columns come from its footer."""

    path: str
    name: str
    n_rows: int
    decoded: int
    largest_group: int
    types: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, path: Path, name: str) -> ParquetPart:
        import pyarrow as pa
        import pyarrow.parquet

        with _named(name, "Parquet"), pyarrow.parquet.ParquetFile(path) as file:
            about, schema = file.metadata, file.schema_arrow
            _different(name, schema.names)
            groups = range(about.num_row_groups)
            sizes = [about.row_group(group).total_byte_size for group in groups]
            pools = frozenset(pooled(schema))
            types = {column.name: pa.string() if column.name in pools else column.type for column in schema}
            return cls(str(path), name, about.num_rows, sum(sizes), max(sizes, default=0), types)

    def chunks(self, rows: int, columns: tuple[str, ...]) -> Iterator[Chunk]:
        import pyarrow.parquet

        # Texts come as codes into their levels: a level is read once, not once a row.
        texts = [name for name in columns if str(self.types[name]) in ("string", "large_string", "string_view")]
        # A row group is read at once, and its columns are decoded side by side, unless it is large.
        buffer = _PAGE_BYTES if self.largest_group > _LARGE_GROUP else 0
        with (
            _named(self.name, "Parquet"),
            pyarrow.parquet.ParquetFile(self.path, read_dictionary=texts, buffer_size=buffer, pre_buffer=False) as file,
        ):
            batches = file.iter_batches(batch_size=rows, columns=list(columns), use_threads=threads() > 1)
            yield from cut(batches, rows, self.name)


@dataclass(frozen=True)
class TextPart:
    """A CSV or TSV file, perhaps gzipped; ``types`` are the Arrow types of its columns, once they are known."""

    path: str
    name: str
    header: tuple[str, ...]
    decoded: int
    types: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, path: Path, name: str) -> TextPart:
        import csv
        import gzip

        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with _named(name, "text"), opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            header = next((row for row in csv.reader(file, delimiter=_separator(name)) if row), None)
        if header is None:
            raise DataError(f"{name}: the file is empty.")
        _different(name, header)
        return cls(str(path), name, tuple(header), 2 * path.stat().st_size)

    def chunks(self, rows: int, columns: tuple[str, ...]) -> Iterator[Chunk]:
        import pyarrow as pa
        import pyarrow.csv

        types = {name: self.types.get(name, pa.string()) for name in columns}
        convert = pyarrow.csv.ConvertOptions(
            include_columns=list(columns),
            column_types=types,
            null_values=list(MISSING_WORDS),
            true_values=list(TRUE_WORDS),
            false_values=list(FALSE_WORDS),
            strings_can_be_null=True,
        )
        with _named(self.name, "text"):
            reader = pyarrow.csv.open_csv(
                pa.input_stream(self.path, compression="detect"),
                pyarrow.csv.ReadOptions(block_size=_TEXT_BYTES, use_threads=threads() > 1),
                pyarrow.csv.ParseOptions(delimiter=_separator(self.name), newlines_in_values=True),
                convert,
            )
            with reader:
                yield from cut(reader, rows, self.name)


@dataclass(frozen=True)
class TablePart:
    """A table in memory: a partition where it lies."""

    table: Any
    name: str

    @classmethod
    def of_frame(cls, frame: Any, name: str) -> TablePart:
        """From a pandas frame."""
        import pyarrow as pa

        with _named(name, "Arrow"):
            frame = frame.set_axis([str(column) for column in frame.columns], axis="columns")
            return cls(pa.Table.from_pandas(frame, preserve_index=False), name)

    def chunks(self, rows: int, columns: tuple[str, ...]) -> Iterator[Chunk]:
        table = self.table.select(list(columns))
        for number, first in enumerate(range(0, table.num_rows, rows)):
            yield Chunk(table.slice(first, rows), self.name, first, number)


@dataclass(frozen=True)
class ArrayPart:
    """Arrays in memory, by role: X, y, trials, weights, offset."""

    arrays: Mapping[str, Any]
    name: str

    def chunks(self, rows: int, columns: tuple[str, ...]) -> Iterator[Chunk]:
        n = self.arrays["y"].shape[0]
        for number, first in enumerate(range(0, n, rows)):
            part = {role: values[first : first + rows] for role, values in self.arrays.items()}
            yield Chunk(part, self.name, first, number)


def cut(batches: Iterable[Any], rows: int, name: str) -> Iterator[Chunk]:
    """Batches of any length as tables of just so many rows; the last one may have fewer."""
    import pyarrow as pa

    waiting: list[Any] = []
    held, first, number = 0, 0, 0
    for batch in batches:
        waiting.append(batch)
        held += batch.num_rows
        while held >= rows:
            table = pa.Table.from_batches(waiting)
            yield Chunk(table.slice(0, rows), name, first, number)
            first, number, held = first + rows, number + 1, held - rows
            waiting = table.slice(rows).to_batches() if held else []
    if held:
        yield Chunk(pa.Table.from_batches(waiting), name, first, number)


def _separator(name: str) -> str:
    return "\t" if ".tsv" in name.lower() else ","


def _different(name: str, columns: list[str]) -> None:
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise DataError(f"{name}: the column name(s) {', '.join(map(repr, repeated))} occur more than once.")


@contextmanager
def _named(name: str, kind: str) -> Iterator[None]:
    """Whatever a reader says, in one sentence that names the file."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or str(error).splitlines()[0]}).") from None
    except UnicodeDecodeError:
        raise DataError(f"{name}: is not UTF-8; save the file as UTF-8.") from None
    except (ValueError, TypeError, NotImplementedError) as error:  # what Arrow raises is one of these
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}: not a readable {kind} file ({str(error).splitlines()[0]}).") from None
