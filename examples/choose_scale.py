"""From "C = 1 by default" to a prior that can be defended: how strong should it be?

What C = 1 says, what you hold likely, what the data say of the scale, what it costs on simulated truth, and which
conclusions rest on it; the wells data, 400 households. Run it from the repository:
``.venv/bin/python examples/choose_scale.py``; the report goes to reports/demo/, or to the folder that you name.
"""

import sys
from pathlib import Path

import bayeslogit as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/demo")
folder.mkdir(parents=True, exist_ok=True)
wells = bl.datasets.load("wells").sample(400, random_state=1)
design = bl.Design.from_formula("switch ~ dist100 + arsenic + educ4 + assoc", wells)

# 1. C = 1 in scikit-learn is a normal prior of sd 1 on every slope, whatever its unit: this is what it says.
default = bl.convert(source="sklearn", C=1.0, to="bayeslogit", design=design).prior
print(bl.implied(default, design), "\n")

# 2. What can be held likely before the data: one sd more of anything hardly changes the odds more than fourfold.
believed = bl.elicit(odds_ratio=(1 / 4, 4), prob=0.95, per="sd", design=design)
print(believed, "\n")

# 3. What the data say of the scale: every criterion on one axis, and train against test along it.
axis = bl.scale_axis(design, prior=bl.Normal, scales=9, folds=5, rng=1)
print(axis.optima(), axis.statistics[["train_log_loss", "cv_log_loss"]].round(4), sep="\n\n", end="\n\n")

# 4. What a scale costs where the truth is known, here the estimates themselves: bias, variance, and their sum.
chosen = axis.choices["evidence"]
known = bl.bias_variance(design, truth=bl.fit(design, prior=chosen.prior).params, scales=9, simulations=60, rng=2)
print(known, "\n")

# 5. What rests on the choice: three priors side by side, intervals that do not pretend that the scale was known, how
#    sensitive the posterior is, how far the prior would have to go to turn a conclusion around. One page has it all.
priors = {"believed": believed.prior, "C = 1": default, "by evidence": chosen.prior}
fits = {name: bl.fit(design, prior=prior) for name, prior in priors.items()}
compared, sensitive = bl.compare(fits), bl.sensitivity(fits["believed"])
tip = bl.tipping_point(fits["believed"], "interval of arsenic excludes 0")
print(*compared.conclusions, chosen.averaged(bl.HalfT(3, 1)), sensitive, tip, sep="\n\n")
parts = [believed.figure(), axis.figure(), axis.optima(), known.figure(), sensitive.figure(), tip.table]
page = bl.report(compared, folder / "choose_scale.html", title="Which prior for the wells?", tables=parts)
print("\nReport:", page)
