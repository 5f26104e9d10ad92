"""Text that no terminal obeys and every terminal can lay out: spelt-out controls, widths in cells, wrapped lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

_OBEYED = ("Cc", "Cs", "Zl", "Zp")  # controls, lone surrogates, line and paragraph separators
_NARROW_TEXT, _WIDE_TEXT = 18, 36  # to fit on the page, and once the table is folded all the same
_BIDI_OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def printable(text: str) -> str:
    r"""Text with control, bidirectional-override and surrogate characters spelt out: ESC becomes ``\x1b``."""
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _OBEYED or char in _BIDI_OVERRIDES
        else char
        for char in text
    )


def display_width(text: str) -> int:
    """Terminal cells that a text takes: two for East Asian wide characters, none for combining marks."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def wrap(text: str, width: int) -> list[str]:
    """Lines no wider than `width` terminal cells, broken at spaces, and inside a word only where it is too long."""
    width = max(width, 2)
    lines, line = [], ""
    for word in re.split(" (?!%)", text):  # a percent sign stays with its number
        if line and display_width(line) + 1 + display_width(word) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
        while display_width(line) > width:
            cut = max(next(n for n in range(len(line), -1, -1) if display_width(line[:n]) <= width), 1)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line]


def grid_lines(
    labels: Sequence[str], columns: Sequence[Sequence[str]], is_text: Sequence[bool], width: int
) -> list[tuple[str, str]]:
    """Set columns of texts side by side in lines of at most `width` terminal cells.

    Too wide a grid first wraps its headers, then its text columns, and at last is folded into several blocks of
    columns, each starting with the first column again. Words stand flush left, numbers flush right and whole.

    Returns
    -------
    list of (role, line)
        Roles: "blank" (before each block), "label", "rule", "row".
    """
    lines: list[tuple[str, str]] = []
    for block in _blocks(labels, columns, is_text, width):
        lines.append(("blank", ""))
        lines += [("label", line) for line in _row({j: labels[j] for j in block}, block, is_text, bottom=True)]
        lines.append(("rule", "\u2500" * (sum(block.values()) + 2 * (len(block) - 1))))
        for i in range(len(columns[0])):
            lines += [("row", line) for line in _row({j: columns[j][i] for j in block}, block, is_text)]
    return lines


def _blocks(
    labels: Sequence[str], columns: Sequence[Sequence[str]], is_text: Sequence[bool], width: int
) -> list[dict[int, int]]:
    """Which columns stand side by side, and how wide each is: {column position: width}."""
    natural = [_column_width(label, cells) for label, cells in zip(labels, columns, strict=True)]
    wide = list(natural)
    while sum(wide) + 2 * (len(wide) - 1) > width:
        yielding = [j for j in range(len(wide)) if is_text[j] and wide[j] > _NARROW_TEXT]
        if not yielding:  # folded all the same: then text need not be squeezed
            wide = [min(w, _WIDE_TEXT, width // 2) if text else w for w, text in zip(natural, is_text, strict=True)]
            break
        wide[max(yielding, key=lambda j: wide[j])] -= 1
    blocks = _packed(wide, is_text[0], width)
    tightest = range(max(wide) + wide[0] + 2, width) if len(blocks) > 1 else ()
    return next((even for w in tightest if len(even := _packed(wide, is_text[0], w)) == len(blocks)), blocks)


def _packed(wide: Sequence[int], first_again: bool, width: int) -> list[dict[int, int]]:
    """Columns from left to right, as many in a block as fit; later blocks begin with the first column if asked."""
    blocks: list[dict[int, int]] = []
    for j, w in enumerate(wide):
        if blocks and sum(blocks[-1].values()) + 2 * len(blocks[-1]) + w <= width:
            blocks[-1][j] = w
        else:
            blocks.append({0: wide[0], j: w} if blocks and first_again else {j: min(w, width)})
    return blocks


def _column_width(label: str, cells: Sequence[str]) -> int:
    """Width of the widest cell, or of the header broken over at most three lines when that is more."""
    body = max(map(display_width, cells), default=0)
    start = max(body, *(display_width(word) for word in re.split(" (?!%)", label)), 1)
    return next(w for w in range(start, start + display_width(label) + 1) if len(wrap(label, w)) <= 3)


def _row(
    texts: Mapping[int, str], block: Mapping[int, int], is_text: Sequence[bool], bottom: bool = False
) -> list[str]:
    """One row as lines; `bottom` sets short cells down, as headers stand on their rule."""
    cells = {j: wrap(text, block[j]) for j, text in texts.items()}
    height = max(map(len, cells.values()))
    for j, lines in cells.items():
        gap = [""] * (height - len(lines))
        cells[j] = gap + lines if bottom else lines + gap
    return ["  ".join(_set(cells[j][k], w, is_text[j]) for j, w in block.items()).rstrip() for k in range(height)]


def _set(text: str, width: int, flush_left: bool) -> str:
    space = " " * max(width - display_width(text), 0)
    return text + space if flush_left else space + text
