"""Who switches to a safer well? One fit, three priors, one report.

Households in Bangladesh were told the arsenic level of their well; `switch` says who moved to another one.
Run it from the repository: ``.venv/bin/python examples/wells.py``; the report goes to reports/demo/.
"""

from pathlib import Path

import bayeslogit as bl

wells = bl.datasets.load("wells")
design = bl.Design.from_formula("switch ~ dist100 + arsenic + assoc + educ4", wells)

# Is it the prior or the data? With 3,020 households three quite different priors say the same.
for name, prior in {"flat": None, "weak": "rstanarm", "tight": bl.Normal(0.1)}.items():
    fit = bl.fit(design, prior=prior)
    row = fit.summary().records()[1]
    print(f"{name:6} dist100: odds ratio {row['odds_ratio']:.3f}, prior share {row['prior_share']:.1%}")

fit = bl.fit(design)
print(fit)
print(fit.predict({"dist100": 0.5, "arsenic": 1.5, "assoc": 0, "educ4": 1.25}))

folder = Path("reports/demo")
folder.mkdir(parents=True, exist_ok=True)
print("Report:", bl.report(fit, folder / "example-wells.html", title="Who switches to a safer well?"))
