"""Partitions of a Dask collection: a pass sends the coefficients to them and brings back one sum from each.

The sums are added in the order of the partitions, so that the result is the same for any number of workers. A worker
that dies costs the partitions that it held: they are worked on again elsewhere. Coded blocks stay with the workers
from the first pass on, if they fill no more than a share of their memory; else every pass codes them anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bayeslogit.blas import one_thread
from bayeslogit.sources.drawn import Drawn, placed
from bayeslogit.sources.memory import Block
from bayeslogit.sources.parts import ArrayPart, TablePart
from bayeslogit.sources.spread import Coder, Spread, sum_of_blocks, sum_of_part, sum_of_sums
from bayeslogit.waiting import Passes

# How often a partition is tried again before its error is the answer.
_RETRIES = 3
# Bytes of a coded row beside its columns, and the share of the workers' memory that coded rows may fill.
_BESIDE, _SHARE = 40, 0.25


def is_dask(data: Any) -> bool:
    """Whether something is a Dask data frame or array."""
    return type(data).__module__.partition(".")[0] in ("dask", "dask_expr") and hasattr(data, "to_delayed")


@dataclass(frozen=True)
class DaskParts:
    """Partitions by name: each a lazy pandas frame, or a lazy dict of arrays."""

    lazy: tuple[Any, ...] = field(repr=False)
    names: tuple[str, ...]
    coded: bool = False

    @classmethod
    def of_frame(cls, frame: Any, columns: tuple[str, ...]) -> DaskParts:
        lazy = tuple(frame[list(columns)].to_delayed())
        return cls(lazy, tuple(f"partition {number}" for number in range(len(lazy))))

    @classmethod
    def of_arrays(cls, arrays: dict[str, Any]) -> DaskParts:
        """Arrays of the same rows; they are cut as X is."""
        import dask

        engine: Any = dask
        X = arrays["X"].rechunk({1: -1})
        rows = X.chunks[0]
        pieces = {"X": X.to_delayed().ravel()}
        for role, values in arrays.items():
            if role != "X":
                pieces[role] = _as_lazy(values, rows).to_delayed().ravel()
        lazy = tuple(engine.delayed(dict)({role: each[k] for role, each in pieces.items()}) for k in range(len(rows)))
        return cls(lazy, tuple(f"chunk {number}" for number in range(len(lazy))))

    def each[T](self, task: Callable[..., T], *args: Any) -> Iterator[T]:
        """``task(part, *args)`` for every partition where it is, in their order."""
        import dask

        engine: Any = dask
        tasks = [
            engine.delayed(partial(_on_part, name=None if self.coded else name, task=task, args=args), pure=False)(lazy)
            for lazy, name in zip(self.lazy, self.names, strict=True)
        ]
        client = _client()
        if client is None:
            yield from engine.compute(*tasks, optimize_graph=False)
            return
        futures = client.compute(tasks, retries=_RETRIES, optimize_graph=False)
        try:
            for future in futures:
                yield future.result()
        finally:
            client.cancel([future for future in futures if not future.done()])

    def kept_coded(self, *args: Any) -> DaskParts:
        """The same partitions coded, where they are: lists of blocks, which stay there."""
        import dask

        engine: Any = dask
        tasks = [
            engine.delayed(partial(_on_part, name=name, task=_blocks, args=args), pure=False)(lazy)
            for lazy, name in zip(self.lazy, self.names, strict=True)
        ]
        return self._persisted(tasks)

    def kept_placed(self, begins: Mapping[str, int]) -> DaskParts:
        """Coded partitions whose blocks know where they begin."""
        import dask

        engine: Any = dask
        tasks = [
            engine.delayed(partial(_placed, begin=begins[name]), pure=False)(lazy)
            for lazy, name in zip(self.lazy, self.names, strict=True)
        ]
        return self._persisted(tasks)

    def _persisted(self, tasks: list[Any]) -> DaskParts:
        import dask

        engine: Any = dask
        client = _client()
        if client is None:
            kept = engine.persist(*tasks, optimize_graph=False)
        else:
            kept = client.persist(tasks, optimize_graph=False, retries=_RETRIES)
        return DaskParts(tuple(kept), self.names, coded=True)

    def only(self, names: tuple[str, ...]) -> DaskParts:
        """Some of them."""
        picked = [k for k, name in enumerate(self.names) if name in names]
        return DaskParts(tuple(self.lazy[k] for k in picked), tuple(self.names[k] for k in picked), self.coded)


def _as_lazy(values: Any, rows: tuple[int, ...]) -> Any:
    import dask.array

    arrays: Any = dask.array
    return values.rechunk((rows,)) if is_dask(values) else arrays.from_array(values, chunks=(rows,))


def _client() -> Any:
    """The client that the caller works with, if any."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        client = distributed.get_client()
    except ValueError:
        return None
    return client if client.status == "running" else None  # one that is closing would never answer


def _memory_of_workers() -> float:
    """Bytes that the workers of the caller's client may fill; 0 where there is none."""
    client = _client()
    if client is None:
        return 0.0
    return float(sum(each.get("memory_limit") or 0 for each in client.scheduler_info(n_workers=-1)["workers"].values()))


def _on_part(value: Any, name: str | None, task: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """``task(part, *args)``; a part without a name is coded already."""
    with one_thread():  # a worker's process knows nothing of the caller's
        if name is None:
            return task(value, *args)
        part = ArrayPart(value, name) if isinstance(value, dict) else TablePart.of_frame(value, name)
        return task(part, *args)


@dataclass(frozen=True)
class DaskSource(Spread):
    """Blocks of the partitions; see `stream.StreamSource`."""

    parts: DaskParts
    rows: int
    columns: tuple[str, ...]
    code: Coder = field(repr=False)
    n_rows: int
    width: int
    drawn: Drawn | None = field(default=None, repr=False, compare=False)
    kept: list[DaskParts] = field(default_factory=list, repr=False, compare=False)
    passes: Passes = field(default_factory=Passes, repr=False, compare=False)

    def fold[T](self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        coded = self._coded()
        if coded is not None:
            sums = coded.each(sum_of_blocks, function, args)
        else:
            sums = self.parts.each(sum_of_part, self.rows, self.columns, self.code, function, args)
        result: T = sum_of_sums(self._shown(sums))
        return result

    def _shown[T](self, sums: Iterator[T]) -> Iterator[T]:
        with self.passes.show(len(self.parts.names), "partitions") as more:
            for each in sums:
                more(1)
                yield each

    def _coded(self) -> DaskParts | None:
        """The coded blocks, kept from now on; None if they are too many."""
        if not self.kept:
            bytes_ = self.n_rows * (8.0 * self.width + _BESIDE)
            if not self.fits and bytes_ > _SHARE * _memory_of_workers():
                return None
            self.kept[:] = [self.parts.kept_coded(self.rows, self.columns, self.code)]
        return self.kept[0]

    def in_turn(self) -> Iterator[Block]:
        coded = self._coded()
        if coded is not None:
            for name in coded.names:
                yield from _with_rows(coded.only((name,)).each(list))
            return
        for name in self.parts.names:
            yield from _with_rows(self.parts.only((name,)).each(_blocks, self.rows, self.columns, self.code))

    def placed(self, code: Coder, begins: Mapping[str, int], drawn: Drawn) -> DaskSource:
        """The same source, told where its parts begin among all rows, and the rows that were drawn."""
        kept = [each.kept_placed(begins) for each in self.kept]
        return replace(self, code=code, drawn=drawn, kept=kept)


def _blocks(part: Any, rows: int, columns: tuple[str, ...], code: Coder) -> list[Block]:
    return [code(chunk) for chunk in part.chunks(rows, columns)]


def _with_rows(lists: Iterator[list[Block]]) -> Iterator[Block]:
    return (block for blocks in lists for block in blocks if block.y.size)


def _placed(blocks: list[Block], begin: int) -> list[Block]:
    """The blocks of a part that begins at this row."""
    return [block for _, block in placed([(0, block) for block in blocks], begin)]
