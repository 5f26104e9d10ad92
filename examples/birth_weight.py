"""What goes with a low birth weight? Factors, their reference levels, and effects in percentage points.

189 births in Springfield, Massachusetts, 1986 (Hosmer and Lemeshow 1989).
Run it from the repository: ``.venv/bin/python examples/birth_weight.py``; the report goes to reports/demo/, or to the
folder that you name.
"""

import sys
from pathlib import Path

import bayeslogit as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/demo")
folder.mkdir(parents=True, exist_ok=True)
births = bl.datasets.load("lbw").rename(columns={"race": "recorded_race"})
births["labours"] = births["ptl"].clip(upper=1)  # any earlier premature labour

# A factor's odds ratios compare its levels with the reference: choose one that many rows stand behind.
formula = "low ~ age + lwt + C(recorded_race, Treatment('white')) + smoke + labours + ht + ui"

# A doubtful reader first thinks that an odds ratio of 5 either way would be large; a doubled one is then a mild claim.
doubt = bl.elicit(odds_ratio=(1 / 5, 5), prob=0.95)
print(f"odds ratios within 1/5 and 5 with 95 %: a normal prior of sd {doubt.scale:.2f} on the log-odds")
yes_no = dict.fromkeys(("smoke", "labours", "ht", "ui"), bl.Normal(doubt.scale))
fit = bl.fit(formula, births, prior=bl.priors(default=bl.preset("rstanarm"), terms=yes_no))

print(fit.odds_ratios(per={"age": 5, "lwt": 10}))
print(fit.effects("recorded_race"))
smoking = fit.effects("smoke", "difference")
points = {key: 100.0 * smoking.records()[0][key] for key in ("mean", "lower", "upper")}
answer = "Smoking goes with {mean:.0f} percentage points more, {lower:.0f} to {upper:.0f}, the rest held fixed.".format(
    **points
)
print(smoking, answer, sep="\n")

labels = {
    "age": "Mother's age (years)",
    "lwt": "Mother's weight (pounds)",
    "recorded_race": "Race as recorded",
    "smoke": "Smoked during pregnancy",
    "labours": "Premature labour before",
    "ht": "History of hypertension",
    "ui": "Uterine irritability",
}
made = bl.report(
    fit,
    folder / "birth_weight.html",
    title="What goes with a low birth weight?",
    question="What goes with a birth weight below 2,500 g, and by how many percentage points?",
    command="python examples/birth_weight.py",
    labels=labels,
    draws=fit.sample(rng=1),
)
print("Report:", made)
