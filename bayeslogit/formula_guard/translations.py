"""What the functions of other systems' formulas are called here: told to whoever writes one of theirs."""

from __future__ import annotations

_COMPUTED = "Compute that column in the data first and write its name here."
_SMOOTH = "Smooths with a penalty of their own are not part of this model; bs(x, df=5) and cr(x, df=5) are splines."
_TRANSLATIONS = {
    "factor": "Write C(x) for factor(x).",
    "as.factor": "Write C(x) for as.factor(x).",
    "ordered": "Write C(x, Poly) or C(x, Diff) for ordered(x), with levels=[...] for their order.",
    "relevel": "Write C(x, Treatment('b')) for relevel(x, ref = 'b').",
    "treatment": "Write C(x, Treatment('b')); the reference is named there.",
    "offset": "Give the offset beside the formula: bl.fit(formula, data, offset='column'); --offset in a shell.",
    "cbind": "Write 'successes ~ x' and give the counts of trials beside it: bl.fit(formula, data, trials='n').",
    "ns": "Write cr(x, df=3) for a natural cubic spline.",
    "rcs": "Write cr(x, df=3) for a restricted cubic spline.",
    "s": _SMOOTH,
    "te": _SMOOTH,
    "ti": _SMOOTH,
    "t2": _SMOOTH,
    "lo": _SMOOTH,
    "gp": _SMOOTH,
    "Q": "A name with blanks or signs goes in backticks: `a name`.",
    "ifelse": "Write a comparison, such as I(x > 1), for ifelse(x > 1, 1, 0).",
    "where": "Write a comparison, such as I(x > 1).",
    "cut": "Cut the column in the data first (pandas.cut) and write its name here.",
    "interaction": "Write a:b, or a*b with both main effects.",
    "as.numeric": "Make the column numeric in the data; here write its name.",
    "mo": "Monotonic effects are not part of this model.",
    "me": "Measurement error is not part of this model.",
    "strata": "Write C(x): strata with coefficients of their own; conditional likelihoods are not part of this model.",
    "lag": _COMPUTED,
    "diff": _COMPUTED,
    "min": _COMPUTED,
    "max": _COMPUTED,
    "round": _COMPUTED,
    "cos": _COMPUTED,
    "sin": _COMPUTED,
}
GROUPS = (
    "group terms with '|' are not part of this model. Levels that borrow strength from one another are C(g) with the "
    "prior bl.Hierarchical, and bl.sample for its posterior."
)


def translated(name: str) -> str:
    """What stands here for a function of another system; empty if that is not known."""
    return _TRANSLATIONS.get(name, "")
