"""Which test reaches which line (`survey`), and work in a forked process with a limit (`forked`)."""

from __future__ import annotations

import functools
import os
import pickle
import resource
import select
import signal
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
_TOOL = 4  # of sys.monitoring
_MEMORY = 8 << 30
_CACHE = type(functools.cache(sys.exit))
# What tests import on the way, and no forked process should import again.
_PRELOADED = {"bayeslogit", "scipy", "sklearn", "statsmodels", "pandas", "pyarrow", "polars", "formulaic", "jinja2"}
_PRELOADED |= {"pymc", "pytensor", "numba"}
QUIET = ["-q", "-p", "no:cacheprovider", "--no-header", "--durations=1", "-W", "ignore::DeprecationWarning"]


class Survey(NamedTuple):
    """What each test takes, in processor seconds, and reaches: pairs of room and line."""

    seconds: dict[str, float]
    reached: dict[str, frozenset[tuple[str, int]]]
    at_import: frozenset[tuple[str, int]]
    failed: tuple[str, ...]
    modules: tuple[str, ...]


class Watch:
    """A pytest plugin that notes which lines of the rooms each test and each shared fixture reaches."""

    def __init__(self, rooms: tuple[str, ...]) -> None:
        self.of = {str(path_of(room)): room for room in rooms}
        self.lines: set[tuple[str, int]] = set()
        self.shared: dict[tuple[str, str], set[tuple[str, int]]] = {}
        self.found = Survey({}, {}, frozenset(), (), ())
        self.failed: list[str] = []
        sys.monitoring.use_tool_id(_TOOL, "mutants")
        sys.monitoring.register_callback(_TOOL, sys.monitoring.events.LINE, self._line)
        sys.monitoring.set_events(_TOOL, sys.monitoring.events.LINE)

    def _line(self, code: types.CodeType, line: int) -> Any:
        room = self.of.get(code.co_filename)
        if room is not None:
            self.lines.add((room, line))
        return sys.monitoring.DISABLE

    def fresh(self) -> set[tuple[str, int]]:
        before, self.lines = self.lines, set()
        sys.monitoring.restart_events()
        return before

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.found = self.found._replace(at_import=frozenset(self.fresh()))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        if fixturedef.scope == "function":
            return (yield)
        outer = self.fresh()
        try:
            return (yield)
        finally:
            self.shared.setdefault((fixturedef.baseid, fixturedef.argname), set()).update(self.fresh())
            self.lines = outer

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> Any:
        for kept in caches():  # or only the first test that asks would be seen to reach what made it
            kept.cache_clear()
        self.fresh()
        began = time.process_time()
        result = yield
        used = {(f.baseid, f.argname) for fs in item._fixtureinfo.name2fixturedefs.values() for f in fs}
        reached = self.fresh().union(*(self.shared.get(key, set()) for key in used))
        self.found.seconds[item.nodeid] = time.process_time() - began
        self.found.reached[item.nodeid] = frozenset(reached)
        return result

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def caches() -> list[Any]:
    """The functions of the package that keep their results."""
    rooms = [module for name, module in sys.modules.items() if name.startswith("bayeslogit.")]
    found = {id(each): each for room in rooms for each in vars(room).values() if isinstance(each, _CACHE)}
    return [each for each in found.values() if each.__module__.startswith("bayeslogit.")]


def path_of(room: str) -> Path:
    """Its source."""
    return ROOT / "bayeslogit" / f"{room}.py"


def survey(rooms: tuple[str, ...], files: list[str]) -> Survey:
    """Run every test once, in a process of its own, and note what it reaches."""

    def run(send: Callable[[Any], None]) -> None:
        watch = Watch(rooms)
        pytest.main([*QUIET, "-m", "not prove", *files], plugins=[watch])
        used = tuple(name for name in sys.modules if name.partition(".")[0] in _PRELOADED)
        send(watch.found._replace(failed=tuple(watch.failed), modules=used))

    status, found = forked(run, quiet=False)
    if not isinstance(found, Survey):
        raise SystemExit(f"The tests could not be run: {status}.")
    return found


def forked(work: Callable[[Callable[[Any], None]], None], seconds: float = 0.0, quiet: bool = True) -> tuple[str, Any]:
    """Run in a child process with a limit of processor time: how it ended ("time" past the limit), and what it sent."""
    receive, give = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(receive)
        if quiet:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
        if seconds:
            whole = int(time.process_time() + seconds + 1.0)
            resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 5))
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        with os.fdopen(give, "wb") as pipe:

            def send(message: Any) -> None:
                pickle.dump(message, pipe)
                pipe.flush()

            code = 1
            try:
                work(send)
                code = 0
            except BaseException:
                code = 3
            finally:
                pipe.flush()
                os._exit(code)
    os.close(give)
    parts, began = [], time.monotonic()
    while True:
        left = began + 20.0 * seconds + 60.0 - time.monotonic() if seconds else 3600.0
        ready, _, _ = select.select([receive], [], [], max(left, 0.0))
        part = os.read(receive, 1 << 16) if ready else b""
        if not part:
            break
        parts.append(part)
    os.close(receive)
    if not ready:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    message = None
    if parts:
        try:
            message = pickle.loads(b"".join(parts))
        except (EOFError, pickle.UnpicklingError):
            message = None
    ended = os.waitstatus_to_exitcode(status)
    late = not ready or ended in (-signal.SIGXCPU, -signal.SIGPROF, -signal.SIGKILL)
    return ("time" if late else "ended" if ended == 0 else f"status {ended}"), message
