"""From scikit-learn to here: the same coefficients, and how sure they are.

A pipeline that somebody has fitted already, C = 0.1, is taken over as it is. Needs scikit-learn.
Run it from the repository: ``.venv/bin/python examples/from_scikit_learn.py``; the report goes to reports/demo/, or to
the folder that you name.
"""

import sys
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bayeslogit as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/demo")
folder.mkdir(parents=True, exist_ok=True)
pima = bl.datasets.load("pima")
columns = ["npreg", "glu", "bp", "skin", "bmi", "ped", "age"]
X, y = pima[columns], pima["type"]
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(X, y)

# Its penalty is a prior: the same optimum, now with standard errors, intervals and the share that the prior supplies.
fit = bl.from_sklearn(model, X, y)
theirs = model[-1].coef_[0]
print(f"{'per sd':8} {'sklearn':>9} {'mode':>9} {'sd':>7}   95 % interval   prior share")
for name, ours, row in zip(columns, theirs, fit.summary().records()[1:], strict=True):
    interval = f"{row['lower']:6.2f} to {row['upper']:5.2f}"
    print(f"{name:8} {ours:9.5f} {row['estimate']:9.5f} {row['sd']:7.3f}  {interval} {row['prior_share']:12.1%}")

# What C = 0.1 claims before it sees a row, and what the same penalty is called elsewhere.
print("\n", bl.implied(bl.Normal(0.1**0.5), fit.design), sep="")
for system in ("glmnet", "statsmodels_glm", "weight_decay"):
    print(f"{system:16} {bl.convert(source='sklearn', C=0.1, to=system, design=fit.design).params}")

# Was C = 0.1 a good choice?
best = bl.choose_scale(fit.design, prior=bl.Normal, by="loo", scales=9)
print("\n", best.words, sep="")
share = fit.summary().column("prior_share")[1:]
answer = f"The penalty supplies {min(share):.0%} to {max(share):.0%} of what is known of each coefficient."

made = bl.report(
    fit,
    folder / "from_scikit_learn.html",
    title="A scikit-learn pipeline, with its uncertainty",
    question="What did the pipeline estimate, and how sure can one be of it?",
    command="python examples/from_scikit_learn.py",
)
print("Report:", made)
