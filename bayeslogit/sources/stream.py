"""Files that are read anew at every pass: a few blocks are in memory at a time, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bayeslogit.sources.drawn import Drawn, placed
from bayeslogit.sources.memory import Block
from bayeslogit.sources.parts import Chunk, Part
from bayeslogit.sources.spread import Coder, Spread, sum_of_sums, work
from bayeslogit.waiting import Passes
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
    drawn : Drawn or None
    kept : list of (int, Block)
        All blocks with the numbers of their parts, after a pass over rows that may be in memory at once.
    """

    parts: tuple[Part, ...]
    rows: int
    columns: tuple[str, ...]
    code: Coder = field(repr=False)
    n_rows: int
    width: int
    drawn: Drawn | None = field(default=None, repr=False, compare=False)
    kept: list[tuple[int, Block]] = field(default_factory=list, repr=False, compare=False)
    passes: Passes = field(default_factory=Passes, repr=False, compare=False)

    def fold[T](self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        """Reading goes on while blocks are worked on; sums are within a part first."""
        keeps = self.fits and not self.kept

        def worked(item: tuple[int, Chunk | Block]) -> tuple[int, Block | None, int, Any]:
            number, given = item
            block = given if isinstance(given, Block) else self.code(given)
            return number, block if keeps else None, block.y.size, work(block, function, args)

        items: Iterable[tuple[int, Chunk | Block]] = self.kept or self._chunks()

        def shares() -> Iterator[tuple[int, Any]]:
            with self.passes.show(self.n_rows) as show:
                for number, block, rows, own in in_order(worked, items):
                    if block is not None:
                        found.append((number, block))
                    show(rows)
                    yield number, own

        found: list[tuple[int, Block]] = []
        result: T = sum_of_sums(_by_part(shares()))
        if found:
            self.kept[:] = found
        return result

    def placed(self, code: Coder, begins: Mapping[str, int], drawn: Drawn) -> StreamSource:
        """The same source, told where its parts begin among all rows, and the rows that were drawn."""
        return replace(self, code=code, drawn=drawn, kept=placed(self.kept))

    def in_turn(self) -> Iterator[Block]:
        if self.kept:
            yield from (block for _, block in self.kept if block.y.size)
            return
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
