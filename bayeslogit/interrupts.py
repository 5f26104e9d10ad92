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
# Seconds after which a Ctrl-C that has not ended a command is raised again.
_AGAIN = 1.0


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


# Of each `deferred` block that is open in the main thread: what looks whether Ctrl-C has come.
_open: list[Callable[[], None]] = []


@contextmanager
def deferred() -> Iterator[None]:
    """A block of foreign work in which Ctrl-C waits: for the next `look`, or for the end of the block.

    Compilers of graphs call Python from compiled code and back, and an exception raised there is swallowed, turned into
    another one, or the end of the process by a segmentation fault. Another Ctrl-C does not wait. The process's own
    handler decides what follows, and is put back; outside the main thread, which alone gets signals, nothing is done.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    noted: list[FrameType | None] = []

    def handler(number: int, frame: FrameType | None) -> None:
        noted.append(frame)
        if len(noted) > 1:
            before(number, frame)

    def answer() -> None:
        if noted:
            frame = noted[-1]
            noted.clear()
            before(signal.SIGINT, frame)

    signal.signal(signal.SIGINT, handler)
    _open.append(answer)
    try:
        yield
    except Exception:
        answer()
        raise
    finally:
        _open.remove(answer)
        signal.signal(signal.SIGINT, before)
    answer()


def look() -> None:
    """Raise the Ctrl-C that waits, if one does; called where nothing is half done."""
    if _open and threading.current_thread() is threading.main_thread():
        _open[-1]()


@contextmanager
def heeded() -> Iterator[None]:
    """A block of foreign work that looks at the keyboard itself, out of which Ctrl-C comes as what it is.

    Packages try one way after another and take any exception for "this way does not work", or make errors of their own
    of it. The process's own handler stays in charge and is put back; outside the main thread nothing is done.
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


@contextmanager
def insistent() -> Iterator[None]:
    """A block, all that a process does, in which a Ctrl-C that something has swallowed is raised again after a second.

    Python code that compiled code calls, and code that runs while an object is thrown away, cannot raise anything.
    """
    before = signal.getsignal(signal.SIGINT)
    if not hasattr(signal, "setitimer") or before is not signal.default_int_handler:
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        signal.default_int_handler(number, frame)

    def again(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)  # which may be deferred where it comes now

    alarm = signal.signal(signal.SIGALRM, again)
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGALRM, alarm)
