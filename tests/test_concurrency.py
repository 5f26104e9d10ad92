"""Threads, processes, interrupts: the same bits everywhere, nothing global changed, and an end within a second."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.interrupts import heeded

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
    elif what == "importance":
        fit.sample("importance", draws=400_000, rng=1, nuts=False)
    elif what == "loo":
        fit.loo()
    elif what == "save":
        fit.to_json(out)
    elif what == "nuts":
        fit.sample("nuts", draws=100_000, rng=1, sampler="pymc", chains=2)
    elif what == "report":
        bl.report(fit, out + ".html", effort="quick")
"""


def interrupted(what, tmp_path, wait, within):
    """A process at long work gets Ctrl-C: it ends soon, by KeyboardInterrupt, and what was saved is whole."""
    out = tmp_path / "f.json"
    process = subprocess.Popen(
        [sys.executable, "-c", LONG, what, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(wait)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    took = time.monotonic() - began
    assert process.returncode in (-signal.SIGINT, 130, 1) and "KeyboardInterrupt" in err
    assert took < within, took
    assert isinstance(bl.load(out), bl.Fit)
    left = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("f.json"))
    assert left == [], left
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


# A second of work, and what a loaded machine adds to it.
@pytest.mark.parametrize("what", ["path", "importance", "loo", "save", "report"])
def test_ctrl_c_ends_long_work_soon_and_leaves_whole_files(what, tmp_path):
    interrupted(what, tmp_path, 0.5, 2.0)


def test_ctrl_c_that_a_package_swallows_is_raised_after_its_work():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), heeded():
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            pass
    assert signal.getsignal(signal.SIGINT) is before
    with heeded():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.prove
@pytest.mark.parametrize("wait", [0.5, 3.0, 15.0])
def test_ctrl_c_ends_nuts_and_its_compilation(wait, tmp_path):
    interrupted("nuts", tmp_path, wait, 10.0)


@pytest.mark.parametrize("command", ["path", "report"])
def test_ctrl_c_ends_a_command_with_130(command, tmp_path):
    rng = np.random.default_rng(2)
    n, p = 3000, 60
    names = [f"x{j}" for j in range(p)]
    table = np.column_stack([rng.integers(0, 2, n), rng.normal(size=(n, p)).round(3)])
    np.savetxt(tmp_path / "d.csv", table, delimiter=",", header=",".join(["y", *names]), comments="", fmt="%g")
    arguments = [command, "d.csv", "--formula", "y ~ " + " + ".join(names), "--out", "out.html"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bayeslogit", *arguments], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    time.sleep(1.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("it was done before the interrupt")
    assert process.returncode == 130 and err.decode().strip().endswith("bayeslogit: interrupted")
    assert time.monotonic() - began < 2.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.csv"]
