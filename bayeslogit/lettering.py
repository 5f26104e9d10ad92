"""How wide a text is, and where it goes on in a new line.

Text is measured roughly and generously, because the reader's font is not known.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_BREAKS = re.compile(r"(?<= )(?!%)|(?<=[_:;/\])-])|(?<=[.,])(?!\d)|(?=[\[(])")  # where a label may go on in a new line
_THIN, _BROAD = set("ijlIft.,:;'|!()[]{} `"), set("mwMW@%\u2014")


def text_width(text: str, size: float = 12.0) -> float:
    """Rough width of a text in pixels, on the generous side for the usual sans-serif fonts."""
    return sum(size * _em(char) for char in text)


def _em(char: str) -> float:
    if char in _THIN:
        return 0.37
    if char in _BROAD:
        return 0.95
    if unicodedata.east_asian_width(char) in "WF":
        return 1.05
    return 0.0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 0.72 if char.isupper() else 0.62


def fit_lines(text: str, width: float, most: int = 2, size: float = 12.0) -> list[str]:
    """At most `most` lines no wider than `width`; the last ends in an ellipsis where the text goes on."""
    pieces = [piece for piece in _BREAKS.split(text) if piece]
    lines = [""]
    for piece in pieces:
        if lines[-1] and text_width(lines[-1] + piece.rstrip(), size) > width:
            lines.append("")
        lines[-1] += piece
        while text_width(lines[-1].rstrip(), size) > width and len(lines[-1]) > 1:
            cut = max((n for n in range(1, len(lines[-1])) if text_width(lines[-1][:n], size) <= width), default=1)
            lines[-1:] = [lines[-1][:cut], lines[-1][cut:]]
    if len(lines) <= most:
        return [line.strip() for line in lines]
    last = lines[most - 1].strip()
    while last and text_width(last + "\u2026", size) > width:
        last = last[:-1]
    return [*(line.strip() for line in lines[: most - 1]), last + "\u2026"]


# Between a mark and its words; and by how many lines words may be moved up or down.
_GAP, _STEPS = 7.0, (0.0, 0.8, -0.8, 1.6, -1.6)


def beside(
    marks: Sequence[tuple[float, float, str, str]],
    left: float,
    right: float,
    points: Sequence[tuple[float, float]] = (),
    size: float = 11.0,
) -> list[tuple[float, float, str]]:
    """Where the words of marks go, so that no words cover others, nor a point where that can be helped.

    Parameters
    ----------
    marks : sequence of (x, y, text, side)
        Pixels; words stand on that side, "left" or "right", where there is room, those of the first marks first.
    left, right : float
        Between which words stay.
    points : sequence of (x, y)
        All marks of the chart.
    size : float
        Of the letters.

    Returns
    -------
    list of (x, y, side)
        Of the middle of the end that is next to the mark.
    """
    taken: list[tuple[float, float, float]] = []
    found = []
    for x, y, text, side in marks:
        wide, other = text_width(text, size), "right" if side == "left" else "left"
        best: tuple[float, float, float, str, float] | None = None
        for step, way in ((step, way) for step in _STEPS for way in (side, other)):
            start, at = x - _GAP - wide if way == "left" else x + _GAP, y + step * size
            stop = start + wide
            words = sum(start < b and a < stop and abs(at - h) < 0.95 * size for a, b, h in taken)
            covered = sum(start - 3 < a < stop + 3 and abs(at - h) < 0.6 * size for a, h in points)
            cost = 100.0 * (words + (start < left or stop > right)) + covered
            if best is None or cost < best[0]:
                best = (cost, start, stop, way, at)
        assert best is not None
        _, start, stop, way, at = best
        taken.append((start, stop, at))
        found.append((stop if way == "left" else start, at, way))
    return found


def shortened(text: str, width: float, size: float = 12.0) -> str:
    """One line no wider than `width`: what is cut out is in the middle, because long names often begin alike."""
    if text_width(text, size) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        head = (kept + 1) // 2
        found = f"{text[:head].rstrip()}\u2026{text[len(text) - (kept - head) :].lstrip()}"
        if text_width(found, size) <= width:
            return found
    return "\u2026"
