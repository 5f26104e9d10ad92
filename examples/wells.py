"""Who switches to a safer well? One fit, three priors, one report.

Households in Bangladesh were told the arsenic level of their well; `switch` says who moved to another one.
Run it from the repository: ``.venv/bin/python examples/wells.py``; the report goes to reports/demo/, or to the folder
that you name.
"""

import sys
from pathlib import Path

import bayeslogit as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/demo")
folder.mkdir(parents=True, exist_ok=True)
wells = bl.datasets.load("wells")
design = bl.Design.from_formula("switch ~ dist100 + arsenic + assoc + educ4", wells)

# Is it the prior or the data? With 3,020 households a weak prior is as good as none; a tight one counts as much as
# they do, and its share says so.
for name, prior in {"flat": None, "weak": "rstanarm", "tight": bl.Normal(0.1)}.items():
    fit = bl.fit(design, prior=prior)
    row = fit.summary().records()[1]
    print(f"{name:6} dist100: odds ratio {row['odds_ratio']:.3f}, prior share {row['prior_share']:.1%}")

fit = bl.fit(design)
print(fit)
print(fit.predict({"dist100": 0.5, "arsenic": 1.5, "assoc": 0, "educ4": 1.25}))

labels = {
    "dist100": "Distance to the next safe well (100 m)",
    "arsenic": "Arsenic in the own well (100 µg/L)",
    "assoc": "Active in a community organisation",
    "educ4": "Education of the head (4 years)",
}
made = bl.report(
    fit,
    folder / "wells.html",
    title="Who switches to a safer well?",
    question="Do households with more arsenic in their well, and a safe one nearer, switch more often?",
    command="python examples/wells.py",
    labels=labels,
)
print("Report:", made)
