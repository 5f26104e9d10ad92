"""Tables and documents as LaTeX: booktabs tables, every name and value as the text that it is.

A document compiles with pdfLaTeX, XeLaTeX and LuaLaTeX. It needs array, booktabs, geometry,
graphicx and longtable alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from bayeslogit.chart import Chart
from bayeslogit.plaintext import printable
from bayeslogit.render.document import Block, Code, Document, Facts, Paragraph, Verdict
from bayeslogit.table import Table, with_minus

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # Two hyphens would become a dash, and a bracket could be read as an option of what stands before it.
    "-": r"{-}",
    "[": r"{[}",
    "]": r"{]}",
    "\u2212": r"\ensuremath{-}",
    "\u221e": r"\ensuremath{\infty}",
    "\u2264": r"\ensuremath{\leq}",
    "\u2265": r"\ensuremath{\geq}",
    "\u2014": r"\textemdash{}",
    "\u2013": r"\textendash{}",
    "\u2018": r"\textquoteleft{}",
    "\u2019": r"\textquoteright{}",
    "\u201c": r"\textquotedblleft{}",
    "\u201d": r"\textquotedblright{}",
    "\u2026": r"\textellipsis{}",
    "\u2713": r"\ensuremath{\surd}",
    "\u2715": r"\ensuremath{\times}",
    "\u00d7": r"\ensuremath{\times}",
    "\u00a0": "~",
    "\u2007": r"\phantom{0}",
    "\u2008": r"\phantom{.}",
}
# What pdfLaTeX sets with T1 fonts and no further package.
_LATIN = range(0xA1, 0x180)
# More columns than this do not fit an upright page.
_UPRIGHT = 7
# More rows than this are a table of several pages.
_PAGE = 40
_LONG_TEXT = 24
# Millimetres: of the text, and of a column of numbers or short words as a rule.
_TEXT_WIDTH, _NARROW_COLUMN = 166, 18
# Where a name may go on in a new line.
_SEAMS, _RUN = re.compile(r"(?<=[:_./,=(\])}>*+-])"), 14
_SPACE = "\\ \\allowbreak "

_PREAMBLE = r"""\documentclass[a4paper,10pt]{article}
\usepackage{ifxetex,ifluatex}
\newif\ifunicode
\ifxetex\unicodetrue\fi
\ifluatex\unicodetrue\fi
\ifunicode
\usepackage{fontspec}
\else
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
%(unknown)s\fi
\usepackage[margin=22mm]{geometry}
\usepackage{array,booktabs,graphicx,longtable}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt plus 1pt}
\setlength{\tabcolsep}{4pt}
\setlength{\LTpre}{4pt}
\setlength{\LTpost}{4pt}
\setlength{\emergencystretch}{3em}
\begin{document}
"""


def to_latex(document_or_table: Document | Table | Chart) -> str:
    """LaTeX: a whole article for a document, a fragment for a table or a chart (as the table of its numbers)."""
    thing = document_or_table
    if not isinstance(thing, Document):
        return _block(thing)
    parts = [
        rf"\title{{{escape(thing.title)}}}",
        rf"\author{{{escape(thing.subtitle)}}}",
        r"\date{}",
        r"\maketitle",
    ]
    for section in thing.sections:
        parts.append(rf"\section{{{escape(section.title)}}}\label{{{section.id}}}")
        parts += [_block(block) for block in section.body]
    if thing.footer:
        parts.append(rf"\bigskip\hrule\medskip{{\small {escape(thing.footer)}}}")
    body = "\n\n".join(parts)
    return _PREAMBLE % {"unknown": _unknown(body)} + body + "\n\\end{document}\n"


def block_latex(block: Block) -> str:
    """One block, as it stands in a document."""
    return _block(block)


def escape(text: str) -> str:
    """Text that stays text: no command, no mathematics, no comment, no ligature of hyphens."""
    return "".join(_SPECIAL.get(char, char) for char in printable(unicodedata.normalize("NFC", text)))


def _unknown(body: str) -> str:
    """For pdfLaTeX: characters that its fonts have not are printed as their code points, so that nothing is lost."""
    strange = sorted({char for char in body if ord(char) > 0x7F and ord(char) not in _LATIN})
    return "".join(rf"\DeclareUnicodeCharacter{{{ord(c):04X}}}{{\texttt{{U+{ord(c):04X}}}}}" + "\n" for c in strange)


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Chart):
        head = rf"\textbf{{{escape(block.title)}.}} {escape(block.description)}"
        return "\n\n".join([head, _table(block.data), *_notes(block.notes)])
    if isinstance(block, Verdict):
        reasons = "\n".join(rf"\item {escape(reason)}" for reason in block.reasons)
        listed = f"\n\\begin{{itemize}}\n{reasons}\n\\end{{itemize}}" if reasons else ""
        return rf"\textbf{{{escape(block.words)}.}} {escape(block.sentence)}{listed}"
    if isinstance(block, Facts):
        head = rf"\textbf{{{escape(block.title)}}}" + "\n\n" if block.title else ""
        lines = "\n".join(rf"\item[{escape(name)}] {escape(_breakable(value))}" for name, value in block.items)
        close = r"\raggedright\setlength{\itemsep}{0pt}\setlength{\parskip}{0pt}"
        return f"{head}\\begin{{description}}{close}\n{lines}\n\\end{{description}}"
    if isinstance(block, Code):
        head = escape(block.label) + "\n\n" if block.label else ""
        lines = r"\\".join(escape(line).replace(" ", _SPACE) or _SPACE for line in block.text.split("\n"))
        return rf"{head}{{\raggedright\ttfamily {lines}\par}}"
    assert isinstance(block, Paragraph)
    return rf"{{\large {escape(block.text)}\par}}" if block.lead else escape(block.text)


def _breakable(value: str) -> str:
    """Long runs without a space (hashes) with places to break."""
    return re.sub(r"[0-9a-f]{32,}", lambda found: " ".join(re.findall(".{1,16}", found[0])), value)


def _table(table: Table) -> str:
    """Title, header lines, the grid, notes."""
    texts = table.texts()
    sides = _sides(table, texts)
    head = " & ".join(_label(column.label, side) for column, side in zip(table.columns, sides, strict=True))
    rows = [" & ".join(_cell(text, side) for text, side in zip(row, sides, strict=True)) + r" \\" for row in texts]
    if not rows:
        rows = [rf"\multicolumn{{{len(sides)}}}{{l}}{{(no rows)}} \\"]
    grid = _long_grid(sides, head, rows) if len(rows) > _PAGE else _grid(sides, head, rows)
    lines = [
        rf"\textbf{{{escape(table.title)}}}\nopagebreak",
        *(rf"{{\small {escape(line)}\par}}\nopagebreak" for line in table.header),
        grid,
        *_notes(table.notes),
    ]
    return "\n\n".join(lines)


def _grid(sides: Sequence[str], head: str, rows: Sequence[str]) -> str:
    """A table on one page, made smaller if it is wider than the text."""
    return "\n".join(
        [
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{\small",
            rf"\begin{{tabular}}{{@{{}}{''.join(sides)}@{{}}}}",
            r"\toprule",
            head + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}}",
        ]
    )


def _long_grid(sides: Sequence[str], head: str, rows: Sequence[str]) -> str:
    """A table that breaks over pages; its columns are aligned from the second run of LaTeX on."""
    size = r"\scriptsize" if len(sides) > _UPRIGHT else r"\small"
    return "\n".join(
        [
            f"{{{size}",
            rf"\begin{{longtable}}[l]{{@{{}}{''.join(sides)}@{{}}}}",
            r"\toprule",
            head + r" \\",
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *rows,
            r"\end{longtable}}",
        ]
    )


def _sides(table: Table, texts: Sequence[Sequence[str]]) -> list[str]:
    """Numbers flush right, short texts flush left, and long texts in paragraphs that share what is left of the page."""
    lengths = [max((len(row[j]) for row in texts), default=0) for j in range(len(table.columns))]
    kinds = [column.kind for column in table.columns]
    long = [kind == "text" and length > _LONG_TEXT for kind, length in zip(kinds, lengths, strict=True)]
    width = (_TEXT_WIDTH - _NARROW_COLUMN * (len(long) - sum(long))) // max(sum(long), 1)
    paragraph = rf">{{\raggedright\arraybackslash}}p{{{min(max(width, 30), 75)}mm}}"
    return [paragraph if is_long else "l" if kind == "text" else "r" for kind, is_long in zip(kinds, long, strict=True)]


def _label(label: str, side: str) -> str:
    """Headers of numbers stand on as many lines as they need."""
    if side != "r" or len(label) <= 10:
        return escape(label)
    lines, line = [], ""
    for word in label.split(" "):
        if line and len(line) + 1 + len(word) > 10:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return r"\shortstack[r]{" + r"\\".join(map(escape, [*lines, line])) + "}"


def _cell(text: str, side: str) -> str:
    if side == "r":
        return escape(with_minus(text))
    return escape(text) if side == "l" else _loose(text)


def _loose(text: str) -> str:
    """Text of a paragraph in a table, which may break inside names: after signs, and in long runs anywhere."""
    return " ".join(r"\allowbreak{}".join(map(escape, _pieces(word))) for word in text.split(" "))


def _pieces(word: str) -> list[str]:
    return [piece[k : k + _RUN] for piece in _SEAMS.split(word) for k in range(0, len(piece), _RUN)]


def _notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    items = "\n".join(rf"\item {escape(note)}" for note in notes)
    return [f"{{\\small\\begin{{itemize}}\\setlength{{\\itemsep}}{{0pt}}\n{items}\n\\end{{itemize}}}}"]
