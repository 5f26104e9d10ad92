"""A report asked about one thing: `focus` as a variable, term, column or label, in Python and on the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import bayeslogit as bl
from bayeslogit._report import document, material
from bayeslogit.cli import run
from bayeslogit.lettering import beside, text_width
from bayeslogit.marks import Row, names_first
from bayeslogit.render.document import Paragraph
from bayeslogit.reporting.found import results
from bayeslogit.table import Table


@pytest.fixture(scope="module")
def frame():
    wells = bl.datasets.load("wells").iloc[:500]
    return wells.assign(far=np.where(wells["dist100"] > 0.6, "far", np.where(wells["dist100"] > 0.3, "middle", "near")))


@pytest.fixture(scope="module")
def fit(frame):
    return bl.fit("switch ~ arsenic + educ4 + C(far)", frame)


@pytest.fixture(scope="module")
def curved(frame):
    return bl.fit("switch ~ arsenic * dist100 + poly(educ4, 2)", frame)


def told(fit, **given):
    headline = document(fit, **{"effort": "quick"} | given).sections[0]
    return [block.text for block in headline.body if isinstance(block, Paragraph)]


def ratios(fit, name):
    return [f"{np.exp(v):.3g}" for v in (fit.params[name], *fit.conf_int().loc[name])]


@pytest.mark.parametrize("label", [None, "Years of school (4)"])
def test_a_number_is_told_with_its_ratio_and_direction(fit, label):
    labels = {"educ4": label} if label else None
    middle, low, high = ratios(fit, "educ4")
    first, *rest = told(fit, focus=label or "educ4", labels=labels)
    assert first.startswith(f"For {label or 'educ4'}, one unit more goes with {middle} times the odds of switch = 1 ")
    assert f"(95 % interval {low} to {high}), the other terms held fixed." in first
    from scipy.stats import norm

    share = norm.cdf(fit.params["educ4"] / fit.bse["educ4"])
    assert first.endswith(f"The odds are higher with posterior probability {100 * share:.1f} %.")
    assert rest[-1].startswith(f"The report was asked about {label or 'educ4'}. These are associations")
    assert told(fit, labels=labels)[0].startswith("Of 4 coefficients that of arsenic is the clearest")


def test_a_factor_is_told_level_by_level(fit):
    for focus in ("far", "C(far)"):
        said = told(fit, focus=focus)
        for sentence, level in zip(said, ("middle", "near"), strict=False):
            assert sentence.startswith(
                f"For far, {level} rather than far goes with {ratios(fit, f'C(far)[T.{level}]')[0]}"
            )
        assert "intervals are not adjusted for looking at several" in said[-1]
    said = told(fit, focus="C(far)[T.near]", effort="auto")
    assert (
        said[0].startswith("For far, near rather than far") and "percentage points with near rather than far" in said[1]
    )


def test_interactions_and_curves_are_told_by_average_effects(curved):
    for focus, variable in (("arsenic", "arsenic"), ("poly(educ4, 2)", "educ4")):
        first = told(curved, focus=focus, effort="auto")[0]
        assert first.startswith(f"For {variable}: averaged over the 500 observations, the probability of switch = 1")
    (first, *_) = told(curved, focus="arsenic:dist100")
    assert "It is part of an interaction or a curve" in first and "with posterior probability" in first


def test_the_tipping_point_is_that_of_what_was_asked_about(fit):
    made = document(fit, focus="educ4", labels={"educ4": "School"})
    titles = [block.title for block in made.sections[7].body if hasattr(block, "title")]
    assert "Tipping point: interval of School excludes 0" in titles


def test_a_wide_fit_works_out_the_effect_of_what_was_asked_about(rng):
    X = rng.standard_normal((60, 70))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(float)
    fit = bl.fit(bl.Design.from_arrays(X, y, names=[f"g{j}" for j in range(70)]), prior=bl.Normal(0.3))
    least = fit.params.iloc[1:].abs().idxmin()
    said = told(fit, focus=least, effort="auto")
    assert said[0].startswith("The outcome is separated") and said[1].startswith(f"For {least}, ")
    assert said[2].startswith("Averaged over the 60 observations")


@pytest.mark.parametrize(
    ("focus", "hint"),
    [
        ("arsnic", "did you mean 'arsenic'"),
        ("Intercept", "there are arsenic, educ4, far"),
        ("zzz", "there are arsenic"),
    ],
)
def test_what_is_not_in_the_model_is_refused(fit, focus, hint, tmp_path):
    with pytest.raises(bl.ArgumentError, match=hint):
        bl.report(fit, tmp_path / "r.md", focus=focus, effort="quick")
    assert not list(tmp_path.iterdir())


def test_a_comparison_has_no_focus(fit, frame, tmp_path):
    compared = bl.compare({"a": fit, "b": bl.fit("switch ~ arsenic + educ4 + C(far)", frame, prior=bl.Normal(1.0))})
    with pytest.raises(bl.ArgumentError, match=r"focus= belong\(s\) to the report on one fit"):
        bl.report(compared, tmp_path / "c.md", focus="arsenic")


def test_a_factor_of_many_levels_costs_no_average_effects(rng):
    frame = pd.DataFrame({"g": [f"level {i % 60:02d}" for i in range(300)], "x": rng.standard_normal(300)})
    fit = bl.fit("y ~ g + x", frame.assign(y=(rng.random(300) < 0.4).astype(int)))
    given = {"draws": fit.sample(method="laplace", draws=100, rng=0)}
    assert material(fit, **given).effect_variables == ("x",)
    assert material(fit, effort="full", **given).effect_variables == ("g", "x")
    alone = bl.fit("y ~ g", frame.assign(y=(rng.random(300) < 0.4).astype(int)))
    said = [
        block.text
        for block in results(material(alone, draws=alone.sample(method="laplace", draws=100, rng=0)), ())
        if isinstance(block, Paragraph)
    ]
    left_out = "1 more variable is left out, with smaller effects or many levels: bayeslogit.effects(fit, name)."
    assert said == [f"Average effects: {left_out}"]


def test_rows_are_called_as_the_plot_calls_them(frame):
    fit = bl.fit("switch ~ arsenic", frame.set_index(frame.index + 1000))
    blocks = document(fit).sections[6].body
    table = next(block for block in blocks if isinstance(block, Table) and block.name == "influence")
    assert all(int(row["row"].removeprefix("row ")) >= 1000 for row in table.records())
    assert "called by the labels of the frame" in table.header[1]


# --- on the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch, frame):
    monkeypatch.chdir(tmp_path)
    frame.assign(educ4=frame["educ4"].where(frame.index % 50 != 0)).to_csv("wells.csv", index=False)
    return tmp_path


def test_focus_stands_in_a_config_and_in_the_manifest(here, capsys):
    (here / "a.toml").write_text(
        'data = "wells.csv"\nformula = "switch ~ arsenic + far"\n[report]\nfocus = "far"\neffort = "quick"\n'
    )
    assert run(["report", "--config", "a.toml", "--out", "r.md"]) == 0
    assert "For far, middle rather than far goes with" in (here / "r.md").read_text("utf-8")
    assert json.loads((here / "r.md.manifest.json").read_text("utf-8"))["config"]["focus"] == "far"
    assert run(["report", "--config", "a.toml", "--focus", "arsenic", "--out", "r.md"]) == 0
    assert "For arsenic, one unit more" in (here / "r.md").read_text("utf-8")
    assert run(["report", "--verify", "r.md.manifest.json"]) == 0
    capsys.readouterr()
    assert run(["report", "--config", "a.toml", "--focus", "fat", "--out", "n.md"]) == 2
    assert "did you mean 'far'" in capsys.readouterr().err and not (here / "n.md").exists()


def test_tables_beside_a_report_stand_in_its_manifest(here, capsys, rng):
    wide = pd.DataFrame(rng.standard_normal((50, 85)), columns=[f"x{j}" for j in range(85)])
    wide.assign(y=(wide["x0"] > 0).astype(int)).to_csv("wide.csv", index=False)
    formula = "y ~ " + " + ".join(wide.columns)
    assert run(["report", "wide.csv", "--formula", formula, "--effort", "quick", "--out", "w.md"]) == 0
    named = json.loads((here / "w.md.manifest.json").read_text("utf-8"))["beside"]
    assert set(named) == {"w.coefficients.csv", "w.columns.csv", "w.priors.csv"}
    assert run(["report", "--verify", "w.md.manifest.json"]) == 0
    table = here / "w.coefficients.csv"
    table.write_text(table.read_text("utf-8").replace("x0,", "x0,9", 1), "utf-8")
    capsys.readouterr()
    assert run(["report", "--verify", "w.md.manifest.json"]) == 5
    assert "The output w.coefficients.csv was changed after it was written." in capsys.readouterr().out


def test_check_says_that_others_refuse_missing_values_until_told(here, capsys):
    asked = ["check", "wells.csv", "--formula", "switch ~ educ4"]
    assert run(asked) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Other commands refuse the 10 rows with missing values until you say --drop-missing." in said
    assert "Nothing stands in the way" not in said
    assert run([*asked, "--drop-missing"]) == 0
    assert "Nothing stands in the way of a fit." in capsys.readouterr().out


# --- words beside marks ----------------------------------------------------------------------------------------------


def test_words_beside_marks_cover_neither_words_nor_points():
    marks = [(100.0, 50.0, "row 833", "right"), (103.0, 52.0, "row 1438", "right"), (101.0, 55.0, "row 17", "right")]
    points = [(x, y) for x, y, _, _ in marks] + [(120.0, 50.0)]
    found = beside(marks, 0.0, 400.0, points)
    spans = [
        ((x, x + text_width(t, 11.0)) if side == "right" else (x - text_width(t, 11.0), x), y)
        for (x, y, side), (_, _, t, _) in zip(found, marks, strict=True)
    ]
    for k, ((a, b), y) in enumerate(spans):
        assert all(not (a < d and c < b and abs(y - z) < 10.0) for (c, d), z in spans[:k])
        assert not any(a < px < b and abs(y - py) < 6.0 for px, py in points)
    assert beside(marks[:1], 0.0, 130.0)[0][2] == "left"  # no room on the right


def test_the_name_of_a_group_of_rows_moves_to_its_first():
    rows = tuple(Row(name) for name in ("", "a", "", "", "b", ""))
    assert [row.label for row in names_first(rows)] == ["a", "", "", "b", "", ""]
    single = (Row("a"), Row("b"))
    assert names_first(single) is single
