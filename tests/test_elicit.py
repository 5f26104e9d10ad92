"""From odds ratios to priors and back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import bayeslogit as bl
from bayeslogit.densities import DENSITIES
from bayeslogit.prior_widths import HALF_WIDTHS, INFORMATIONS

ONE = np.ones(1)
COV = np.array([[1.0, 0.3], [0.3, 0.5]])


def parameters(family: str) -> dict[str, np.ndarray]:
    return {
        "normal": {"mean": 0 * ONE, "scale": 1.3 * ONE},
        "laplace": {"mean": 0 * ONE, "scale": 0.6 * ONE},
        "elastic_net": {"mean": 0 * ONE, "l1": 1.5 * ONE, "l2": 0.7 * ONE},
        "student_t": {"mean": 0 * ONE, "df": 4.0 * ONE, "scale": 0.8 * ONE},
        "cauchy": {"mean": 0 * ONE, "scale": 2.5 * ONE},
        "multivariate_normal": {"mean": np.zeros(2), "precision": np.linalg.inv(COV)},
        "group_laplace": {"scale": np.full(3, 0.7)},
    }[family]


PROPER = [family for family in DENSITIES if family != "flat"]


def test_no_family_is_missing_from_the_tables():
    assert set(PROPER) == set(HALF_WIDTHS) == set(INFORMATIONS)


@pytest.mark.parametrize("family", [f for f in PROPER if f not in ("multivariate_normal", "group_laplace")])
@pytest.mark.parametrize("prob", [0.5, 0.95])
def test_widths_and_informations_are_integrals_of_the_density(family, prob):
    given = parameters(family)

    def density(x: float) -> float:
        return float(np.exp(DENSITIES[family].log_density(np.array([x]), **given)))

    width = float(HALF_WIDTHS[family](prob, **given)[0])
    assert 2.0 * quad(density, 0.0, width, epsabs=1e-12)[0] == pytest.approx(prob, abs=1e-9)

    def information(x: float) -> float:  # the square of the slope, times the density
        h = 1e-6
        up, down = (float(DENSITIES[family].log_density(np.array([x + s * h]), **given)) for s in (1, -1))
        return ((up - down) / (2 * h)) ** 2 * density(x)

    expected = 2.0 * quad(information, 1e-6, np.inf, limit=200)[0]  # from beside the kink
    assert float(INFORMATIONS[family](**given)[0]) == pytest.approx(expected, rel=1e-5)


def test_widths_of_joint_families_are_those_of_draws():
    given = parameters("multivariate_normal")
    expected = stats.norm.ppf(0.975) * np.sqrt(np.diag(COV))
    np.testing.assert_allclose(HALF_WIDTHS["multivariate_normal"](0.95, **given), expected)
    rng = np.random.default_rng(1)
    z = rng.standard_normal((400_000, 3))
    b = 0.7 * rng.gamma(3.0, size=400_000) * z[:, 0] / np.linalg.norm(z, axis=1)
    width = HALF_WIDTHS["group_laplace"](0.95, **parameters("group_laplace"))
    np.testing.assert_allclose(width, np.quantile(np.abs(b), 0.95), rtol=0.01)
    assert HALF_WIDTHS["group_laplace"](0.95, scale=np.array([0.6]))[0] == pytest.approx(-0.6 * np.log(0.05), rel=1e-3)
    # E[(d log f / d b_j)^2] of exp(-||b|| / s) is E[u_j^2] / s^2, u a direction.
    np.testing.assert_allclose(INFORMATIONS["group_laplace"](scale=np.full(3, 0.7)), 1.0 / (3.0 * 0.49))


@pytest.mark.parametrize(
    ("family", "law"),
    [("normal", stats.norm()), ("laplace", stats.laplace()), ("student_t", stats.t(3)), ("cauchy", stats.cauchy())],
)
def test_elicited_priors_hold_the_range_with_that_probability(family, law):
    found = bl.elicit((0.2, 3.0), 0.9, per=10, family=family)
    low, high = (np.log(end) / 10.0 for end in (0.2, 3.0))
    inside = law.cdf((high - found.mean) / found.scale) - law.cdf((low - found.mean) / found.scale)
    assert inside == pytest.approx(0.9, abs=1e-12)
    assert law.cdf((low - found.mean) / found.scale) == pytest.approx(0.05, abs=1e-12)
    assert float(found) == found.scale == found.prior.scale
    assert found.prior.mean == pytest.approx(found.mean)
    assert "per 10 units lie between 0.2 and 3" in str(found)


def test_one_number_is_a_range_about_no_effect_and_columns_are_named():
    found = bl.elicit(4.0, columns="arsenic")
    assert found.scale == pytest.approx(np.log(4.0) / stats.norm.ppf(0.975))
    wells = bl.datasets.load("wells")
    resolved = found.prior.resolve(bl.Design.from_formula("switch ~ dist100 + arsenic", wells))
    assert resolved.labels() == ("flat", "flat", f"normal(0, {found.scale:.3g})")
    assert found.scales == {"arsenic": found.scale}


def test_per_sd_scales_belong_to_the_columns_and_come_back(wells_design):
    found = bl.elicit((0.25, 4.0), per="sd", design=wells_design)
    for name, sd in zip(wells_design.columns[1:], wells_design.column_sds[1:], strict=True):
        assert found.scales[name] == pytest.approx(found.scale / sd)
    table = bl.implied(found.prior, wells_design)
    np.testing.assert_allclose(np.array(table.column("or_sd_lower")[1:], dtype=float), 0.25)
    np.testing.assert_allclose(np.array(table.column("or_sd_upper")[1:], dtype=float), 4.0)
    np.testing.assert_allclose(np.array(table.column("p_upper")[1:], dtype=float), 0.8)  # odds of four
    assert table.column("or_lower")[0] is None  # the intercept is flat


def test_worth_in_observations_is_the_information_of_so_many():
    rng = np.random.default_rng(3)
    n = 4000
    x, y = rng.standard_normal(n) * 2.0, np.arange(n) % 2
    design = bl.Design.from_arrays(x[:, None], y, names=["x"])
    table = bl.implied(bl.Normal(0.1), design)
    # Under no effect every observation tells 0.25 var(x) of the slope beside a free intercept.
    assert table.column("effective_n")[1] == pytest.approx(100.0 / (0.25 * x.var()), rel=1e-3)
    fit = bl.fit(design, prior=bl.Normal(0.1))
    likelihood = 1.0 / fit.cov_params("posterior").loc["x", "x"] - 100.0
    assert 100.0 / (likelihood / n) == pytest.approx(table.column("effective_n")[1], rel=5e-3)


def test_what_presets_and_wide_priors_imply(wells_design):
    table = bl.implied("rstanarm", wells_design)
    np.testing.assert_allclose(np.array(table.column("or_sd_upper")[1:], dtype=float), np.exp(1.959963984540054 * 2.5))
    assert "where its prior is stated" in str(table) and "at the column means" in str(table)
    wide = bl.implied(bl.Cauchy(1e6), wells_design)
    assert wide.column("or_upper")[1] == np.inf
    assert "Morita" in str(wide)


def test_errors_say_what_to_do(wells_design):
    for bad in ((4.0, 0.25), (0.0, 2.0), 1.0, 0.5, "four", (1.0, 2.0, 3.0), None):
        with pytest.raises(bl.ArgumentError, match="odds_ratio="):
            bl.elicit(bad)
    with pytest.raises(bl.ArgumentError, match="probability"):
        bl.elicit(4.0, 1.5)
    with pytest.raises(bl.ArgumentError, match="family='horseshoe'"):
        bl.elicit(4.0, family="horseshoe")
    for bad in (0.0, -1.0, True, "iqr", np.inf):
        with pytest.raises(bl.ArgumentError, match="per="):
            bl.elicit(4.0, per=bad)
    with pytest.raises(bl.ArgumentError, match="needs design="):
        bl.elicit(4.0, per="sd")
    with pytest.raises(bl.ArgumentError, match="no slopes income"):
        bl.elicit(4.0, per="sd", design=wells_design, columns=["income"])
    with pytest.raises(bl.ArgumentError, match="df="):
        bl.elicit(4.0, family="student_t", df=0.0)
    constant = bl.Design.from_arrays(np.column_stack([np.ones(4), np.arange(4.0)]), [0, 1, 0, 1])
    with pytest.raises(bl.ArgumentError, match="constant"):
        bl.elicit(4.0, per="sd", design=constant)


def test_what_is_elicited_is_told_in_the_unit_of_the_prior_and_with_its_degrees_of_freedom():
    told = str(bl.elicit(4.0, per=10, family="student_t", df=5.0))
    scale = np.log(4.0) / stats.t(5).ppf(0.975) / 10
    assert "odds ratios per 10 units" in told and f"scale {scale:.4g}, log-odds per unit." in told
    assert "student_t, 5 degrees of freedom" in told


@pytest.mark.parametrize("family", ["normal", "laplace", "student_t", "cauchy"])
def test_the_figure_of_an_elicited_prior_is_its_density_with_the_range(family):
    laws = {"normal": stats.norm(), "laplace": stats.laplace(), "student_t": stats.t(4), "cauchy": stats.cauchy()}
    found = bl.elicit((0.5, 3.0), 0.8, per=10, family=family, df=4.0)
    chart = found.figure()
    ratio, density = (np.array(chart.table.column(key), dtype=float) for key in ("odds_ratio", "density"))
    scale = 10.0 * found.scale  # the figure speaks of ten units, as the question did
    expected = laws[family].pdf((np.log(ratio) - 10.0 * found.mean) / scale) / scale
    np.testing.assert_allclose(density, expected, rtol=1e-9)
    inside = (ratio > 0.4999) & (ratio < 3.0001)
    assert np.trapezoid(density[inside], np.log(ratio[inside])) == pytest.approx(0.8, abs=2e-3)
    assert "80 %: 0.5 to 3" in chart.svg() and "odds ratio per 10 units" in chart.x.label
    assert bl.plot.elicited(found).chart == chart and "<svg" in found._repr_html_()
