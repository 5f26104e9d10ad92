"""Evidence and leave-one-out: how far from brute force, and how much faster; beside PyMC with ArviZ where installed.

    python benchmarks/criteria.py [--pymc]

References share nothing with what they check but `bl.fit` and `fit.sample`: integrals are taken on a fine lattice or
from 400,000 draws of a wide t distribution, leave-one-out is n fits of n - 1 rows. Times are ratios within one process.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.special import expit, gammaln, logsumexp

import bayeslogit as bl

REPEATS = 8


def simulated(n: int, p: int, sd: float, seed: int):
    """Standard normal columns, coefficients of this sd."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, (rng.random(n) < expit(0.3 + X @ rng.normal(size=p) * sd)).astype(float)


def timed(work):
    """The result of a second run, and its processor time."""
    work()
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def log_joint(X, y, points, scale, family):
    """Log likelihood and normalised log prior at points, shape (S, p + 1); the intercept is Normal(0, 5)."""
    eta = points @ np.column_stack([np.ones(len(X)), X]).T
    value = (y * eta - np.logaddexp(0.0, eta)).sum(axis=1)
    u = points[:, 1:] / scale
    own = -0.5 * u**2 - 0.5 * np.log(2 * np.pi) if family == "normal" else -np.abs(u) - np.log(2.0)
    return (
        value - 0.5 * (points[:, 0] / 5.0) ** 2 - np.log(5.0 * np.sqrt(2 * np.pi)) + (own - np.log(scale)).sum(axis=1)
    )


def long_evidence(X, y, scale, family, draws, count=400_000, df=5.0):
    """Log evidence by plain importance sampling from a t distribution about the draws; and its standard error."""
    rng = np.random.default_rng(0)
    mean, V = draws.values.mean(axis=0), np.cov(draws.values, rowvar=False)
    k, L = mean.size, np.linalg.cholesky(V)
    log_weights = []
    for _ in range(count // 20_000):
        z = rng.standard_normal((20_000, k)) / np.sqrt(rng.chisquare(df, 20_000) / df)[:, None]
        log_q = gammaln((df + k) / 2) - gammaln(df / 2) - 0.5 * k * np.log(df * np.pi) - np.log(np.diag(L)).sum()
        log_q = log_q - 0.5 * (df + k) * np.log1p((z**2).sum(axis=1) / df)
        log_weights.append(log_joint(X, y, mean + z @ L.T, scale, family) - log_q)
    w = np.concatenate(log_weights)
    share = np.exp(w - logsumexp(w)) * w.size
    return logsumexp(w) - np.log(w.size), share.std() / np.sqrt(w.size)


def evidence() -> None:
    """Our log evidence beside the long one."""
    print("## Log evidence\n")
    print("| n | p | prior | bayeslogit | its error | reference | its error | difference | seconds (CPU) |")
    print("|---|---|---|---|---|---|---|---|---|")
    for n, p, family in [(50, 3, "normal"), (100, 10, "normal"), (100, 10, "laplace"), (400, 20, "normal")]:
        X, y = simulated(n, p, 0.7, n)
        default = bl.Normal(1.0) if family == "normal" else bl.Laplace(1.0)
        fit = bl.fit(bl.Design.from_arrays(X, y), prior=bl.priors(default=default, intercept=bl.Normal(5.0)))
        draws, seconds = timed(lambda fit=fit: fit.sample(rng=1))
        exact, error = long_evidence(X, y, 1.0, family, draws)
        print(
            f"| {n} | {p} | {family} | {draws.log_evidence:.4f} | {draws.log_evidence_se:.4f} | {exact:.4f} "
            f"| {error:.4f} | {draws.log_evidence - exact:+.4f} | {seconds:.2f} |"
        )


def without(X, y, prior, i):
    """The fit of all rows but one."""
    keep = np.arange(y.size) != i
    return bl.fit(bl.Design.from_arrays(X[keep], y[keep]), prior=prior)


def modes() -> None:
    """The plug-in score beside that of n fits of n - 1 rows."""
    print("\n## Leave-one-out of the mode\n")
    print("| n | p | prior | brute force | default | its refits | one pass | times faster: default | one pass |")
    print("|---|---|---|---|---|---|---|---|---|")
    for n, p in [(100, 5), (200, 20), (200, 50), (1000, 20)]:
        for prior in (bl.Normal(1.0), bl.Laplace(0.5)):
            X, y = simulated(n, p, 0.8, 1)
            fit = bl.fit(bl.Design.from_arrays(X, y), prior=prior)
            found, seconds = timed(lambda fit=fit: fit.loo(kind="mode"))
            quick, one_pass = timed(lambda fit=fit: fit.loo(kind="mode", refits=0))
            began = time.process_time()
            eta = np.array([without(X, y, prior, i).params.to_numpy() @ np.r_[1.0, X[i]] for i in range(n)])
            brute = time.process_time() - began
            exact = float((y * eta - np.logaddexp(0.0, eta)).sum())
            print(
                f"| {n} | {p} | {prior!r} | {exact:.3f} | {found.elpd - exact:+.3f} | {found.n_refit} | "
                f"{quick.elpd - exact:+.3f} | {brute / seconds:.0f} | {brute / one_pass:.0f} |"
            )


def predicted(draws, x, y):
    """Chance of an outcome that the posterior gives it, from its weighted points."""
    points, log_weights = draws.raw
    eta = points @ np.r_[1.0, x]
    return float(np.exp(log_weights - logsumexp(log_weights)) @ np.exp(y * eta - np.logaddexp(0.0, eta)))


def posteriors() -> None:
    """Our total beside that of n posteriors of n - 1 rows, each sampled eight times."""
    print("\n## Leave-one-out of the posterior\n")
    print(
        "| n | p | prior | brute force | its error | bayeslogit | difference | refits | milliseconds | times faster |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for n, p in [(40, 3), (60, 6), (100, 10)]:
        for prior in (bl.Normal(1.0), bl.Laplace(0.5)):
            X, y = simulated(n, p, 0.8, 2)
            fit = bl.fit(bl.Design.from_arrays(X, y), prior=prior)
            found, seconds = timed(lambda fit=fit: fit.loo())
            total, variance, began = 0.0, 0.0, time.process_time()
            for i in range(n):
                rest = without(X, y, prior, i)
                means = [predicted(rest.sample("importance", rng=seed), X[i], y[i]) for seed in range(REPEATS)]
                total += np.log(np.mean(means))
                variance += np.var(means, ddof=1) / REPEATS / np.mean(means) ** 2
            # A user of brute force would sample each posterior once.
            brute = (time.process_time() - began) / REPEATS
            print(
                f"| {n} | {p} | {prior!r} | {total:.3f} | {variance**0.5:.3f} | {found.elpd:.3f} | "
                f"{found.elpd - total:+.3f} | {found.n_refit} | {1000 * seconds:.0f} | {brute / seconds:.0f} |"
            )


def beside_arviz() -> None:
    """Our leave-one-out beside that of ArviZ from draws by PyMC."""
    import arviz as az
    import pymc as pm

    print("\n## Beside PyMC and ArviZ (wall clock, compilation and sampling included, 4 chains of 1,000 draws)\n")
    print(
        "| n | p | ArviZ elpd | k-hat too high | seconds | bayeslogit elpd | refits | times faster | one pass | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for n, p in [(100, 5), (200, 20)]:
        X, y = simulated(n, p, 0.8, 3)
        began = time.perf_counter()
        with pm.Model():
            slopes, first = pm.Normal("b", 0.0, 1.0, shape=p), pm.Normal("a", 0.0, 5.0)
            pm.Bernoulli("y", logit_p=first + pm.math.dot(X, slopes), observed=y)
            data = pm.sample(1000, tune=1000, chains=4, cores=1, random_seed=1, progressbar=False, nuts_sampler="pymc")
            pm.compute_log_likelihood(data, progressbar=False)
        theirs = az.loo(data, pointwise=True)
        seconds = time.perf_counter() - began
        prior = bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(5.0))
        found = []
        for refits in (None, 0):
            bl.fit(bl.Design.from_arrays(X, y), prior=prior).loo(refits=refits)
            began = time.perf_counter()
            found.append(bl.fit(bl.Design.from_arrays(X, y), prior=prior).loo(refits=refits))
            found.append(time.perf_counter() - began)
        ours, own, quick, one_pass = found
        elpd = float(getattr(theirs, "elpd", getattr(theirs, "elpd_loo", np.nan)))
        bad = int((np.asarray(theirs.pareto_k) > 0.7).sum())
        print(
            f"| {n} | {p} | {elpd:.3f} | {bad} | {seconds:.1f} | {ours.elpd:.3f} | {ours.n_refit} | "
            f"{seconds / own:.0f} | {quick.elpd:.3f} | {seconds / one_pass:.0f} |"
        )


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--pymc", action="store_true", help="also run PyMC with ArviZ (a minute)")
    options = asked.parse_args()
    evidence()
    modes()
    posteriors()
    if options.pymc:
        beside_arviz()
