"""Rows that are never all in memory: a pass is a sum within each part, left to right, and then over the parts.

Which machine, process or thread works on a part makes no difference to the sum, nor to its last bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import DataError
from bayeslogit.sources.drawn import Drawn
from bayeslogit.sources.drawn import coins as coins
from bayeslogit.sources.memory import COMPILED_FROM, Block
from bayeslogit.sources.parts import Chunk, Part

# Numbers of a design that may be brought into memory at once, for what cannot be summed over blocks (512 MB).
MOST_HELD = 1 << 26
# Numbers of one block: a few of them are in memory at any time (16 MB each), whatever the number of rows.
_BLOCK_NUMBERS = 1 << 21
_MOST_ROWS, _LEAST_ROWS = 1 << 16, 1 << 10

Array = NDArray[np.float64]
Coder = Callable[[Chunk], Block]


def block_rows(columns: int) -> int:
    """Rows of a block of so many columns; it depends on nothing else."""
    return max(_LEAST_ROWS, min(_MOST_ROWS, _BLOCK_NUMBERS // max(columns, 1)))


class Spread(ABC):
    """A source whose blocks are worked on where they are.

    ``drawn`` are rows that were drawn from it in the first pass, if any were.
    """

    n_rows: int
    width: int
    drawn: Drawn | None

    @property
    def stored(self) -> int:
        """Numbers read in one pass."""
        return self.n_rows * self.width

    @property
    def compiled(self) -> bool:
        return self.stored >= COMPILED_FROM

    @property
    def fits(self) -> bool:
        """Whether all rows may be in memory at once."""
        return self.stored <= MOST_HELD

    @abstractmethod
    def fold[T](self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        """The sum of ``function(block, *args)``."""

    @abstractmethod
    def in_turn(self) -> Iterator[Block]:
        """The blocks one after another, not to be held together."""

    def blocks(self) -> Iterator[Block]:
        """The blocks, which the caller may hold.

        Raises
        ------
        DataError
            If all of them are more than should be in memory at once.
        """
        self.check_held(self.width)
        yield from self.in_turn()

    def check_held(self, numbers: int) -> None:
        """Refuse to hold so many numbers of every row, if they are too many."""
        if self.n_rows * numbers > MOST_HELD:
            raise DataError(
                f"This needs all rows in memory at once: {self.n_rows:,} rows of {numbers} columns are "
                f"{8e-9 * self.n_rows * numbers:.1f} GB, and streamed data bring at most {8e-9 * MOST_HELD:.1f} GB. "
                "Give new= rows (a sample of the data), or read a sample of the rows into a data frame."
            )

    def in_passing(self, numbers: int) -> Iterator[Block]:
        """The blocks, of which the caller holds so many numbers of a row, and not the rows."""
        self.check_held(numbers)
        return self.in_turn()


@dataclass(frozen=True)
class Changed(Spread):
    """The blocks of ``inner``, each changed by ``change(block, *given)`` where it is worked on."""

    inner: Spread
    change: Callable[..., Block]
    given: tuple[Any, ...]

    @property
    def n_rows(self) -> int:  # type: ignore[override]
        return self.inner.n_rows

    @property
    def width(self) -> int:  # type: ignore[override]
        return self.inner.width

    @property
    def drawn(self) -> Drawn | None:  # type: ignore[override]
        found = self.inner.drawn
        if found is None:
            return None
        return Drawn(tuple(self.change(block, *self.given) for block in found.blocks), found.members)

    def fold[T](self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        result: T = self.inner.fold(_after, (self.change, self.given, function, args))
        return result

    def in_turn(self) -> Iterator[Block]:
        return (self.change(block, *self.given) for block in self.inner.in_turn())


def _after[T](
    block: Block, change: Callable[..., Block], given: tuple[Any, ...], function: Callable[..., T], args: Any
) -> T:
    return function(change(block, *given), *args)


def sum_of_part(
    part: Part, rows: int, columns: tuple[str, ...], code: Coder, function: Callable[..., Any], args: tuple[Any, ...]
) -> Any:
    """The sum over one part, left to right; None if it has no rows that count."""
    return sum_of_blocks((code(chunk) for chunk in part.chunks(rows, columns)), function, args)


def sum_of_blocks(blocks: Iterable[Block], function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """The sum over the blocks of one part, left to right; None if it has no rows that count."""
    total = None
    for block in blocks:
        own = work(block, function, args)
        if own is not None:
            total = own if total is None else total + own
    return total


def work(block: Block, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """One block's share; None if no row of it counts, unless the function wants to know."""
    return function(block, *args) if block.y.size or getattr(function, "of_empty", False) else None


def sum_of_sums(sums: Iterable[Any]) -> Any:
    """Over parts, left to right."""
    total = None
    for own in sums:
        if own is not None:
            total = own if total is None else total + own
    if total is None:
        raise DataError("data: there are no rows.")
    return total
