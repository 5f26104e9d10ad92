"""From "C = 1 by default" to a prior that can be defended: how strong should it be?

First what C = 1 says before any data, then a train/test view of the axis on the wells data, then, on simulated truth,
the bias, the variance and the error of the estimates along the same axis. Run it from the repository:
``.venv/bin/python examples/choose_scale.py``; the report goes to reports/demo/, or to the folder that you name.
"""

import sys
from pathlib import Path

import numpy as np

import bayeslogit as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/demo")
folder.mkdir(parents=True, exist_ok=True)
formula = "switch ~ dist100 + arsenic + educ4 + assoc"
wells = bl.datasets.load("wells").sample(400, random_state=1)
design = bl.Design.from_formula(formula, wells)

# 0. C = 1 in scikit-learn is a normal prior of sd 1 on every coefficient, whatever its unit: this is what it says.
print(bl.implied(bl.Normal(1.0), design), "\n")

# 1. What every criterion says, on one axis; a scale of 1 is a log-odds of 1 per sd of the column.
axis = bl.scale_axis(design, prior=bl.Normal, scales=9, folds=5, rng=1)
print(axis.optima(), "\n")

# 2. Train and test on the same axis: what is fitted closest does not predict best.
loss = axis.statistics[["train_log_loss", "cv_log_loss"]]
print(
    "scale    train     held out\n"
    + "\n".join(f"{s:6.3f} {a:9.4f} {b:9.4f}" for s, (a, b) in zip(loss.index, loss.to_numpy(), strict=True))
)

# 3. The prior to use, and intervals that do not pretend the scale were known.
choice = axis.choices["evidence"]
fit = bl.fit(design, prior=choice.prior)
print(f"\n{choice.words}\n\n{choice.averaged(bl.HalfT(3, 1))}\n")

# 4. Simulated truth: squared bias and variance of the mode, 60 data sets, along the same multiples.
rng, truth = np.random.default_rng(2), np.array([0.8, -0.5, 0.3, 0.0, 0.0])
X = rng.normal(size=(100, 5))
scales = np.geomspace(0.03, 3.0, 9)
found = []
for _ in range(60):
    y = (rng.random(100) < 1.0 / (1.0 + np.exp(-X @ truth))).astype(float)
    path = bl.path(bl.Design.from_arrays(X, y), prior=bl.Normal, scales=scales)
    found.append(path.coefficients.to_numpy()[:, 1:])
found = np.array(found)
bias2 = np.square(found.mean(axis=0) - truth).sum(axis=1)
variance = found.var(axis=0).sum(axis=1)
error = np.square(found - truth).sum(axis=2).mean(axis=0)
print("scale   bias^2  variance   error   (sums over five coefficients)")
for row in zip(scales, bias2, variance, error, strict=True):
    print("{:6.3f} {:7.3f} {:8.3f} {:8.3f}".format(*row))
least = scales[np.argmin(error)]
print(f"least error at scale {least:.2g}; root mean square of the truth {np.sqrt(np.mean(truth**2)):.2g}")
compared = bl.compare({"C = 1": bl.fit(design, prior=bl.Normal(1.0)), "chosen": fit, "default": bl.fit(design)})
print("Report:", bl.report(compared, folder / "choose_scale.html", title="C = 1, a chosen prior and a default one"))
