"""A bar for someone who waits: on stderr, only where that is a terminal, and gone when the work is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

_WIDTH = 24
# Seconds before a bar is shown at all, and between two of its states.
_PATIENCE, _APART = 0.5, 0.1


class Show(Protocol):
    """What long work tells: what it is at, and how far that is."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


def quiet(what: str, done: int, total: int) -> None:
    """For those who do not wait."""


@contextmanager
def bar() -> Iterator[Show]:
    """``with bar() as show: show("leave-one-out", 3, 40)``."""
    if not sys.stderr.isatty():
        yield quiet
        return
    began, last, longest = time.monotonic(), -1.0, 0

    def show(what: str, done: int, total: int) -> None:
        nonlocal last, longest
        now = time.monotonic()
        if now - began < _PATIENCE or now - last < _APART:
            return
        last = now
        full = round(_WIDTH * done / max(total, 1))
        line = f"{what} [{'=' * full}{' ' * (_WIDTH - full)}] {done:,} of {total:,}"
        sys.stderr.write(f"\r{line:<{longest}}")
        sys.stderr.flush()
        longest = max(longest, len(line))

    try:
        yield show
    finally:
        if longest:
            sys.stderr.write("\r" + " " * longest + "\r")
            sys.stderr.flush()


class Passes:
    """Counts the passes over rows that stay outside of memory, and shows each to those who wait."""

    def __init__(self) -> None:
        self.done = 0

    @contextmanager
    def show(self, total: int, what: str = "rows") -> Iterator[Callable[[int], None]]:
        """``with passes.show(n_rows) as more: more(65_536)`` after so many more rows."""
        self.done += 1
        at = 0
        with bar() as one:

            def more(count: int) -> None:
                nonlocal at
                at += count
                one(f"pass {self.done}, {what}", at, total)

            yield more
