"""What is known about each bundled data set: its question, its columns with their units, its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """One data set in words; the numbers are in the CSV file of the same name."""

    name: str
    title: str
    question: str
    row: str
    n_rows: int
    columns: Mapping[str, str]
    source: str


_WELLS = Facts(
    name="wells",
    title="Arsenic in Bangladesh wells",
    question=(
        "Households in Araihazar that used a well with unsafe arsenic were told so; "
        "several years later it was noted whether they had switched to another well."
    ),
    row="household",
    n_rows=3020,
    columns={
        "switch": "1 = switched to another well, 0 = did not",
        "arsenic": "arsenic in the household's own well, in hundreds of micrograms per litre; above 0.5 is unsafe",
        "dist": "distance to the nearest known safe well, in metres",
        "dist100": "the same distance in hundreds of metres, dist / 100",
        "assoc": "1 = a member of the household is active in a community organisation, 0 = none is",
        "educ": "education of the head of the household, in years",
        "educ4": "the same education in units of four years, educ / 4",
    },
    source=(
        "Gelman, Trevisani, Lu and van Geen (2004), Risk Analysis 24, 1597-1612; "
        "used as an example by Gelman and Hill (2007), "
        "Data Analysis Using Regression and Multilevel/Hierarchical Models."
    ),
)

_PIMA = Facts(
    name="pima",
    title="Diabetes among Akimel O'odham (Pima) women",
    question=(
        "Women of at least 21 years living near Phoenix, Arizona, were tested for diabetes by the criteria "
        "of the World Health Organization; these are the complete records without serum insulin."
    ),
    row="woman",
    n_rows=532,
    columns={
        "npreg": "number of pregnancies",
        "glu": "plasma glucose two hours into an oral glucose tolerance test, in mg/dL",
        "bp": "diastolic blood pressure, in mm Hg",
        "skin": "triceps skin fold thickness, in mm",
        "bmi": "body mass index, in kg/m^2",
        "ped": "diabetes pedigree function: a score of diabetes among relatives, without a unit",
        "age": "age, in years",
        "type": "Yes = diabetic, No = not",
        "set": "train (200 rows) or test (332 rows): the split of Ripley (1996)",
    },
    source=(
        "Smith, Everhart, Dickson, Knowler and Johannes (1988), Proceedings of the Symposium on Computer Applications "
        "in Medical Care, 261-265; split by Ripley (1996), Pattern Recognition and Neural Networks."
    ),
)

_LBW = Facts(
    name="lbw",
    title="Low birth weight",
    question=(
        "Births at Baystate Medical Center, Springfield, Massachusetts, in 1986, "
        "with what was known of the mother before the birth."
    ),
    row="birth",
    n_rows=189,
    columns={
        "low": "1 = birth weight below 2,500 g, 0 = not",
        "age": "age of the mother, in years",
        "lwt": "weight of the mother at her last menstrual period, in pounds",
        "race": "race of the mother as recorded: white, black or other",
        "smoke": "1 = smoked during pregnancy, 0 = did not",
        "ptl": "number of previous premature labours",
        "ht": "1 = history of hypertension, 0 = none",
        "ui": "1 = uterine irritability, 0 = none",
        "ftv": "number of physician visits during the first trimester",
        "bwt": "birth weight, in grams; low follows from it, so it is no predictor of low",
    },
    source="Hosmer and Lemeshow (1989), Applied Logistic Regression.",
)

_BERKELEY = Facts(
    name="berkeley",
    title="Graduate admissions at Berkeley in 1973",
    question=(
        "Applicants to the six largest departments: over all departments men were admitted more often than women, "
        "within departments hardly so (Simpson's paradox)."
    ),
    row="department and gender; a row holds counts, so fit it with trials='applicants'",
    n_rows=12,
    columns={
        "department": "A to F, the six largest departments",
        "gender": "male or female, as recorded",
        "admitted": "number admitted, out of applicants",
        "applicants": "number who applied",
    },
    source="Bickel, Hammel and O'Connell (1975), Science 187, 398-404.",
)

FACTS: Mapping[str, Facts] = {facts.name: facts for facts in (_WELLS, _PIMA, _LBW, _BERKELEY)}
