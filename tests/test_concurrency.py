"""Threads, processes, interrupts: the same bits everywhere, nothing global changed, and an end within a second."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit import interrupts
from bayeslogit.interrupts import answering, deferred, heeded, insistent, interruptible, look

SEEDS = range(8)


def work(seed):
    """Everything that a fit says, as bytes: coefficients, sds, predictions, draws."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 4))
    y = (rng.random(300) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)
    prior = (bl.Normal(1.0), bl.Laplace(0.5), bl.StudentT(3, 1.0), bl.Jeffreys())[seed % 4]
    fit = bl.fit(bl.Design.from_arrays(X, y), prior=prior)
    found = [fit.params.to_numpy(), fit.bse.to_numpy(), fit.predict(X[:5]).to_numpy()]
    if seed % 4 != 1:
        found.append(fit.sample("importance", draws=200, rng=seed, nuts=False).values)
    return b"".join(np.ascontiguousarray(each).tobytes() for each in found)


@pytest.fixture(autouse=True)
def ctrl_c_is_not_ignored():
    """A shell's background jobs ignore Ctrl-C and hand that down, which would leave nothing to test."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def serial():
    return [work(seed) for seed in SEEDS]


def test_eight_threads_give_the_serial_bits(serial):
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, [*SEEDS, *SEEDS])) == serial * 2


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_forked_processes_give_the_serial_bits(serial):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        assert list(pool.map(work, SEEDS)) == serial


SPAWNED = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from test_concurrency import work

if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        print(*(hashlib.sha256(each).hexdigest() for each in pool.map(work, range(4))))
"""


def test_spawned_processes_give_the_serial_bits(serial, tmp_path):
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED)
    found = subprocess.run(
        [sys.executable, str(script), os.path.dirname(__file__)], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [hashlib.sha256(each).hexdigest() for each in serial[:4]]


def state():
    """What belongs to the whole process, and is not ours to change."""
    import matplotlib

    threads = blas_threads()  # threadpoolctl changes the environment when it is first imported
    return {
        "errors of numpy": np.geterr(),
        "print options": np.get_printoptions(),
        "warning filters": list(warnings.filters),
        "random state": [str(part) for part in np.random.get_state(legacy=True)],  # noqa: NPY002
        "environment": {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "matplotlib": dict(matplotlib.rcParams),
        "recursion limit": sys.getrecursionlimit(),
        "switch interval": sys.getswitchinterval(),
        "int digits": sys.get_int_max_str_digits(),
        "interrupt": signal.getsignal(signal.SIGINT),
        "BLAS threads": threads,
        "folder": os.getcwd(),
    }


def blas_threads():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    return sorted((each["filepath"], each["num_threads"]) for each in threadpoolctl.threadpool_info())


def test_nothing_global_is_changed(tmp_path):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 2))
    data = {"y": (rng.random(60) < 0.5).astype(int), "x": X[:, 0], "z": X[:, 1]}
    bl.fit("y ~ x", data).sample("laplace", draws=10, rng=1)  # what is loaded late is loaded now
    bl.path("y ~ x", data, scales=3).figure().to_matplotlib()
    import random

    ours, before = random.getstate(), state()
    fit = bl.fit("y ~ x + poly(z, 2)", data, prior=bl.Normal(1.0))
    draws = fit.sample("importance", draws=200, rng=1, nuts=False)
    draws.summary(), fit.predict(), fit.loo(), fit.effects("x")
    bl.path("y ~ x + z", data, scales=4).figure().to_matplotlib()
    bl.separation("y ~ x", data)
    bl.report(fit, tmp_path / "r.html", draws=draws, effort="quick")
    fit.to_json(tmp_path / "f.json")
    with pytest.raises(bl.PriorError):
        bl.Normal(-1)
    after = state()
    for what in before:
        assert after[what] == before[what], what
    assert random.getstate() == ours


# --- interrupts ---------------------------------------------------------------------------------------------------

LONG = """
import sys, time, numpy as np, bayeslogit as bl
rng = np.random.default_rng(0)
X = rng.normal(size=(4000, 60)); y = (rng.random(4000) < 0.5).astype(float)
design = bl.Design.from_arrays(X, y)
fit = bl.fit(design, prior=bl.Normal(1.0))
what, out = sys.argv[1:]
fit.to_json(out)
print("ready", flush=True)
while True:
    if what == "path":
        bl.path(design, prior=bl.Laplace(1.0), scales=1000)
    elif what == "save":
        fit.to_json(out)
    elif what == "report":
        bl.report(fit, out + ".html", effort="quick")
"""


NO_CLOCK = "there is no /proc that tells the time a process was given"
timed = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason=NO_CLOCK)


def spent(process):
    """Seconds that the cores have given to a process: a loaded machine makes none of them."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def spent_by_the_ended():
    """The same of all processes that this one has started and seen end."""
    ended = os.times()
    return ended.children_user + ended.children_system


def ended_by_ctrl_c(process, within):
    """Ctrl-C to a process: it ends after so many seconds, of the clock or (on a loaded machine) of work; its stderr."""
    earlier = spent_by_the_ended()
    began, before = time.monotonic(), spent(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    took, worked = time.monotonic() - began, spent_by_the_ended() - earlier - before
    assert min(took, worked) < within, (took, worked)
    return err


def interrupted(started, what, tmp_path, wait, within):
    """A process at long work gets Ctrl-C: it ends soon, by KeyboardInterrupt, and what was saved is whole."""
    out = tmp_path / "f.json"
    process = started("-c", LONG, what, str(out))
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(wait)
    err = ended_by_ctrl_c(process, within)
    assert process.returncode in (-signal.SIGINT, 130, 1) and "KeyboardInterrupt" in err
    assert isinstance(bl.load(out), bl.Fit)
    left = {path.name for path in tmp_path.iterdir()} - {"f.json", "f.json.html"}  # no half of another file
    assert left == set()


# A second of work, and the end of Python.
@timed
@pytest.mark.parametrize("what", ["path", "save", "report"])
def test_ctrl_c_ends_long_work_soon_and_leaves_whole_files(what, tmp_path, started):
    interrupted(started, what, tmp_path, 0.5, 2.0)


WORKS = """
import sys, time, warnings
import formulaic, numba, numpy as np, pandas as pd, scipy.optimize, scipy.stats
import dask.dataframe as dd
import bayeslogit as bl
warnings.simplefilter("ignore")
wanted, place = sys.argv[1].split(","), sys.argv[2]
rng = np.random.default_rng(0)

def rows(n, p):
    X = rng.standard_normal((n, p))
    names = [f"x{j + 1}" for j in range(p)]
    return pd.DataFrame(X, columns=names).assign(y=(rng.random(n) < 1 / (1 + np.exp(-X[:, 0]))).astype(int))

def design(n, p):
    frame = rows(n, p)
    return bl.Design.from_arrays(frame.drop(columns="y"), frame["y"].to_numpy())

prior, small, text = bl.Normal(1.0), design(2000, 30), "y ~ " + " + ".join(f"x{j + 1}" for j in range(8))
fit = bl.fit(small, prior=prior)
certified = fit.sample("importance", draws=2000, rng=1, nuts=False)
fits = {str(s): bl.fit(small, prior=bl.Normal(s)) for s in (0.1, 1.0, 3.0)}
tall, long = design(100_000, 40), design(12_000, 250)
table = rows(150_000, 8)
table.to_csv(place + "/d.csv", index=False)
parts = dd.from_pandas(table, npartitions=8)
bl.fit(tall, prior=prior)

def once(name):
    if name == "fit":
        bl.fit(tall, prior=prior)
    elif name == "lasso":
        bl.fit(tall, prior=bl.Laplace(0.05))
    elif name == "separation":
        bl.separation(long)
    elif name == "choose_scale":
        bl.choose_scale(small, prior=prior, by="loo")
    elif name == "cv":
        bl.choose_scale(small, prior=bl.Laplace(1.0), by="cv")
    elif name == "compare":
        bl.compare(fits, nuts=False)
    elif name == "importance":
        fit.sample("importance", draws=400_000, rng=1, nuts=False)
    elif name == "loo":
        fit.loo()
    elif name == "variational":
        fit.sample("variational", draws=100_000, rng=1)
    elif name == "coverage":
        bl.coverage(small, prior=prior, simulations=2000)
    elif name == "sensitivity":
        bl.sensitivity(certified)
    elif name == "stream":
        bl.fit(bl.Design.from_formula(text, place + "/d.csv", stream=True), prior=prior)
    elif name == "dask":
        bl.fit(bl.Design.from_formula(text, parts), prior=prior)
    elif name == "nuts":
        fit.sample("nuts", draws=100_000, rng=1, sampler="pymc", chains=2)
    else:
        raise SystemExit(name)

if "nuts" in wanted:
    import pymc
for name in wanted:
    try:
        print(name, flush=True)
        while True:
            once(name)
    except KeyboardInterrupt:
        print(time.process_time(), flush=True)
print("the end", flush=True)
"""


def answered(started, names, tmp_path, waits):
    """Ctrl-C in the middle of each work in turn, in one process; seconds between it and KeyboardInterrupt.

    Of the clock, or of work where that is less: a loaded machine adds to the one, threads on many cores to the other.
    """
    process = started("-c", WORKS, ",".join(names), str(tmp_path))
    assert process.stdout is not None
    found = {}
    for name, wait in zip(names, waits, strict=True):
        line = process.stdout.readline()
        if line != f"{name}\n":
            process.kill()
            raise AssertionError((line, process.communicate()[1][-2000:]))
        time.sleep(wait)
        began, before = time.monotonic(), spent(process)
        process.send_signal(signal.SIGINT)
        line = process.stdout.readline()
        assert line, (name, process.communicate()[1][-2000:])
        found[name] = min(time.monotonic() - began, float(line) - before)
    end = process.stdout.readline()
    _, err = process.communicate(timeout=300)
    # Python ends by the signal that it has caught, where this was out of text that it had compiled (CPython 3.12).
    assert end == "the end\n" and process.returncode in (0, -signal.SIGINT), err[-2000:]
    return found


NAMES = ["fit", "lasso", "separation", "choose_scale", "cv", "compare", "importance", "loo", "variational"]
NAMES += ["coverage", "sensitivity", "stream", "dask"]


@timed
def test_ctrl_c_is_answered_within_a_second_of_work(tmp_path, started):
    found = answered(started, NAMES, tmp_path, [0.3] * len(NAMES))
    assert {name: took for name, took in found.items() if took > 1.0} == {}


@pytest.mark.prove
@timed
@pytest.mark.parametrize("seed", range(5))
def test_ctrl_c_is_answered_within_a_second_of_work_at_any_moment(seed, tmp_path, started):
    names = [*NAMES, *["nuts"] * 4]
    waits = np.random.default_rng(seed).uniform(0.05, 3.0, len(names))
    waits[-4:] = [0.3, 2.0, 8.0, 20.0]  # building the model, compiling it, and sampling
    found = answered(started, names, tmp_path, waits)
    assert {name: took for name, took in found.items() if took > 1.0} == {}


def test_long_work_on_a_thread_of_its_own_returns_and_raises_as_it_would_here():
    with np.errstate(divide="raise"):
        for operations in (0.0, 1e12):
            assert interruptible(lambda: threading.current_thread() is threading.main_thread(), operations) == (
                operations == 0.0
            )
            with pytest.raises(FloatingPointError):
                interruptible(lambda: np.array([1.0]) / 0.0, operations)
    with ThreadPoolExecutor(1) as pool:  # a caller's own thread does its work itself
        name = pool.submit(interruptible, lambda: threading.current_thread().name, 1e12).result()
        assert name.startswith("ThreadPoolExecutor")


def test_ctrl_c_comes_out_of_compiled_code_as_what_it_is():
    def compiled(cause):
        raise SystemError("returned a result with an exception set") from cause

    with pytest.raises(KeyboardInterrupt):
        answering(compiled)(KeyboardInterrupt())
    with pytest.raises(SystemError):
        answering(compiled)(ValueError())
    assert answering(max)(2, 3) == 3


def test_ctrl_c_leaves_long_work_behind():
    done, go = threading.Event(), threading.Event()
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            interruptible(lambda: (go.wait(30), done.set()), 1e12)
    finally:
        signal.signal(signal.SIGINT, old)
    assert not done.is_set()
    go.set()
    assert done.wait(10)


@pytest.fixture
def heeding():
    """Ctrl-C as Python has it from the start, whatever the tests were started from."""
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, old)


def test_ctrl_c_that_a_package_swallows_is_raised_after_its_work(heeding):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), heeded():
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            pass
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt), heeded():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise SystemError("returned a result with an exception set") from None
    with pytest.raises(SystemError), heeded():
        raise SystemError("of another kind")
    with heeded():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_waits_for_the_end_of_deferred_work_or_for_a_look(heeding):
    before, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)
        done.append("the end")
    with pytest.raises(KeyboardInterrupt), deferred():
        look()
        done.append("no look")
        signal.raise_signal(signal.SIGINT)
        look()
        done.append("never")
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)
        raise SystemError("returned a result with an exception set")
    with pytest.raises(SystemError), deferred():
        raise SystemError("of another kind")
    with pytest.raises(KeyboardInterrupt), deferred(), deferred():
        signal.raise_signal(signal.SIGINT)
        done.append("within")
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # who asks twice does not wait
        done.append("never")
    look()
    assert done == ["the end", "no look", "within"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_the_users_own_decides_what_ctrl_c_means():
    seen, old = [], signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
        with deferred():
            signal.raise_signal(signal.SIGINT)
            assert seen == []
        assert seen == [signal.SIGINT]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with deferred(), insistent():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, old)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer that raises a signal here")
def test_ctrl_c_that_was_swallowed_comes_again(heeding, monkeypatch):
    monkeypatch.setattr(interrupts, "_AGAIN", 0.05)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), insistent():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        time.sleep(10.0)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == handlers
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@timed
@pytest.mark.parametrize("command", ["path", "report"])
def test_ctrl_c_ends_a_command_with_130(command, tmp_path, at_work):
    rng = np.random.default_rng(2)
    n, p = 3000, 60
    names = [f"x{j}" for j in range(p)]
    table = np.column_stack([rng.integers(0, 2, n), rng.normal(size=(n, p)).round(3)])
    np.savetxt(tmp_path / "d.csv", table, delimiter=",", header=",".join(["y", *names]), comments="", fmt="%g")
    arguments = [command, "d.csv", "--formula", "y ~ " + " + ".join(names), "--out", "out.html"]
    arguments += ["--scales", "2000"] * (command == "path")
    process = at_work(*arguments, cwd=tmp_path)
    time.sleep(0.3)
    err = ended_by_ctrl_c(process, 2.0)
    assert process.returncode == 130 and err.strip().endswith("bayeslogit: interrupted")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.csv"]
