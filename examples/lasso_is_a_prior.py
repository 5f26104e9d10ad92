"""The lasso is a prior: L1-penalised logistic regression is the mode under a Laplace prior.

scikit-learn's ``LogisticRegression(l1_ratio=1, C=scale)`` and ``bayeslogit.Laplace(scale)`` are one objective. Narrow
the prior and coefficients reach zero, exactly, one after the other; what holds each of them there is checked below.
Run it from the repository: ``.venv/bin/python examples/lasso_is_a_prior.py``.
"""

import numpy as np

import bayeslogit as bl

pima = bl.datasets.load("pima")
columns = ["npreg", "glu", "bp", "skin", "bmi", "ped", "age"]
X = pima[columns].to_numpy(dtype=float)
X = (X - X.mean(axis=0)) / X.std(axis=0)  # one scale for all coefficients needs one unit for all columns
y = (pima["type"] == "Yes").to_numpy(dtype=float)
design = bl.Design.from_arrays(X, y, names=columns)

violation = 0.0
print(f"{'scale':>6}  " + "".join(f"{name:>8}" for name in columns))
for scale in (1.0, 0.1, 0.03, 0.015, 0.01):
    fit = bl.fit(design, prior=bl.Laplace(scale), tol=1e-10)
    slopes = fit.params.to_numpy()[1:]
    print(f"{scale:6}  " + "".join(f"{b:8.3f}" if b else f"{'0':>8}" for b in slopes))

    # The data pull at each coefficient with x'(y - p). The prior holds a zero with any force up to 1 / scale, and pulls
    # every other coefficient back with exactly that.
    pull = X.T @ (y - 1.0 / (1.0 + np.exp(-fit.params.iloc[0] - X @ slopes)))
    excess = np.where(slopes == 0.0, np.maximum(np.abs(pull) - 1.0 / scale, 0.0), pull - np.sign(slopes) / scale)
    violation = max(violation, float(np.max(np.abs(excess)) * scale))

print(f"\nlargest violation of that condition: {violation:.1e} of the prior's pull")
print(bl.convert(source="bayeslogit", prior=bl.Laplace(0.03), to="sklearn", design=design).params)
