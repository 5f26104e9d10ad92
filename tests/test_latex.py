"""LaTeX and data renderings: every name stays text, documents compile, JSON and CSV hold the raw values."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit._report import document
from bayeslogit.errors import ArgumentError
from bayeslogit.render.data import to_csv, to_json
from bayeslogit.render.latex import escape, to_latex
from bayeslogit.reporting.tables import shortened
from bayeslogit.table import Column, Table

NASTY = "\\input{/etc/passwd} $x^2$ 100% a_b {c} #1 ~ & <script> \u2212 \u221e \u4e2d \u00e9 -- [x] \"q\" 'q' `q` |"


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(4)
    frame = {"y": rng.integers(0, 2, 200), NASTY: rng.normal(size=200), "z": rng.normal(size=200)}
    design = bl.Design.from_arrays(np.column_stack([frame[NASTY], frame["z"]]), frame["y"], names=[NASTY, "z"])
    return bl.fit(design, prior=bl.Normal(1))


def test_escaped_text_holds_no_command_of_its_own():
    escaped = escape(NASTY)
    known = r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textquotedbl|textquotesingle"
    known += r"|textasciigrave|ensuremath|infty|textemdash|textendash|phantom|[{}$&#%_])"
    assert not re.search(r"\\", re.sub(known, "", escaped))
    assert "--" not in escaped
    assert escape("plain words, 1.5") == "plain words, 1.5"


def test_a_table_keeps_every_cell():
    table = Table("t", "T", (Column("a", "a"), Column("b", "b", "number")), (("x_1", -1.5), ("y", None)), notes=("n",))
    text = to_latex(table)
    assert r"x\_1 & \ensuremath{-}1.5 \\" in text
    assert r"y & \textemdash{} \\" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert r"\item n" in text


def test_long_tables_break_over_pages():
    rows = tuple((f"x{i}", float(i)) for i in range(60))
    text = to_latex(Table("t", "T", (Column("a", "a"), Column("b", "b", "number")), rows))
    assert r"\begin{longtable}" in text and r"\endhead" in text
    assert all(f"x{i} & " in text for i in range(60))


def test_every_section_has_its_id_in_every_format(fit, tmp_path):
    made = document(fit, effort="quick")
    latex, record = to_latex(made), json.loads(to_json(made))
    assert record["schema_version"] == 1
    ids = [section.id for section in made.sections]
    assert [section["id"] for section in record["sections"]] == ids
    assert all(f"\\label{{{each}}}" in latex for each in ids)


def test_json_has_the_raw_numbers(fit):
    table = fit.summary()
    record = json.loads(to_json(table))
    assert [row["term"] for row in record["rows"]] == ["Intercept", NASTY, "z"]
    np.testing.assert_array_equal([row["estimate"] for row in record["rows"]], fit.params)
    odd = Table("t", "T", (Column("b", "b", "number"),), ((np.nan,), (np.inf,), (np.float64(1) / 3,)))
    assert [row["b"] for row in json.loads(to_json(odd))["rows"]] == [None, None, 1 / 3]


def test_csv_has_the_raw_numbers_and_no_formula(fit):
    rows = list(csv.DictReader(io.StringIO(to_csv(fit.summary()))))
    assert [row["term"] for row in rows] == ["Intercept", NASTY, "z"]
    np.testing.assert_array_equal([float(row["estimate"]) for row in rows], fit.params)
    odd = Table("t", "T", (Column("a", "a"), Column("b", "b", "number")), (("=cmd()", -1.0), ("-x", None)))
    assert to_csv(odd) == "a,b\n'=cmd(),-1.0\n'-x,\n"


def test_reports_are_written_by_suffix(fit, tmp_path):
    made = document(fit, effort="quick")
    path = bl.report(fit, tmp_path / "r.json", effort="quick")
    assert path.read_text(encoding="utf-8") == to_json(made)
    path = bl.report(fit, tmp_path / "r.tex", effort="quick")
    assert path.read_text(encoding="utf-8") == to_latex(shortened(made, (), "r", pictures=False).document)
    with pytest.raises(ArgumentError, match=r"must be one of \.html, \.md, \.tex, \.json"):
        bl.report(fit, tmp_path / "r.docx")


def test_long_names_in_tables_may_break():
    name = "department[T.F]:a_very_long_name_of_a_factor[T.with_a_long_level]"
    text = to_latex(Table("t", "T", (Column("a", "a"), Column("b", "b", "number")), ((name, 1.0),)))
    longest = max(len(piece) for piece in re.split(r"\\allowbreak\{\}", text.split(r"\midrule")[1].split(" & ")[0]))
    assert longest < 30
    plain = text.replace(r"\allowbreak{}", "")
    assert escape(name) in plain


def test_quotation_marks_are_set():
    assert escape("\u201cx\u201d \u2018y\u2019 \u2026") == (
        r"\textquotedblleft{}x\textquotedblright{} \textquoteleft{}y\textquoteright{} \textellipsis{}"
    )


@pytest.mark.prove
@pytest.mark.parametrize("which", ["names", "pima", "wide", "berkeley"])
def test_a_report_compiles(fit, which, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.fail("make prove needs pdflatex (Debian: texlive-latex-recommended)")
    if which == "pima":
        fit = bl.fit("type ~ npreg + glu + bp + skin + bmi + ped + age", bl.datasets.load("pima"))
    elif which == "wide":
        X = np.random.default_rng(2).standard_normal((100, 1000))
        fit = bl.fit(bl.Design.from_arrays(X, (X[:, 0] > 0).astype(float)), prior=bl.Normal(0.2))
    elif which == "berkeley":
        fit = bl.fit("admitted ~ gender * department", bl.datasets.load("berkeley"), trials="applicants")
    path = bl.report(fit, tmp_path / "report.tex", command="bayeslogit report 'a b.csv' --formula \"y ~ x\"")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", path.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    overfull = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
    assert max(overfull, default=0.0) < 20.0, overfull
