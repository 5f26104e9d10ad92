"""Labels on every table, odds ratios per chosen step, contrasts, and tables to take elsewhere."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayeslogit as bl
from bayeslogit.cli import run
from bayeslogit.labels import column_label, column_labels, factor_label, relabelled
from bayeslogit.table import Column, Table

FORMULA = "low ~ age * smoke + lwt + C(race)"
WORDS = {"age": "Age (years)", "race": "Ethnic group", "smoke": "Smoked in pregnancy"}
NAMED = (
    "Intercept",
    "Age (years)",
    "Smoked in pregnancy",
    "lwt",
    "Ethnic group: other",
    "Ethnic group: white",
    "Age (years) × Smoked in pregnancy",
)


@pytest.fixture(scope="module")
def births():
    return bl.datasets.load("lbw")


@pytest.fixture(scope="module")
def fit(births):
    return bl.fit(FORMULA, births, prior=bl.Normal(2.5))


@pytest.fixture(scope="module")
def labelled(fit):
    return fit.relabel(WORDS)


# --- labels ------------------------------------------------------------------------------------------------------


def test_labels_of_variables_reach_levels_and_interactions(births, fit, labelled):
    assert labelled.names == NAMED and fit.names == fit.columns
    again = bl.fit(FORMULA, births, prior=bl.Normal(2.5), labels=WORDS)
    assert again.names == NAMED and again.params.equals(labelled.params)
    own = labelled.relabel({"C(race)[T.white]": "White"})
    assert own.names[5] == "White" and own.names[4] == "Ethnic group: other"
    assert tuple(labelled.params.index) == fit.columns and tuple(labelled.conf_int().index) == fit.columns


def test_labels_reach_every_table_of_a_fit_and_its_draws(labelled):
    assert labelled.summary().column("term") == NAMED
    assert "Ethnic group: compared with black." in labelled.summary().notes
    assert labelled.odds_ratios().column("term") == NAMED[1:]
    assert "Smoked in pregnancy" in labelled._repr_html_()
    assert list(labelled.tidy()["term"]) == list(labelled.columns) and list(labelled.tidy()["label"]) == list(NAMED)
    draws = labelled.sample("laplace")
    assert list(draws.tidy()["term"]) == list(labelled.columns) and list(draws.tidy()["label"]) == list(NAMED)
    for table in (draws.summary(), draws.beside_mode(), draws.odds_ratios(), draws.equivalence()):
        assert set(table.column("term")) <= set(NAMED)
    assert (
        "Smoked in pregnancy" in draws._repr_html_() and "Ethnic group: compared with black." in draws.summary().notes
    )
    for table in (labelled.effects("smoke"), draws.effects("smoke")):
        assert table.title == "Effect of Smoked in pregnancy"
        assert table.column("comparison")[0].startswith("Smoked in pregnancy: ")
    assert draws.relabel({"lwt": "Weight"}).summary().column("term")[3] == "Weight"
    assert draws.relabel({"race": "Race"}).summary().column("term")[4] == "Race: other"
    assert draws.contrast({"age": 1.0}).name.startswith("+1 Age (years)")


def test_labels_reach_a_comparison_and_a_report(births, labelled, tmp_path, capsys):
    other = bl.fit(FORMULA, births, prior=bl.Normal(1.0), labels=WORDS)
    found = bl.compare({"wide": labelled, "narrow": other}, nuts=False)
    assert "Ethnic group: white" in str(found) and "Ethnic group: white" in found._repr_html_()
    assert "C(race)[T.white]" in found.coefficients.column("term")
    page = bl.report(labelled, tmp_path / "r.md", effort="quick").read_text(encoding="utf-8")
    assert "Ethnic group: white" in page
    record = json.loads(bl.report(labelled, tmp_path / "r.json", effort="quick").read_text(encoding="utf-8"))
    assert record["labels"]["C(race)[T.white]"] == "Ethnic group: white"
    (results,) = (section for section in record["sections"] if section["id"] == "results")
    (table,) = (block for block in results["body"] if block.get("name") == "coefficients")
    assert [row["term"] for row in table["rows"]] == list(labelled.columns)


def test_labels_reach_a_path(births, tmp_path, capsys):
    found = bl.path(FORMULA, births, prior=bl.Normal, scales=3, labels=WORDS)
    assert found.base_table().column("term") == NAMED and "Ethnic group: white" in found.figure().svg()
    assert found.relabel({"race": "Race"}).names[4] == "Race: other" and found.columns[4] == "C(race)[T.other]"
    with pytest.raises(bl.ArgumentError, match="no column or variable"):
        found.relabel({"nope": "x"})
    births.to_csv(tmp_path / "d.csv", index=False)
    asked = [
        "path",
        str(tmp_path / "d.csv"),
        "--formula",
        "low ~ age + lwt",
        "--scales",
        "3",
        "--label",
        "age=Age in years",
    ]
    assert run(asked) == 0
    assert "Age in years" in capsys.readouterr().out


def test_labels_reach_figures(fit, labelled):
    for source in (labelled, labelled.sample("laplace")):
        assert "Ethnic group: white" in str(bl.plot.forest(source).chart.table)
    given = bl.plot.forest(labelled, labels={"race": "Race", "lwt": "Weight"}).chart.table
    assert "Race: white" in str(given) and "Weight" in str(given) and "Age (years)" in str(given)
    with pytest.raises(bl.ArgumentError, match="no columns nope"):
        bl.plot.forest(fit, labels={"nope": "x"})


def test_labels_are_saved_with_the_fit(labelled, tmp_path):
    labelled.to_json(tmp_path / "m.json")
    loaded = bl.load(tmp_path / "m.json")
    assert loaded.labels == WORDS and loaded.names == NAMED
    assert str(loaded.summary()) == str(labelled.summary())
    assert loaded.relabel({"age": "Age"}).names[1] == "Age"


def test_labels_of_a_file_are_labels(births, tmp_path, capsys):
    pyreadstat = pytest.importorskip("pyreadstat")
    frame = births[["low", "age", "smoke"]]
    labels = ["Low birth weight", "Age of the mother", ""]
    pyreadstat.write_dta(frame, str(tmp_path / "d.dta"), column_labels=labels)
    read = bl.fit("low ~ age + smoke", tmp_path / "d.dta")
    assert read.names == ("Intercept", "Age of the mother", "smoke")
    assert bl.fit("low ~ age + smoke", tmp_path / "d.dta", labels={"age": "Age"}).names[1] == "Age"
    assert run(["fit", str(tmp_path / "d.dta"), "--formula", "low ~ age + smoke", "--label", "smoke=Smoker"]) == 0
    out = capsys.readouterr().out
    assert "Age of the mother" in out and "Smoker" in out
    assert run(["fit", str(tmp_path / "d.dta"), "--formula", "low ~ age + smoke", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["term"] for row in found["coefficients"]] == ["Intercept", "age", "smoke"]
    assert found["labels"] == {"low": "Low birth weight", "age": "Age of the mother"}


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"nope": "x"}, "no column or variable of this fit; it has 'Intercept', 'age'"),
        ({"age": " "}, "a label is text, and not empty"),
        ({"age": 3}, "a label is text, and not empty"),
    ],
)
def test_labels_that_name_nothing_are_refused(fit, births, labels, words):
    for call in (fit.relabel, fit.sample("laplace").relabel, lambda given: bl.fit(FORMULA, births, labels=given)):
        with pytest.raises(bl.ArgumentError, match=words):
            call(labels)


@pytest.mark.parametrize(
    ("column", "label"),
    [
        ("a", "A"),
        ("b", "b"),
        ("a[T.x]", "A: x"),
        ("C(a)[T.x:y]", "A: x:y"),
        ("C(a, Treatment('z'))[T.x]", "A: x"),
        ("a:b", "A × b"),
        ("b:C(a)[x]", "b × A: x"),
        ("log(a)", "log(a)"),
        ("aa", "aa"),
        ("C(`two words`)[T.1]", "Two: 1"),
        ("Intercept", "Intercept"),
    ],
)
def test_columns_in_words(column, label):
    assert column_label(column, {"a": "A", "two words": "Two"}) == label


def test_factors_and_tables_in_words():
    labels = {"a": "A", "b:c": "Both"}
    assert factor_label("C(a)", labels) == factor_label("a", labels) == "A" and factor_label("C(z)", labels) == "C(z)"
    assert column_labels(["a", "b", "b:c"], labels) == {"a": "A", "b:c": "Both"} and column_labels(["a"], {}) == {}
    table = Table("t", "T", (Column("term", "term"), Column("prior", "prior")), (("a", "a"), ("b", "a")))
    assert relabelled(table, labels).rows == (("A", "a"), ("b", "a"))


# --- odds ratios and contrasts -----------------------------------------------------------------------------------


def test_odds_ratios_per_chosen_step(fit, births, labelled):
    steps = {"lwt": 10, "age": "sd", "smoke": ("q0", "q100"), "C(race)[T.other]": -1}
    table = labelled.odds_ratios(per=steps, prob=0.9)
    sizes = {"lwt": 10.0, "age": births["age"].std(), "smoke": 1.0, "C(race)[T.other]": -1.0}
    z = norm.ppf(0.95)
    for name, words, row in zip(fit.columns[1:], NAMED[1:], table.records(), strict=True):
        size = sizes.get(name, 1.0)
        low, high = sorted(size * (fit.params[name] + s * z * fit.bse[name]) for s in (-1, 1))
        assert row["term"] == words and row["per"] == pytest.approx(size, rel=1e-12)
        found = [row["odds_ratio"], row["lower"], row["upper"]]
        assert found == pytest.approx(np.exp([size * fit.params[name], low, high]).tolist(), rel=1e-12)
    assert "90 %" in table.header[0] and "mode" in table.columns[2].label


def test_odds_ratios_of_draws_agree_with_the_gaussian_they_stand_on(fit):
    draws = fit.sample("laplace")
    ours, theirs = fit.odds_ratios(per={"lwt": ("q25", "q75")}), draws.odds_ratios(per={"lwt": ("q25", "q75")})
    for key in ("per", "odds_ratio", "lower", "upper"):
        assert ours.column(key) == pytest.approx(theirs.column(key), rel=1e-9)


@pytest.mark.parametrize(
    ("per", "words"),
    [({"nope": 1}, "no columns nope"), ({"age": "iqr"}, "give 'unit', 'sd'"), ("q25", "give 'unit'"),
     ({"age": ("q25", "p75")}, "neither a number nor a quantile"), ({}, "no columns given")],
)  # fmt: skip
def test_steps_that_are_none(fit, per, words):
    with pytest.raises(bl.ArgumentError, match=words):
        fit.odds_ratios(per=per)


def test_a_loaded_fit_gives_what_needs_no_data(fit, tmp_path):
    fit.to_json(tmp_path / "m.json")
    loaded = bl.load(tmp_path / "m.json")
    assert loaded.odds_ratios(per={"lwt": 10}).rows == fit.odds_ratios(per={"lwt": 10}).rows
    assert loaded.contrast({"age": 1, "lwt": -1}).equals(fit.contrast({"age": 1, "lwt": -1}))
    with pytest.raises(bl.FitError, match="needs the data"):
        loaded.odds_ratios(per="sd")
    with pytest.raises(bl.FitError, match="needs the data"):
        loaded.effects("age")


def test_a_contrast_is_that_of_the_covariance(fit):
    weights = {"C(race)[T.other]": 1.0, "C(race)[T.white]": -1.0}
    found = fit.contrast(weights, prob=0.9)
    w = np.array([weights.get(name, 0.0) for name in fit.columns])
    mean, sd = w @ fit.params.to_numpy(), np.sqrt(w @ fit.cov_params().to_numpy() @ w)
    z = norm.ppf(0.95)
    expected = [mean, sd, mean, mean - z * sd, mean + z * sd, 0.0]
    assert found[["mean", "sd", "median", "lower", "upper", "mcse"]].tolist() == pytest.approx(expected, rel=1e-10)
    theirs = fit.sample("laplace").contrast(weights, prob=0.9)
    for key in ("mean", "sd", "median", "lower", "upper"):
        assert theirs[key] == pytest.approx(found[key], rel=1e-9)
    intercept = fit.contrast({"Intercept": 1.0})
    assert intercept["sd"] == pytest.approx(fit.bse["Intercept"], rel=1e-10)


def test_contrasts_of_a_wide_fit_and_of_none():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 60))
    design = bl.Design.from_arrays(X, (X[:, 0] + rng.normal(size=30) > 0).astype(float))
    wide = bl.fit(design, prior=bl.Normal(0.5))
    found = wide.contrast({"x1": 1.0, "x2": 2.0})
    cov = wide.cov_params(terms=["x1", "x2"]).to_numpy()
    assert found["sd"] == pytest.approx(np.sqrt(np.array([1.0, 2.0]) @ cov @ np.array([1.0, 2.0])), rel=1e-9)
    modes = bl.fit(design, prior=bl.Normal(0.5), covariance="none")
    assert np.isnan(modes.contrast({"x1": 1.0})["sd"]) and np.isnan(modes.odds_ratios().column("lower")[0])


@pytest.mark.parametrize(("weights", "words"), [({"nope": 1}, "no columns nope"), ({"age": np.inf}, "finite number")])
def test_contrasts_that_cannot_be(fit, weights, words):
    with pytest.raises(bl.ArgumentError, match=words):
        fit.contrast(weights)


def test_one_person_in_one_line(labelled):
    person = {"age": 20, "smoke": 1, "lwt": 120, "race": "white"}
    found = labelled.predict(person)
    assert list(found) == ["probability", "lower", "upper"] and len(found) == 1
    eta = labelled.params @ np.array([1, 20, 1, 120, 0, 1, 20])
    assert labelled.predict(person, kind="mode")["probability"][0] == pytest.approx(1 / (1 + np.exp(-eta)), rel=1e-12)
    assert found["lower"][0] < found["probability"][0] < found["upper"][0]


def test_effects_are_those_of_the_function(fit):
    assert fit.effects("age", at={"smoke": 1}, rng=3).rows == bl.effects(fit, "age", at={"smoke": 1}, rng=3).rows
    draws = fit.sample("laplace")
    assert draws.effects("smoke", kind="ratio", between=(0, 1)).rows == (
        bl.effects(draws, "smoke", kind="ratio", between=(0, 1)).rows
    )


# --- tables to take elsewhere ------------------------------------------------------------------------------------


def test_a_table_goes_to_pandas_and_to_the_formats_of_a_clipboard(labelled):
    table = labelled.summary()
    frame = table.to_frame()
    assert list(frame) == [column.key for column in table.columns]
    assert frame["estimate"].tolist() == labelled.params.tolist() and frame["term"].tolist() == list(NAMED)
    assert list(table.to_frame(labels=True))[1] == "log-odds (mode)"
    rows = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert [float(row["estimate"]) for row in rows] == labelled.params.tolist()
    assert json.loads(table.to_json())["rows"][1]["term"] == "Age (years)"
    assert "| Age (years)" in table.to_markdown().replace("|Age", "| Age")
    assert r"\toprule" in table.to_latex() and "lwt &" in table.to_latex()
    assert table.to_html() == table._repr_html_() and "<table" in table.to_html()


def test_hostile_names_stay_names_in_every_format(births):
    hostile = {"age": "<script>alert(1)</script>", "lwt": "=HYPERLINK(1)", "smoke": r"\input{x} | a"}
    table = bl.fit("low ~ age + lwt + smoke", births, labels=hostile).summary()
    assert "<script>" not in table.to_html() and "&lt;script&gt;" in table.to_html()
    assert "'=HYPERLINK(1)" in table.to_csv() and r"\input{x}" not in table.to_latex()
    assert pd.DataFrame(table.to_frame())["term"].tolist()[2] == "=HYPERLINK(1)"


def test_an_empty_text_in_a_column_of_numbers_is_no_number():
    table = Table("t", "T", (Column("a", "a", "number"), Column("b", "b")), ((1.5, ""), ("", "x")))
    assert table.texts() == (("1.5", ""), ("", "x"))
    assert Table("t", "T", (Column("a", "a"),), ()).to_frame().shape == (0, 1)


def test_everything_shows_itself_in_a_notebook(births, fit):
    small = births.iloc[::3]
    things = [
        fit,
        fit.sample("laplace"),
        fit.summary(),
        bl.compare({"a": fit, "b": bl.fit(FORMULA, births, prior=bl.Normal(1.0))}, nuts=False),
        bl.path("low ~ age + lwt", small, prior=bl.Normal, scales=3),
        bl.check("low ~ age + lwt", small),
        bl.separation("low ~ age + lwt", small),
    ]
    for thing in things:
        assert "<table" in thing._repr_html_()
        assert isinstance(thing, Table) or len(repr(thing).splitlines()) == 1
