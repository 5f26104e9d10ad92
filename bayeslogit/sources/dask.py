"""Partitions of a Dask collection: a pass sends the coefficients to them and brings back one sum from each.

The sums are added in the order of the partitions, so that the result is the same for any number of workers. A worker
that dies costs the partitions that it held: they are worked on again elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bayeslogit.sources.memory import Block
from bayeslogit.sources.parts import ArrayPart, TablePart
from bayeslogit.sources.spread import Coder, Spread, sum_of_part, sum_of_sums

# How often a partition is tried again before its error is the answer.
_RETRIES = 3


def is_dask(data: Any) -> bool:
    """Whether something is a Dask data frame or array."""
    return type(data).__module__.partition(".")[0] in ("dask", "dask_expr") and hasattr(data, "to_delayed")


@dataclass(frozen=True)
class DaskParts:
    """Partitions by name: each a lazy pandas frame, or a lazy dict of arrays."""

    lazy: tuple[Any, ...] = field(repr=False)
    names: tuple[str, ...]

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
            engine.delayed(partial(_on_part, name=name, task=task, args=args), pure=False)(lazy)
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

    def only(self, names: tuple[str, ...]) -> DaskParts:
        """Some of them."""
        picked = [k for k, name in enumerate(self.names) if name in names]
        return DaskParts(tuple(self.lazy[k] for k in picked), tuple(self.names[k] for k in picked))


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
        return distributed.get_client()
    except ValueError:
        return None


def _on_part(value: Any, name: str, task: Callable[..., Any], args: tuple[Any, ...]) -> Any:
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

    def fold[T](self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        result: T = sum_of_sums(self.parts.each(sum_of_part, self.rows, self.columns, self.code, function, args))
        return result

    def in_turn(self) -> Iterator[Block]:
        for name in self.parts.names:
            for blocks in self.parts.only((name,)).each(_blocks, self.rows, self.columns, self.code):
                yield from blocks


def _blocks(part: Any, rows: int, columns: tuple[str, ...], code: Coder) -> list[Block]:
    coded = [code(chunk) for chunk in part.chunks(rows, columns)]
    return [block for block in coded if block.y.size]
