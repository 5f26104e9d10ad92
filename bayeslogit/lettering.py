"""How wide a text is, and where it goes on in a new line.

Text is measured roughly and generously, because the reader's font is not known.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate

# Where a label may go on in a new line: between words and after the signs that join them. Better not within a unit,
# "(100 \u00b5g/|L)", and best not between a number and its unit, "(100 |\u00b5g/L)".
_SIGNS = r"(?<=[_:;\])-])|(?<=[.,])(?!\d)|(?=[\[(])"
_SPACE, _SLASH = r"(?<= )(?!%)", "(?<=/)"
_OUTSIDE, _NO_UNIT = r"(?![^\s()]*\))", r"(?!(?<=\d )[^\s()]{1,12}\))"
_BREAKS = tuple(
    map(
        re.compile,
        (
            f"{_SPACE}{_NO_UNIT}|{_SLASH}{_OUTSIDE}|{_SIGNS}",
            f"{_SPACE}|{_SLASH}{_OUTSIDE}|{_SIGNS}",
            f"{_SPACE}|{_SLASH}|{_SIGNS}",
        ),
    )
)
_THIN, _BROAD = set("ijlIft.,:;'|!()[]{} `"), set("mwMW@%\u2014")


def text_width(text: str, size: float = 12.0) -> float:
    """Rough width of a text in pixels, on the generous side for the usual sans-serif fonts."""
    return sum(size * _em(char) for char in text)


@lru_cache(maxsize=4096)
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
    text = text[: _fitting(text, 2.0 * (most + 1) * width, size) + 1]  # no line shows more of it
    lines: list[str] = []
    for breaks in _BREAKS:
        lines, torn = _filled(breaks.split(text), width, most, size)
        if not torn and len(lines) <= most:
            break
    if len(lines) <= most:
        return [line.strip() for line in lines]
    return [*(line.strip() for line in lines[: most - 1]), _ended(lines[most - 1].strip(), width, size)]


def _filled(pieces: Sequence[str], width: float, most: int, size: float) -> tuple[list[str], bool]:
    """Lines, each of as many pieces as it holds, and whether a piece had to be torn in two; one too many at most."""
    lines, torn = [""], False
    for piece in filter(None, pieces):
        if lines[-1] and text_width(lines[-1] + piece.rstrip(), size) > width:
            lines.append("")
        lines[-1] += piece
        while len(lines) <= most and text_width(lines[-1].rstrip(), size) > width and len(lines[-1]) > 1:
            cut = min(max(_fitting(lines[-1], width, size), 1), len(lines[-1]) - 1)
            lines[-1:] = [lines[-1][:cut], lines[-1][cut:]]
            torn = True
        if len(lines) > most:
            break
    return lines, torn


def _fitting(text: str, width: float, size: float) -> int:
    """How many of its first characters are no wider than `width`."""
    return bisect_right(list(accumulate(size * _em(char) for char in text)), width)


def _ended(text: str, width: float, size: float) -> str:
    """The text with an ellipsis after as much of it as leaves room for one."""
    return text[: _fitting(text, width - text_width("\u2026", size), size)] + "\u2026"


def cut_off(text: str, width: float, size: float = 12.0) -> str:
    """One line no wider than `width`: what does not fit is cut off at the end."""
    return text if text_width(text, size) <= width else _ended(text, width, size)


def kept_apart(
    names: Sequence[str], fit: Callable[[str], list[str]], cut: Callable[[str], list[str]] | None = None
) -> list[list[str]]:
    """Lines of names that are cut to fit, so that different names stay different.

    Of names that would look alike a part that they share is left out, so that what tells them apart is seen; where
    that does not help, the place of the name in the list stands after it.

    Parameters
    ----------
    names : sequence of str
    fit : function
        From a name to its lines.
    cut : function, optional
        The same for a name of which a part has been left out already: what does not fit, it cuts off at the end.
    """
    cut = cut or fit
    found = [fit(name) for name in names]
    for _ in range(3):  # each time alike names fall apart into smaller groups
        for group in _alike(names, found):
            for text, lines in zip(group, _told_apart(group, cut), strict=True):
                found = [lines if name == text else old for name, old in zip(names, found, strict=True)]
    for group in _alike(names, found):
        for text in group:
            place = f"\u2026 ({names.index(text) + 1})"
            marked = next(
                (m for n in range(len(text), -1, -1) if (m := fit(text[:n] + place))[-1].endswith(place)), [place]
            )
            found = [marked if name == text else old for name, old in zip(names, found, strict=True)]
    return found


def _alike(names: Sequence[str], found: Sequence[list[str]]) -> list[list[str]]:
    """Groups of different names with the same lines."""
    groups: dict[tuple[str, ...], dict[str, None]] = {}
    for name, lines in zip(names, found, strict=True):
        groups.setdefault(tuple(lines), {})[name] = None
    return [list(group) for group in groups.values() if len(group) > 1]


def _told_apart(group: list[str], cut: Callable[[str], list[str]]) -> list[list[str]]:
    """Lines of names that share their beginning: as much of it as leaves room for what comes after."""
    shared = next((k for k, chars in enumerate(zip(*group, strict=False)) if len(set(chars)) > 1), min(map(len, group)))
    start = max(shared - 1, 0)
    while start and group[0][start - 1].isalnum() and shared - start < 12:  # from the start of the word that differs
        start -= 1

    def lines(head: int) -> list[list[str]]:
        return [cut(f"{name[:head].rstrip()}\u2026{name[start:].lstrip()}") for name in group]

    def differ(found: list[list[str]]) -> int:
        return len(set(map(tuple, found)))

    best, head = [cut(name) for name in group], start - 2
    while head >= 0 and differ(best) < len(group):
        best = max(best, lines(head), key=differ)
        head = min(int(0.8 * head), head - 1)
    more = lines(max(int(0.9 * head) - 5, 0))  # some more room for what differs
    return more if differ(more) >= differ(best) else best


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
    front, back = ([0.0, *accumulate(size * _em(char) for char in part)] for part in (text, text[::-1]))
    for kept in range(len(text) - 1, 1, -1):
        head = (kept + 1) // 2
        if front[head] + back[kept - head] > width + 3.0 * size:  # not even without the spaces at the cut
            continue
        found = f"{text[:head].rstrip()}\u2026{text[len(text) - (kept - head) :].lstrip()}"
        if text_width(found, size) <= width:
            return found
    return "\u2026"
