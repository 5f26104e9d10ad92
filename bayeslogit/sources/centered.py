"""Any source of row blocks, seen in centred columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bayeslogit.sources.memory import Block, MemorySource
from bayeslogit.sources.spread import Changed, Spread

Array = NDArray[np.float64]


class Source(Protocol):
    """Anything that hands out row blocks in a fixed order, as often as asked.

    ``stored`` counts the numbers read in one pass; ``compiled`` says whether blocks are worked by compiled loops, side
    by side.
    """

    @property
    def n_rows(self) -> int: ...
    @property
    def stored(self) -> int: ...
    @property
    def compiled(self) -> bool: ...
    def blocks(self) -> Iterator[Block]: ...


def centered(source: Source, center: Array | None) -> Source:
    """The blocks of a source, centred where they are worked on."""
    return Changed(source, centered_block, (center,)) if isinstance(source, Spread) else CenteredSource(source, center)


def centered_block(block: Block, center: Array | None) -> Block:
    """The same rows in columns from which ``center`` is taken."""
    return replace(block, X=block.X.centered(center))


@dataclass(frozen=True)
class CenteredSource:
    """The blocks of ``inner``, centred as they are worked on; small arrays in memory are centred once and kept."""

    inner: Source
    center: Array | None

    @property
    def n_rows(self) -> int:
        return self.inner.n_rows

    @property
    def stored(self) -> int:
        return self.inner.stored

    @cached_property
    def compiled(self) -> bool:
        return self.inner.compiled

    def blocks(self) -> Iterator[Block]:
        return iter(self._kept if self._small else self._centered())

    @cached_property
    def _small(self) -> bool:
        return isinstance(self.inner, MemorySource) and not self.compiled

    def _centered(self) -> Iterable[Block]:
        return (centered_block(block, self.center) for block in self.inner.blocks())

    @cached_property
    def _kept(self) -> tuple[Block, ...]:
        return tuple(replace(block, X=block.X.worked_out()) for block in self._centered())
