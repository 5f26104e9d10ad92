"""The same rows with pseudo-observations: a share of a success and of a failure for each observation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bayeslogit.sources.centered import Source
from bayeslogit.sources.memory import Block, MemorySource
from bayeslogit.sources.spread import Changed, Spread


def with_pseudo_counts(source: Source, extra: float) -> Source:
    """The rows of ``source`` with ``extra`` successes and as many failures more for each trial; weights as they are."""
    if isinstance(source, MemorySource):
        more = extra * source.trials
        return replace(source, y=source.y + more, trials=source.trials + 2.0 * more)
    if isinstance(source, Spread):
        return Changed(source, _with_more, (extra,))
    return PseudoSource(source, extra)


def _with_more(block: Block, extra: float) -> Block:
    more = extra * block.trials
    return replace(block, y=block.y + more, trials=block.trials + 2.0 * more, counted=None)


@dataclass(frozen=True)
class PseudoSource:
    """The blocks of ``inner`` with pseudo-observations."""

    inner: Source
    extra: float

    @property
    def n_rows(self) -> int:
        return self.inner.n_rows

    @property
    def stored(self) -> int:
        return self.inner.stored

    @property
    def compiled(self) -> bool:
        return self.inner.compiled

    def blocks(self) -> Iterator[Block]:
        for block in self.inner.blocks():
            yield _with_more(block, self.extra)
