"""Tables and documents in a terminal: the lines of `plaintext`, coloured by rich where there is a terminal.

All text enters rich as `Text`, never as markup: a column called "[red]" stays a column called "[red]".
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayeslogit.chart import Chart
from bayeslogit.plaintext import display_width, printable, wrap
from bayeslogit.render.document import Block, Code, Document, Facts, Paragraph, Verdict
from bayeslogit.table import Table, plain_lines

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    "heading": "bold",
    "title": "bold",
    "header": "dim",
    "label": "bold",
    "rule": "dim",
    "note": "dim",
    "code": "cyan",
    "good": "bold green",
    "care": "bold yellow",
    "bad": "bold red",
}
# For streams that cannot carry them, such as a pipe under LANG=C.
_ASCII = str.maketrans(
    {
        "\u2014": "-",
        "\u2013": "-",
        "\u2212": "-",
        "\u00d7": "x",
        "\u2500": "-",
        "\u2550": "=",
        "\u221e": "inf",
        "\u2022": "*",
        "\u2713": "ok",
        "\u2715": "x",
    }
)

Lines = list[tuple[str, str]]


def print_table(table: Table | Chart | Document, console: Console | None = None) -> None:
    """Print to the terminal, as wide as it is; without colour where the output is no terminal or NO_COLOR is set."""
    from rich.console import Console

    _write(console or Console(), table)


def print_lines(lines: Sequence[str], console: Console | None = None) -> None:
    """Print sentences, one to a line, wrapped to the width of the terminal with further lines set in."""
    from rich.console import Console

    out = console or Console()
    for line in lines:
        _write(out, Paragraph(line))


def to_text(document_or_table: Document | Table | Chart, width: int = 100, color: bool = False) -> str:
    """Plain text at most `width` cells wide; with `color`, ANSI colours.

    Code to be copied, and a single number wider than `width`, are let stand over it.
    """
    from rich.console import Console

    out = io.StringIO()
    _write(
        Console(file=out, width=width, force_terminal=color, color_system="standard" if color else None),
        document_or_table,
    )
    return out.getvalue()


def _write(console: Console, thing: Document | Table | Chart | Paragraph) -> None:
    from rich.text import Text

    unicode = console.encoding.lower().replace("-", "").startswith("utf")
    for role, line in _lines(thing, console.width):
        shown = line if unicode else _in(console.encoding, line.translate(_ASCII))
        console.print(
            Text(shown, style=_STYLES.get(role, "")), soft_wrap=True, markup=False, highlight=False, emoji=False
        )


def _in(encoding: str, text: str) -> str:
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _lines(thing: Document | Table | Chart | Paragraph, width: int) -> Lines:
    if not isinstance(thing, Document):
        return _block_lines(thing, width)
    lines = _heading(thing.title, "\u2550", width)
    lines += [("header", line) for line in wrap(printable(thing.subtitle), width) if line]
    for section in thing.numbered:
        lines += [("", ""), *_heading(f"{section.number}. {section.title}", "\u2500", width)]
        for block in section.body:
            lines += [("", ""), *_block_lines(block, width)]
    if thing.footer:
        lines += [("", ""), *(("note", line) for line in wrap(printable(thing.footer), width))]
    return lines


def _heading(text: str, under: str, width: int) -> Lines:
    lines = wrap(printable(text), width)
    return [*(("heading", line) for line in lines), ("rule", under * max(map(display_width, lines)))]


def _block_lines(block: Block, width: int) -> Lines:
    if isinstance(block, Table):
        return plain_lines(block, width)
    if isinstance(block, Chart):
        return plain_lines(block.data, width) + [
            line for note in block.notes for line in _item("note", "* ", note, width)
        ]
    if isinstance(block, Verdict):
        lines = _item(block.level, f"[{block.sign}] ", f"{block.words}. {block.sentence}", width)
        return lines + [line for reason in block.reasons for line in _item("", "    \u2022 ", reason, width)]
    if isinstance(block, Facts):
        names = [printable(name) for name, _ in block.items]
        indent = min(max(map(display_width, names), default=0), width // 3) + 2
        lines = [("title", line) for line in wrap(printable(block.title), width) if line]
        for name, (_, value) in zip(names, block.items, strict=True):
            *over, last = wrap(name, indent - 2)
            lines += [("", part) for part in over]
            lines += _item("", last + " " * (indent - display_width(last)), value, width)
        return lines
    if isinstance(block, Code):
        label = [("header", line) for line in wrap(printable(block.label), width) if line]
        return label + [("code", "  " + printable(line)) for line in block.text.split("\n")]
    assert isinstance(block, Paragraph)
    return [("title" if block.lead else "", line) for line in wrap(printable(block.text), width)]


def _item(role: str, sign: str, text: str, width: int) -> Lines:
    """Text after a sign, its further lines set under its first."""
    first, *rest = wrap(printable(text), width - display_width(sign))
    return [(role, sign + first), *((role, " " * display_width(sign) + line) for line in rest)]
