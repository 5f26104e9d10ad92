"""My coefficient exploded: separation, what it is, and three honest ways out.

A made-up trial of 40 patients: nobody who took the drug fell ill, and maximum likelihood says "minus infinity".
Run it from the repository: ``.venv/bin/python examples/separation.py``; the report goes to reports/demo/, or to the
folder that you name.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import bayeslogit as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/demo")
folder.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(5)
trial = pd.DataFrame({"drug": np.repeat([0, 1], 20), "age": rng.integers(40, 80, size=40)})
risk = 1.0 / (1.0 + np.exp(0.2 + 2.5 * trial["drug"] - 0.05 * (trial["age"] - 60)))
trial["ill"] = np.where(trial["drug"] == 1, 0, rng.random(40) < risk).astype(int)
print(trial.groupby("drug")["ill"].agg(["sum", "count"]), "\n")

# What is wrong, before any fit: which columns, and in which direction their coefficients run away.
design = bl.Design.from_formula("ill ~ drug + age", trial)
print(bl.separation(design), "\n")
with warnings.catch_warnings(action="ignore"):  # a FitWarning says the same as the message
    print(bl.fit(design, prior=None).mode.message, "\n")

# Three ways out. Their intervals are finite where they should be, and all three say "helps"; how much, the prior says.
ways = {
    "Firth (Jeffreys' prior)": bl.Jeffreys(),
    "weakly informative": "rstanarm",
    "odds ratio in 1/10 to 10": bl.priors(
        default=bl.preset("rstanarm"), terms={"drug": bl.elicit(odds_ratio=(0.1, 10)).prior}
    ),
}
fits = {name: bl.fit(design, prior=prior) for name, prior in ways.items()}
print("odds ratio of the drug, 95 % interval")
highest = []
for name, fit in fits.items():
    row = fit.odds_ratios().records()[0]
    ends = np.exp(fit.conf_int(kind="profile").loc["drug"])
    highest.append(f"{ends['upper']:.2f}")
    print(f"{name:26} {row['odds_ratio']:.3f}  profile {ends['lower']:.4f} to {ends['upper']:.2f}")
answer = f"Three priors agree that the odds ratio is below 1, at most {', '.join(highest)}; how small, only they say."
print(answer)

fit = fits["odds ratio in 1/10 to 10"]
made = bl.report(
    fit,
    folder / "separation.html",
    title="Nobody who took the drug fell ill",
    question="Does the drug prevent the illness, when nobody who took it fell ill?",
    command="python examples/separation.py",
    draws=fit.sample(rng=1),
)
print("Report:", made)
