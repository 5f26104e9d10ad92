"""Tables and documents as GitHub-flavoured Markdown, in which every name stays the text that it is."""

from __future__ import annotations

import re

from bayeslogit.chart import Chart
from bayeslogit.plaintext import printable
from bayeslogit.render.document import Block, Code, Document, Facts, Paragraph, Verdict
from bayeslogit.table import Table


def to_markdown(document_or_table: Document | Table | Chart) -> str:
    """GitHub-flavoured Markdown. A chart is given as its description and the table of its numbers."""
    thing = document_or_table
    if not isinstance(thing, Document):
        return _block(thing, level=3)
    parts = [f"# {escape(thing.title)}"]
    if thing.subtitle:
        parts.append(_line(thing.subtitle))
    for section in thing.numbered:
        head = f'<a id="{section.id}"></a>\n\n## {section.number}. {escape(section.title)}'
        parts += [head, *(_block(block, level=3).rstrip("\n") for block in section.body)]
    if thing.footer:
        parts += ["---", _line(thing.footer)]
    return "\n\n".join(parts) + "\n"


def block_markdown(block: Block) -> str:
    """One block, as it stands in a document."""
    return _block(block, level=3)


def escape(text: str) -> str:
    """Text that stays text within a line: no markup, no HTML, no mathematics, no table cell of its own, no link."""
    text = re.sub(r"([\\`*\[\]|~$])", r"\\\1", printable(text))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # inside a word an underscore is one already
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(?i)\bwww\.", lambda found: found[0][:-1] + "&#46;", text.replace("://", "&#58;//"))


def _line(text: str) -> str:
    """Escaped text that begins a line or a list item: not a heading, a list or a rule either."""
    return re.sub(r"^(\s*)([#+=-](?![\d.])|\d+(?=[.)]\s))", lambda m: f"{m[1]}{_unlisted(m[2])}", escape(text))


def _unlisted(start: str) -> str:
    """The start of a line that would be a heading, a list or a rule; a number keeps its digits."""
    return "\\" + start if not start.isdigit() else start[:-1] + f"&#{ord(start[-1])};"


def _block(block: Block, level: int) -> str:
    if isinstance(block, Table):
        return _table(block, level)
    if isinstance(block, Chart):
        parts = [
            f"{'#' * level} {escape(block.title)}",
            _line(block.description),
            _table(block.data, level + 1).rstrip("\n"),
        ]
        return "\n\n".join([*parts, *_bullets(block.notes)]) + "\n"
    if isinstance(block, Verdict):
        lines = [f"> **{escape(block.words)}.** {escape(block.sentence)}"]
        return (
            "\n".join([*lines, *([">"] if block.reasons else []), *(f"> - {_line(r)}" for r in block.reasons)]) + "\n"
        )
    if isinstance(block, Facts):
        head = f"**{escape(block.title)}**\n\n" if block.title else ""
        return head + "\n".join(f"- **{escape(name)}:** {escape(value)}" for name, value in block.items) + "\n"
    if isinstance(block, Code):
        ticks = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`+", block.text))])
        body = "\n".join(printable(line) for line in block.text.split("\n"))
        head = f"{_line(block.label)}\n\n" if block.label else ""
        return f"{head}{ticks}text\n{body}\n{ticks}\n"
    assert isinstance(block, Paragraph)
    return (f"**{escape(block.text)}**" if block.lead else _line(block.text)) + "\n"


def _table(table: Table, level: int) -> str:
    """Heading, header lines, the table, notes."""
    sides = [":--" if column.kind == "text" else "--:" for column in table.columns]
    rows = [[_cell(column.label) for column in table.columns], sides]
    rows += [[_cell(text) for text in row] for row in table.texts()]
    if not table.rows:
        rows.append(["(no rows)", *[""] * (len(table.columns) - 1)])
    grid = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    head = f"{'#' * level} {escape(table.title)}"
    return "\n\n".join([head, *map(_line, table.header), grid, *_bullets(table.notes)]) + "\n"


def _cell(text: str) -> str:
    return escape(text) if text.strip("-+.0123456789,%e") else text  # numbers need no escape


def _bullets(notes: tuple[str, ...]) -> list[str]:
    return ["\n".join(f"- {_line(note)}" for note in notes)] if notes else []
