"""Every kind of file gives the same fit; every kind of broken file gives one line, the right code and nothing else."""

from __future__ import annotations

import gzip
import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

import bayeslogit as bl
from bayeslogit.cli import run

FORMULA = "low ~ age + lwt + smoke + race"


@pytest.fixture(scope="module")
def births():
    frame = bl.datasets.load("lbw")[["low", "age", "lwt", "smoke", "race"]]
    return frame.assign(race=frame["race"].astype(str))


def write_duckdb(frame, path):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.register("given", frame)
        connection.execute("CREATE TABLE births AS SELECT * FROM given")


def statistical(writer, suffix):
    def write(frame, path):
        pyreadstat = pytest.importorskip("pyreadstat")
        options = {"file_format_version": 5} if suffix == "xpt" else {}
        getattr(pyreadstat, writer)(frame, str(path), **options)

    return write


def write_excel(frame, path):
    pytest.importorskip("openpyxl")
    frame.to_excel(path, index=False)


WRITERS = {
    "d.csv": lambda frame, path: frame.to_csv(path, index=False),
    "d.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "d.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "d.tsv.gz": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "d.parquet": lambda frame, path: frame.to_parquet(path, index=False),
    "d.feather": lambda frame, path: pyarrow.feather.write_feather(pa.Table.from_pandas(frame), str(path)),
    "d.arrow": lambda frame, path: pyarrow.feather.write_feather(pa.Table.from_pandas(frame), str(path)),
    "d.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "d.ndjson": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "d.xlsx": write_excel,
    "d.dta": statistical("write_dta", "dta"),
    "d.sav": statistical("write_sav", "sav"),
    "d.xpt": statistical("write_xport", "xpt"),
    "d.duckdb": write_duckdb,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_coefficients(name, births, tmp_path, capsys):
    path = tmp_path / name
    WRITERS[name](births, path)
    query = ["--query", "SELECT * FROM births"] if name.endswith("duckdb") else []
    assert run(["fit", str(path), "--formula", FORMULA, "--json", *query]) == 0
    out, err = capsys.readouterr()
    found = {row["term"]: row["estimate"] for row in json.loads(out)["coefficients"]}
    expected = bl.fit(FORMULA, births).params
    assert err == "" and list(found) == list(expected.index)
    np.testing.assert_allclose(list(found.values()), expected.to_numpy(), rtol=1e-12, atol=0.0)


# --- queries -----------------------------------------------------------------------------------------------------


def test_a_query_is_asked_of_any_file_and_of_a_database(births, tmp_path, capsys):
    pytest.importorskip("duckdb")
    older = births[births["age"] > 20]
    expected = bl.fit("low ~ age + lwt2", older.assign(lwt2=older["lwt"] / 2)).params.tolist()
    sql = "SELECT low, age, lwt / 2 AS lwt2 FROM {} WHERE age > 20"
    for name, table in (("d.parquet", "data"), ("d.csv", "data"), ("d.duckdb", "births")):
        WRITERS[name](births, tmp_path / name)
        asked = ["fit", str(tmp_path / name), "--query", sql.format(table), "--formula", "low ~ age + lwt2", "--json"]
        assert run(asked) == 0
        found = json.loads(capsys.readouterr().out)
        np.testing.assert_allclose([row["estimate"] for row in found["coefficients"]], expected, rtol=1e-10)
        assert found["source"] == f"{name} (query)" and found["n_rows"] == len(older)
        frame = bl.read_sql(sql.format(table), tmp_path / name)
        assert list(frame) == ["low", "age", "lwt2"] and len(frame) == len(older)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM nowhere", "the query has no answer"),
        ("SELEC 1", "the query has no answer"),
        ("SELECT nope FROM data", "the query has no answer"),
        ("SELECT * FROM data WHERE age > 1000", "the query gives no rows"),
        ("SELECT age, age FROM data", "names the column(s) 'age' twice"),
        ("SELECT 1; SELECT 2", "a query is one SELECT"),
        ("", "a query is one SELECT"),
        ("CREATE TABLE a AS SELECT 1", "a query is one SELECT"),
        ("COPY data TO 'out.csv'", "a query is one SELECT"),
        ("SELECT * FROM read_csv('other.csv')", "the query has no answer"),
        ("SELECT * FROM births", "the query has no answer"),
    ],
)
def test_a_query_without_an_answer_is_one_line_and_reads_nothing_else(
    sql, words, births, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    births.to_csv("d.csv", index=False)
    births.to_csv("other.csv", index=False)
    assert run(["fit", "d.csv", "--query", sql, "--formula", FORMULA]) == 3
    out, err = capsys.readouterr()
    assert words in err and out == "" and len(err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.csv", "other.csv"]


def test_a_database_is_only_read(births, tmp_path, capsys):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "d.duckdb"
    write_duckdb(births, path)
    before = path.read_bytes()
    assert run(["fit", str(path), "--query", "SELECT * FROM births", "--formula", FORMULA]) == 0
    assert run(["fit", str(path), "--query", "DROP TABLE births", "--formula", FORMULA]) == 3
    assert run(["fit", str(path), "--formula", FORMULA]) == 3
    assert "--query" in capsys.readouterr().err
    assert path.read_bytes() == before
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM births").fetchone() == (189,)


# --- broken files ------------------------------------------------------------------------------------------------


def text(content):
    def write(path):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def rows(n=40, cells="{y},{x}"):
    return "\n".join(cells.format(y=k % 2, x=(7 * k) % 11) for k in range(n)) + "\n"


def table(frame, suffix):
    return lambda path: WRITERS[f"d.{suffix}"](frame, path)


def repeated_parquet(path):
    pa.parquet.write_table(pa.table([[1, 0], [2, 3], [4, 5]], names=["y", "x", "x"]), path)


def cut(name):
    """A good file of its kind, of which the end is missing."""

    def write(path):
        WRITERS[name](pd.DataFrame({"y": [0, 1] * 200, "x": np.arange(400.0)}), path)
        raw = path.read_bytes()
        path.write_bytes(raw[: len(raw) // 2])

    return write


def two_sheets(path):
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(path) as book:
        for name in ("one", "two"):
            pd.DataFrame({"y": [0, 1], "x": [1, 2]}).to_excel(book, sheet_name=name, index=False)


def an_error_cell(path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for cells in (("y", "x"), (0, 1), (1, "#DIV/0!")):
        book.active.append(cells)
    book.save(path)


def a_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("d.csv", "y,x\n0,1\n")


FRAME = pd.DataFrame({"y": [0, 1, 1, 0] * 5, "x": np.arange(20.0)})

# name of the file, what writes it, words of the one line
BROKEN = {
    "missing": ("d.csv", None, "there is no such file"),
    "folder": ("d.csv", lambda path: path.mkdir(), "there is no file of kind .parquet, .csv"),
    "empty": ("d.csv", text(""), "the file is empty"),
    "blank": ("d.csv", text("\n\n  \n"), "the file is empty"),
    "header only": ("d.csv", text("y,x\n"), "there are no rows"),
    "unknown kind": ("d.doc", text("y,x\n0,1\n"), "files of kind '.doc' are not read"),
    "no suffix": ("d", text("y,x\n0,1\n"), "without suffix"),
    "ragged": ("d.csv", text("y,x\n0,1\n1,2,3\n0,2\n"), "line 3 has 3 values, the header names 2 columns"),
    "short row": ("d.csv", text("y,x\n0,1\n1\n"), "line 3 has 1 values"),
    "repeated name": ("d.csv", text("y,x,x\n0,1,2\n"), "'x' occur more than once"),
    "not UTF-8": ("d.csv", text(b"y,x\n0,1\n1,\xff\n"), "line 3 is not UTF-8"),
    "UTF-16": ("d.csv", text(("y,x\n" + rows()).encode("utf-16")), "not UTF-8"),
    "NUL bytes": ("d.csv", text(b"y,x\n0,\x00\n"), "NUL bytes"),
    "an open quote": ("d.csv", text('y,x\n0,"1\n' + rows()), "the quote that opens in line 2 is never closed"),
    "semicolons": ("d.csv", text("y;x\n0;1\n1;2\n"), "separated by ';'"),
    "no gzip": ("d.csv.gz", text("y,x\n0,1\n"), "not a readable gzip file"),
    "cut gzip": ("d.csv.gz", lambda path: path.write_bytes(gzip.compress(rows(400).encode())[:60]), "gzip"),
    "cut parquet": ("d.parquet", cut("d.parquet"), "not a readable Parquet file"),
    "CSV called parquet": ("d.parquet", text("y,x\n" + rows()), "not a readable Parquet file"),
    "repeated in parquet": ("d.parquet", repeated_parquet, "'x' occur more than once"),
    "cut feather": ("d.feather", cut("d.feather"), "not a readable Arrow file"),
    "broken JSON": ("d.jsonl", text('{"y": 0, "x": 1}\n{"y": 1, "x": \n'), "line 2 is not JSON"),
    "nested JSON": ("d.jsonl", text('{"y": 0, "x": [1]}\n'), "line 1 is not an object of plain values"),
    "uneven JSON": ("d.jsonl", text('{"y": 0, "x": 1}\n{"y": 1}\n'), "line 2 and the first one differ"),
    "a zip called xlsx": ("d.xlsx", a_zip, "not a readable Excel file"),
    "two sheets": ("d.xlsx", two_sheets, "there are the sheets 'one', 'two'"),
    "an error in a cell": ("d.xlsx", an_error_cell, "cell B3 of sheet 'Sheet' is the error #DIV/0!"),
    "cut Stata": ("d.dta", cut("d.dta"), "not a readable Stata file"),
    "cut SPSS": ("d.sav", text(b"$FL2@(#) SPSS DATA FILE" + b"\x00" * 40), "not a readable SPSS file"),
    "no SAS": ("d.sas7bdat", text(b"\x00" * 64), "not a readable SAS file"),
    "no column": ("d.csv", text("y,z\n" + rows()), "no column 'x'"),
    "text for numbers": (
        "d.csv",
        text("y,x\n" + rows() + "1,abc\n"),
        "40 of the 41 values of x are numbers, but row 40",
    ),
    "missing values": ("d.csv", text("y,x\n" + rows() + "1,\n,3\n"), "missing values in"),
    "three outcomes": ("d.csv", text("y,x\n" + rows() + "2,3\n"), "y"),
    "a mark for missing": ("d.csv", text("y,x\n" + rows() + "1,?\n1,?\n"), "leave the cell empty if it is missing"),
    "infinite": ("d.csv", text("y,x\n" + rows() + "1,inf\n"), "x"),
    "no database": ("d.duckdb", text("y,x\n0,1\n"), "--query"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_one_line_code_3_and_nothing_written(kind, tmp_path, monkeypatch, capsys):
    name, write, words = BROKEN[kind]
    if name.endswith((".dta", ".sav", ".sas7bdat")):
        pytest.importorskip("pyreadstat")
    if name.endswith(".xlsx"):
        pytest.importorskip("openpyxl")
    monkeypatch.chdir(tmp_path)
    if write is not None:
        write(tmp_path / name)
    before = sorted(path.name for path in tmp_path.iterdir())
    assert run(["fit", name, "--formula", "y ~ x", "--out", "m.json"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1 and err.startswith("bayeslogit: ") and words in err, err
    assert str(tmp_path) not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_there_are_at_least_twenty_five_kinds():
    assert len(BROKEN) >= 25


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch, capsys):
    path = tmp_path / "d.csv"
    path.write_text("y,x\n" + rows())

    def denied(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", denied)
    assert run(["fit", str(path), "--formula", "y ~ x"]) == 3
    assert capsys.readouterr().err == "bayeslogit: d.csv: cannot be read (Permission denied).\n"
