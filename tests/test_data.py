"""Readers: files and frames of every library, their provenance, and what is wrong with those that cannot be read."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bayeslogit.data import SUFFIXES, Provenance, column_values, one_person, read_frame, rows_of_frame, to_pandas
from bayeslogit.design import Design
from bayeslogit.errors import DataError

DATA = {"y": [0, 1, 1], "x": [0.5, -1.25, 3.0], "g": ["a", "b", "ü"]}
TEXT = "y,x,g\n0,0.5,a\n1,-1.25,b\n1,3.0,ü\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.csv", TEXT.encode()),
        ("D.CSV", TEXT.encode()),
        ("bom.csv", b"\xef\xbb\xbf" + TEXT.encode()),
        ("crlf.csv", TEXT.replace("\n", "\r\n").encode()),
        ("blank.csv", (TEXT + "\n\n").encode()),
        ("quoted.csv", TEXT.replace("a\n", '"a"\n').encode()),
        ("d.tsv", TEXT.replace(",", "\t").encode()),
        ("d.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("d.v2.tsv.gz", gzip.compress(TEXT.replace(",", "\t").encode(), mtime=0)),
    ],
)
def test_text_files(name, content, write):
    path = write(content, name)
    for source in (path, str(path)):
        frame, provenance = read_frame(source)
        assert frame.to_dict("list") == DATA
        digest = hashlib.sha256(content).hexdigest()
        assert provenance == Provenance("file", name, "pandas", 3, ("y", "x", "g"), digest)


def test_parquet(tmp_path):
    path = tmp_path / "d.parquet"
    pl.DataFrame(DATA).write_parquet(path)
    frame, provenance = read_frame(path)
    assert frame.to_dict("list") == DATA
    assert (provenance.kind, provenance.source, provenance.n_rows) == ("file", "d.parquet", 3)
    assert provenance.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_numbers_are_read_to_the_last_digit(write):
    rng = np.random.default_rng(2)
    values = rng.normal(size=3000) * 10.0 ** rng.integers(-30, 30, 3000)
    frame, _ = read_frame(write("x\n" + "\n".join(map(repr, values.tolist())) + "\n"))
    np.testing.assert_array_equal(frame["x"], values)


def test_quoted_line_breaks_and_odd_separators_inside_values(write):
    frame, _ = read_frame(write('x,g\n1,"two\nlines"\n2,"a,b"\n3,a\u2028b\x0bc\x1cd\n'))
    assert frame["g"].tolist() == ["two\nlines", "a,b", "a\u2028b\x0bc\x1cd"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("d.csv", b"", "d.csv: the file is empty"),
        ("d.csv", b"\n \n", "d.csv: the file is empty"),
        ("d.csv", b"y,x\n", "there is a header, but there are no rows"),
        ("d.csv", b"y,x,y\n1,2,3\n", r"the column name\(s\) 'y' occur more than once"),
        ("d.csv", b"y,x\n1,2\n1,2,3\n", "line 3 has 3 values, the header names 2 columns"),
        ("d.csv", b"y,x\n1,2\n1\n", "line 3 has 1 values, the header names 2 columns"),
        ("d.csv", b'y,x\n1,"2\n3"\n1\n', "line 4 has 1 values"),
        ("d.csv", b"y,x\n1,2\n1,\xff\n", "line 3 is not UTF-8; save the file as UTF-8"),
        ("d.csv", "y,x\n1,2\n".encode("utf-16"), "line 1 is not UTF-8"),
        ("d.csv", b"y,x\n1,\x00\n", "holds NUL bytes; it is not a text table"),
        ("d.csv.gz", b"y,x\n1,2\n", "not a readable gzip file"),
        ("d.csv.gz", gzip.compress(b"y,x\n1,2\n", mtime=0)[:-6], "not a readable gzip file"),
        ("d.parquet", b"y,x\n1,2\n", "d.parquet: not a readable Parquet file"),
        ("d.xls", b"PK", "files of kind '.xls' are not read; use .csv, .tsv, .csv.gz, .tsv.gz, .parquet"),
        ("data", b"y", "files of kind 'without suffix' are not read"),
    ],
)
def test_files_that_cannot_be_read(name, content, words, write):
    with pytest.raises(DataError, match=words):
        read_frame(write(content, name))


def test_no_file_and_no_permission(tmp_path, write):
    with pytest.raises(DataError, match=r"nowhere.csv: there is no such file"):
        read_frame(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="is a folder, not a file"):
        read_frame(tmp_path)
    with pytest.raises(DataError, match=r"cannot be read|no such file"):
        read_frame("a" * 5000 + ".csv")
    if sys.platform != "win32" and os.geteuid() != 0:
        path = write(TEXT)
        path.chmod(0)
        with pytest.raises(DataError, match=r"cannot be read .Permission denied"):
            read_frame(path)


def test_messages_and_provenance_hold_no_folder(tmp_path, write):
    path = write(TEXT)
    assert str(tmp_path) not in repr(read_frame(path)[1])
    for bad in (write(b"", "empty.csv"), tmp_path / "gone.csv"):
        with pytest.raises(DataError) as caught:
            read_frame(bad)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames_stay_in_their_library(library):
    source = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[library](DATA)
    frame, provenance = read_frame(source)
    assert frame is source
    assert dataclasses.replace(provenance, sha256=None) == Provenance(
        "frame", "frame", library, 3, ("y", "x", "g"), None
    )
    assert to_pandas(frame).to_dict("list") == DATA
    assert column_values(frame, "x").tolist() == DATA["x"]
    kept = rows_of_frame(frame, np.array([True, False, True]))
    assert type(kept) is type(source)
    assert to_pandas(kept)["x"].tolist() == [0.5, 3.0]
    assert rows_of_frame(frame, None) is frame


def test_lazy_frames_are_collected_and_dicts_become_pandas():
    frame, provenance = read_frame(pl.DataFrame(DATA).lazy())
    assert isinstance(frame, pl.DataFrame) and provenance.library == "polars"
    frame, provenance = read_frame(DATA)
    assert isinstance(frame, pd.DataFrame)
    assert (provenance.kind, provenance.source, provenance.library) == ("dict", "dict", "pandas")


def test_equal_data_have_equal_hashes_in_every_library():
    sources = [DATA, pd.DataFrame(DATA), pl.DataFrame(DATA), pl.DataFrame(DATA).lazy(), pa.table(DATA)]
    sources += [pd.DataFrame(DATA, index=[5, 6, 7]), pd.DataFrame(DATA).convert_dtypes()]
    assert len({read_frame(source)[1].sha256 for source in sources}) == 1
    holed = {"x": [1.0, None], "g": ["a", None]}
    assert len({read_frame(make(holed))[1].sha256 for make in (pd.DataFrame, pl.DataFrame, pa.table)}) == 1


@pytest.mark.parametrize(
    "other",
    [
        {**DATA, "y": [0, 1, 0]},
        {**DATA, "g": ["a", "b", "u"]},
        {"y": DATA["y"], "x2": DATA["x"], "g": DATA["g"]},
        {"x": DATA["x"], "y": DATA["y"], "g": DATA["g"]},
        {**DATA, "g": ["a", "bü", ""]},
        {**DATA, "g": ["a", "b", None]},
        {**DATA, "g": ["a", "b", "None"]},
    ],
)
def test_other_data_have_other_hashes(other):
    assert read_frame(other)[1].sha256 != read_frame(DATA)[1].sha256


@pytest.mark.parametrize("source", [None, 3, np.ones((2, 2)), [1, 2], [{"y": 1}], pd.Series([1.0]), object()])
def test_what_is_no_frame(source):
    with pytest.raises(
        DataError, match="is not a data frame; give pandas, polars, pyarrow, a dict of columns or a file"
    ):
        read_frame(source)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({}, "there are no rows"),
        (pd.DataFrame({"y": []}), "there are no rows"),
        (pl.DataFrame({"y": []}), "there are no rows"),
        ({"y": [1, 2], "x": [1]}, "the dict is not a table of equally long columns"),
        ({"y": 1}, "the dict is not a table of equally long columns"),
        ({"y": np.ones((2, 2))}, "the dict is not a table of equally long columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' occur"),
        (pa.table([[1], [2]], names=["a", "a"]), "occur"),
    ],
)
def test_frames_that_cannot_be_right(source, words):
    with pytest.raises(DataError, match=words):
        read_frame(source)


def test_a_dict_of_series_goes_by_position_not_by_index():
    frame, _ = read_frame({"a": pd.Series([1, 2], index=[5, 6]), "b": [3, 4], "c": pl.Series([5, 6])})
    assert frame.to_dict("list") == {"a": [1, 2], "b": [3, 4], "c": [5, 6]}


def test_one_person():
    assert to_pandas(one_person({"x": 1.0, "g": "a"})).to_dict("list") == {"x": [1.0], "g": ["a"]}
    assert to_pandas(one_person({"x": [1, 2], "g": "a"})).to_dict("list") == {"x": [1, 2], "g": ["a", "a"]}
    frame = pd.DataFrame(DATA)
    assert one_person(frame) is frame
    with pytest.raises(DataError, match="columns of different lengths"):
        one_person({"x": [1, 2], "z": [1, 2, 3]})


def test_a_column_that_is_not_there():
    with pytest.raises(DataError, match="there is no column 'q'; there are 'y', 'x', 'g'"):
        column_values(DATA_FRAME, "q")


DATA_FRAME = pd.DataFrame(DATA)


def test_the_suffixes_are_those_of_the_message():
    assert SUFFIXES[:5] == (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
    assert {".feather", ".jsonl", ".xlsx", ".dta", ".sav", ".sas7bdat", ".xpt"} < set(SUFFIXES)


@pytest.mark.parametrize(("mark", "suffix"), [(";", "csv"), ("\t", "csv"), (",", "tsv")])
def test_another_separator_is_named(mark, suffix, write):
    path = write(f"y{mark}x\n0{mark}1\n1{mark}2\n", f"d.{suffix}")
    with pytest.raises(DataError, match=f"seem to be separated by {mark!r}".replace("\\", r"\\")):
        Design.from_formula("y ~ x", path)
    with pytest.raises(DataError, match=r"line 2 has 3 values.*seem to be separated by ';'"):
        read_frame(write("y;x\n0,5;1,5\n"))


def test_words_that_a_file_reads_as_missing_are_named(write):
    path = write("y,x,g\n0,1,NA\n1,2,DE\n0,3,FR\n1,4,DE\n0,2,FR\n")
    words = "In a text file the words NA, None, null and nan mean missing.*keep_default_na=False.*a level of g"
    with pytest.raises(DataError, match=words):
        Design.from_formula("y ~ x + g", path)
    design = Design.from_formula("y ~ x + g", path, missing="drop")
    assert "words NA, None" in design.notes[0]
    holed = write("y,x\n0,1\n1,\n0,3\n")
    with pytest.raises(DataError, match=r"missing values in x \(1 row\)") as caught:
        Design.from_formula("y ~ x", holed)
    assert "words" not in str(caught.value)
