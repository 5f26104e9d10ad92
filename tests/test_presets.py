"""Presets against the systems that they speak of, against arithmetic by hand, and on awkward designs."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse, stats

import bayeslogit as bl
from bayeslogit.presets import PRESETS, parse_prior
from bayeslogit.resolved import from_description
from bayeslogit.sources.matrix import SparseRows

GOLDEN = json.loads((Path(__file__).parent / "golden" / "presets.json").read_text(encoding="utf-8"))
DOSE = {"dose": [0.5, 1.0, 2.0, 4.0, 8.0], "killed": [1, 3, 9, 20, 11], "n": [10, 20, 30, 40, 12]}
FORMULAS = {
    "wells": "switch ~ dist100 + arsenic + assoc + educ4",
    "lbw": "low ~ age + lwt + C(race) + smoke",
    "interactions": "low ~ age*C(race) + C(race)*C(smoke)",
    "marginal": "low ~ C(race) + age:C(race) + age:lwt",
    "flag": "low ~ age*flag + race:flag + log(lwt):race",
    "bare": "low ~ 0 + race + age",
    "dose": "killed ~ dose",
}
X = np.array([[1.0, 10.0], [2.0, 10.0], [3.0, 30.0], [4.0, 50.0]])


def design_of(case: str, formula: str = "") -> bl.Design:
    formula = formula or FORMULAS[case]
    if case == "dose":
        return bl.Design.from_formula(formula, DOSE, trials="n")
    data = bl.datasets.load("wells" if case == "wells" else "lbw")
    return bl.Design.from_formula(formula, data if case == "wells" else data.assign(flag=data.smoke == 1))


def scales(resolved: Any) -> dict[str, float]:
    """The scale of each column as the record states it; infinite where it is flat."""
    found = {}
    for term in resolved.describe():
        for j, name in enumerate(term["columns"]):
            found[name] = term["parameters"]["scale"][j] if term["family"] != "flat" else math.inf
    return found


def families(resolved: Any) -> dict[str, str]:
    return {name: term["family"] for term in resolved.describe() for name in term["columns"]}


# --- against the systems themselves ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rstanarm", "gelman2008"])
@pytest.mark.parametrize("case", ["wells", "lbw", "interactions", "bare", "dose"])
def test_scales_are_those_that_r_prints(name, case):
    # R counts the rows of grouped data, not their trials.
    design = design_of(case, "low ~ 0 + age + I(2 * ht)" if case == "bare" else "")
    resolved = bl.preset(name, rows="as-is").resolve(design)
    mine = {
        re.sub(r"C\((\w+)\)\[T\.(\w+)\]", r"factor(\1)\2", key.replace("Intercept", "(Intercept)")): value
        for key, value in scales(resolved).items()
    }
    theirs = GOLDEN["R"][name][case]
    assert mine.keys() == theirs.keys()
    for key, value in theirs.items():
        assert mine[key] == pytest.approx(value, rel=1e-13), key
    assert set(families(resolved).values()) == {"normal" if name == "rstanarm" else "cauchy"}
    assert GOLDEN["R"]["arm_prior_df"] == 1


@pytest.mark.parametrize("case", list(GOLDEN["bambi"]["cases"]))
def test_scales_and_log_prior_are_those_of_bambi(case):
    golden = GOLDEN["bambi"]["cases"][case]
    design = design_of(case)
    resolved = bl.preset("bambi", rows="as-is").resolve(design)
    terms = {term.replace("np.", ""): term for term in golden["sigma"]}
    assert terms.keys() == set(design.terms)
    mine, beta = scales(resolved), np.zeros(len(design.columns))
    for term, theirs in terms.items():
        positions = list(design.terms[term])
        assert [mine[design.columns[j]] for j in positions] == pytest.approx(golden["sigma"][theirs], rel=1e-12)
        beta[positions] = golden["point"][theirs]
    if design.has_intercept:
        # bambi's intercept is that of centred columns; the user's is what remains of it at x = 0.
        rows = np.vstack([block.X.toarray() for block in design.source.blocks()])
        beta[0] -= rows[:, 1:].mean(axis=0) @ beta[1:]
    assert resolved.log_density(beta) == pytest.approx(golden["log_prior"], rel=1e-11)


def test_brms_has_flat_slopes_and_a_student_t_at_the_means():
    # The Stan code of brms 2.18, kept in the golden file, says both.
    stan = " ".join(GOLDEN["brms"]["stan"])
    assert "student_t_lpdf(Intercept | 3, 0, 2.5)" in stan and "Intercept - dot_product(means_X, b)" in stan
    design = design_of("lbw")
    resolved = bl.preset("brms").resolve(design)
    rows = np.vstack([block.X.toarray() for block in design.source.blocks()])
    beta = np.array([0.3, -0.02, 0.01, 0.5, -0.4, 0.6])
    by_hand = stats.t.logpdf(beta @ rows.mean(axis=0), 3, 0, 2.5)
    assert resolved.log_density(beta) == pytest.approx(by_hand, rel=1e-12)
    assert resolved.flat.tolist() == [False] + [True] * 5


def test_sklearn_is_logistic_regression_with_its_defaults():
    linear = pytest.importorskip("sklearn.linear_model")
    assert linear.LogisticRegression().get_params()["C"] == 1.0
    wells = bl.datasets.load("wells")
    names = ["dist100", "arsenic", "assoc", "educ4"]
    theirs = linear.LogisticRegression(solver="newton-cholesky", tol=1e-12).fit(wells[names], wells["switch"])
    fit = bl.fit(design_of("wells"), prior="sklearn", tol=1e-11)
    np.testing.assert_allclose(fit.params, np.append(theirs.intercept_, theirs.coef_), rtol=1e-9)


# --- by hand -----------------------------------------------------------------------------------------------------


def test_every_preset_is_what_its_table_says():
    # Column 1: mean 2.5, R's sd sqrt(5/3), population sd sqrt(5/4). Column 2: mean 25, sds sqrt(1100/3), sqrt(275).
    design = bl.Design.from_arrays(X, [0, 1, 0, 1], names=["a", "b"])
    expected = {
        "rstanarm": (2.5, [2.5 / math.sqrt(5 / 3), 2.5 / math.sqrt(1100 / 3)]),
        "bambi": (1.5, [1 / math.sqrt(5 / 4), 1 / math.sqrt(275)]),
        "brms": (2.5, [math.inf, math.inf]),
        "gelman2008": (10.0, [2.5 / (2 * math.sqrt(5 / 3)), 2.5 / (2 * math.sqrt(1100 / 3))]),
        "sklearn": (math.inf, [1.0, 1.0]),
    }
    assert set(expected) == set(PRESETS)
    for name, (intercept, slopes) in expected.items():
        resolved = bl.preset(name).resolve(design)
        assert list(scales(resolved).values()) == pytest.approx([intercept, *slopes], rel=1e-14)
        first = resolved.terms[0]
        assert name == "sklearn" or first.map.tolist() == [[1.0, 2.5, 25.0]]
        assert name == "sklearn" or "at the column means" in resolved.labels()[0]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("case", ["lbw", "interactions"])
def test_a_reader_can_check_each_scale_from_the_table(name, case):
    # The rule, read as arithmetic with the sd printed beside it, gives the scale.
    resolved = bl.preset(name).resolve(design_of(case))
    table = resolved.table()
    if name == "sklearn":
        assert "rule" not in [column.key for column in table.columns]
        return
    for row, scale in zip(table.records(), scales(resolved).values(), strict=True):
        if row["rule"] is None:
            assert math.isinf(scale)
            continue
        arithmetic = re.sub(r"sd\([^()]*\)", repr(row["x_sd"]), row["rule"]).partition(",")[0]
        assert eval(arithmetic, {"__builtins__": {}}) == pytest.approx(scale, rel=1e-12), row["term"]
        assert row["term"] == "Intercept" or row["x_mean"] is not None
    rows = np.vstack([block.X.toarray() for block in design_of(case).source.blocks()])
    np.testing.assert_allclose(table.column("x_mean")[1:], rows.mean(axis=0)[1:], rtol=1e-13)
    assert table.columns[-1].key == "or_upper"  # the header speaks of the last two columns


def test_each_preset_names_its_system_its_version_and_where_the_intercept_acts():
    design = design_of("lbw")
    said = {name: " ".join(bl.preset(name).resolve(design).notes) for name in PRESETS}
    versions = {"rstanarm": "2.32", "bambi": "0.21.0", "brms": "2.18.0", "gelman2008": "arm 1.13", "sklearn": "1.9.1"}
    for name, version in versions.items():
        assert version in said[name]
        assert ("intercept's prior is on the log-odds at the column means" in said[name]) == (name != "sklearn")
    assert "intercept is free" in said["sklearn"] and "bayesglm's EM" in said["gelman2008"]


# --- which rows count --------------------------------------------------------------------------------------------


def test_grouped_rows_count_as_their_trials_or_once():
    # Ten trials at 0 and thirty at 1: sd 0.4385 over forty observations, 0.7071 over two rows.
    grouped = bl.Design.from_arrays([[0.0], [1.0]], [4, 11], trials=[10, 30])
    weighted = bl.Design.from_arrays([[0.0], [0.0], [1.0], [1.0]], [0, 1, 0, 1], weights=[6, 4, 19, 11])
    long = bl.Design.from_arrays(np.repeat([[0.0], [1.0]], [10, 30], axis=0), np.tile([0, 1], 20))
    sample, population = 0.4385290096535146, math.sqrt(0.75 * 0.25)
    for design in (grouped, weighted, long):
        assert scales(bl.preset("rstanarm").resolve(design))["x1"] == pytest.approx(2.5 / sample, rel=1e-12)
        assert scales(bl.preset("bambi").resolve(design))["x1"] == pytest.approx(1 / population, rel=1e-12)
        assert bl.preset("brms").resolve(design).terms[0].map[0, 1] == pytest.approx(0.75, rel=1e-14)
    as_is = bl.preset("rstanarm", rows="as-is").resolve(grouped)
    assert scales(as_is)["x1"] == pytest.approx(2.5 / math.sqrt(0.5), rel=1e-14)
    assert as_is.terms[0].map[0, 1] == 0.5
    assert any("count each row of the data once" in note for note in as_is.notes)
    assert scales(bl.preset("bambi", rows="as-is").resolve(weighted))["x1"] == pytest.approx(2.0, rel=1e-14)


def test_a_row_without_weight_counts_only_as_is():
    # A third value on a row of weight 0: two values over observations, three over rows.
    design = bl.Design.from_arrays([[0.0], [4.0], [2.0]], [0, 1, 1], weights=[2, 1, 0])
    assert scales(bl.preset("gelman2008").resolve(design))["x1"] == 2.5 / 4.0
    as_is = bl.preset("gelman2008", rows="as-is").resolve(design)
    assert scales(as_is)["x1"] == pytest.approx(2.5 / (2.0 * 2.0), rel=1e-14) and as_is.terms[0].map[0, 1] == 2.0


def test_without_weights_and_trials_both_are_one():
    design = design_of("interactions")
    for name in PRESETS:
        one, other = (bl.preset(name, rows=rows).resolve(design) for rows in ("expanded", "as-is"))
        assert list(scales(one).values()) == pytest.approx(list(scales(other).values()), rel=1e-14)


# --- two values --------------------------------------------------------------------------------------------------


def test_a_column_of_two_values_goes_by_its_range_and_one_of_three_does_not():
    n = 5000
    a, b = np.tile([3.0, 7.0], n // 2), np.tile([1e6, 1e6 + 0.5], n // 2)
    c = a.copy()
    c[17] = np.nextafter(3.0, 4.0)  # a third value that no sd would show
    rare = np.zeros(n)
    rare[4] = -2.0
    design = bl.Design.from_arrays(np.column_stack([a, b, c, rare, np.full(n, 9.0)]), np.tile([0, 1, 1, 0], n // 4))
    found = list(scales(bl.preset("gelman2008").resolve(design)).values())[1:]
    assert found[:2] == [2.5 / 4.0, 2.5 / 0.5] and found[3:] == [2.5 / 2.0, 2.5]
    assert found[2] == pytest.approx(2.5 / (2 * c.std(ddof=1)), rel=1e-12) and found[2] != found[0]
    rules = bl.preset("gelman2008").resolve(design).table().column("rule")
    assert rules[1] == "2.5 / 4, range of two values" and rules[-1] == "2.5, x is constant"


def test_sparse_columns_resolve_as_dense_ones_do():
    rng = np.random.default_rng(3)
    made = np.where(rng.random((4000, 300)) < 0.004, rng.integers(1, 3, (4000, 300)), 0).astype(float)
    made[:, 0] = rng.random(4000) < 0.9  # kept dense
    made[:, 1:20] = made[:, 1:20] > 0  # 0 and 1
    made[:, 20] = np.where(np.arange(4000) % 2, 1.0, -1.0)  # -1 and 1 ...
    made[:, 21] = np.where(np.arange(4000) % 97, made[:, 20], 0.0)  # ... and 0 among them
    made[0, 1] = 7.0  # a third value, on a row without weight
    y, weights = rng.integers(0, 2, 4000), np.r_[0.0, np.ones(3999)]
    thin = bl.Design.from_arrays(sparse.csr_array(made), y, weights=weights)
    dense = bl.Design.from_arrays(made, y, weights=weights)
    assert isinstance(next(iter(thin.source.blocks())).X, SparseRows)
    for name in PRESETS:
        for rows in ("expanded", "as-is"):
            one, other = (scales(bl.preset(name, rows).resolve(design)) for design in (thin, dense))
            assert list(one.values()) == pytest.approx(list(other.values()), rel=1e-12)
    found = scales(bl.preset("gelman2008").resolve(thin))
    assert found["x2"] == found["x3"] == 2.5 and found["x21"] == 1.25 and found["x22"] != 1.25
    assert scales(bl.preset("gelman2008", rows="as-is").resolve(thin))["x2"] != 2.5


def test_blocks_of_rows_change_nothing():
    wells = bl.datasets.load("wells")
    design = bl.Design.from_formula("switch ~ arsenic*C(educ) + assoc + C(educ):dist", wells)
    pieces = replace(design, source=replace(design.source, block_rows=257))
    for name in PRESETS:
        for rows in ("expanded", "as-is"):
            whole, parts = (scales(bl.preset(name, rows).resolve(each)) for each in (design, pieces))
            assert list(parts.values()) == pytest.approx(list(whole.values()), rel=1e-12)


# --- awkward designs ---------------------------------------------------------------------------------------------


def test_bambi_has_no_rule_for_one_number_of_several_columns_and_the_note_says_so():
    resolved = bl.preset("bambi").resolve(design_of("lbw", "low ~ poly(age, 2) + poly(lwt, 2):smoke"))
    design = design_of("lbw", "low ~ poly(age, 2) + poly(lwt, 2):smoke")
    rows = np.vstack([block.X.toarray() for block in design.source.blocks()])
    found = list(scales(resolved).values())
    assert found[1:3] == pytest.approx(1 / rows[:, 1:3].std(axis=0), rel=1e-12)
    assert found[3:] == pytest.approx([1 / rows[:, 3:].sum(axis=1).std()] * 2, rel=1e-12)
    assert any("bambi stops at poly(age, 2)" in note for note in resolved.notes)


def test_arrays_are_numbers_for_bambi_even_with_two_values():
    design = bl.Design.from_arrays([[0.0], [1.0], [1.0], [1.0]], [0, 1, 0, 1])
    assert scales(bl.preset("bambi").resolve(design))["x1"] == pytest.approx(1 / math.sqrt(3 / 16), rel=1e-14)


@pytest.mark.parametrize("name", PRESETS)
def test_an_intercept_alone_no_intercept_and_a_constant_column(name):
    alone = bl.preset(name).resolve(bl.Design.from_arrays(np.zeros((3, 0)), [0, 1, 1]))
    assert len(alone.terms) == 1 and alone.terms[0].map is None and "means" not in " ".join(alone.notes)
    without = bl.preset(name).resolve(bl.Design.from_arrays(X, [0, 1, 0, 1], intercept=False))
    assert len(without.terms) == 1 and "intercept's prior" not in " ".join(without.notes)
    design = bl.Design.from_arrays(np.column_stack([X, np.full(4, 7.0)]), [0, 1, 0, 1])
    constant = scales(bl.preset(name).resolve(design))["x3"]
    assert constant == {"rstanarm": 2.5, "bambi": 1.0, "brms": math.inf, "gelman2008": 2.5, "sklearn": 1.0}[name]
    for each in (alone, without):
        assert isinstance(str(each), str) and "nan" not in str(each)


def test_a_column_name_that_looks_like_an_interaction():
    data = {"y": [0, 1, 0, 1, 1, 0], "a:b": [1.0, 2, 3, 4, 5, 7], "g": list("uvuvuv"), "C(g)": [1.0, 0, 0, 2, 5, 1]}
    design = bl.Design.from_formula("y ~ `a:b`*g + `C(g)`", data)
    found = scales(bl.preset("bambi").resolve(design))
    by_term = {term: [found[design.columns[j]] for j in positions] for term, positions in design.terms.items()}
    assert by_term["a:b"] == pytest.approx([1 / np.std(data["a:b"])]) and by_term["g"] == [1.0]
    assert by_term["C(g)"] == pytest.approx([1 / np.std(data["C(g)"])])
    assert by_term["a:b:g"] == pytest.approx([1 / np.std([0, 2, 0, 4, 0, 7])])


def test_a_prior_variance_does_not_exist_under_cauchy_slopes_even_at_mean_zero():
    design = bl.Design.from_arrays([[-1.0, 1.0], [1.0, 2.0], [2.0, 4.0], [-2.0, 7.0]], [0, 1, 0, 1])
    assert np.isinf(bl.preset("gelman2008").resolve(design).variance()).all()


# --- as priors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_fit_under_each_preset_is_its_mode(name):
    design = design_of("interactions")
    fit = bl.fit(design, prior=name, tol=1e-10)
    assert fit.converged and fit.prior.name == bl.preset(name).resolve(design).name
    beta = fit.params.to_numpy()

    def value(b: np.ndarray) -> float:
        rows = np.vstack([block.X.toarray() for block in design.source.blocks()])
        y, _, _ = design.outcome_arrays()
        eta = rows @ b
        return float(y @ eta - np.logaddexp(0.0, eta).sum() + fit.prior.log_density(b))

    # The slope of the log posterior, moving one coefficient at a time, per posterior sd.
    for j, sd in enumerate(fit.bse):
        step = 1e-4 * sd * np.eye(beta.size)[j]
        assert abs(value(beta + step) - value(beta - step)) / 2e-4 < 1e-6


@pytest.mark.parametrize("name", PRESETS)
def test_the_table_of_a_saved_prior_still_says_what_it_was_made_of(name, tmp_path):
    fit = bl.fit(design_of("lbw"), prior=name)
    fit.to_json(tmp_path / "fit.json")
    again = bl.load(tmp_path / "fit.json")
    assert str(again.prior) == str(fit.prior)
    record = json.loads(json.dumps(fit.prior.describe()))
    restored = from_description(fit.prior.columns, fit.prior.name, fit.prior.notes, record)
    assert restored.describe() == fit.prior.describe()


def test_a_term_with_a_prior_of_its_own_has_nothing_to_check():
    prior = bl.priors(default=bl.preset("bambi"), terms={"lwt": bl.Normal(0.1)})
    rows = {row["term"]: row for row in prior.resolve(design_of("lbw")).table().records()}
    assert rows["lwt"]["rule"] is None and rows["lwt"]["x_sd"] is None and rows["lwt"]["prior"] == "normal(0, 0.1)"
    assert rows["age"]["rule"] == "1 / sd(x)" and rows["age"]["x_sd"] > 0


@pytest.mark.parametrize("name", PRESETS)
def test_text_names_a_preset(name):
    assert parse_prior(f"preset:{name}") == parse_prior(name) == bl.preset(name)
    assert repr(bl.preset(name)) == f"preset('{name}')"
    assert repr(bl.preset(name, rows="as-is")) == f"preset('{name}', rows='as-is')"


def test_what_is_not_a_preset_is_refused():
    words = r"no such preset\. Did you mean 'rstanarm'\? Known: rstanarm, bambi, brms, gelman2008, sklearn"
    with pytest.raises(bl.PriorError, match=words):
        bl.preset("stan")
    with pytest.raises(bl.PriorError, match=r"rows='all'\): rows is 'expanded' \(weight x trials\) or 'as-is'"):
        bl.preset("bambi", rows="all")


def test_the_docstring_holds():
    import doctest

    import bayeslogit.presets

    result = doctest.testmod(bayeslogit.presets)
    assert result.attempted > 0 and result.failed == 0


def test_the_range_of_an_intercept_is_one_of_odds_where_its_prior_is_stated(wells_design):
    table = bl.preset("rstanarm").resolve(wells_design).table()
    assert table.column("or_lower")[0] == pytest.approx(np.exp(-1.959963984540054 * 2.5))
    assert table.column("or_upper")[0] == pytest.approx(np.exp(1.959963984540054 * 2.5))
    assert "95 % of its odds ratios per unit, and of the odds at the column means for the intercept," in table.header[0]
    raw = bl.priors(bl.Normal(1.0), intercept=bl.Normal(2.0)).resolve(wells_design).table()
    assert "and of the odds where every column is 0 for the intercept," in raw.header[0]
    assert raw.column("or_upper")[0] == pytest.approx(np.exp(1.959963984540054 * 2.0))
    assert "intercept" not in bl.preset("sklearn").resolve(wells_design).table().header[0]
