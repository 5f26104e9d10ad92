"""BLAS on one thread while our own work runs.

Blocks of rows are shared among threads by our own pool. A threaded BLAS under it has more threads than cores, and those
of OpenBLAS spin while they wait: on two cores that others use too, the same work takes two to twenty times as long.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_lock = threading.Lock()
_inside = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """A block in which every BLAS of this process uses one thread; the last one to end gives back what was set."""
    global _inside, _limit
    with _lock:
        _inside += 1
        if _inside == 1:
            _limit = _controller("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limit.restore_original_limits()


@cache
def _controller(with_scipy: bool) -> Any:
    """Of the BLAS libraries that are loaded; SciPy brings one of its own. Finding them takes a millisecond."""
    before = os.environ.get("KMP_INIT_AT_FORK")
    import threadpoolctl

    if before is None:  # set at that import, for a library that this does not concern
        os.environ.pop("KMP_INIT_AT_FORK", None)
    return threadpoolctl.ThreadpoolController()


def _after_fork() -> None:
    global _lock, _inside
    _lock, _inside = threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
