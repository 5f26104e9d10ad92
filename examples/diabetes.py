"""How well do seven measurements tell who has diabetes, and can the probabilities be believed?

Pima women, 200 of them to learn from and 332 to be tested on: the split of Ripley (1996), made before we looked.
Run it from the repository: ``.venv/bin/python examples/diabetes.py``; the report goes to reports/demo/, or to the
folder that you name.
"""

import sys
from pathlib import Path

import numpy as np

import bayeslogit as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/demo")
folder.mkdir(parents=True, exist_ok=True)
pima = bl.datasets.load("pima")
train, test = (pima[pima["set"] == part] for part in ("train", "test"))
fit = bl.fit("type ~ npreg + glu + bp + skin + bmi + ped + age", train, event="Yes")

# An odds ratio per unit hides that units differ: one mg/dL of glucose is nothing, one point of the pedigree is a lot.
print(fit.odds_ratios(per={"glu": 20, "bmi": 5, "age": 10, "ped": "sd"}))

# Calibration on women the model has not seen: of those told 30 %, do 30 in a hundred have diabetes?
had = (test["type"] == "Yes").to_numpy(dtype=float)
probability = fit.predict(test)["probability"].to_numpy()
print("\ntold        women   predicted   observed")
for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0)):
    inside = (probability >= low) & (probability < high)
    print(f"{low:.0%} to {high:4.0%} {inside.sum():6} {probability[inside].mean():11.1%} {had[inside].mean():10.1%}")

# Scored the way leave-one-out promised before the test women came in.
log_score = np.where(had == 1.0, np.log(probability), np.log1p(-probability))
promised, error = fit.loo().elpd / len(train), log_score.std() / np.sqrt(len(test))
answer = f"Log score per woman: {promised:.3f} promised by leave-one-out, {log_score.mean():.3f} ± {error:.3f} found."
print(f"\n{answer}")

labels = {
    "npreg": "Pregnancies",
    "glu": "Glucose after two hours (mg/dL)",
    "bp": "Diastolic blood pressure (mm Hg)",
    "skin": "Skin fold at the triceps (mm)",
    "bmi": "Body mass index (kg/m²)",
    "ped": "Diabetes among relatives (score)",
    "age": "Age (years)",
}
made = bl.report(
    fit,
    folder / "diabetes.html",
    title="Who has diabetes?",
    question="Which measurements go with diabetes, and are the predicted probabilities calibrated?",
    command="python examples/diabetes.py",
    labels=labels,
    draws=fit.sample(rng=1),
)
print("Report:", made)
