"""Does the posterior exist, and its moments? Against integrals worked out by brute force, and known theorems."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.densities import DENSITIES
from bayeslogit.presets import as_prior
from bayeslogit.prior_draws import SAMPLERS
from bayeslogit.propriety import HEAVY, LIGHT, existence

SIX = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
TOUCHING = np.array([-3.0, -2.0, 0.0, 0.0, 2.0, 3.0])


def design_of(x, y, **options):
    return bl.Design.from_arrays(np.asarray(x, dtype=float).reshape(len(y), -1), np.asarray(y, dtype=float), **options)


def separated():
    return design_of(SIX, SIX > 0.0)


def found(design, prior):
    return existence(design, as_prior(prior).resolve(design))


def tail_power(x, y, df, intercept_scale=None):
    """The power by which the density of a large slope falls: from 1e4 to 1e5, by quadrature over the intercept."""

    def marginal(b1):
        b0 = np.sinh(np.linspace(-1.0, 1.0, 20001) * np.arcsinh(6.0 * b1))
        eta = b0[:, None] + b1 * x
        value = np.exp(-np.logaddexp(0.0, np.where(y, -eta, eta)).sum(axis=1))
        if intercept_scale is not None:
            value = value * np.exp(-0.5 * (b0 / intercept_scale) ** 2)
        return np.trapezoid(value, b0) * (1.0 + (b1 / 2.5) ** 2 / df) ** (-0.5 * (df + 1.0))

    return np.log10(marginal(1e5) / marginal(1e4))


# --- the rule beside brute force ----------------------------------------------------------------------------------


def test_the_six_rows_of_the_book_diverge_like_a_logarithm():
    assert tail_power(SIX, SIX > 0.0, 1.0) == pytest.approx(-1.0, abs=1e-3)
    known = found(separated(), bl.Cauchy(2.5))
    assert known.proper is False and "x1" in known.reasons[0] and "Cauchy(0, 2.5)" in known.reasons[0]


@pytest.mark.parametrize("touching", [False, True])
@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("df", [0.7, 1.0, 1.6, 2.0, 2.6, 3.0, 3.6])
def test_one_column_agrees_with_how_its_density_falls(df, bounded, touching):
    """The integral of ``b^m b^power`` is finite if and only if ``power + m < -1``."""
    x, y = (TOUCHING, np.array([0, 0, 0, 1, 1, 1]) == 1) if touching else (SIX, SIX > 0.0)
    prior = bl.priors(bl.StudentT(df, 2.5), intercept=bl.Normal(5.0)) if bounded else bl.StudentT(df, 2.5)
    known = found(design_of(x, y), prior)
    power = tail_power(x, y, df, 5.0 if bounded else None)
    exists = [power + moment < -1.0 - 0.02 for moment in (0, 1, 2)]
    assert exists == [known.proper, bool(known.mean[1]), bool(known.sd[1])]


def test_the_conditions_of_the_page():
    """Beside a flat intercept: proper only above 1 degree of freedom, a mean above 2, an sd above 3."""
    for df in (0.5, 1.0, 1.01, 2.0, 2.01, 3.0, 3.01):
        known = found(separated(), bl.StudentT(df, 2.5))
        assert (known.proper, *known.mean, *known.sd) == (df > 1, *[df > 2] * 2, *[df > 3] * 2)
    for df in (0.5, 1.0, 1.01, 2.0, 2.01):
        known = found(separated(), bl.priors(bl.StudentT(df, 2.5), intercept=bl.Normal(5.0)))
        assert (known.proper, known.mean[1], known.sd[1]) == (True, df > 1, df > 2)


def test_two_columns_that_separate_only_together_have_a_mean_under_cauchy():
    X = np.array([[1.0, -0.5], [0.5, -0.2], [-0.2, 0.6], [-1.0, 0.5], [0.2, 0.1], [-0.3, -0.25]])
    y = X @ [1.0, 0.8] > 0.0
    alone = [np.all(s * X[:, j] * (2 * y - 1) >= 0) for s, j in itertools.product((1, -1), (0, 1))]
    assert not any(alone)
    known = found(design_of(X, y, intercept=False), bl.Cauchy(2.5))
    assert known.proper and known.mean.all() and not known.sd.any()
    # The same by polar coordinates: the mean's integrand falls like r^(1 + 1 - 4), the variance's like r^-1.
    angle = np.linspace(0.0, 2.0 * np.pi, 40001)
    unit = np.column_stack([np.cos(angle), np.sin(angle)])

    def shell(r):
        eta = r * unit @ X.T
        likelihood = np.exp(-np.logaddexp(0.0, np.where(y, -eta, eta)).sum(axis=1))
        return np.trapezoid(likelihood / np.prod(1.0 + (r * unit / 2.5) ** 2, axis=1), angle)

    powers = [np.log10(shell(1e4) / shell(1e3)) + 1 + moment + 1 for moment in (0, 1, 2)]
    assert powers[1] < -0.5 and abs(powers[2]) < 0.1  # per decade of r, times r dr


# --- what else separates, or does not -------------------------------------------------------------------------------


def test_overlap_has_every_moment_whatever_the_tails():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 3))
    y = rng.random(60) < 0.5
    known = found(design_of(X, y), bl.StudentT(0.3, 1.0))
    assert known.proper and known.mean.all() and known.sd.all() and not known.reasons and not known.undecided


def test_nearly_separated_is_not_separated():
    x = np.array([-2.0, -1.0, 0.0, 1e-9, 1.0, 2.0])
    touching = design_of(x, [0, 0, 1, 0, 1, 1])
    assert found(touching, bl.Cauchy(2.5)).proper and found(touching, bl.Cauchy(2.5)).sd.all()
    apart = design_of(x, [0, 0, 0, 1, 1, 1])
    assert not found(apart, bl.Cauchy(2.5)).proper


def test_far_centres_and_odd_units_change_nothing():
    for shift, unit in ((2000.0, 1.0), (0.0, 1e-6), (37.1, 1e5)):
        design = design_of(unit * SIX + shift, SIX > 0.0)
        assert not found(design, bl.Cauchy(2.5 / unit)).proper
        known = found(design, bl.StudentT(3, 2.5 / unit))
        assert known.proper and known.mean.all() and not known.sd.any()


def test_counts_and_weights_decide_what_a_row_says():
    mixed = bl.Design.from_arrays(SIX[:, None], [0, 0, 1, 2, 3, 3], trials=[3] * 6)
    assert found(mixed, bl.Cauchy(2.5)).sd.all()
    y, weights = (SIX > 0.0).astype(float), np.ones(6)
    y[0], weights[0] = 1.0, 0.0
    ignored = bl.Design.from_arrays(SIX[:, None], y, weights=weights)
    assert not found(ignored, bl.Cauchy(2.5)).proper


def test_a_factor_level_of_one_class_separates_alone():
    frame = {"y": [0, 1, 0, 1, 1, 1, 0, 1], "g": list("aabbccaa"), "x": [0.1, 0.4, 0.3, 0.2, 0.5, 0.6, 0.7, 0.9]}
    design = bl.Design.from_formula("y ~ g + x", frame)
    known = found(design, bl.Cauchy(2.5))
    assert known.proper and list(known.mean) == [name != "g[T.c]" for name in design.columns]
    assert "g[T.c]" in known.reasons[0] and "Cauchy" in known.reasons[0]


def test_columns_that_say_the_same_leave_the_tails_of_the_prior():
    rng = np.random.default_rng(2)
    x = rng.standard_normal(40)
    design = bl.Design.from_arrays(np.column_stack([x, x]), (rng.random(40) < 0.5).astype(float))
    assert found(design, bl.Cauchy(1.0)).sd.all()  # t^2 / (1 + t^2)^2 has a finite integral
    known = found(design, bl.StudentT(0.5, 1.0))
    assert known.proper and known.mean.all() and list(known.sd) == [True, False, False]


def test_flat_and_light_priors():
    assert not found(separated(), None).proper and "no proper prior holds" in found(separated(), None).reasons[0]
    for prior in (bl.Normal(2.5), bl.Laplace(1.0), bl.ElasticNet(l1=1.0, l2=0.1), bl.Jeffreys(), "rstanarm"):
        known = found(separated(), prior)
        assert known.proper and known.mean.all() and known.sd.all()


def test_too_many_sets_are_called_undecided():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 30))
    known = found(design_of(X, X[:, 0] + X[:, 1] > 0.0), bl.Cauchy(1.0))
    assert known.proper and not known.mean[1] and "not decided" in known.undecided


@pytest.mark.parametrize("table", [set(HEAVY) | set(LIGHT) | {"flat"}, set(SAMPLERS) | {"flat"}])
def test_every_family_stands_in_the_tables(table):
    assert table == set(DENSITIES)
