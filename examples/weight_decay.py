"""Weight decay is a prior: gradient descent with weight decay arrives at the mode under a Gaussian prior.

A training loop that shrinks its weights a little in every step minimises ``mean loss + decay/2 * sum of squares``. With
n rows that is a Gaussian prior of sd ``1 / sqrt(n * decay)`` on every weight, the bias included.
Run it from the repository: ``.venv/bin/python examples/weight_decay.py``.
"""

import numpy as np

import bayeslogit as bl


def train(X: np.ndarray, y: np.ndarray, decay: float, steps: int) -> np.ndarray:
    """Plain gradient descent on the mean loss, with weight decay."""
    rate = 1.0 / (np.linalg.norm(X, 2) ** 2 / (4 * len(y)) + decay)  # the curvature is nowhere larger than 1 / rate
    weights = np.zeros(X.shape[1])
    for _ in range(steps):
        probability = 1.0 / (1.0 + np.exp(-X @ weights))
        gradient = X.T @ (probability - y) / len(y)
        weights -= rate * (gradient + decay * weights)  # the last term is all that weight decay is
    return weights


wells = bl.datasets.load("wells")
columns, decay = ["dist100", "arsenic", "educ4"], 0.01
y = wells["switch"].to_numpy(dtype=float)
X = np.column_stack([np.ones(len(y)), wells[columns]])
weights = train(X, y, decay, steps=3000)

# The same as a prior: one sd for all weights, log-odds per unit of the column.
prior = bl.Normal(1.0 / np.sqrt(len(y) * decay))
design = bl.Design.from_formula("switch ~ dist100 + arsenic + educ4", wells)
fit = bl.fit(design, prior=bl.priors(default=prior, intercept=prior), tol=1e-10)

# How far apart they are, in posterior standard deviations.
gap = weights - fit.params.to_numpy()
distance = float(np.sqrt(gap @ np.linalg.solve(fit.cov_params().to_numpy(), gap)))

print(f"weight decay {decay} on {len(y):,} rows is the prior {prior!r}\n")
print(f"{'':10} {'trained':>10} {'mode':>10} {'sd':>8}   what training does not say: how sure")
for name, trained, mode, sd in zip(fit.params.index, weights, fit.params, fit.bse, strict=True):
    print(f"{name:10} {trained:10.6f} {mode:10.6f} {sd:8.4f}")
print(f"\ndistance: {distance:.1e} posterior sd")
print(bl.convert(source="weight_decay", wd=decay, to="bayeslogit", design=design).proof)
