"""The bundled data sets: known facts about each, and the messages for a wrong name or library."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from bayeslogit import datasets
from bayeslogit.errors import ArgumentError

FOLDER = Path(datasets.__file__).parent


def test_wells_has_the_published_numbers():
    wells = datasets.load("wells")
    assert list(wells.columns) == ["switch", "arsenic", "dist", "dist100", "assoc", "educ", "educ4"]
    assert len(wells) == 3020
    assert wells["switch"].sum() == 1737
    assert wells["dist"].mean() == pytest.approx(48.33, abs=0.005)
    assert wells["arsenic"].min() == 0.51  # every well in the data is an unsafe one
    assert set(wells["switch"]) == set(wells["assoc"]) == {0, 1}
    # dist100 is the decimal number, so it may differ from the quotient by its last bit
    np.testing.assert_allclose(wells["dist100"], wells["dist"] / 100, rtol=4e-16)
    assert (wells["educ4"] == wells["educ"] / 4).all()


def test_pima_has_the_published_split():
    pima = datasets.load("pima")
    assert list(pima.columns) == ["npreg", "glu", "bp", "skin", "bmi", "ped", "age", "type", "set"]
    counts = pima.groupby(["set", "type"]).size().to_dict()
    assert counts == {("train", "No"): 132, ("train", "Yes"): 68, ("test", "No"): 223, ("test", "Yes"): 109}
    assert pima["age"].min() == 21


def test_lbw_has_the_published_numbers():
    lbw = datasets.load("lbw")
    assert list(lbw.columns) == ["low", "age", "lwt", "race", "smoke", "ptl", "ht", "ui", "ftv", "bwt"]
    assert len(lbw) == 189
    assert lbw["race"].value_counts().to_dict() == {"white": 96, "black": 26, "other": 67}
    assert lbw["low"].sum() == 59
    assert ((lbw["bwt"] < 2500) == (lbw["low"] == 1)).all()


def test_berkeley_has_the_published_totals():
    berkeley = datasets.load("berkeley")
    assert list(berkeley.columns) == ["department", "gender", "admitted", "applicants"]
    totals = berkeley.groupby("gender")[["admitted", "applicants"]].sum().T.to_dict()
    assert totals == {
        "female": {"admitted": 557, "applicants": 1835},
        "male": {"admitted": 1198, "applicants": 2691},
    }
    assert (berkeley["admitted"] <= berkeley["applicants"]).all()


@pytest.mark.parametrize("name", datasets.names())
def test_pandas_and_polars_hold_every_number_of_the_file(name):
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as text:
        header, *rows = list(csv.reader(text))
    frame, other = datasets.load(name), datasets.load(name, library="polars")
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(other, pl.DataFrame)
    assert list(frame.columns) == other.columns == header
    for index, column in enumerate(header):
        written = [row[index] for row in rows]
        if pd.api.types.is_numeric_dtype(frame[column]):
            assert frame[column].tolist() == other[column].to_list() == [float(cell) for cell in written]
        else:
            assert frame[column].tolist() == other[column].to_list() == written


@pytest.mark.parametrize("name", datasets.names())
def test_descriptions_name_rows_columns_and_source(name):
    text = datasets.describe(name)
    frame = datasets.load(name)
    assert "\n" not in text
    assert f"{len(frame):,} rows" in text
    assert "Source: " in text
    assert [column for column in frame.columns if f"{column} (" not in text] == []


def test_the_readme_gives_provenance_for_each_file():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0].strip(): part for part in text.split("\n## ")[1:]}
    assert {f"{name}.csv" for name in datasets.names()} == {path.name for path in FOLDER.glob("*.csv")}
    for name in datasets.names():
        section = sections[f"{name}.csv"]
        for row in ("Contents", "Source", "Obtained through", "Changed", "Columns"):
            assert f"| {row} |" in section
        assert [column for column in datasets.load(name).columns if f"`{column}`" not in section] == []


def test_loading_twice_gives_independent_frames():
    first = datasets.load("berkeley")
    first["admitted"] = 0
    assert datasets.load("berkeley")["admitted"].sum() == 1755


@pytest.mark.parametrize("call", [datasets.load, datasets.describe])
@pytest.mark.parametrize("name", ["well", "../pyproject", ""])
def test_an_unknown_name_lists_the_known_ones(call, name):
    with pytest.raises(ArgumentError) as caught:
        call(name)
    assert str(caught.value) == (f"datasets: no data set is called {name!r}; choose one of berkeley, lbw, pima, wells")


def test_an_unknown_library_names_the_choice():
    with pytest.raises(ArgumentError, match=r"library='dask' is not known; choose 'pandas' or 'polars'"):
        datasets.load("wells", library="dask")


def test_missing_polars_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ArgumentError, match=r"pip install 'bayeslogit\[polars\]'"):
        datasets.load("wells", library="polars")
