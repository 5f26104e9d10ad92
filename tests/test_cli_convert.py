"""`bayeslogit convert`: both objectives, the prior of each column, the proof, and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.cli import run
from bayeslogit.cli_convert import _value
from bayeslogit.conventions import SYSTEMS
from bayeslogit.penalties import Sizes

FORMULA = "switch ~ dist100 + arsenic + educ4"


@pytest.fixture
def wells(tmp_path):
    path = tmp_path / "wells.csv"
    bl.datasets.load("wells").to_csv(path, index=False)
    return str(path)


@pytest.fixture
def design():
    return bl.Design.from_formula(FORMULA, bl.datasets.load("wells"))


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def document(capsys: Any, *arguments: str) -> dict[str, Any]:
    assert run(["convert", *arguments, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_sklearn_to_glmnet_prints_both_objectives_and_a_certified_score(wells, capsys):
    asked = ["--from", "sklearn", "--set", "C=0.5", "--to", "glmnet", "--option", "standardize=true", "--strict"]
    assert run(["convert", wells, "--formula", FORMULA, *asked]) == 0
    out, err = capsys.readouterr()
    assert "sklearn minimises 0.5 loss + 0.5 SS(b)" in flat(out)
    assert "glmnet minimises loss / 3020 +" in flat(out) and "standardize=True" in flat(out)
    assert float(re.search(r"is at most (\S+) posterior sd", flat(out))[1]) < 1e-8
    assert "Certified" in out and "Intercept" in out and err == ""


def test_json_is_the_same_conversion(wells, design, capsys, tmp_path):
    target = tmp_path / "found.json"
    found = document(
        capsys, wells, "--formula", FORMULA, "--from", "sklearn", "--set", "C=0.5", "--to", "glmnet",
        "--option", "standardize=true", "--out", str(target),
    )  # fmt: skip
    ours = bl.convert(source="sklearn", C=0.5, to="glmnet", design=design, options={"standardize": True})
    assert json.loads(target.read_text(encoding="utf-8")) == found
    assert found["schema_version"] == 1 and found["nobs"] == 3020 and found["formula"] == FORMULA
    assert found["source"] == {"system": "sklearn", "params": {"C": 0.5}, "objective": ours.objectives[0]}
    assert found["target"]["params"]["lambda_"] == ours.params["lambda_"]
    np.testing.assert_array_equal(found["target"]["params"]["penalty_factor"], ours.params["penalty_factor"])
    assert found["proof"]["certified"] is True and found["proof"]["largest_score"] < found["proof"]["certified_below"]
    rows = {row["term"]: row for row in found["columns"]}
    # Standardisation and intercept: the prior sd is that of C on the columns as given, and the intercept has none.
    assert rows["Intercept"]["prior_sd"] is None and rows["Intercept"]["lambda2"] == 0.0
    assert [rows[name]["prior_sd"] for name in ("dist100", "arsenic", "educ4")] == pytest.approx([0.5**0.5] * 3)
    assert [term["family"] for term in found["prior"]] == ["flat", "normal"]


def test_the_way_back(wells, capsys):
    there = document(capsys, wells, "--formula", FORMULA, "--from", "sklearn", "--set", "C=0.5", "--to", "glmnet",
                     "--option", "standardize=true")["target"]["params"]  # fmt: skip
    factors = ",".join(map(repr, there["penalty_factor"]))
    back = document(
        capsys, wells, "--formula", FORMULA, "--from", "glmnet", "--set", f"lambda={there['lambda_']!r}", "--set",
        f"penalty_factor={factors}", "--set", "alpha=0", "--to", "sklearn",
    )  # fmt: skip
    assert back["target"]["params"]["C"] == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("prior", ["normal:2.5", "laplace:0.5", "elasticnet:1,2", "flat"])
def test_our_priors_by_their_own_grammar(wells, capsys, prior):
    found = document(capsys, wells, "--formula", FORMULA, "--from", "bayeslogit", "--set", f"prior={prior}",
                     "--to", "sklearn")["target"]["params"]  # fmt: skip
    expected = {
        "normal:2.5": (6.25, 0.0),
        "laplace:0.5": (0.5, 1.0),
        "elasticnet:1,2": (1 / 3, 1 / 3),
        "flat": ("inf", 0),
    }
    C, mix = expected[prior]
    assert found["C"] == (C if isinstance(C, str) else pytest.approx(C)) and found["l1_ratio"] == pytest.approx(mix)


def test_infinity_goes_in_and_out_as_a_word(wells, capsys):
    found = document(capsys, wells, "--formula", FORMULA, "--from", "sklearn", "--set", "C=inf", "--to", "bayeslogit")
    assert found["source"]["params"] == {"C": "inf"} and found["target"]["params"] == {"family": "flat"}


def test_counts_weights_and_missing_values(tmp_path, capsys):
    path = tmp_path / "counts.csv"
    path.write_text("y,n,w,x\n1,10,1,0.5\n3,20,2,1\n9,30,1,2\n20,40,1,4\n11,12,3,8\n,5,1,3\n")
    arguments = [str(path), "--formula", "y ~ x", "--trials", "n", "--weights", "w", "--from", "glmnet", "--set",
                 "lambda=0.1", "--set", "alpha=0", "--set", "standardize=false", "--to", "sklearn"]  # fmt: skip
    assert run(["convert", *arguments]) == 3
    assert "missing" in capsys.readouterr().err
    assert run(["convert", *arguments, "--drop-missing", "--json"]) == 0
    out, err = capsys.readouterr()
    # lambda2 = W lambda with W = 10 + 40 + 30 + 40 + 36.
    assert json.loads(out)["target"]["params"]["C"] == pytest.approx(1 / 15.6) and "1 row" in err


def test_a_known_fit_shows_the_factor_of_gauss(wells, design, capsys):
    penalty = bl.convert(source="bayeslogit", scale=0.5, to="sklearn", design=design)
    values = penalty.proof.optimum.round(7).tolist()
    known = [f"{name}={value!r}" for name, value in zip(design.columns, values, strict=True)]
    arguments = [wells, "--formula", FORMULA, "--from", "gauss_software", "--set", "l2=2", "--to", "bayeslogit"]
    found = document(capsys, *arguments, *[part for each in known for part in ("--coefficient", each)])
    # lambda2 = 4 from ctl.l2 = 2: the factor is 2.
    assert found["source"]["params"]["l2_factor"] == pytest.approx(2.0, rel=1e-4)
    assert found["target"]["params"]["scale"] == pytest.approx(0.5, rel=1e-4)
    assert any("Calibrated" in note and "which is 2" in note for note in found["notes"])
    in_order = ",".join(map(repr, values))
    assert document(capsys, *arguments, "--set", f"coefficients={in_order}")["target"] == found["target"]
    assert run(["convert", *arguments]) == 2
    assert "no formula for ctl.l2" in capsys.readouterr().err
    assert run(["convert", *arguments, "--coefficient", "Intercept=1", "--coefficient", "dist100=1"]) == 2
    assert "names Intercept, dist100; the design's columns are" in flat(capsys.readouterr().err)
    for wrong in (
        ["--coefficient", "Intercept=big"],
        ["--set", "coefficients=big"],
        ["--coefficient", "Intercept=1,2"],
    ):
        assert run(["convert", *arguments, *wrong]) == 2
        assert "each coefficient of the known fit is a number" in flat(capsys.readouterr().err)


def test_strict_ends_with_5_where_nothing_is_proved(tmp_path, capsys):
    path = tmp_path / "separated.csv"
    path.write_text("y,x\n0,1\n0,2\n1,3\n1,4\n")
    arguments = ["convert", str(path), "--formula", "y ~ x", "--from", "sklearn", "--set", "C=inf", "--to", "glum"]
    assert run(arguments) == 0
    assert "Not proved" in capsys.readouterr().out
    assert run([*arguments, "--strict"]) == 5
    out, err = capsys.readouterr()
    assert "Not proved: No finite mode" in flat(err) and "Not proved" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--from", "sklearn", "--to", "weka"], 2, "there is no such system"),
        (["--from", "sklearn", "--to", "glmnet", "--set", "C"], 2, "--set 'C': write NAME=VALUE"),
        (["--from", "sklearn", "--to", "glmnet", "--set", "C=0"], 2, "C=0.0 must be a number above 0"),
        (["--from", "sklearn", "--to", "glmnet", "--set", "C=true"], 2, "C=True must be a number above 0"),
        (["--from", "sklearn", "--to", "glmnet", "--set", "C=1", "--set", "C=2"], 2, "C was given before"),
        (["--from", "sklearn", "--to", "glmnet", "--set", "design=1"], 2, "design is no parameter of a system"),
        (["--from", "sklearn", "--to", "glmnet", "--set", "gamma=1"], 2, "has no parameter gamma here"),
        (["--from", "glmnet", "--to", "sklearn"], 2, "lambda_ is missing"),
        (["--from", "sklearn", "--to", "glmnet", "--option", "alpha=1"], 2, "one is free to choose of standardize"),
        (["--from", "bayeslogit", "--to", "glmnet", "--set", "prior=cauchyish:1"], 2, "unknown family"),
        (["--from", "sklearn", "--to", "glmnet", "--out", "nowhere/found.json"], 2, "there is no folder 'nowhere'"),
        (["--to", "glmnet"], 2, "--from"),
        (
            ["--from", "glmnet", "--to", "sklearn", "--set", "lambda=1", "--set", "alpha=[0,1,2]"],
            2,
            "alpha is one number",
        ),
        (["--from", "glmnet", "--to", "sklearn", "--set", "lambda=1", "--set", "alpha=0,1"], 2, "is a list"),
    ],
)
def test_what_is_wrong_is_one_message_and_a_code(wells, capsys, arguments, code, message):
    assert run(["convert", wells, "--formula", FORMULA, *arguments]) == code
    out, err = capsys.readouterr()
    assert message in flat(err) and out == "" and "Traceback" not in err


def test_without_data_it_says_why_it_needs_them(wells, capsys, tmp_path):
    for arguments in ([], [wells], ["--formula", FORMULA]):
        assert run(["convert", *arguments, "--from", "sklearn", "--to", "glmnet"]) == 2
        assert "convert needs DATA and --formula: many systems count the rows" in capsys.readouterr().err
    missing = str(tmp_path / "none.csv")
    assert run(["convert", missing, "--formula", FORMULA, "--from", "sklearn", "--to", "glmnet"]) == 3
    assert run(["convert", wells, "--formula", "switch ~ nope", "--from", "sklearn", "--to", "glmnet"]) == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("inf", float("inf")),
        ("True", True),
        ("false", False),
        ("none", None),
        ("1,0,2.5", [1.0, 0.0, 2.5]),
        ("[1, 0,2.5]", [1.0, 0.0, 2.5]),
        ("[1]", [1.0]),
        ("[1,x]", "[1,x]"),
        ("saga", "saga"),
        ("elasticnet:1,2", "elasticnet:1,2"),
    ],
)
def test_values_are_read_as_one_would_write_them(text, value):
    assert _value(text) == value and type(_value(text)) is type(value)


# --- scikit-learn's older word for l1_ratio ----------------------------------------------------------------------


def test_penalty_of_older_scikit_learn_is_an_l1_ratio(design):
    sizes, sklearn = Sizes(design), SYSTEMS["sklearn"]
    for penalty, mix in (("l1", 1.0), ("l2", 0.0)):
        old, new = (sklearn.objective(p, sizes).penalty for p in ({"penalty": penalty}, {"l1_ratio": mix}))
        np.testing.assert_array_equal(old.lambda1, new.lambda1)
        np.testing.assert_array_equal(old.lambda2, new.lambda2)
        words = [sklearn.words(p, sizes) for p in ({"penalty": penalty}, {"l1_ratio": mix})]
        assert words[0] == words[1]
    both = sklearn.objective({"penalty": "elasticnet", "l1_ratio": 0.3, "C": 2.0}, sizes).penalty
    assert both.lambda1[1] == pytest.approx(0.15) and both.lambda2[1] == pytest.approx(0.35)
    with pytest.raises(bl.ArgumentError, match=r"penalty='l2' and l1_ratio=0.5 contradict each other"):
        sklearn.objective({"penalty": "l2", "l1_ratio": 0.5}, sizes)
    with pytest.raises(bl.ArgumentError, match=r"penalty='none' is not one of 'elasticnet', 'l1', 'l2'"):
        sklearn.objective({"penalty": "none"}, sizes)


def test_the_help_names_every_system(capsys):
    assert run(["convert", "--help"]) == 0
    out = flat(capsys.readouterr().out)
    assert all(name in out for name in SYSTEMS)


def test_the_readme_shows_the_command():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert "bayeslogit convert data.csv" in readme


@pytest.mark.parametrize(
    "given", ["big", [1.0, "a", 2.0, 3.0], {"Intercept": 1, "dist100": "x", "arsenic": 2, "educ4": 3}]
)
def test_coefficients_that_are_no_numbers_are_an_argument_error(design, given):
    with pytest.raises(bl.ArgumentError, match=r"coefficients=.*: give 4 numbers in the order Intercept, dist100"):
        bl.convert(source="gauss_software", l2=1, to="sklearn", design=design, coefficients=given)
