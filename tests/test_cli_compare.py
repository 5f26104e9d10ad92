"""`bayeslogit compare`: one model under several priors on the command line."""

from __future__ import annotations

import json

import pytest

import bayeslogit as bl
from bayeslogit.cli import run

FORMULA = "type ~ npreg + glu + bmi + ped"
PRIORS = ["normal:1", "laplace:1", "student_t:3,2.5", "preset:rstanarm", "preset:gelman2008"]


@pytest.fixture(scope="module")
def pima(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "pima.csv"
    bl.datasets.load("pima").iloc[:200].to_csv(path, index=False)
    return str(path)


def asked(*priors):
    return [part for prior in priors for part in ("--prior", prior)]


def test_five_priors_make_one_table_and_one_page(pima, capsys, tmp_path):
    page = tmp_path / "priors.html"
    assert run(["compare", pima, "--formula", FORMULA, *asked(*PRIORS), "--out", str(page), "--no-nuts"]) == 0
    out, err = capsys.readouterr()
    words = "stacking", "Bayes factor", "Regions where the prior matters most", "do not tell these fits apart"
    for word in (*PRIORS, *words):
        assert word in " ".join(out.split())
    assert "priors.html" in err
    text = page.read_text(encoding="utf-8")
    assert all(prior in text for prior in PRIORS)
    for part in ("headline", "comparison", "results", "predictions", "priors", "computation", "reproducibility"):
        assert f'id="{part}"' in text


def test_json_is_the_same_comparison(pima, capsys):
    command = ["compare", pima, "--formula", FORMULA, *asked("normal:1", "preset:rstanarm"), "--seed", "3", "--json"]
    assert run(command) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["seed"] == 3
    design = bl.Design.from_formula(FORMULA, pima)
    fits = {"normal:1": bl.fit(design, prior=bl.Normal(1)), "preset:rstanarm": bl.fit(design)}
    found = bl.compare(fits, rng=3)
    assert [row["elpd"] for row in document["fits"]] == list(found.table.column("elpd"))
    assert [row["log_evidence"] for row in document["fits"]] == list(found.table.column("log_evidence"))
    (pair,) = document["bayes_factors"]
    assert pair["log_bayes_factor"] is None
    assert pair["reason"] == "flat in 'normal:1' alone: Intercept"
    assert document["conclusions"] == list(found.conclusions)
    assert document["verdicts"]["normal:1"]["level"] == "certified"


def test_one_intercept_prior_makes_evidences_comparable(pima, capsys):
    command = ["compare", pima, "--formula", FORMULA, *asked("normal:1", "preset:rstanarm"), "--intercept", "normal:5"]
    assert run([*command, "--json", "--prior-for", "ped=normal:0.5"]) == 0
    document = json.loads(capsys.readouterr().out)
    (pair,) = document["bayes_factors"]
    assert pair["reason"] is None
    assert pair["mcse"] <= 0.0142
    assert all("Normal(0.5)" in row["prior"] for row in document["fits"])


def test_a_fit_without_a_mode_is_code_4_and_still_prints(tmp_path, capsys):
    path = tmp_path / "separated.csv"
    path.write_text("y,x\n" + "".join(f"{int(k > 3)},{k}\n" for k in range(8)), encoding="utf-8")
    assert run(["compare", str(path), "--formula", "y ~ x", *asked("flat", "normal:1"), "--no-nuts"]) == 4
    out, err = capsys.readouterr()
    assert "no posterior" in out
    assert "flat:" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (asked("normal:1"), 2, "at least two priors"),
        (asked("normal:1", "normal:1"), 2, "is given twice"),
        (asked("normal:1", "cauchyish:1"), 2, "unknown family"),
        ([*asked("normal:1", "laplace:1"), "--out", "page.docx"], 2, "suffix"),
        ([*asked("normal:1", "laplace:1"), "--intercept", "flat"], 2, "a proper prior is needed"),
        ([*asked("normal:1", "laplace:1"), "--prob", "95"], 2, "between 0 and 1"),
        ([*asked("normal:1", "laplace:1"), "--weights", "nope"], 3, "nope"),
    ],
)
def test_what_is_wrong_is_one_message_and_a_code(pima, capsys, arguments, code, message):
    assert run(["compare", pima, "--formula", FORMULA, *arguments]) == code
    out, err = capsys.readouterr()
    assert message in " ".join(err.split())
    assert out == ""
    assert "Traceback" not in err
