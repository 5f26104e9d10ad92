"""Checklist and glossary of the report on a comparison."""

from __future__ import annotations

from bayeslogit.render.document import Facts
from bayeslogit.reporting.listed import (
    DONE,
    ELPD,
    EVIDENCE,
    FIRST_WORDS,
    NA,
    NOT,
    PART,
    Row,
    barg,
    interval_words,
    preamble,
    reproducible,
)
from bayeslogit.table import Table


def compared_checklist(question: str | None, command: str | None, *, hashed: bool, chains: bool) -> Table:
    """The Bayesian analysis reporting guidelines, row by row.

    Parameters
    ----------
    hashed : bool
        Whether the hash of the data is known.
    chains : bool
        Whether some posterior came from NUTS.
    """
    convergence = (DONE, "computation", "part of each verdict") if chains else (NA, None, "no chains were run")
    rows: tuple[Row, ...] = (
        *preamble(question),
        ("1.A Data variables", DONE, "data", None),
        ("1.B Likelihood and parameters", DONE, "model", None),
        ("1.C Prior, and why", PART, "priors", "reasons: for the authors"),
        ("1.D Formal specification", DONE, "model", "formulas, likelihood, priors as numbers"),
        ("1.E Prior predictive check", NOT, None, "the report on each fit has it"),
        ("2.A Software", DONE, "reproducibility", None),
        ("2.B Convergence of chains", *convergence),
        ("2.C Resolution of chains (ESS)", *convergence),
        ("2.D If not MCMC: its inaccuracy", DONE, "computation", "Monte-Carlo errors and verdicts"),
        ("3.A Posterior predictive check", NOT, None, "the report on each fit has it"),
        ("3.B Summaries of the posterior", DONE, "results", None),
        ("3.C Bayes factors, model probabilities", DONE, "comparison", "Bayes factors; no model probabilities"),
        ("4.A Why decide", NA, None, "no decision is made here"),
        ("4.B Loss function", NA, None, "no decision is made here"),
        ("4.C Limits of practical equivalence", NOT, None, "draws.equivalence() takes them"),
        ("4.D Thresholds of Bayes factors", NA, None, "none is used"),
        ("4.E Estimates beside decisions", DONE, "results", None),
        ("5.A Sensitivity for broad priors", PART, "results", "for the priors compared"),
        ("5.B Sensitivity for informed priors", PART, "results", "for the priors compared"),
        ("5.C Sensitivity for default priors", PART, "results", "for the priors compared"),
        ("5.D Sensitivity of Bayes factors", NOT, None, "they are those of the priors compared"),
        ("5.E Sensitivity of decisions", NA, None, "no decision is made here"),
        *reproducible(hashed, command),
    )
    return barg(rows)


def compared_glossary(prob: float) -> Facts:
    """The words that occur."""
    return Facts(
        (
            *FIRST_WORDS,
            interval_words(prob),
            EVIDENCE,
            (
                "Bayes factor",
                "How many times more probable these outcomes are under one fit than under the other, averaged over "
                "the priors. It depends on the priors' widths, also where the posteriors hardly do.",
            ),
            ELPD,
            (
                "Stacking weight",
                "The share of each fit in the mixture that predicts left-out observations best; not a probability that "
                "a fit is true.",
            ),
            ("Shift", "How far a median lies from that of the first fit, in posterior sds of the first."),
            ("Certified", "Every number's Monte-Carlo error is within a bound stated in advance (0.01 to 0.015 sd)."),
        )
    )
