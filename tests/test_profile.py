"""Profile intervals against brute force: the other coefficients optimised anew at each value, by SciPy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

import bayeslogit as bl

Z95 = 1.959963984540054


def data(n=40, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2)) + 1.5
    m = rng.integers(1, 4, n).astype(float)
    y = rng.binomial(m.astype(int), 1.0 / (1.0 + np.exp(1.0 - X[:, 0]))).astype(float)
    return np.column_stack([np.ones(n), X]), y, m


def log_likelihood(b, X, y, m):
    eta = X @ b
    return float(y @ eta - m @ np.logaddexp(0.0, eta))


def log_information(b, X, y, m):
    mu = 1.0 / (1.0 + np.exp(-X @ b))
    return float(np.linalg.slogdet(X.T @ ((m * mu * (1.0 - mu))[:, None] * X))[1])


def conjugate(b, X, y, m):
    mu = 1.0 / (1.0 + np.exp(-X @ b))
    return float(b.size / (2.0 * m.sum()) * (m @ np.log(mu * (1.0 - mu))))


PRIORS = {
    "flat": (None, lambda b, *d: 0.0),
    "jeffreys": (bl.Jeffreys(), lambda b, *d: 0.5 * log_information(b, *d)),
    "dy": (bl.DiaconisYlvisaker(), conjugate),
    "normal": (bl.Normal(0.3), lambda b, *d: -(b[1:] @ b[1:]) / (2 * 0.3**2)),
    "cauchy": (bl.Cauchy(0.2), lambda b, *d: -np.log1p((b[1:] / 0.2) ** 2).sum()),
    "mixed": (
        bl.priors(bl.Jeffreys(), terms={"x2": bl.Normal(0.2)}),
        lambda b, *d: 0.5 * log_information(b, *d) - b[2] ** 2 / (2 * 0.2**2),
    ),
}


def brute_bound(density, mode, j, side, z):
    """The bound by a root search over full optimisations."""
    others = [k for k in range(mode.size) if k != j]

    def fall(c):
        def minus(rest):
            b = mode.copy()
            b[j], b[others] = c, rest
            return -density(b)

        near = minimize(minus, mode[others], method="BFGS", options={"gtol": 1e-7})
        best = minimize(minus, near.x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000})
        return density(mode) + best.fun - z * z / 2.0

    far = 0.5
    while fall(mode[j] + side * far) < 0.0:
        far *= 1.6
    return brentq(fall, mode[j], mode[j] + side * far, xtol=1e-10)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # SciPy's optimisers step where weights vanish
@pytest.mark.parametrize("name", PRIORS)
def test_bounds_are_those_of_brute_force(name):
    prior, log_prior = PRIORS[name]
    X, y, m = data()
    fit = bl.fit(bl.Design.from_arrays(X[:, 1:], y, trials=m), prior=prior, tol=1e-10)
    interval = fit.conf_int(kind="profile")
    mode = fit.params.to_numpy()

    def density(b):
        return log_likelihood(b, X, y, m) + log_prior(b, X, y, m)

    for j in (0, 1):
        for side, column in ((-1.0, "lower"), (1.0, "upper")):
            want = brute_bound(density, mode, j, side, Z95)
            assert interval[column].iloc[j] == pytest.approx(want, abs=1e-7)
    assert (interval["lower"] < fit.params).all() and (fit.params < interval["upper"]).all()


def test_where_the_log_posterior_is_quadratic_it_is_mode_and_sd():
    X, y, m = data()
    tight = bl.priors(bl.Normal(1e-4), intercept=bl.Normal(1e-4))
    fit = bl.fit(bl.Design.from_arrays(X[:, 1:], y, trials=m), prior=tight)
    for prob in (0.5, 0.99):
        np.testing.assert_allclose(fit.conf_int(prob, kind="profile"), fit.conf_int(prob), rtol=1e-5, atol=1e-9)


def test_other_columns_and_centring_leave_an_interval_alone():
    X, y, m = data()
    first = bl.fit(bl.Design.from_arrays(X[:, 1:], y, trials=m), prior=bl.Jeffreys(), tol=1e-10)
    moved = np.column_stack([X[:, 1] + 1000.0, 0.1 * X[:, 2] + 3.0 * X[:, 1]])
    second = bl.fit(bl.Design.from_arrays(moved, y, trials=m), prior=bl.Jeffreys(), tol=1e-10)
    # b2 of the second is b2 of the first over 0.1.
    a, b = (fit.conf_int(kind="profile").loc["x2"].to_numpy() for fit in (first, second))
    np.testing.assert_allclose(0.1 * b, a, rtol=1e-7)


def test_jeffreys_on_separated_data_has_finite_bounds():
    rng = np.random.default_rng(3)
    x = rng.standard_normal(30)
    X, y, m = np.column_stack([np.ones(30), x]), (x > 0.1).astype(float), np.ones(30)
    fit = bl.fit(bl.Design.from_arrays(x[:, None], y), prior=bl.Jeffreys(), tol=1e-10)
    interval, mode = fit.conf_int(kind="profile"), fit.params.to_numpy()

    def density(b):
        return log_likelihood(b, X, y, m) + 0.5 * log_information(b, X, y, m)

    for side, column in ((-1.0, "lower"), (1.0, "upper")):
        assert interval.loc["x1", column] == pytest.approx(brute_bound(density, mode, 1, side, Z95), rel=1e-6)
    assert interval.loc["x1", "upper"] - mode[1] > 2.0 * (mode[1] - interval.loc["x1", "lower"])


def test_without_a_prior_separated_data_have_one_bound():
    """All of the group x = 1 are events: b -> infinity, and its lower bound is where the group's likelihood falls."""
    x = np.repeat([0.0, 1.0], [20, 6])
    y = np.concatenate([np.repeat([1.0, 0.0], [9, 11]), np.ones(6)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.FitWarning)
        fit = bl.fit(bl.Design.from_arrays(x[:, None], y), prior=None)
    assert fit.status == "no finite mode"
    interval = fit.conf_int(kind="profile")
    assert interval.loc["x1", "upper"] == np.inf
    top = 9 * np.log(9 / 20) + 11 * np.log(11 / 20)

    def fall(c):
        best = minimize(
            lambda a: -(9 * a - 20 * np.logaddexp(0.0, a) - 6 * np.logaddexp(0.0, -(a + c)))[0], [0.0], tol=1e-12
        )
        return top + best.fun - Z95**2 / 2.0

    assert interval.loc["x1", "lower"] == pytest.approx(brentq(fall, -5.0, 10.0, xtol=1e-11), abs=1e-6)
    # The intercept is that of the 20 others.
    for column, low, high in (("lower", -3.0, -0.2), ("upper", -0.2, 3.0)):
        want = brentq(lambda a: top - (9 * a - 20 * np.logaddexp(0.0, a)) - Z95**2 / 2.0, low, high, xtol=1e-12)
        assert interval.loc["Intercept", column] == pytest.approx(want, abs=1e-6)


def test_completely_separated_data_leave_the_intercept_free():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.FitWarning)
        fit = bl.fit(bl.Design.from_arrays(X, X[:, 0] > 0.0), prior=None)
    interval = fit.conf_int(kind="profile")
    assert np.isfinite(interval.loc["x1", "lower"]) and interval.loc["x1", "lower"] > 0.0
    others = interval.drop(index="x1")
    assert (others["lower"] == -np.inf).all() and (others["upper"] == np.inf).all()


def test_it_is_refused_where_it_has_no_meaning():
    X, y, m = data()
    design = bl.Design.from_arrays(X[:, 1:], y, trials=m)
    with pytest.raises(bl.FitError, match="smooth log posterior"):
        bl.fit(design, prior=bl.Laplace(1.0)).conf_int(kind="profile")
    wide = bl.Design.from_arrays(np.random.default_rng(0).standard_normal((5, 40)), [0, 1, 1, 0, 1])
    with pytest.raises(bl.FitError, match="more columns than rows"):
        bl.fit(wide, prior=bl.Normal(1.0)).conf_int(kind="profile")
    with pytest.warns(bl.FitWarning):
        double = bl.fit(bl.Design.from_arrays(X[:, [1, 1]], y, trials=m), prior=None)
    with pytest.raises(bl.FitError, match="need a mode"):
        double.conf_int(kind="profile")
    with pytest.raises(bl.ArgumentError, match="prob"):
        bl.fit(design).conf_int(1.5, kind="profile")
    with pytest.raises(bl.ArgumentError, match="covariance is one of"):
        bl.fit(design).cov_params("profile")


def test_the_highest_branch_of_a_jeffreys_profile_is_followed():
    """On these rows a second branch of the profile is higher from 3.2 on; the first would end at 5.57."""
    X = [[0, 8.29, -0.93], [1, 0.85, -0.82], [1, 5.18, -0.34], [1, -26.41, 0.12], [0, -15.2, -1.01]]
    X += [[1, -17.09, -2.82], [1, -18.65, -1.64], [0, -7.21, -2.1], [0, 0.32, -0.85], [0, -8.61, -1.84]]
    X += [[0, -4.01, -0.97], [1, -9.06, 0.53], [0, -21.67, -0.77], [0, -2.53, -1.28], [1, 8.79, -1.86]]
    X += [[0, -9.37, -1.55], [0, -17.21, -1.81], [0, -9.4, 1.37]]
    y = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1])
    offset = [0.7, -0.2, 1.24, 0.17, -0.15, -1.42, 0.18, -0.83, 0.28, -2.11, -1.19, 1.48, 1.76, 0.36, 0.26, -2.38]
    offset = np.array([*offset, 0.43, -0.74])
    fit = bl.fit(bl.Design.from_arrays(X, y, offset=offset), prior=bl.Jeffreys())
    upper = fit.conf_int(kind="profile").loc["Intercept", "upper"]
    Z = np.column_stack([np.ones(18), X])

    def fall(slopes):
        eta = Z @ np.array([upper, *slopes]) + offset
        mu = 1.0 / (1.0 + np.exp(-eta))
        value = y @ eta - np.logaddexp(0.0, eta).sum()
        _, logdet = np.linalg.slogdet(Z.T @ ((mu * (1.0 - mu))[:, None] * Z))
        return 2.0 * (fit.log_posterior - value - 0.5 * logdet)

    from scipy.optimize import minimize

    starts = np.random.default_rng(0).normal(size=(20, 3)) * [3.0, 0.4, 2.0]
    lowest = min(minimize(fall, start, method="Nelder-Mead", options={"maxiter": 4000}).fun for start in starts)
    np.testing.assert_allclose(lowest, 1.959963984540054**2, rtol=1e-4)
