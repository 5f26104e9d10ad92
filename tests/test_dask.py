"""Dask frames and arrays: the same bits as files streamed, for any scheduler, and after a worker has died."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslogit as bl
from bayeslogit.sources import spread

dask = pytest.importorskip("dask", reason="the package dask is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

FORMULA = "y ~ x1 + x2*f + C(g)"


def people(n: int, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, f = rng.standard_normal((n, 2)), rng.choice(list("abcd"), n)
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-x @ [0.5, -0.3] - 0.4 * (f == "b")))
    return pd.DataFrame({"y": y, "x1": x[:, 0], "x2": x[:, 1], "f": f, "g": rng.integers(1, 4, n)}).assign(
        o=0.1 * rng.standard_normal(n), w=rng.integers(1, 4, n)
    )


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    data = people(9000)
    data.loc[data.index < 5000, "f"] = data["f"].where(data["f"] != "d", "a")  # a level that only late partitions have
    return data


@pytest.fixture(scope="module")
def folder(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dask")
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), 4)):
        frame.iloc[rows].to_parquet(root / f"part-{number}.parquet")
    return root


@pytest.fixture(scope="module")
def lazy(frame: pd.DataFrame) -> Any:
    """One partition for each file."""
    import dask.dataframe as dd

    pieces = np.array_split(np.arange(len(frame)), 4)
    return dd.concat([dd.from_pandas(frame.iloc[rows], npartitions=1) for rows in pieces])


@pytest.fixture(scope="module")
def streamed(folder: Path) -> bl.Fit:
    return bl.fit(FORMULA, folder)


def same_bits(one: bl.Fit, other: bl.Fit) -> bool:
    covariances = one.cov_params().equals(other.cov_params())
    return one.params.equals(other.params) and covariances and one.log_posterior == other.log_posterior


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_the_same_bits_as_files(scheduler, lazy, streamed, frame):
    with dask.config.set(scheduler=scheduler):
        fit = bl.fit(FORMULA, lazy)
    assert same_bits(fit, streamed)
    assert fit.notes == streamed.notes
    memory = bl.fit(FORMULA, frame, tol=1e-11)
    assert np.max(np.abs(bl.fit(FORMULA, lazy, tol=1e-11).params - memory.params) / memory.bse) < 1e-10


def test_coded_anew_at_every_pass(lazy, streamed, monkeypatch):
    """Where coded blocks would fill more than a share of the memory."""
    monkeypatch.setattr(spread, "MOST_HELD", 0)
    design = bl.Design.from_formula(FORMULA, lazy)
    assert same_bits(bl.fit(design), streamed)
    assert not design.source.kept


def test_a_cluster_in_this_process(lazy, streamed):
    from distributed import Client

    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        assert same_bits(bl.fit(FORMULA, lazy), streamed)
        assert same_bits(bl.fit(FORMULA, client.persist(lazy)), streamed)


def test_the_same_fit_from_everywhere(lazy, streamed, folder, frame):
    """Coefficients within 1e-10 sd at the default tolerance; rows that stay outside of memory to the last bit."""
    import polars
    import pyarrow as pa
    import scipy.sparse as sp

    pandas = bl.fit(FORMULA, frame)
    X = pandas.design.source.X.toarray()[:, 1:]
    names = list(pandas.params.index[1:])
    prior = pandas.prior
    fits = {
        "polars": bl.fit(FORMULA, polars.from_pandas(frame)),
        "pyarrow": bl.fit(FORMULA, pa.Table.from_pandas(frame)),
        "numpy": bl.fit(bl.Design.from_arrays(X, frame["y"].to_numpy(), names=names), prior=prior),
        "csr": bl.fit(bl.Design.from_arrays(sp.csr_array(X), frame["y"].to_numpy(), names=names), prior=prior),
        "folder": streamed,
        "dask": bl.fit(FORMULA, lazy),
    }
    for where, fit in fits.items():
        assert list(fit.params.index) == list(pandas.params.index), where
        assert np.max(np.abs(fit.params - pandas.params) / pandas.bse) < 1e-10, where
        np.testing.assert_allclose(fit.bse, pandas.bse, rtol=1e-6, err_msg=where)
    assert same_bits(fits["dask"], streamed)


def test_files_read_by_dask(folder, streamed):
    import dask.dataframe as dd

    read = dd.read_parquet(str(folder), split_row_groups=False)
    assert read.npartitions == 4
    assert same_bits(bl.fit(FORMULA, read), streamed)


def test_weights_and_offset_by_name(lazy, folder):
    roles = {"weights": "w", "offset": "o"}
    fit, other = (bl.fit("y ~ x1 + f", data, **roles) for data in (lazy, folder))
    assert same_bits(fit, other)
    with pytest.raises(bl.ArgumentError, match="offset: streamed and distributed data take the name of a column"):
        bl.fit("y ~ x1 + f", lazy, offset=np.zeros(9000))


def test_what_is_wrong_names_the_partition(frame):
    import dask.dataframe as dd

    broken = frame.copy()
    broken.loc[8999, "x2"] = np.nan
    with pytest.raises(bl.DataError, match=r"partition 2: x2 has a missing value in row 2999\."):
        bl.fit("y ~ x2", dd.from_pandas(broken, npartitions=3))
    with pytest.raises(bl.DataError, match="there is no column 'z'"):
        bl.fit("y ~ z", dd.from_pandas(frame, npartitions=3))
    with pytest.raises(bl.FormulaError, match=r"poly\(\) learns from all rows at once"):
        bl.fit("y ~ poly(x1, 2)", dd.from_pandas(frame, npartitions=3))
    dropped = bl.fit("y ~ x2", dd.from_pandas(broken, npartitions=3), missing="drop", tol=1e-11)
    memory = bl.fit("y ~ x2", broken, missing="drop", tol=1e-11)
    assert np.max(np.abs(dropped.params - memory.params) / memory.bse) < 1e-10
    assert dropped.design.n_dropped == 1


def test_partitions_without_rows(lazy, streamed):
    import dask.dataframe as dd

    empty = dd.concat([lazy, lazy.partitions[[0]][lazy.partitions[[0]].x1 > 1e9]])
    assert empty.npartitions == 5
    assert same_bits(bl.fit(FORMULA, empty), streamed)


# --- arrays ------------------------------------------------------------------------------------------------------


def test_arrays(frame):
    import dask.array as da

    X = frame[["x1", "x2"]].to_numpy()
    y = frame["y"].to_numpy()
    lazy_X, lazy_y = da.from_array(X, chunks=(2500, 1)), da.from_array(y, chunks=4000)
    weights, offset = frame["w"].to_numpy(), frame["o"].to_numpy()
    roles = {"names": ["a", "b"], "weights": weights, "offset": offset}
    lazily = bl.Design.from_arrays(lazy_X, lazy_y, **roles)
    fit, memory = (bl.fit(each, tol=1e-11) for each in (lazily, bl.Design.from_arrays(X, y, **roles)))
    assert list(fit.params.index) == ["Intercept", "a", "b"]
    assert np.max(np.abs(fit.params - memory.params) / memory.bse) < 1e-10
    assert fit.nobs == memory.nobs
    words = np.where(y, "yes", "no")
    named = bl.fit(bl.Design.from_arrays(lazy_X, da.from_array(words, chunks=4000)))
    assert same_bits(named, bl.fit(bl.Design.from_arrays(lazy_X, lazy_y)))
    assert named.design.notes == bl.Design.from_arrays(X, words).notes


def test_arrays_that_cannot_be_right():
    import dask.array as da

    X = np.ones((100, 2))
    X[:, 1] = np.arange(100)
    y = da.from_array(np.arange(100) % 2, chunks=50)
    X[77, 1] = np.nan
    with pytest.raises(bl.DataError, match=r"column 'x2' has a value that is not finite.*row 27 of chunk 1"):
        bl.Design.from_arrays(da.from_array(X, chunks=(50, 2)), y)
    X[77, 1] = 0.0
    with pytest.raises(bl.DataError, match="'y' is not two-valued"):
        bl.Design.from_arrays(da.from_array(X, chunks=(50, 2)), da.from_array(np.arange(100) % 3, chunks=50))
    lazy_X = da.from_array(X, chunks=(50, 2))
    with pytest.raises(bl.DataError, match="unknown lengths"):
        bl.Design.from_arrays(lazy_X[lazy_X[:, 1] > 3], y)
    with pytest.raises(bl.DataError, match=r"X has shape \(100, 2\) and y \(99,\)"):
        bl.Design.from_arrays(lazy_X, np.ones(99))


# --- processes ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slowly:
    """A coder that takes its time, so that a worker can die in the middle of a pass."""

    inner: Any

    def __call__(self, chunk: Any) -> Any:
        time.sleep(0.25)
        return self.inner(chunk)


@pytest.mark.prove
def test_two_processes_and_one_that_dies(lazy, streamed):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit="1GB") as cluster,
        Client(cluster) as client,
    ):
        assert same_bits(bl.fit(FORMULA, lazy), streamed)
        design = bl.Design.from_formula(FORMULA, lazy)
        slow = replace(design, source=replace(design.source, code=Slowly(design.source.code), kept=[]))
        first = _one_dies(client, 0.3, lambda: bl.fit(slow))
        assert same_bits(first, streamed)
        # Blocks that were kept coded are lost with the worker that held them, and coded again.
        assert same_bits(_one_dies(client, 0.0, lambda: bl.fit(slow)), streamed)


def _one_dies(client: Any, after: float, fit: Any) -> bl.Fit:
    before = set(client.run(os.getpid).values())
    killer = threading.Timer(after, lambda: os.kill(min(before), signal.SIGKILL))
    killer.start()
    found = fit()
    killer.join()
    client.wait_for_workers(2, timeout=60)
    assert min(before) not in client.run(os.getpid).values()
    return found
