"""Files of every kind: the same table comes back, labels become labels, and what is wrong is named with its place."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

import bayeslogit as bl
from bayeslogit.data import read_frame
from bayeslogit.errors import DataError

DATA = {"y": [0, 1, 1, 0], "x": [0.5, -1.25, 3.0, 2.0], "g": ["a", "b", "ü", "a"]}


def lines(rows):
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def as_rows():
    return [dict(zip(DATA, values, strict=True)) for values in zip(*DATA.values(), strict=True)]


def test_feather_and_arrow(tmp_path):
    for suffix in ("feather", "arrow"):
        path = tmp_path / f"d.{suffix}"
        pyarrow.feather.write_feather(pa.table(DATA), str(path))
        frame, provenance = read_frame(path)
        assert frame.to_dict("list") == DATA
        assert provenance.source == f"d.{suffix}" and provenance.labels == {}


def test_json_lines(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text("\ufeff" + lines(as_rows()) + "\n", encoding="utf-8")
    assert read_frame(path)[0].to_dict("list") == DATA


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"y": 1}\n{"y": 1, "z": 2}\n', "line 2 and the first one differ in the name\\(s\\) 'z'"),
        (b'{"y": 1}\n{"y": \n', "line 2 is not JSON"),
        (b'{"y": 1}\n[1, 2]\n', "line 2 is not an object of plain values"),
        (b'{"y": {"z": 1}}\n', "line 1 is not an object of plain values"),
        (b'{"y": 1, "y": 2}\n', "line 1 is not JSON .the name\\(s\\) 'y' occur more than once"),
        (b'{"y": "\xff"}\n', "line 1 is not UTF-8"),
    ],
)
def test_json_lines_that_cannot_be_read(content, words, tmp_path):
    path = tmp_path / "d.ndjson"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_frame(path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("d.parquet", "Parquet"),
        ("d.feather", "Arrow"),
        ("d.xlsx", "Excel"),
        ("d.dta", "Stata"),
        ("d.sav", "SPSS"),
        ("d.sas7bdat", "SAS"),
        ("d.xpt", "SAS transport"),
    ],
)
def test_bytes_that_are_no_file_of_their_kind(name, kind, tmp_path):
    for library in {"Excel": ["openpyxl"], "Parquet": [], "Arrow": []}.get(kind, ["pyreadstat"]):
        pytest.importorskip(library)
    path = tmp_path / name
    path.write_bytes(b"y,x\n1,2\n" * 40)
    with pytest.raises(DataError, match=f"{name}: not a readable {kind} file"):
        read_frame(path)


def test_excel(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "d.xlsx"
    pd.DataFrame(DATA).to_excel(path, index=False)
    frame, _ = read_frame(path)
    assert frame.to_dict("list") == DATA
    assert frame["x"].dtype == np.float64 and frame["y"].dtype.kind == "i"


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([["y", "x"], [1, "#DIV/0!"]], "cell B2 of sheet 'Sheet1' is the error #DIV/0!"),
        ([["y", None], [1, 2]], "the first row has no name in column 2"),
        ([["y", "y"], [1, 2]], r"column name\(s\) 'y' occur more than once"),
        ([["y", "x"]], "there are no rows"),
    ],
)
def test_excel_sheets_that_cannot_be_read(cells, words, tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "d.xlsx"
    pd.DataFrame(cells).to_excel(path, index=False, header=False)
    with pytest.raises(DataError, match=words):
        read_frame(path)


def test_excel_with_several_sheets_is_not_guessed(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "d.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame(DATA).to_excel(book, sheet_name="first", index=False)
        pd.DataFrame(DATA).to_excel(book, sheet_name="second", index=False)
    with pytest.raises(DataError, match="there are the sheets 'first', 'second'"):
        read_frame(path)


@pytest.mark.parametrize("kind", ["dta", "sav"])
def test_value_labels_become_values_and_column_labels_are_kept(kind, tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    path = tmp_path / f"d.{kind}"
    frame = pd.DataFrame({"y": [0, 1, 1, 0], "g": [1, 2, 3, 1], "x": [0.5, -1.25, 3.0, 2.0]})
    write = {"dta": pyreadstat.write_dta, "sav": pyreadstat.write_sav}[kind]
    write(
        frame,
        str(path),
        column_labels=["Outcome", "Site", "Dose (mg)"],
        variable_value_labels={"g": {1: "north", 2: "south", 3: "east"}},
    )
    read, provenance = read_frame(path)
    assert read["g"].tolist() == ["north", "south", "east", "north"]
    assert list(read["g"].cat.categories) == ["north", "south", "east"]  # the order of the codes
    assert read["x"].tolist() == [0.5, -1.25, 3.0, 2.0]
    assert provenance.labels == {"y": "Outcome", "g": "Site", "x": "Dose (mg)"}
    fit = bl.fit("y ~ g + x", path, prior=bl.Normal(1))
    assert fit.params.index.tolist() == ["Intercept", "g[T.south]", "g[T.east]", "x"]


def test_partly_labelled_values_are_neither_number_nor_factor(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    path = tmp_path / "d.dta"
    frame = pd.DataFrame({"y": [0, 1, 1], "g": [1, 2, 3]})
    pyreadstat.write_dta(frame, str(path), variable_value_labels={"g": {1: "north", 2: "south"}})
    with pytest.raises(DataError, match="in column 'g' some values have labels and 3"):
        read_frame(path)
    twice = {"g": {1: "north", 2: "north", 3: "east"}}
    pyreadstat.write_dta(frame, str(path), variable_value_labels=twice)
    with pytest.raises(DataError, match="two codes have the label 'north'"):
        read_frame(path)


def test_labels_of_codes_that_do_not_occur_leave_numbers(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    path = tmp_path / "d.dta"
    frame = pd.DataFrame({"y": [0, 1, 1], "age": [31, 42, 53]})
    pyreadstat.write_dta(frame, str(path), variable_value_labels={"age": {99: "not asked"}})
    assert read_frame(path)[0]["age"].tolist() == [31, 42, 53]


def test_sas_transport(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    path = tmp_path / "d.xpt"
    pyreadstat.write_xport(pd.DataFrame({"y": [0.0, 1.0], "x": [0.5, 2.0]}), str(path), table_name="T")
    assert read_frame(path)[0].to_dict("list") == {"y": [0.0, 1.0], "x": [0.5, 2.0]}


def test_duckdb_relations_and_queries():
    duckdb = pytest.importorskip("duckdb")
    wells = bl.datasets.load("wells")
    relation = duckdb.sql("select switch, arsenic, dist100 from wells where arsenic > 1")
    fit = bl.fit("switch ~ arsenic + dist100", relation, prior=bl.Normal(1))
    same = bl.fit("switch ~ arsenic + dist100", wells[wells.arsenic > 1], prior=bl.Normal(1))
    np.testing.assert_allclose(fit.params, same.params, rtol=1e-10)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    import builtins

    path = tmp_path / "d.dta"
    path.write_bytes(b"anything")
    real = builtins.__import__

    def without(name, *rest):
        if name == "pyreadstat":
            raise ModuleNotFoundError("No module named 'pyreadstat'", name="pyreadstat")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"read with the package pyreadstat, which is not installed: pip install"):
        read_frame(path)


def test_the_bytes_of_a_frame_written_twice_hash_alike(tmp_path):
    first, second = io.BytesIO(), io.BytesIO()
    for target in (first, second):
        pyarrow.feather.write_feather(pa.table(DATA), target)
    (tmp_path / "a.feather").write_bytes(first.getvalue())
    (tmp_path / "b.feather").write_bytes(second.getvalue())
    assert read_frame(tmp_path / "a.feather")[1].sha256 == read_frame(tmp_path / "b.feather")[1].sha256
