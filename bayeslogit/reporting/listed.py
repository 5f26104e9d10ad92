"""Reproducibility, the checklist of the published guidelines, and a glossary in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bayeslogit.power_scaling import THRESHOLD
from bayeslogit.render.document import Block, Code, Facts, Paragraph
from bayeslogit.reporting.checked import Checks
from bayeslogit.reporting.material import Material, separated
from bayeslogit.table import Column, Table
from bayeslogit.versions import version_facts

Row = tuple[str, str, str | None, str | None]
DONE, PART, NOT, NA = "done", "in part", "not done", "does not apply"


def reproducibility(m: Material, command: str | None) -> Iterator[Block]:
    """Versions, hashes, seeds, the call."""
    f, fit = m.fit.facts, m.fit
    drawn = m.posterior.value is not None or m.sensitivity.value is not None
    seeds = "rng=0 for everything drawn by this report" if drawn else "none was used"
    given = "; the draws given to it have the seed that they were made with" if m.given is not None else ""
    yield Facts(
        (
            *version_facts(),
            *((("Data file SHA-256" if _is_file(f.source) else "Data SHA-256", f.sha256),) if f.sha256 else ()),
            ("Design SHA-256", fit.fingerprint),
            ("Randomness", f"{seeds}{given}: the same input gives the same numbers"),
            ("Model", f.formula or f"{len(fit.columns):,} columns of an array"),
            ("Prior", f"{fit.prior.name}; as numbers in the section on priors"),
        )
    )
    if command:
        yield Code(command, "Command")
    else:
        yield Paragraph(
            "The command that made this report was not recorded; report(..., command=...) and the command line do."
        )


def _is_file(source: str) -> bool:
    return source not in ("frame", "dict", "arrays")


# --- checklist -------------------------------------------------------------------------------------------------------


def checklist(m: Material, found: Checks, question: str | None, command: str | None) -> Iterator[Block]:
    """The Bayesian analysis reporting guidelines, row by row."""
    rows = [
        *preamble(question),
        *_explained(m),
        *_computed(m),
        *_posterior(m, found),
        *_decisions(),
        *_sensitivity(m),
        *reproducible(bool(m.fit.facts.sha256), command),
    ]
    yield barg(rows)


def barg(rows: Sequence[Row]) -> Table:
    """The checklist as a table."""
    return Table(
        "barg",
        "Bayesian analysis reporting guidelines (BARG)",
        (
            Column("item", "item"),
            Column("status", "status"),
            Column("section", "section"),
            Column("remark", "remark"),
        ),
        tuple(rows),
        header=(
            "Kruschke (2021), Nature Human Behaviour 5, 1282\u20131291, doi 10.1038/s41562-021-01177-7. Filled in from "
            "what this report holds; what only the authors can say is marked as not done.",
        ),
    )


def preamble(question: str | None) -> Iterator[Row]:
    """Before the first step."""
    yield "0.A Why Bayesian", NOT, None, "for the authors to say"
    if question:
        yield "0.B Goals of the analysis", DONE, "headline", "the question is stated"
    else:
        yield "0.B Goals of the analysis", NOT, None, "report(..., question=...) states it"


def _explained(m: Material) -> Iterator[Row]:
    described = m.fit.design is not None
    yield "1.A Data variables", DONE if described else PART, "data", None if described else "the data are not at hand"
    yield "1.B Likelihood and parameters", DONE, "model", None
    why = "the default; no reason is given for these data" if m.fit.prior_is_default else "reasons: for the authors"
    yield "1.C Prior, and why", PART, "priors", why
    yield "1.D Formal specification", DONE, "model", "formula, likelihood, priors as numbers"
    if m.prior_rates.value is not None:
        yield "1.E Prior predictive check", DONE, "priors", "event rates expected by the prior"
    else:
        yield "1.E Prior predictive check", NOT, "priors", m.prior_rates.reason


def _computed(m: Material) -> Iterator[Row]:
    draws = m.posterior.value
    nuts = draws is not None and draws.method == "nuts"
    yield "2.A Software", DONE, "reproducibility", None
    if nuts:
        yield "2.B Convergence of chains", DONE, "computation", "part of the verdict"
        yield "2.C Resolution of chains (ESS)", DONE, "computation", "Monte-Carlo errors of every number"
        yield "2.D If not MCMC: its inaccuracy", NA, None, "NUTS was run"
    else:
        yield "2.B Convergence of chains", NA, None, "no chains were run"
        yield "2.C Resolution of chains (ESS)", NA, None, "no chains were run"
        known = draws is not None
        remark = "measured beside the sampled posterior" if known else "the Gaussian approximation was not checked"
        yield "2.D If not MCMC: its inaccuracy", DONE if known else NOT, "computation", remark


def _posterior(m: Material, found: Checks) -> Iterator[Row]:
    if found.replicated is not None:
        yield "3.A Posterior predictive check", DONE, "checks", None
    elif found.done:
        yield "3.A Posterior predictive check", PART, "checks", "calibration and residuals, no replicated data"
    else:
        yield "3.A Posterior predictive check", NOT, "checks", found.missing[0] if found.missing else None
    if m.fit.converged:
        yield "3.B Summaries of the posterior", DONE, "results", "estimate, sd, interval, direction"
    else:
        yield "3.B Summaries of the posterior", NOT, "results", "the fit has no mode"
    yield "3.C Bayes factors, model probabilities", NA, None, "one model; bayeslogit.compare sets several side by side"


def _decisions() -> Iterator[Row]:
    yield "4.A Why decide", NA, None, "no decision is made here"
    yield "4.B Loss function", NA, None, "no decision is made here"
    yield "4.C Limits of practical equivalence", NOT, None, "draws.equivalence() takes them"
    yield "4.D Thresholds of Bayes factors", NA, None, "none is used"
    yield "4.E Estimates beside decisions", DONE, "results", None


def _sensitivity(m: Material) -> Iterator[Row]:
    scaled = m.sensitivity.value is not None
    remark = f"power-scaling near the prior used (threshold {THRESHOLD:g})" if scaled else m.sensitivity.reason
    state = PART if scaled else NOT
    yield "5.A Sensitivity for broad priors", state, "sensitivity", remark
    yield "5.B Sensitivity for informed priors", NOT, None, "bayeslogit.compare takes other priors"
    yield "5.C Sensitivity for default priors", state, "sensitivity", remark
    yield "5.D Sensitivity of Bayes factors", NA, None, "none is used"
    if m.tipping_points:
        yield "5.E Sensitivity of decisions", PART, "sensitivity", "tipping points of the claims listed"
    else:
        yield "5.E Sensitivity of decisions", NOT, None, "bayeslogit.tipping_point says where a claim turns"


def reproducible(hashed: bool, command: str | None) -> Iterator[Row]:
    """The last step."""
    yield "6.A Software and installation", DONE, "reproducibility", "versions"
    known = "the data's hash is stated; " if hashed else ""
    remark = f"{known}{'the command too' if command else 'the command is not'}; the data are not attached"
    yield "6.B Script and data", PART, "reproducibility", remark
    yield "6.C Readable", DONE, None, "glossary at the end"
    yield "6.D Auxiliary files", NA, None, "none"
    runnable = "with the data and the command" if command else "no command was recorded"
    yield "6.E Runnable", PART if command else NOT, "reproducibility", runnable
    yield "6.F Posterior saved", NOT, None, "fit.to_json(path) saves the fit, draws.to_arviz() the draws"


# --- glossary --------------------------------------------------------------------------------------------------------


FIRST_WORDS: tuple[tuple[str, str], ...] = (
    (
        "Odds, log-odds",
        "Odds are p / (1 \u2212 p): odds of 3 are 3 to 1. Log-odds are their natural logarithm; 0 is even.",
    ),
    (
        "Odds ratio",
        "How many times the odds with one unit more of a column. 1 is no association. It is not a ratio of "
        "probabilities: the two are close only when the event is rare.",
    ),
    ("Prior", "What was held likely about a coefficient before these data, as a probability density."),
    ("Posterior", "What is held likely after them: proportional to prior times likelihood."),
)
EVIDENCE = ("Log evidence", "Log probability of these outcomes before any coefficient was known; for comparing models.")
ELPD = (
    "elpd",
    "Expected log predictive density: how well each observation is predicted by all the others, summed.",
)


def interval_words(prob: float) -> tuple[str, str]:
    """What an interval of this probability is."""
    width = f"{100.0 * prob:.6g} %"
    return (
        f"{width} interval",
        f"Given model and prior, the coefficient lies in it with probability {width}; equally much lies on either side "
        "of it.",
    )


def glossary(m: Material, found: Checks) -> Iterator[Block]:
    """The words that occur in this report."""
    yield Facts(tuple(_entries(m, found)))


def _entries(m: Material, found: Checks) -> Iterator[tuple[str, str]]:
    yield from FIRST_WORDS
    yield "Mode", "The most probable values of all coefficients together: the penalised maximum-likelihood estimate."
    if m.reported is not None:
        yield "Posterior median", "The value with half of the posterior probability on either side."
    yield interval_words(m.prob)
    yield "sd", "Standard deviation of the posterior: how far off the estimate may typically be."
    yield "P(direction)", "Posterior probability that a coefficient has the sign of its estimate; 50 % is no idea."
    yield "Average effect", "How much the probability of the event itself changes, averaged over the rows."
    yield (
        "Distance to the mode",
        "The Newton decrement: how far the numbers are from the exact mode, in posterior sds. It certifies them.",
    )
    yield "Gaussian approximation", "The posterior replaced by a normal distribution with its curvature at the mode."
    if m.posterior.value is not None:
        yield "Certified", "Every number's Monte-Carlo error is within a bound stated in advance (0.01 to 0.015 sd)."
        yield "k-hat", "How heavy the tail of importance weights is; below 0.7 averages with them can be relied on."
    yield "Effective parameters", "How many coefficients the data decide; the prior decides the rest."
    yield "Prior share", "The part of a coefficient's precision that comes from the prior."
    yield EVIDENCE
    if separated(m) or not m.fit.converged:
        yield (
            "Separation",
            "Some combination of columns predicts the outcome without error, so that without a prior estimates run to "
            "infinity.",
        )
    if found.done:
        yield "Calibration", "Whether events that are given a probability of 30 % happen in 30 % of cases."
    if m.sensitivity.value is not None:
        yield (
            "Power-scaling",
            "Raising prior or likelihood to a power near 1 and seeing whether the posterior moves: a check on what it "
            "rests on.",
        )
    yield (
        "Log loss, Brier score",
        "Mean penalties for probabilities that were off: logarithmic, and squared. 0 is best.",
    )
    yield "AUC", "Probability that an event was given a higher probability than a non-event; 0.5 is guessing."
    if m.loo.value is not None:
        yield ELPD
