"""BLAS on one thread while our own work runs.

Blocks of rows are shared among threads by our own pool. A threaded BLAS under it has more threads than cores, and those
of OpenBLAS spin while they wait: on two cores that others use too, the same work takes two to twenty times as long.

Most libraries have one number of threads for the whole process. It is set by the first thread that comes and given back
by the last that goes, each library's only if nobody else has set it meanwhile. Others have one for every thread; that
of a caller is given back by the caller, and our own threads keep theirs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple


class _Library(NamedTuple):
    """A BLAS that is loaded: its number of threads, and how that is changed."""

    path: str
    get: Callable[[], int | None]
    set: Callable[[int], object]


_Owed = dict[_Library, int]

# Not a plain lock: what runs between two of our own steps (a signal's handler, a finaliser) may come here again.
_lock = threading.RLock()
# The threads that are inside, and the libraries set for all of them, with the number that each is owed. Neither is a
# count: whatever an interrupt cuts short is made good by the next who leaves.
_inside: set[int] = set()
_owed: _Owed = {}


@contextmanager
def one_thread() -> Iterator[None]:
    """A block in which every BLAS that NumPy and SciPy use has one thread."""
    me = threading.get_ident()
    if me in _inside:
        yield
        return
    shared, own = _libraries("scipy.linalg" in sys.modules)
    mine: _Owed = {}
    try:
        _inside.add(me)
        if shared:
            with _lock:
                _limit(shared, _owed)
        _limit(own, mine)
        yield
    finally:
        _inside.discard(me)
        _settle(mine)
        if _owed:
            with _lock:
                if not _inside:
                    _settle(_owed)


def for_good() -> None:
    """One thread for every BLAS that each thread sets for itself; to be called in a thread of ours, which ends so."""
    _limit(_libraries("scipy.linalg" in sys.modules)[1], {})


def _limit(libraries: tuple[_Library, ...], owed: _Owed) -> None:
    for library in libraries:
        number = library.get()
        if number is not None and number > 1:
            owed[library] = number
            library.set(1)


def _settle(owed: _Owed) -> None:
    for library, number in list(owed.items()):
        if library.get() == 1:
            library.set(number)
        owed.pop(library, None)


@cache
def _libraries(with_scipy: bool) -> tuple[tuple[_Library, ...], tuple[_Library, ...]]:
    """Those set for the whole process, and those set for each thread; SciPy brings one. It takes a millisecond."""
    before = os.environ.get("KMP_INIT_AT_FORK")
    import threadpoolctl

    if before is None:  # set at that import, for a library that this does not concern
        os.environ.pop("KMP_INIT_AT_FORK", None)
    try:
        found = threadpoolctl.ThreadpoolController().lib_controllers
    except OSError:  # a file that is no longer there cannot be asked
        found = []
    shared: list[_Library] = []
    own: list[_Library] = []
    for each in found:
        if each.user_api == "blas":
            openmp = each.internal_api == "openblas" and each.threading_layer == "openmp"
            (own if openmp or each.internal_api == "mkl" else shared).append(_library(each))
    return tuple(shared), tuple(own)


def _library(controller: Any) -> _Library:
    # From 3.8 on threadpoolctl lets but one thread set OpenBLAS until that thread ends, and says nothing to the others:
    # who came first would not be who gives back.
    setter = getattr(controller, "_real_set_num_threads", controller.set_num_threads)
    return _Library(controller.filepath, controller.get_num_threads, setter)


def _in_child() -> None:
    """Of the threads only the one that forked is left; what the others owed is due now."""
    _inside.intersection_update({threading.get_ident()})
    if not _inside:
        _settle(_owed)
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_in_child)
