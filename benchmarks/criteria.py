"""Evidence, leave-one-out and the choice of a scale: how far from brute force, how much faster; it writes criteria.md.

    python benchmarks/criteria.py [SECTION ...]

Sections: evidence, wide, modes, posteriors, axis, choice; and, only when they are named, `long` (the references with
more columns than rows at 100 rows, some minutes) and `pymc` (PyMC with ArviZ where they are installed, a minute).
Without a name the first six are run. Each section of the page is replaced by what its run printed, with the date and
the command; the others stay as they are.

References share nothing with what they check but `bl.fit` and `fit.sample`: integrals are taken from
Sobol points, from 400,000 draws of a wide t distribution or by particles led from the prior; leave-one-out is n fits of
n - 1 rows. Times are processor time in one process, ours those of second calls.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import os
import re
import time
from pathlib import Path

import numpy as np
from criteria_wide import long, no_intercept, timed, wide
from scipy.special import expit, gammaln, logsumexp

import bayeslogit as bl

REPEATS = 8
PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Evidence, leave-one-out and the choice of a scale

Made by `python benchmarks/criteria.py`; each section says when and how. Differences are ours less the reference, in
nats. Times are processor time (seconds of all threads) unless a column says wall clock; ratios are within one process.
"""


def simulated(n: int, p: int, sd: float, seed: int):
    """Standard normal columns, coefficients of this sd."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, (rng.random(n) < expit(0.3 + X @ rng.normal(size=p) * sd)).astype(float)


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
    print("| n | p | prior | bayeslogit | its error | reference | its error | difference | seconds |")
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
    print("\nThe reference is 400,000 draws of a t distribution with 5 degrees of freedom.")


def axis() -> None:
    """All criteria at 100 scales; and on two threads, by the clock."""
    print("## The whole axis\n")
    print("| prior | n | p | scales | processor time | wall clock | threads | best by evidence | loo | cv |")
    print("|" + "---|" * 10)
    n, p = 10_000, 50
    X, y = simulated(n, p, 0.3, 1)
    design = bl.Design.from_arrays(X, y)
    few = bl.Design.from_arrays(X[:500, :5], y[:500])
    for prior in (bl.Normal, bl.Laplace):
        bl.fit(design, prior=prior(1.0))
        for threads in ("1", "2"):
            os.environ["OMP_NUM_THREADS"] = threads
            bl.scale_axis(few, prior=prior, scales=20)
            began, clock = time.process_time(), time.perf_counter()
            found = bl.scale_axis(design, prior=prior, scales=100)
            spent, waited = time.process_time() - began, time.perf_counter() - clock
            best = " | ".join(f"{found.best[name]:.3g}" for name in ("evidence", "loo", "cv"))
            print(f"| {prior.__name__} | {n:,} | {p} | 100 | {spent:.1f} | {waited:.1f} | {threads} | {best} |")
    print("\n100 scales and two wider ones: evidence, leave-one-out, 10-fold cross-validation, effective parameters.")
    load = f"{os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores"
    print(f"Other work shared the machine (load {load}), which the wall clock counts and processor time hardly.")


def choice() -> None:
    """The scale by evidence where that is costly: more columns than rows, and separated outcomes."""
    print("## The scale by evidence where that is costly\n")
    print("| data | n | p | best scale | from | to | edge | error of log c | seconds |")
    print("|" + "---|" * 9)
    works = [(f"scale 0.3, seed {seed}", *no_intercept(100, 200, 0.3, seed), False) for seed in (1, 2)]
    X = np.random.default_rng(3).normal(size=(60, 4))
    works.append(("separated", X, (X[:, 0] + 0.3 * X[:, 1] > 0.0).astype(float), True))
    for name, X, y, intercept in works:
        design = bl.Design.from_arrays(X, y, intercept=intercept)
        began = time.process_time()
        found = bl.choose_scale(design, prior=bl.Normal, by="evidence")
        spent = time.process_time() - began
        low, high = found.uncertainty
        print(
            f"| {name} | {len(y)} | {X.shape[1]} | {found.scale:.3g} | {low:.3g} | {high:.3g} | "
            f"{found.at_boundary or 'no'} | {found.scale_mcse:.2f} | {spent:.2f} |"
        )
    print("\nFrom and to: log evidence within 1.92 nats of the best. Where all rows can be on their sides of a plane")
    print("the axis ends when the evidence is level, or, with a flat intercept, when it grows as it then must.")


def without(X, y, prior, i):
    """The fit of all rows but one."""
    keep = np.arange(y.size) != i
    return bl.fit(bl.Design.from_arrays(X[keep], y[keep]), prior=prior)


def modes() -> None:
    """The plug-in score beside that of n fits of n - 1 rows."""
    print("## Leave-one-out of the mode\n")
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
    print("\nOne pass is `refits=0`. At 10 rows a column and fewer it is not enough under a Laplace prior, because the")
    print("active set changes; that is why the default fits flagged observations again.")


def predicted(draws, x, y):
    """Chance of an outcome that the posterior gives it, from its weighted points."""
    points, log_weights = draws.raw
    eta = points @ np.r_[1.0, x]
    return float(np.exp(log_weights - logsumexp(log_weights)) @ np.exp(y * eta - np.logaddexp(0.0, eta)))


def posteriors() -> None:
    """Our total beside that of n posteriors of n - 1 rows, each sampled eight times."""
    print("## Leave-one-out of the posterior\n")
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
    print(f"\nBrute force is every posterior without one observation, sampled {REPEATS} times; its time that of one.")


def beside_arviz() -> None:
    """Our leave-one-out beside that of ArviZ from draws by PyMC."""
    import arviz as az
    import pymc as pm

    print("## Beside PyMC and ArviZ\n")
    print("| n | p | ArviZ elpd | k-hat too high | seconds | ours | refits | seconds | ratio | one pass | ratio |")
    print("|" + "---|" * 11)
    for n, p in [(100, 5), (200, 20)]:
        X, y = simulated(n, p, 0.8, 3)
        began = time.process_time()
        with pm.Model():
            slopes, first = pm.Normal("b", 0.0, 1.0, shape=p), pm.Normal("a", 0.0, 5.0)
            pm.Bernoulli("y", logit_p=first + pm.math.dot(X, slopes), observed=y)
            data = pm.sample(1000, tune=1000, chains=4, cores=1, random_seed=1, progressbar=False, nuts_sampler="pymc")
            pm.compute_log_likelihood(data, progressbar=False)
        theirs = az.loo(data, pointwise=True)
        seconds = time.process_time() - began
        prior = bl.priors(default=bl.Normal(1.0), intercept=bl.Normal(5.0))
        found = []
        for refits in (None, 0):

            def ours(refits=refits, X=X, y=y, prior=prior):
                return bl.fit(bl.Design.from_arrays(X, y), prior=prior).loo(refits=refits)

            found.append(min((timed(ours) for _ in range(5)), key=lambda each: each[1]))
        (default, own), (quick, one_pass) = found
        elpd = float(getattr(theirs, "elpd", getattr(theirs, "elpd_loo", np.nan)))
        bad = int((np.asarray(theirs.pareto_k) > 0.7).sum())
        print(
            f"| {n} | {p} | {elpd:.3f} | {bad} | {seconds:.1f} | {default.elpd:.3f} | {default.n_refit} | {own:.3f} | "
            f"{seconds / own:.0f} | {quick.elpd:.3f} | {seconds / one_pass:.0f} |"
        )
    print("\nTheirs: model, compilation, 4 chains of 1,000 draws after as many, log likelihood and `az.loo`, processor")
    print("time. Ours: fit and leave-one-out together, the fastest of five second calls; one pass is `refits=0`.")


SECTIONS = {
    "evidence": evidence,
    "wide": wide,
    "long": long,
    "modes": modes,
    "posteriors": posteriors,
    "pymc": beside_arviz,
    "axis": axis,
    "choice": choice,
}
ONLY_WHEN_NAMED = ("long", "pymc")


class _Both(io.StringIO):
    """What is printed is shown at once and kept."""

    def __init__(self, screen) -> None:
        super().__init__()
        self.screen = screen

    def write(self, text: str) -> int:
        self.screen.write(text)
        self.screen.flush()
        return super().write(text)


def run(name: str) -> str:
    """What a section prints, with the date and the command."""
    import sys

    kept = _Both(sys.stdout)
    with contextlib.redirect_stdout(kept):
        SECTIONS[name]()
        print(f"\n`python benchmarks/criteria.py {name}`, {datetime.date.today():%Y-%m-%d}.\n")
    return kept.getvalue()


def written(sections: dict[str, str]) -> None:
    """The page with these sections in place of what it said of them."""
    known = {}
    for part in re.split(r"(?m)^(?=## )", PAGE.read_text())[1:] if PAGE.exists() else []:
        told = re.search(r"`python benchmarks/criteria\.py (\w+)`", part)
        if told:
            known[told.group(1)] = part.rstrip() + "\n"
    known |= {name: text.rstrip() + "\n" for name, text in sections.items()}
    PAGE.write_text("\n".join([HEAD, *(known[name] for name in SECTIONS if name in known)]))


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    picked = asked.parse_args().sections or [name for name in SECTIONS if name not in ONLY_WHEN_NAMED]
    if not set(picked) <= set(SECTIONS):
        asked.error(f"a section is one of {', '.join(SECTIONS)}")
    for each in picked:
        written({each: run(each)})
