"""Files that are read anew at every pass: a few blocks are in memory at a time, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bayeslogit.sources.memory import Block
from bayeslogit.sources.parts import Chunk, Part
from bayeslogit.sources.spread import Coder, Spread, sum_of_sums, work
from bayeslogit.workers import in_order


@dataclass(frozen=True)
class StreamSource(Spread):
    """Parts, how they are cut, and how a chunk becomes a block.

    Attributes
    ----------
    parts : tuple of Part
    rows : int
        Of a chunk.
    columns : tuple of str
        That are read.
    code : callable
        Chunk to block.
    n_rows, width : int
        Rows that are handed out, and columns of the design.
    """

    parts: tuple[Part, ...]
    rows: int
    columns: tuple[str, ...]
    code: Coder = field(repr=False)
    n_rows: int
    width: int

    def fold[T](self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        """Reading goes on while blocks are worked on; sums are within a part first."""

        def worked(item: tuple[int, Chunk]) -> tuple[int, Any]:
            return item[0], work(item[1], self.code, function, args)

        result: T = sum_of_sums(_by_part(in_order(worked, self._chunks())))
        return result

    def in_turn(self) -> Iterator[Block]:
        for _, chunk in self._chunks():
            block = self.code(chunk)
            if block.y.size:
                yield block

    def _chunks(self) -> Iterator[tuple[int, Chunk]]:
        for number, part in enumerate(self.parts):
            for chunk in part.chunks(self.rows, self.columns):
                yield number, chunk


def _by_part(sums: Iterator[tuple[int, Any]]) -> Iterator[Any]:
    """Sums of chunks, in their order, as sums of parts."""
    last, total = -1, None
    for number, own in sums:
        if number != last:
            yield total
            last, total = number, None
        if own is not None:
            total = own if total is None else total + own
    yield total
