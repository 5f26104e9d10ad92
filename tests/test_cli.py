"""The command line: results on stdout, the rest on stderr, and exit codes that a pipeline can trust."""

from __future__ import annotations

import json

import pytest

import bayeslogit as bl
from bayeslogit.cli import run


@pytest.fixture
def wells(tmp_path):
    path = tmp_path / "wells.csv"
    bl.datasets.load("wells").to_csv(path, index=False)
    return str(path)


def test_fit_prints_the_table(wells, capsys):
    assert run(["fit", wells, "--formula", "switch ~ dist100 + arsenic", "--prior", "normal:2.5"]) == 0
    out, err = capsys.readouterr()
    assert "Normal(2.5)" in out and "arsenic" in out and err == ""


def test_json_is_the_same_fit(wells, capsys, tmp_path):
    saved = tmp_path / "fit.json"
    command = ["fit", wells, "--formula", "switch ~ dist100 + arsenic", "--prior-for", "arsenic=normal:0.5"]
    assert run([*command, "--json", "--out", str(saved)]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["schema_version"] == 1 and document["status"] == "converged"
    prior = bl.priors(default=bl.preset("rstanarm"), terms={"arsenic": bl.Normal(0.5)})
    fit = bl.fit("switch ~ dist100 + arsenic", wells, prior=prior)
    assert [row["estimate"] for row in document["coefficients"]] == fit.params.tolist()
    assert bl.load(saved).params.tolist() == fit.params.tolist() and "Saved" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--formula", "switch ~ nope"], 3, "no column 'nope'"),
        (["--formula", "switch ~ __import__('os').system('true')"], 3, "not allowed"),
        (["--formula", "switch ~ dist100", "--prior", "normal:-1"], 2, "positive finite number"),
        (["--formula", "switch ~ dist100", "--prior", "cauchyish:1"], 2, "unknown family"),
        (["--formula", "switch ~ dist100", "--prior", "normal"], 2, "takes 1 number"),
        (["--formula", "switch ~ dist100", "--prior", "normal:1_0"], 2, "is not a list of numbers"),
        (["--formula", "switch ~ dist100", "--prior", "normal:\uff11"], 2, "is not a list of numbers"),
        (["--formula", "switch ~ dist100", "--prior", "preset:Rstanarm"], 2, "Did you mean 'rstanarm'?"),
        (["--formula", "switch ~ dist100", "--prior", "elastic_net:1,2"], 2, "Did you mean 'elasticnet'?"),
        (["--formula", "switch ~ dist100", "--prior", "studentt:3,1"], 2, "Did you mean 'student_t'?"),
        (["--formula", "switch ~ dist100", "--prior", "Laplce:1"], 2, "Did you mean 'laplace'?"),
        (["--formula", "switch ~ dist100", "--prior-for", "normal:1"], 2, "TERM=PRIOR"),
        (["--formula", "switch ~ dist100", "--prior-for", "x=normal:1"], 2, "does not have"),
        (["--formula", "switch ~ dist100", "--prob", "95"], 2, "between 0 and 1"),
        ([], 2, "formula"),
        (["--formula", "switch ~ dist100", "--wrong"], 2, "wrong"),
    ],
)
def test_what_is_wrong_is_one_message_and_a_code(wells, capsys, arguments, code, message):
    assert run(["fit", wells, *arguments]) == code
    out, err = capsys.readouterr()
    assert message in " ".join(err.split()) and out == "" and "Traceback" not in err


def test_missing_file_and_not_converged(tmp_path, capsys):
    assert run(["fit", str(tmp_path / "none.csv"), "--formula", "y ~ x"]) == 3
    assert "there is no such file" in capsys.readouterr().err
    path = tmp_path / "separated.csv"
    path.write_text("y,x\n0,1\n0,2\n1,3\n1,4\n")
    assert run(["fit", str(path), "--formula", "y ~ x", "--prior", "flat"]) == 4
    out, err = capsys.readouterr()
    assert "No finite mode" in err and "No finite mode" in out


def test_interrupt_ends_with_130(monkeypatch, wells):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("bayeslogit.cli_question.fit", interrupted)
    assert run(["fit", wells, "--formula", "switch ~ dist100"]) == 130


def test_report_and_demo_write_files(wells, tmp_path, capsys):
    target = tmp_path / "r.html"
    assert run(["report", wells, "--formula", "switch ~ dist100", "--out", str(target)]) == 0
    assert capsys.readouterr().out.strip() == str(target) and target.stat().st_size > 10_000
    assert run(["demo", "--out", str(tmp_path / "demo")]) == 0
    assert (tmp_path / "demo" / "wells.html").exists()
    assert run(["--version"]) == 0 and "bayeslogit" in capsys.readouterr().out
