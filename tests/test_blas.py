"""BLAS has one thread inside public functions, and afterwards what it had: threads, forks, interrupts, errors."""

from __future__ import annotations

import gc
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit import blas, estimates, workers
from bayeslogit.blas import one_thread
from bayeslogit.boundary import guarded
from bayeslogit.sources import dask as dask_source

threadpoolctl = pytest.importorskip("threadpoolctl")


def numbers():
    """Threads of each BLAS."""
    found = threadpoolctl.threadpool_info()
    return {each["filepath"]: each["num_threads"] for each in found if each["user_api"] == "blas"}


def ones():
    return all(number == 1 for number in numbers().values())


@pytest.fixture(autouse=True)
def before():
    """Three threads for every BLAS, whatever the environment says."""
    import scipy.linalg  # noqa: F401 - it brings a BLAS of its own

    controller = threadpoolctl.ThreadpoolController()
    if not blas._libraries(True)[0]:
        pytest.skip("no BLAS whose number of threads can be set is loaded")
    with controller.limit(limits=3, user_api="blas"):
        found = numbers()
        if set(found.values()) != {3}:
            pytest.skip("the number of threads of BLAS cannot be changed here")
        yield found
        assert not blas._inside and not blas._owed
        assert numbers() == found


@guarded
def inside(function, times: int = 1):
    """A public function."""
    return function()


def fitted():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 2))
    return bl.fit(bl.Design.from_arrays(X, (rng.random(40) < 0.5).astype(float)), prior=bl.Normal(1.0))


def test_public_functions_have_one_thread_and_give_back_the_others(before):
    seen = []

    def spy(points):
        seen.append(ones())
        return points[:, 1]

    draws = fitted().sample("laplace", draws=50, rng=1)
    assert numbers() == before
    draws.apply(spy)
    assert seen and all(seen) and numbers() == before


def test_properties_that_are_work_have_one_thread_too(before, monkeypatch):
    fit, seen = fitted(), []

    def spied(name):
        found = getattr(estimates, name)
        monkeypatch.setattr(estimates, name, lambda *args: seen.append(ones()) or found(*args))

    for name in ("effective_parameters", "prior_share", "pulls"):
        spied(name)
    assert fit.effective_parameters > 0.0 and fit.prior_share.size == fit.prior_pull.size == 3
    assert seen == [True] * 3 and numbers() == before
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bayeslogit.posterior.gaussians.one_step_mean", lambda *_: seen.append(ones()) or np.zeros(3))
        assert fit.one_step_mean.size == 3
    assert seen == [True] * 4 and numbers() == before


def test_blocks_within_blocks_and_errors(before):
    def raises():
        assert ones()
        raise ZeroDivisionError

    with one_thread():
        assert inside(ones) and ones()
        with pytest.raises(ZeroDivisionError):
            inside(raises)
        assert ones()
    assert numbers() == before
    with pytest.raises(ZeroDivisionError):
        inside(raises)
    assert numbers() == before
    with pytest.raises(bl.ArgumentError):
        inside(ones, times="two")
    assert numbers() == before


def test_who_came_first_may_go_first(before):
    came, go, gone, stay = (threading.Event() for _ in range(4))

    def first():
        with one_thread():
            came.set()
            assert go.wait(10)
        gone.set()
        assert stay.wait(10)  # alive: threadpoolctl would let no other thread set OpenBLAS

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(first)
        assert came.wait(10)
        with one_thread():
            go.set()
            assert gone.wait(10)
            assert ones()
        assert numbers() == before
        stay.set()
        done.result()


def test_many_threads_at_once(before):
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(60):
            with one_thread():
                wrong.extend([seed] * (rng.random() < 0.2 and not ones()))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert not wrong and numbers() == before


def test_other_threads_may_set_blas_after_us(before):
    """Under threadpoolctl 3.8 the first thread to set OpenBLAS keeps the right to."""

    def theirs():
        with threadpoolctl.threadpool_limits(2, "blas"):
            return set(numbers().values())

    getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", lambda force: None)(force=True)  # the fixture
    inside(ones)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(theirs).result() == {2}
    assert numbers() == before


def test_limits_of_the_caller_around_and_within(before):
    with threadpoolctl.threadpool_limits(2, "blas"):
        assert inside(ones)
        assert set(numbers().values()) == {2}
    with threadpoolctl.threadpool_limits(1, "blas"):
        assert inside(ones)
        assert ones()
    assert numbers() == before
    kept = threadpoolctl.ThreadpoolController()
    with one_thread():
        kept.limit(limits=2, user_api="blas")  # for good
    assert set(numbers().values()) == {2}
    kept.limit(limits=3, user_api="blas")


def test_an_abandoned_block_gives_back(before):
    def rows():
        with one_thread():
            yield 1

    given = rows()
    assert next(given) == 1 and ones()
    del given
    gc.collect()
    assert numbers() == before


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer")
def test_interrupts_at_any_moment(before):
    armed = False

    def handler(number, frame):
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, handler)
    rng = np.random.default_rng(1)
    try:
        for _ in range(400):
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(2e-5, 2e-4))
                while armed:
                    inside(int)
            except KeyboardInterrupt:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, old)
    assert inside(ones)
    assert numbers() == before


def test_what_runs_between_our_steps_may_come_in_again(before, monkeypatch):
    shared, own = blas._libraries(True)
    deep = []

    def again(library):
        def get():
            if len(deep) < 4:
                deep.append(library.path)
                assert inside(int) == 0  # as a finaliser would
            return library.get()

        return library._replace(get=get)

    monkeypatch.setattr(blas, "_libraries", lambda with_scipy: (tuple(map(again, shared)), own))
    assert inside(ones)
    assert len(deep) == 4 and numbers() == before


def in_child(function):
    """What a forked child finds."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, function().encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_fork_takes_along_only_what_its_own_thread_holds(before):
    def threads():
        return ",".join(str(number) for number in sorted(set(numbers().values())))

    def within_and_after():
        with one_thread():
            within = threads()
        return f"{within} {threads()}"

    came, go = threading.Event(), threading.Event()

    def other():
        with one_thread():
            came.set()
            assert go.wait(10)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(other)
        assert came.wait(10)
        assert in_child(threads) == "3"
        assert in_child(within_and_after) == "1 3"
        assert ones()
        go.set()
        done.result()
    with one_thread():
        assert in_child(threads) == "1"
        assert in_child(within_and_after) == "1 1"
    assert numbers() == before
    held = one_thread()
    held.__enter__()

    def leave():
        held.__exit__(None, None, None)
        return threads()

    assert in_child(leave) == "3"
    held.__exit__(None, None, None)


class OfEachThread(threading.local):
    """A library with a number for every thread, as MKL's and OpenMP's."""

    number = 3


def test_libraries_with_a_number_for_every_thread(before, monkeypatch):
    state = OfEachThread()
    library = blas._Library("fake", lambda: state.number, lambda number: setattr(state, "number", number))
    shared, _ = blas._libraries(True)
    monkeypatch.setattr(blas, "_libraries", lambda with_scipy: (shared, (library,)))
    monkeypatch.setattr(workers, "threads", lambda: 2)
    workers._pool.cache_clear()
    try:
        with ThreadPoolExecutor(1) as pool, one_thread():
            assert state.number == 1
            assert pool.submit(lambda: state.number).result() == 3  # another thread of the caller's
            assert pool.submit(inside, lambda: state.number).result() == 1
            assert pool.submit(lambda: state.number).result() == 3
            assert list(workers.in_order(lambda _: state.number, range(6))) == [1] * 6
            with workers.aside(lambda: state.number) as found:
                assert found() == 1
        assert state.number == 3
    finally:
        workers._pool.cache_clear()


def test_our_pool_and_the_partitions_of_dask_have_one_thread(before, monkeypatch):
    monkeypatch.setattr(workers, "threads", lambda: 2)
    assert inside(lambda: list(workers.in_order(lambda _: ones(), range(4)))) == [True] * 4
    assert dask_source._on_part([], None, lambda blocks: ones(), ())
    assert numbers() == before


def test_work_goes_on_where_no_blas_can_be_asked(before, monkeypatch):
    def lost():
        raise OSError("the file is no longer there")

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", lost)
    blas._libraries.cache_clear()
    try:
        assert blas._libraries(True) == ((), ())
        assert inside(lambda: 7) == 7
    finally:
        blas._libraries.cache_clear()
