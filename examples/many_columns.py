"""More columns than rows: 80 patients, 300 genes, five that matter. What can be said, and what cannot?

Simulated, so that the truth is known. The scale of the prior decides everything here, so it is chosen in the open.
Run it from the repository: ``.venv/bin/python examples/many_columns.py``; the report goes to reports/demo/, or to the
folder that you name.
"""

import sys
from pathlib import Path

import numpy as np

import bayeslogit as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/demo")
folder.mkdir(parents=True, exist_ok=True)
rng, n, p = np.random.default_rng(3), 80, 300
names = [f"gene{j + 1}" for j in range(p)]
truth = np.r_[2.0, -2.0, 2.0, -2.0, 2.0, np.zeros(p - 5)]
X, later = rng.normal(size=(n, p)), rng.normal(size=(2000, p))
y, y_later = ((rng.random(len(Z)) < 1.0 / (1.0 + np.exp(-Z @ truth))).astype(float) for Z in (X, later))
design = bl.Design.from_arrays(X, y, names=names)

# Without a prior there is no answer at all: 300 columns separate 80 patients perfectly.
print(bl.separation(design).verdict, "separation of the classes")

# How strong should the prior be? Five-fold cross-validation along the scale, for a normal prior and for a lasso.
chosen = {family: bl.choose_scale(design, prior=family, by="cv", scales=9, rng=1) for family in (bl.Normal, bl.Laplace)}
for family, choice in chosen.items():
    print(f"{family.__name__}: {choice.words}")
ridge, lasso = chosen[bl.Normal].prior, chosen[bl.Laplace].prior

# The price of the wrong scale, on 2,000 later patients; 0.693 is the loss of saying 50 % to everybody.
print(f"\n{'prior':24} {'log loss':>8}   largest coefficients")
for name, prior in {"normal(1), C = 1": bl.Normal(1), "normal, chosen": ridge, "lasso, chosen": lasso}.items():
    fit = bl.fit(design, prior=prior)
    eta = fit.params.iloc[0] + later @ fit.params.to_numpy()[1:]
    loss = np.mean(np.logaddexp(0.0, eta) - y_later * eta)
    largest = fit.params.iloc[1:].abs().nlargest(5).index
    print(f"{name:24} {loss:8.3f}   {', '.join(largest)}")
answer = f"A lasso with a chosen scale loses {loss:.2f} nats a later patient; saying 50 % to everybody loses 0.69."

fit = bl.fit(design, prior=lasso)
made = bl.report(
    fit,
    folder / "many_columns.html",
    title="More columns than rows",
    question="Which of 300 genes go with the disease, when there are 80 patients?",
    command="python examples/many_columns.py",
)
print("Report:", made)
