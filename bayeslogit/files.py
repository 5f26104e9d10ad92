"""Files: a table of any common kind becomes one pandas frame; what cannot be read is named with its line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bayeslogit.errors import DataError
from bayeslogit.sources.parts import arrow_to_pandas

DATABASES = (".duckdb", ".ddb")
_TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


class FileTable(NamedTuple):
    """A file as a pandas frame, with the labels that it gives its columns and the SHA-256 of its bytes."""

    frame: Any
    labels: dict[str, str]
    sha256: str


def read_table(path: Path) -> FileTable:
    """The table in a file; its kind is told by the suffix.

    Raises
    ------
    DataError
        If there is no such file, its kind is not read, it is empty, damaged, ragged or not UTF-8, or it repeats a
        column name. Messages name the file, never its folder.
    """
    name = path.name
    suffix = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    with _named_failures(name):
        if path.is_dir():
            raise DataError(f"{name}: is a folder, not a file.")
        if not path.exists():
            raise DataError(f"{name}: there is no such file.")
        if suffix in DATABASES:
            raise DataError(f"{name}: a database holds many tables; say which rows with a query (--query, read_sql).")
        if suffix not in SUFFIXES:
            raise DataError(
                f"{name}: files of kind {suffix or 'without suffix'!r} are not read; use {', '.join(SUFFIXES)}."
            )
        raw = path.read_bytes()
    if not raw.strip():
        raise DataError(f"{name}: the file is empty.")
    if suffix in _TEXT:
        frame, labels = _text_table(name, raw, suffix), dict[str, str]()
    else:
        frame, labels = _READERS[suffix](name, path)
    _all_different(name, [str(column) for column in frame.columns])
    if frame.shape[0] == 0:
        raise DataError(f"{name}: there is a header, but there are no rows.")
    return FileTable(frame, labels, hashlib.sha256(raw).hexdigest())


def repeated_names(names: list[str]) -> list[str]:
    """Names that occur more than once, sorted."""
    return sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []


def separator_hint(names: list[str]) -> str:
    """What to do about a table whose only column holds the names of several."""
    mark = next((mark for mark in (";", "\t", ",", "|") if len(names) == 1 and mark in names[0]), None)
    if mark is None:
        return ""
    return (
        f" The columns seem to be separated by {mark!r}: give pandas.read_csv(path, sep={mark!r}), or save the file "
        "with commas (.csv) or tabs (.tsv)."
    )


@contextmanager
def _named_failures(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error}).") from None


@contextmanager
def _readable(name: str, kind: str) -> Iterator[None]:
    """Whatever a reader of some kind of file says, in one sentence that names the file."""
    try:
        yield
    except DataError:
        raise
    except ImportError as error:
        raise DataError(
            f"{name}: a {kind} file is read with the package {error.name or error}, which is not installed: "
            "pip install 'bayeslogit[io]'."
        ) from None
    except Exception as error:  # every library has exceptions of its own, some of them bare Exceptions
        lines = str(error).strip().splitlines()
        raise DataError(
            f"{name}: not a readable {kind} file ({lines[0] if lines else type(error).__name__})."
        ) from None


def _arrow(name: str, path: Path) -> tuple[Any, dict[str, str]]:
    import pyarrow.feather

    with _readable(name, "Arrow"):
        return _of_arrow(name, pyarrow.feather.read_table(path)), {}


def _parquet(name: str, path: Path) -> tuple[Any, dict[str, str]]:
    import pyarrow.parquet

    with _readable(name, "Parquet"), pyarrow.parquet.ParquetFile(path) as file:
        _all_different(name, file.schema_arrow.names)  # reading them would fail in words of its own
        return arrow_to_pandas(file.read()), {}


def _of_arrow(name: str, table: Any) -> Any:
    _all_different(name, table.column_names)  # pandas would keep both in silence
    return arrow_to_pandas(table)


def _all_different(name: str, columns: list[str]) -> None:
    repeated = repeated_names(columns)
    if repeated:
        raise DataError(f"{name}: the column name(s) {', '.join(map(repr, repeated))} occur more than once.")


def _json_lines(name: str, path: Path) -> tuple[Any, dict[str, str]]:
    """One JSON object a line; every line has the same names."""
    import json

    import pandas as pd

    with _named_failures(name):
        raw = path.read_bytes()
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), object_pairs_hook=_once)
        except UnicodeDecodeError:
            raise DataError(f"{name}: line {number} is not UTF-8; save the file as UTF-8.") from None
        except ValueError as error:
            raise DataError(f"{name}: line {number} is not JSON ({error}).") from None
        if not isinstance(row, dict) or any(isinstance(value, dict | list) for value in row.values()):
            raise DataError(f'{name}: line {number} is not an object of plain values, such as {{"y": 1, "x": 0.5}}.')
        if rows and set(row) != set(rows[0]):
            different = ", ".join(map(repr, sorted(set(row) ^ set(rows[0]))[:5]))
            raise DataError(f"{name}: line {number} and the first one differ in the name(s) {different}.")
        rows.append(row)
    return pd.DataFrame(rows), {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = repeated_names([key for key, _ in pairs])
    if repeated:
        raise ValueError(f"the name(s) {', '.join(map(repr, repeated))} occur more than once")
    return dict(pairs)


def _excel(name: str, path: Path) -> tuple[Any, dict[str, str]]:
    """The only sheet that holds anything; names stand in its first row. Cells with errors are named, never missing."""
    with _readable(name, "Excel"):
        from openpyxl import load_workbook

        book = load_workbook(path, read_only=True, data_only=True)
        try:
            sheets = {title: _cells(name, book[title]) for title in book.sheetnames}
        finally:
            book.close()
        filled = {title: rows for title, rows in sheets.items() if rows}
        if len(filled) > 1:
            raise DataError(
                f"{name}: there are the sheets {', '.join(map(repr, filled))}; save the one that is meant as a file of "
                "its own, or give pandas.read_excel(path, sheet_name=...)."
            )
        if not filled:
            raise DataError(f"{name}: the file is empty.")
        (rows,) = filled.values()
        return _headed(name, rows), {}


def _cells(name: str, sheet: Any) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for row in sheet.iter_rows():
        broken = next((cell for cell in row if cell.data_type == "e"), None)
        if broken is not None:
            raise DataError(f"{name}: cell {broken.coordinate} of sheet {sheet.title!r} is the error {broken.value}.")
        rows.append([cell.value for cell in row])
    while rows and all(value is None for value in rows[-1]):
        rows.pop()
    return rows


def _headed(name: str, rows: list[list[Any]]) -> Any:
    import pandas as pd

    header, *body = rows
    nameless = [index + 1 for index, value in enumerate(header) if value is None]
    if nameless:
        raise DataError(f"{name}: the first row has no name in column {nameless[0]}; it must name every column.")
    names = [str(value) for value in header]
    _all_different(name, names)  # pandas would rename the second in silence
    return pd.DataFrame({column: list(values) for column, values in zip(names, zip(*body, strict=True), strict=False)})


def _statistical(kind: str, reader: str, **options: bool) -> Callable[[str, Path], tuple[Any, dict[str, str]]]:
    """A file of Stata, SPSS or SAS: coded values become their labels, the labels of columns are kept beside them."""

    def read(name: str, path: Path) -> tuple[Any, dict[str, str]]:
        with _readable(name, kind):
            import pyreadstat

            frame, about = getattr(pyreadstat, reader)(str(path), **options)
            for column, codes in about.variable_value_labels.items():
                frame[column] = _labelled(name, column, frame[column], codes)
            labels = {column: text for column, text in about.column_names_to_labels.items() if text}
        return frame, labels

    return read


def _labelled(name: str, column: str, values: Any, codes: dict[Any, str]) -> Any:
    """Coded values as their labels, in the order of the codes; a column of which only some are coded is refused."""
    import pandas as pd

    present = values.dropna()
    bare = sorted({value for value in present.unique() if value not in codes}, key=str)
    if len(bare) == present.nunique():
        return values  # the labels are of missing codes alone: the values are numbers
    if bare:
        raise DataError(
            f"{name}: in column {column!r} some values have labels and {', '.join(map(str, bare[:5]))} "
            f"{'has' if len(bare) == 1 else 'have'} none, so it is neither a number nor a factor; recode it."
        )
    texts = list(codes.values())
    if repeated_names(texts):
        raise DataError(f"{name}: in column {column!r} two codes have the label {repeated_names(texts)[0]!r}.")
    used = [text for code, text in sorted(codes.items(), key=lambda item: (str(type(item[0])), item[0]))]
    return pd.Categorical(values.map(codes), categories=used)


_READERS: dict[str, Callable[[str, Path], tuple[Any, dict[str, str]]]] = {
    ".parquet": _parquet,
    ".feather": _arrow,
    ".arrow": _arrow,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".xlsx": _excel,
    ".dta": _statistical("Stata", "read_dta", user_missing=False),
    ".sav": _statistical("SPSS", "read_sav", user_missing=False),
    ".sas7bdat": _statistical("SAS", "read_sas7bdat"),
    ".xpt": _statistical("SAS transport", "read_xport"),
}
SUFFIXES = (*_TEXT, *_READERS)


def _text_table(name: str, raw: bytes, suffix: str) -> Any:
    import pandas as pd

    if suffix.endswith(".gz"):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise DataError(f"{name}: not a readable gzip file ({error}).") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"{name}: line {line} is not UTF-8; save the file as UTF-8.") from None
    separator = "\t" if suffix.startswith(".tsv") else ","
    _check_shape(name, text, separator)
    try:
        return pd.read_csv(io.StringIO(text), sep=separator, low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        opened = re.search(r"EOF inside string starting at row (\d+)", str(error))  # rows count from 0, the header's
        if opened:
            words = f"the quote that opens in line {int(opened[1]) + 1} is never closed"
            raise DataError(f"{name}: {words}; double a quote that is part of a value.") from None
        raise DataError(f"{name}: not a readable table ({error}).") from None


def _check_shape(name: str, text: str, separator: str) -> None:
    """Refuse repeated names and ragged rows, which a lenient reader would rename or shift in silence."""
    if "\x00" in text:
        raise DataError(f"{name}: holds NUL bytes; it is not a text table.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = next(row for row in reader if row)
        _all_different(name, header)
        for row in reader:
            if row and len(row) != len(header):
                raise DataError(
                    f"{name}: line {reader.line_num} has {len(row)} values, the header names {len(header)} columns."
                    f"{separator_hint(header)}"
                )
    except csv.Error as error:
        raise DataError(f"{name}: line {reader.line_num}: {error}.") from None
    except StopIteration:
        raise DataError(f"{name}: the file is empty.") from None
