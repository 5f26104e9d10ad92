"""The log evidence with more columns than rows, beside Sobol points and particles that share nothing with ours.

`criteria.py` runs these.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.special import expit, logsumexp, ndtri
from scipy.stats import qmc

import bayeslogit as bl


def timed(work):
    """The result of a second run, and its processor time."""
    work()
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def averaged_over_log_odds(X, y, scale, log2=17, repeats=16):
    """Log of the mean likelihood over the log-odds of Normal(scale) coefficients, by scrambled Sobol points."""
    values, vectors = np.linalg.eigh(X @ X.T)
    half = vectors * np.sqrt(np.maximum(values, 0.0)) * scale
    found = []
    for seed in range(repeats):
        z = ndtri(qmc.Sobol(len(y), seed=seed).random_base2(log2))
        eta = z @ half.T
        found.append(logsumexp((y * eta - np.logaddexp(0.0, eta)).sum(axis=1)) - log2 * np.log(2.0))
    share = np.exp(np.array(found) - max(found))
    return max(found) + np.log(share.mean()), share.std(ddof=1) / share.mean() / np.sqrt(repeats)


def wide_rows():
    """Designs with more columns than rows: n, p and the scales."""
    return [(6, 8, (0.5, 2.0, 8.0)), (5, 20, (0.5, 2.0, 8.0))]


def no_intercept(n: int, p: int, sd: float, seed: int):
    """Standard normal columns and as many coefficients of this sd, no intercept."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, (rng.random(n) < expit(X @ rng.normal(size=p) * sd)).astype(float)


def led(X, y, scale):
    """Annealed particles at one scale: log evidence, its error, and processor time."""
    from bayeslogit.posterior.annealed import sample_annealed
    from bayeslogit.solve import find_mode
    from bayeslogit.target import LogPosterior

    design = bl.Design.from_arrays(X, y, intercept=False)
    target = LogPosterior.of(design, bl.Normal(scale).resolve(design))
    rung, seconds = timed(lambda: sample_annealed(target, find_mode(target), 1, 1))
    return rung.log_evidence, rung.log_evidence_se, seconds


WIDE_HEAD = "| n | p | scale | annealed particles | its error | reference | its error | difference | seconds |"


def wide() -> None:
    """Annealed particles beside integrals over the log-odds."""
    print("## Log evidence with more columns than rows\n")
    print(WIDE_HEAD + "\n|" + "---|" * 9)
    for n, p, scales in wide_rows():
        X, y = no_intercept(n, p, 0.7, n)
        for scale in scales:
            value, error, seconds = led(X, y, scale)
            exact, off = averaged_over_log_odds(X, y, scale)
            print(
                f"| {n} | {p} | {scale:g} | {value:.4f} | {error:.4f} | {exact:.4f} | {off:.4f} "
                f"| {value - exact:+.4f} | {seconds:.2f} |"
            )
    print("\nNormal(scale), no intercept. The reference is the mean likelihood over the log-odds at 16 times 2^17")
    print("scrambled Sobol points, its error that of the 16.")


def along_the_scale(X, y, scales, seed, particles=1024, stages=180, batches=16):
    """Log evidence at each scale by particles led from the prior along the scale; shape (scales, batches)."""
    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(X @ X.T)
    half = vectors * np.sqrt(np.maximum(values, 0.0))
    n, size = len(y), particles // batches
    z, total, out = rng.standard_normal((n, particles)), np.full(batches, -n * np.log(2.0)), []
    steps = np.unique(np.concatenate([np.geomspace(0.01, max(scales), stages), scales]))
    now, length = 0.0, 0.2

    def likelihood(z, c):
        eta = c * (half @ z)
        chance = expit(eta)
        return y @ eta - np.logaddexp(0.0, eta).sum(axis=0), c * (half.T @ (y[:, None] - chance))

    for c in steps:
        weights = (likelihood(z, c)[0] - likelihood(z, now)[0]).reshape(size, batches)
        own = logsumexp(weights, axis=0)
        total = total + own - np.log(size)
        cumulated = np.cumsum(np.exp(weights - own), axis=0)
        at = (np.arange(size)[:, None] + rng.random(batches)) / size
        index = np.stack([np.searchsorted(cumulated[:, b], at[:, b]) for b in range(batches)], axis=1)
        z = z[:, (np.minimum(index, size - 1) * batches + np.arange(batches)).ravel()]
        now = c
        for _ in range(2):
            p0 = rng.standard_normal(z.shape)
            q, p, each = z, p0, length * (0.8 + 0.4 * rng.random(particles))
            value, slope = likelihood(q, c)
            before = value - 0.5 * (np.square(q) + np.square(p)).sum(axis=0)
            for _ in range(max(4, round(1.5 / length))):
                p = p + 0.5 * each * (slope - q)
                q = q + each * p
                value, slope = likelihood(q, c)
                p = p + 0.5 * each * (slope - q)
            chance = np.exp(np.minimum(value - 0.5 * (np.square(q) + np.square(p)).sum(axis=0) - before, 0.0))
            z = np.where(rng.random(particles) < chance, q, z)
            length = min(length * np.exp(0.6 * (chance.mean() - 0.8)), 0.5)
        if c in scales:
            out.append(total)
    return np.array(out)


def long() -> None:
    """Annealed particles at 100 rows beside particles that are led along the scale itself."""
    print("## Log evidence with more columns than rows, 100 rows\n")
    print(WIDE_HEAD + "\n|" + "---|" * 9)
    n, p, scales = 100, 200, (0.3, 0.6, 1.0)
    X, y = no_intercept(n, p, 0.3, 1)
    both = np.concatenate([along_the_scale(X, y, scales, seed) for seed in (0, 1)], axis=1)
    for scale, values in zip(scales, both, strict=True):
        value, error, seconds = led(X, y, scale)
        share = np.exp(values - values.max())
        exact, off = values.max() + np.log(share.mean()), share.std(ddof=1) / share.mean() / np.sqrt(share.size)
        print(
            f"| {n} | {p} | {scale:g} | {value:.3f} | {error:.3f} | {exact:.3f} | {off:.3f} "
            f"| {value - exact:+.3f} | {seconds:.1f} |"
        )
    print("\nThe reference is two runs of 1,024 particles led from the prior along the scale, in 180 stages; its error")
    print("that of batches.")
