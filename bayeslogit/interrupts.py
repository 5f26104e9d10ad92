"""Ctrl-C during the work of a package that may swallow it, or that does not look at it."""

from __future__ import annotations

import contextvars
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType

# Operations from which on compiled work may take most of a second, and is waited for rather than done.
_LONG = 3e8
# Seconds between two looks at the keyboard, where the system does not wake a thread that waits.
_LOOK = 0.2


def interruptible[T](function: Callable[[], T], operations: float) -> T:
    """What compiled work returns or raises, left behind where Ctrl-C comes first.

    Python sees Ctrl-C between two of its own steps, and one step may be minutes of a linear programme. Long work is
    therefore done on a thread of its own, which lets go of the interpreter and ends with the process at the latest.

    Parameters
    ----------
    function : callable
        It must change nothing that outlives it.
    operations : float
        About how many it takes; short work, and work outside the main thread, is done on the spot.
    """
    if operations < _LONG or threading.current_thread() is not threading.main_thread():
        return function()
    found: Future[T] = Future()
    here = contextvars.copy_context()  # NumPy's error state goes with it

    def work() -> None:
        try:
            found.set_result(here.run(function))
        except BaseException as error:
            found.set_exception(error)

    thread = threading.Thread(target=work, name="bayeslogit-long", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK)
    return found.result()


def answering[**P, T](compiled: Callable[P, T]) -> Callable[P, T]:
    """A compiled function out of which Ctrl-C comes as what it is.

    Numba's calls give back a result beside the interrupt, and Python makes a SystemError of both.
    """

    @functools.wraps(compiled)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return compiled(*args, **kwargs)
        except SystemError as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, KeyboardInterrupt):
                cause = cause.__cause__ or cause.__context__
            if cause is None:
                raise
            raise KeyboardInterrupt from None

    return call


@contextmanager
def heeded() -> Iterator[None]:
    """A block of foreign work out of which Ctrl-C comes as what it is, even where a bare ``except`` has eaten it.

    Compilers of graphs try one way after another and take any exception for "this way does not work"; what they have
    compiled makes errors of its own of it. The process's own handler stays in charge and is put back; outside the main
    thread, which alone gets signals, nothing is done.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    seen: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, handler)
    try:
        yield
    except Exception as error:
        if seen:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    if seen:
        raise KeyboardInterrupt
