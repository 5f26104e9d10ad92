"""Frames of any library: the same fit, and results that come back in the caller's own."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayeslogit as bl

FORMULA = "low ~ age + lwt + race"
# To a DuckDB relation the answer is a pyarrow table, which every connection reads by its name.
GIVES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "lazy": pl.DataFrame, "pyarrow": pa.Table, "duckdb": pa.Table}


@pytest.fixture(scope="module")
def births():
    return bl.datasets.load("lbw")


def given(library, frame, connection=duckdb):
    made = {
        "pandas": lambda: frame,
        "polars": lambda: pl.from_pandas(frame),
        "lazy": lambda: pl.from_pandas(frame).lazy(),
        "pyarrow": lambda: pa.Table.from_pandas(frame, preserve_index=False),
        "duckdb": lambda: connection.from_arrow(pa.Table.from_pandas(frame, preserve_index=False)),
    }
    return made[library]()


@pytest.mark.parametrize("library", list(GIVES))
def test_every_frame_comes_back_in_the_callers_library(births, library):
    data, reference = given(library, births), bl.fit(FORMULA, births)
    fit = bl.fit(FORMULA, data)
    np.testing.assert_array_equal(fit.params, reference.params)
    assert fit.fingerprint == reference.fingerprint
    draws, both = fit.sample("laplace", draws=20, rng=1), bl.compare({"a": fit, "b": reference})
    made = {
        "tidy": fit.tidy(),
        "glance": fit.glance(),
        "augment": fit.augment(),
        "augment new": fit.augment(data),
        "predict": fit.predict(),
        "predict new": fit.predict(data),
        "get_prediction": fit.get_prediction(data).summary_frame(),
        "draws.tidy": draws.tidy(),
        "draws.predict": draws.predict(data),
        "compare.tidy": both.tidy(),
        "compare.glance": both.glance(),
        "pseudo_rows": bl.pseudo_rows(fit.design, bl.Normal(1.0)),
    }
    assert {name: type(frame) for name, frame in made.items()} == dict.fromkeys(made, GIVES[library])
    np.testing.assert_array_equal(np.asarray(made["predict new"]["probability"]), reference.predict()["probability"])
    # A fit to pandas answers new rows of another library in that library.
    assert isinstance(reference.predict(data), GIVES[library])
    assert isinstance(reference.augment(data), GIVES[library])


@pytest.mark.parametrize("library", list(GIVES))
def test_columns_as_arrays_keep_their_names_and_library(births, library):
    X = given(library, births[["age", "lwt"]])
    fit = bl.fit(bl.Design.from_arrays(X, births["low"]))
    assert fit.columns == ("Intercept", "age", "lwt")
    np.testing.assert_array_equal(
        fit.params, bl.fit(bl.Design.from_arrays(births[["age", "lwt"]], births["low"])).params
    )
    turned = given(library, births[["lwt", "age"]])
    for frame in (fit.tidy(), fit.augment(), fit.predict(), fit.predict(turned), fit.augment(X)):
        assert isinstance(frame, GIVES[library])
    np.testing.assert_array_equal(np.asarray(fit.predict(turned)["lower"]), np.asarray(fit.predict()["lower"]))


def test_answers_to_duckdb_are_read_by_its_connections(births):
    with duckdb.connect() as connection:
        connection.register("births", births)
        answer = bl.fit(FORMULA, connection.sql("select * from births where age > 15")).tidy()  # noqa: F841 - read by its name below
        assert connection.sql("select term from answer where estimate = (select max(estimate) from answer)").fetchall()


def test_record_batches_are_frames_and_series_are_none(births):
    table = given("pyarrow", births)
    reference = bl.fit("low ~ age", births).params
    for data in (table.to_batches()[0], table.to_reader()):
        np.testing.assert_array_equal(bl.fit("low ~ age", data).params, reference)
    for wrong in (births["age"], pl.Series([1, 2]), [{"low": 1}], births.to_records(), births.groupby("race")):
        with pytest.raises(bl.DataError, match="is not a data frame; give pandas, polars, pyarrow"):
            bl.fit("low ~ age", wrong)


def test_levels_of_polars_do_not_depend_on_what_the_process_met_before(tmp_path):
    pl.Series(["third", "second", "first"], dtype=pl.Categorical)
    groups = ["first", "second", "third", "first", "third", "second"] * 4
    outcome = [0, 1, 1, 1, 0, 0] * 4

    def columns(dtype):
        frame = pl.DataFrame({"y": outcome, "g": pl.Series(groups, dtype=dtype)})
        return bl.fit("y ~ g", frame, prior=bl.Normal(1.0)).columns

    assert columns(pl.Categorical) == columns(pl.String) == ("Intercept", "g[T.second]", "g[T.third]")
    # An Enum has an order of its own, in Arrow too, where its codes are unsigned as well.
    order = pl.Enum(["third", "first", "second"])
    assert columns(order) == ("Intercept", "g[T.first]", "g[T.second]")
    arrow = pl.DataFrame({"y": outcome, "g": pl.Series(groups, dtype=order)}).to_arrow()
    assert bl.fit("y ~ g", arrow, prior=bl.Normal(1.0)).columns == columns(order)

    # Nor does it in the files and tables that polars writes; which outcome is the event is as with text.
    said = pl.Series(["yes" if value else "no" for value in [1, *outcome[1:]]], dtype=pl.Categorical)
    frame = pl.DataFrame({"y": said, "g": pl.Series(groups, dtype=pl.Categorical)})
    (tmp_path / "folder").mkdir()
    frame.write_parquet(tmp_path / "one.parquet")
    frame.write_ipc(tmp_path / "one.feather")
    frame.head(12).write_parquet(tmp_path / "folder" / "0.parquet")
    frame.tail(12).write_parquet(tmp_path / "folder" / "1.parquet")
    places = [tmp_path / name for name in ("one.parquet", "one.feather", "folder")]
    for source in (frame, frame.lazy(), frame.to_arrow(), frame.to_pandas().astype(str), *map(str, places)):
        fit = bl.fit("y ~ g", source, prior=bl.Normal(1.0))
        assert fit.columns == ("Intercept", "g[T.second]", "g[T.third]")
        assert fit.facts.event_in_words == "P(y = yes)"
