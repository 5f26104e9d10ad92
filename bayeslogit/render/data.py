"""Tables and documents as JSON and CSV: raw values, never rounded; ids and keys as in every other format."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import Any

from bayeslogit.chart import Chart
from bayeslogit.render.document import Block, Code, Document, Facts, Paragraph, Verdict
from bayeslogit.table import Cell, Table

SCHEMA_VERSION = 1
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def to_json(document_or_table: Document | Table | Chart) -> str:
    """JSON with "schema_version"; what is not a finite number is null.

    The schema is `report.schema.json` in this package (`schema()`). A document is its title, subtitle, footer, "labels"
    and "sections", each with "id", "number", "title" and "body"; a block says its
    "kind": "paragraph", "code", "facts", "verdict", "table" or "chart". A table has "name", "title", "header",
    "columns" (key, label, kind), "rows" (objects from key to raw value) and "notes"; a chart has "title",
    "description", "notes" and the table of its numbers under "data".
    """
    thing = document_or_table
    record = _document(thing) if isinstance(thing, Document) else _block(thing)
    return (
        json.dumps({"schema_version": SCHEMA_VERSION, **record}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    )


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `to_json` gives."""
    text = files("bayeslogit.render").joinpath("report.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def to_csv(document_or_table: Document | Table) -> str:
    """The raw values of a table, headed by the keys of its columns; what is missing or not finite is empty.

    A document has one line for each value of its tables, charts, facts and verdicts: the id of the section, the name of
    the table, the number of the row from 1, the key of the column, and the value. Texts that a spreadsheet would take
    for a formula get an apostrophe before them.
    """
    thing = document_or_table
    if isinstance(thing, Document):
        rows = [line for section in thing.sections for block in section.body for line in _values(section.id, block)]
        return _sheet(("section", "table", "row", "column", "value"), rows)
    return _sheet([column.key for column in thing.columns], thing.rows)


def _sheet(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow([_inert(key) for key in head])
    for row in rows:
        writer.writerow(["" if value is None else _inert(value) for value in map(_plain, row)])
    return sheet.getvalue()


def _values(section: str, block: Block) -> Iterator[tuple[Any, ...]]:
    """The lines of a block: those of `to_csv` of a document."""
    if isinstance(block, Chart):
        block = block.data
    if isinstance(block, Table):
        for number, record in enumerate(block.records(), 1):
            for key, value in record.items():
                yield section, block.name, number, key, value
    elif isinstance(block, Facts):
        for name, fact in block.items:
            yield section, block.title or "facts", 1, name, fact
    elif isinstance(block, Verdict):
        yield section, "verdict", 1, "level", block.level
        yield section, "verdict", 1, "sentence", block.sentence


def _inert(value: Cell) -> Cell:
    # Spreadsheets look past spaces, and some take full-width signs for plain ones.
    if isinstance(value, str) and (value.lstrip().startswith(_FORMULA) or value.startswith(("\t", "\r", "\n"))):
        return "'" + value
    return value


def _plain(value: Any) -> Any:
    item = getattr(value, "item", None)
    plain = item() if callable(item) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _document(document: Document) -> dict[str, Any]:
    return {
        "kind": "document",
        "title": document.title,
        "subtitle": document.subtitle,
        "language": document.language,
        "sections": [
            {
                "id": section.id,
                "number": section.number,
                "title": section.title,
                "body": [_block(block) for block in section.body],
            }
            for section in document.numbered
        ],
        "labels": dict(document.labels),
        "footer": document.footer,
    }


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Table):
        return {
            "kind": "table",
            "name": block.name,
            "title": block.title,
            "header": list(block.header),
            "columns": [{"key": c.key, "label": c.label, "kind": c.kind} for c in block.columns],
            "rows": [{key: _plain(value) for key, value in record.items()} for record in block.records()],
            "notes": list(block.notes),
        }
    if isinstance(block, Chart):
        return {
            "kind": "chart",
            "title": block.title,
            "description": block.description,
            "notes": list(block.notes),
            "data": _block(block.data),
        }
    if isinstance(block, Verdict):
        reasons = list(block.reasons)
        words = {"words": block.words, "sentence": block.sentence, "reasons": reasons}
        return {"kind": "verdict", "level": block.level, **words}
    if isinstance(block, Facts):
        return {"kind": "facts", "title": block.title, "items": [{"name": n, "value": v} for n, v in block.items]}
    if isinstance(block, Code):
        return {"kind": "code", "label": block.label, "text": block.text}
    assert isinstance(block, Paragraph)
    return {"kind": "paragraph", "text": block.text, "lead": block.lead}
