"""Were women turned away? Grouped counts, and a paradox that one more column dissolves.

4,526 applicants to six departments of Berkeley in 1973, as 12 counts (Bickel, Hammel and O'Connell, Science 1975).
Run it from the repository: ``.venv/bin/python examples/admissions.py``; the report goes to reports/demo/, or to the
folder that you name.
"""

import sys
from pathlib import Path

import bayeslogit as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/demo")
folder.mkdir(parents=True, exist_ok=True)
berkeley = bl.datasets.load("berkeley")  # one row a department and gender: admitted out of applicants

# Counts need no expanding: trials= says out of how many.
together = bl.fit("admitted ~ gender", berkeley, trials="applicants")
within = bl.fit("admitted ~ gender + department", berkeley, trials="applicants")
differing = bl.fit("admitted ~ gender * department", berkeley, trials="applicants")

odds = {}
for name, fit in {"all departments in one": together, "within departments": within}.items():
    row = fit.odds_ratios().records()[0]
    odds[name] = "{odds_ratio:.2f} ({lower:.2f} to {upper:.2f})".format(**row)
    effect = fit.effects("gender").records()[0]["mean"]
    print(f"{name:23}: odds of men over women {odds[name]}, probability {100 * effect:+.1f} percentage points")
answer = f"The odds of men over those of women: {', '.join(f'{value} {name}' for name, value in odds.items())}."

# Why: women applied where few are admitted.
rates = berkeley.groupby("department")[["admitted", "applicants"]].sum()
women = berkeley[berkeley["gender"] == "female"].set_index("department")["applicants"]
print("\ndepartment  admitted  applied, % of them women")
for name, row in rates.iterrows():
    print(f"{name:10} {row['admitted'] / row['applicants']:8.0%} {women[name] / row['applicants']:10.0%}")

# And is the difference the same everywhere? Two measures that need not agree, each with its error.
compared = bl.compare({"the same everywhere": within, "one for each department": differing})
print("", *compared.conclusions[:2], sep="\n")

made = bl.report(
    within,
    folder / "admissions.html",
    title="Were women turned away at Berkeley in 1973?",
    question="In the same department, are women and men admitted equally often?",
    command="python examples/admissions.py",
)
print("Report:", made)
