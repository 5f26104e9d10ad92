"""Our own pool of threads: blocks side by side, results in the order of the blocks, so that sums keep their bits."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

from bayeslogit.blas import for_good


def threads() -> int:
    """Cores this process may use; OMP_NUM_THREADS, which users set to share a machine, lowers it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return max(1, min(cores, int(asked))) if asked.isdigit() else cores


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="bayeslogit", initializer=for_good)


# The threads of a pool do not survive a fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)


@contextmanager
def aside[T](function: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """``function`` on a thread of its own while other work goes on; what it returns or raises is had by calling.

    With one core to use it is called when its result is asked for.
    """
    if threads() == 1:
        yield function
        return
    with ThreadPoolExecutor(1, thread_name_prefix="bayeslogit-aside", initializer=for_good) as one:
        started = one.submit(function)
        try:
            yield started.result
        finally:
            started.cancel()


def in_order[S, T](function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """``map(function, items)`` on the pool; few results wait at a time, and their order is that of the items."""
    size = threads()
    if size == 1:
        yield from map(function, items)
        return
    pool, waiting = _pool(size), deque[Future[T]]()
    try:
        for item in items:
            try:
                waiting.append(pool.submit(function, item))
            except RuntimeError:  # the interpreter is ending, and this thread outlives the pool
                while waiting:
                    yield waiting.popleft().result()
                yield function(item)
            if len(waiting) > size + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for left in waiting:
            left.cancel()
