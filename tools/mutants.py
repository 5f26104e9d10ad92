"""Mutation tests: would a test notice if a line of these rooms were wrong? `make mutants` runs it on four of them.

    python tools/mutants.py [room ...] [--share 0.25] [--seed 1] [--folder DIR] [--survivors]

A mutant is the source of a room with one small fault: a comparison, an operator, a number, a branch, a keyword or a
statement. No file is changed: a process is forked for each mutant, the fault is put into the modules in its memory, and
the tests that reach the faulty line are run, the fastest first, to the first failure. Which tests reach which line is
found by running them all once. Mutants that no test notices are listed; those explained in ``tests/mutants.md`` are
expected, and any other makes the exit status 1. ``--share`` draws that part of the mutants with a seed. ``--folder``
keeps the results, so that a run can be interrupted and continued; ``--survivors`` runs the survivors in it again.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import importlib.util
import json
import os
import pickle
import random
import signal
import sys
import tempfile
import types
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import pytest  # noqa: E402 - after the number of threads is set
from mutations import Mutant, mutants_of, mutated, users_of  # noqa: E402
from reached import QUIET, ROOT, Survey, caches, forked, path_of, survey  # noqa: E402

ROOMS = (
    *("logistic", "densities", "families", "families_joint", "families_unknown", "families_whole", "_priors"),
    *("resolved", "penalties", "target", "prior_target", "solve", "steps", "newton"),
)
# Tests of the numbers that these rooms make. Tests of pages, commands and files reach them too, and would be run for
# every mutant without saying more.
FILES = (
    *("logistic", "priors", "identities", "fit", "groups", "kinks", "roads", "firth", "hard_shapes", "convert"),
    *("handover", "hierarchical", "agreement", "properties", "propriety", "separation", "separation_words", "presets"),
    *("variational", "covariances", "stream", "rungs", "profile", "draws", "mutants", "multimodal", "path", "kernels"),
    *("annealed", "abreast", "elicit", "sensitivity", "bad_input"),
)
# Processor seconds of tests for one mutant; and what a test may take with it: so many times what it took, and more.
_BUDGET, _SLACK, _LEAST = 12.0, 5.0, 6.0


class Result(NamedTuple):
    """What became of a mutant: "killed" by a test, by "time" or by a crash, or "survived" so many tests."""

    mutant: Mutant
    outcome: str
    by: str
    tests: int


def early(mutant: Mutant, found: Survey) -> bool:
    """Whether the fault shows only when modules are imported: it is in the body of a room, or no test calls it."""
    if not mutant.inside:
        return True
    own = {(mutant.room, line) for line in mutant.body}
    return not own.isdisjoint(found.at_import) and all(own.isdisjoint(lines) for lines in found.reached.values())


def chosen(mutant: Mutant, found: Survey, budget: float) -> list[str]:
    """The tests that reach it, or what uses a number made at import; the fastest first, within the budget."""
    at = set(mutant.lines)
    if early(mutant, found):
        at |= users_of(path_of(mutant.room).read_text(encoding="utf-8"), mutant.lines[0])
    places = {(mutant.room, line) for line in at}
    hit = [test for test, lines in found.reached.items() if not places.isdisjoint(lines)]
    tests, spent = [], 0.0
    for test in sorted(hit, key=lambda t: (found.seconds[t], t)):
        spent += found.seconds[test]
        if tests and spent > budget:
            break
        tests.append(test)
    # Those of one file stand together, for the sake of the fixtures that they share.
    of_file: dict[str, list[str]] = {}
    for test in tests:
        of_file.setdefault(test.partition("::")[0], []).append(test)
    return [test for own in of_file.values() for test in own]


def limit(tests: list[str], found: Survey) -> float:
    """Processor seconds after which a mutant hangs."""
    return 10.0 + _SLACK * sum(found.seconds[test] for test in tests)


Swap = tuple[types.FunctionType, types.CodeType]


class Swapper:
    """Runs the mutants of function bodies: tests are collected once, and a fault is a function's code swapped."""

    def __init__(self, jobs: list[tuple[Mutant, list[str]]], found: Survey, note: Callable[[Result], None]) -> None:
        self.jobs, self.found, self.note = jobs, found, note
        self.left: list[tuple[Mutant, list[str]]] = []
        self.kills: Counter[tuple[str, str, str]] = Counter()
        self.sound: dict[str, bool] = {}
        self.session: pytest.Session | None = None
        self.items: dict[str, Any] = {}

    def tried(self, mutant: Mutant, changed: list[Swap], tests: list[str]) -> Result:
        """The verdict of tests that pass in such a process without a fault."""
        while True:
            ended = forked(partial(self.run, changed, tests), limit(tests, self.found))
            result = _judged(mutant, tests, *ended)
            if result.by not in tests:
                return result
            if result.by not in self.sound:
                _, message = forked(partial(self.run, [], [result.by]), limit([result.by], self.found))
                self.sound[result.by] = message == ("", 1)
            if self.sound[result.by]:
                return result
            tests = [test for test in tests if test != result.by]

    def run(self, changed: list[Swap], tests: list[str], send: Callable[[Any], None]) -> None:
        """In a forked process: put the fault in, run the tests to the first failure, and send which it was."""
        for function, code in changed:
            function.__code__ = code
        for kept in caches():  # what was worked out before the fault
            kept.cache_clear()
        stop = First(self.found.seconds)
        assert self.session is not None
        self.session.items[:] = [self.items[test] for test in tests]
        self.session.config.pluginmanager.register(stop)
        for k, item in enumerate(self.session.items):
            # The next test decides which shared fixtures stay.
            item.ihook.pytest_runtest_protocol(item=item, nextitem=(*self.session.items, None)[k + 1])
            if stop.failed:
                send((stop.failed, k + 1))
                return
        send(("", len(tests)))

    def warm(self) -> None:
        """Run a few quick tests of each file here, so that what they import and compile is there in every fork."""
        own: dict[str, list[str]] = {}
        for test in sorted(self.items, key=lambda t: self.found.seconds.get(t, 1e9)):
            own.setdefault(test.partition("::")[0], []).append(test)
        for test in [test for tests in own.values() for test in tests[len(tests) // 2 :][:2]]:
            item = self.items[test]
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for name in self.found.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        self.session, self.items = session, {item.nodeid: item for item in session.items}
        self.warm()
        functions: dict[str, list[types.FunctionType]] = {}
        for each in gc.get_objects():
            if isinstance(each, types.FunctionType):
                functions.setdefault(each.__code__.co_filename, []).append(each)
        gc.freeze()
        sound: dict[str, dict[Any, types.CodeType]] = {}
        for mutant, tests in self.jobs:
            here = functions.get(str(path_of(mutant.room)), [])
            if mutant.room not in sound:
                sound[mutant.room] = {_key(code): code for code in _codes(compile_room(mutant.room, None))}
            old = sound[mutant.room]
            # What has noticed other faults here may notice this one.
            tests = sorted(tests, key=lambda t: -self.kills[mutant.room, mutant.function, t])
            new = {_key(code): code for code in _codes(compile_room(mutant.room, mutant))}
            faulty = {key for key in new if new[key] != old.get(key)}
            changed = [(f, new[_key(f.__code__)]) for f in here if _key(f.__code__) in faulty]
            if not changed or any(f.__code__.co_freevars != code.co_freevars for f, code in changed):
                self.left.append((mutant, tests))
                continue

            result = self.tried(mutant, changed, tests)
            self.kills[mutant.room, mutant.function, result.by] += 1
            self.note(result)
        return True


class First:
    """A pytest plugin that keeps the first test that failed, and ends the process where a test hangs."""

    def __init__(self, usual: dict[str, float]) -> None:
        self.usual, self.failed, self.count = usual, "", 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> None:
        signal.setitimer(signal.ITIMER_PROF, _LEAST + _SLACK * self.usual.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.count += report.when == "call"
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = f"collecting {report.nodeid}"


def _judged(mutant: Mutant, tests: list[str], ended: str, message: Any) -> Result:
    if message is not None:
        return Result(mutant, "killed" if message[0] else "survived", *message)
    return Result(mutant, "killed", ended, len(tests))


def compile_room(room: str, mutant: Mutant | None) -> types.CodeType:
    """The module with the fault, or without any."""
    source = path_of(room).read_text(encoding="utf-8")
    tree = mutated(room, source, mutant)
    return compile(tree, str(path_of(room)), "exec", dont_inherit=True)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _codes(each)


def _key(code: types.CodeType) -> tuple[Any, ...]:
    starts = [(line, column) for line, _, column, _ in code.co_positions() if line and column is not None]
    return code.co_qualname, code.co_firstlineno, min(starts[1:], default=(0, 0)) if "<" in code.co_name else ()


class Loader:
    """Import one room with its fault, and all others as they are."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != f"bayeslogit.{self.mutant.room}":
            return None
        return importlib.util.spec_from_file_location(name, path_of(self.mutant.room), loader=self)

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile_room(self.mutant.room, self.mutant), module.__dict__)


def anew(mutant: Mutant, tests: list[str], found: Survey) -> Result:
    """Run a mutant whose fault shows at import, in a process that has imported nothing of the package."""

    def run(send: Callable[[Any], None]) -> None:
        sys.meta_path.insert(0, Loader(mutant))  # type: ignore[arg-type]
        first = First(found.seconds)
        status = pytest.main([*QUIET, "-x", *tests], plugins=[first])
        failed = first.failed or ("" if status == 0 else f"pytest ended with {status}")
        send((failed, first.count))

    return _judged(mutant, tests, *forked(run, limit(tests, found) + 10.0))


def explained() -> set[str]:
    """Labels in the table of ``tests/mutants.md``."""
    path = ROOT / "tests" / "mutants.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    cells = [line.replace("\\|", "\0").split("|") for line in lines if line.startswith("| `")]
    return {" ".join(part.replace("\0", "|").strip(" `") for part in cell[1:4]) for cell in cells}


def main() -> int:
    """Draw, run and list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", choices=[[], *ROOMS], default=[])
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--survivors", action="store_true")
    parser.add_argument("--budget", type=float, default=_BUDGET)
    given = parser.parse_args()
    rooms = tuple(given.rooms) or ROOMS
    folder = given.folder or Path(tempfile.mkdtemp(prefix="mutants-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)
    for library in ("numpy", "scipy.stats", "scipy.linalg", "scipy.sparse.linalg", "pandas"):
        importlib.import_module(library)

    kept = folder / "survey.pickle"
    files = [f"tests/test_{name}.py" for name in FILES if (ROOT / f"tests/test_{name}.py").exists()]
    if kept.exists() and not given.survivors:
        found = pickle.loads(kept.read_bytes())
    else:
        print(f"Running the tests of {len(files)} files once ...", flush=True)
        found = survey(rooms, files)
        kept.write_bytes(pickle.dumps(found))
    for test in found.failed:
        found.reached.pop(test, None)
        print(f"Fails without any mutant, and is left out: {test}")

    every = [m for room in rooms for m in mutants_of(room, path_of(room).read_text(encoding="utf-8"))]
    done: dict[str, dict[str, Any]] = {}
    log = folder / "results.jsonl"
    if log.exists():
        for line in log.read_text().splitlines():
            record = json.loads(line)
            done[record["label"]] = record
    if given.survivors:
        picked = [m for m in every if done.get(m.label, {}).get("outcome") == "survived"]
        done = {label: record for label, record in done.items() if record["outcome"] != "survived"}
    else:
        picked = list(every)
        random.Random(given.seed).shuffle(picked)  # a larger share contains a smaller one
        del picked[round(given.share * len(every)) :]
    jobs = [(m, chosen(m, found, given.budget)) for m in picked if m.label not in done]
    print(f"{len(every)} mutants of {len(rooms)} rooms; {len(picked)} drawn, {len(jobs)} to run.", flush=True)

    def note(result: Result) -> None:
        record = {"label": result.mutant.label, **result.mutant._asdict(), "outcome": result.outcome}
        record |= {"by": result.by, "tests": result.tests}
        done[result.mutant.label] = record
        with log.open("a") as out:
            out.write(json.dumps(record) + "\n")
        if result.outcome == "survived":
            print(f"  survived {result.tests:4d} tests: {result.mutant.label}", flush=True)

    for mutant, tests in jobs:
        if not tests:
            note(Result(mutant, "survived", "", 0))
    jobs = [job for job in jobs if job[1]]
    at_import = {m.label for m, _ in jobs if early(m, found)}
    swapper = Swapper([job for job in jobs if job[0].label not in at_import], found, note)
    if swapper.jobs:

        def swap(send: Callable[[Any], None]) -> None:
            pytest.main([*QUIET, "-m", "not prove", *files], plugins=[swapper])
            send([(mutant.label, tests) for mutant, tests in swapper.left])

        _, left = forked(swap, quiet=False)
        at_import |= {label for label, _ in left or ()}
        for line in log.read_text().splitlines() if log.exists() else ():
            record = json.loads(line)
            done[record["label"]] = record
    for mutant, tests in jobs:
        if mutant.label in at_import:
            note(anew(mutant, tests, found))
    return _tell(picked, done)


def _tell(picked: list[Mutant], done: dict[str, dict[str, Any]]) -> int:
    known = explained()
    survivors = [m for m in picked if done.get(m.label, {}).get("outcome") == "survived"]
    unknown = [m for m in survivors if m.label not in known]
    for room in dict.fromkeys(m.room for m in picked):
        own = [m for m in picked if m.room == room]
        ran = [m for m in own if m.label in done]
        lived = [m for m in survivors if m.room == room]
        print(f"{room:18s} {len(ran):5d} run {len(ran) - len(lived):5d} killed {len(lived):4d} survived")
    print(f"{len(survivors)} survived, {len(unknown)} of them not explained in tests/mutants.md:")
    for mutant in unknown:
        print(f"  line {mutant.lines[0]}: {mutant.label}")
    return int(bool(unknown))


if __name__ == "__main__":
    raise SystemExit(main())
