"""Prior sensitivity and predictive performance: what the conclusions rest on, and what they are good for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from bayeslogit._fit import fit as fit_line
from bayeslogit.criteria import LooResult
from bayeslogit.design import Design
from bayeslogit.errors import BayeslogitError, FitWarning
from bayeslogit.power_scaling import CONFLICT, STRONG_PRIOR, THRESHOLD
from bayeslogit.predict import predict_probability
from bayeslogit.render.document import Block, Paragraph
from bayeslogit.reporting.material import Material, improper
from bayeslogit.reporting.tables import explained, without_empty
from bayeslogit.scores import Scores, baseline, scores
from bayeslogit.table import Cell, Column, Table

Array = NDArray[np.float64]


def sensitivity_section(m: Material) -> Iterator[Block]:
    """Power-scaling and tipping points."""
    found = m.sensitivity.value
    if found is None:
        yield Paragraph(m.sensitivity.reason)
    else:
        yield Paragraph(_in_words([words for words in found.diagnosis.values() if words is not None]))
        why = "there is no proper prior to scale"
        reasons = {"by_prior": why, "by_likelihood": "it could not be worked out", "diagnosis": why}
        shown = without_empty(found.table, ("prior_share", "led_by", "pull"))
        table = explained(shown, {**reasons, "prior_share": "the prior is not normal, and has a pull instead"})
        yield explained(table, {"pull": "the prior is normal or flat, and has a share instead"})
        if np.isfinite(found.by_prior.value).any():
            yield found.figure(labels={name: m.names.column(name) for name in m.fit.columns})
    for point in m.tipping_points:
        claim = point.claim
        named = replace(claim, column=m.names.column(claim.column)) if claim.column else claim
        yield replace(point.table, title=f"Tipping point: {named}")
    if not m.tipping_points:
        yield Paragraph(
            "Tipping points were not worked out: bayeslogit.tipping_point(fit, 'interval of COLUMN excludes 0') says "
            "at which prior a conclusion turns, and report(fit, path, tipping_points=[...]) shows it here."
        )


def _in_words(diagnoses: list[str]) -> str:
    if not diagnoses:
        return "There is no proper prior whose influence could be measured."
    conflict, strong = diagnoses.count(CONFLICT), diagnoses.count(STRONG_PRIOR)
    if not conflict and not strong:
        return (
            "Making the prior or the likelihood a little stronger moves no coefficient in a way that asks for a second "
            f"look (both thresholds {THRESHOLD:g})."
        )
    parts = [
        *([f"{conflict} with a potential conflict between prior and data"] if conflict else []),
        *([f"{strong} that follow the prior more than the data"] if strong else []),
    ]
    return f"Of {len(diagnoses)} coefficients, power-scaling finds {' and '.join(parts)}."


def prediction(m: Material) -> Iterator[Block]:
    """Leave-one-out prediction, and scores in the sample and left out."""
    design = m.fit.design
    if design is None or not m.fit.converged or improper(m):
        why = "the data are not at hand" if design is None else "the fit has no posterior to predict with"
        yield Paragraph(f"Not done: {why}.")
        return
    yield Paragraph(
        "Scores in the sample are optimistic: the same observations were fitted and predicted. Left-out scores are "
        "those to expect for new observations from where these came from; neither says anything about other places."
    )
    yield _scores(m, design)
    if m.loo.value is None:
        yield Paragraph(m.loo.reason)
    else:
        yield explained(m.loo.value.table(), {"se": "no standard error is worked out for it"})


def _scores(m: Material, design: Design) -> Table:
    y, trials, weights = design.outcome_arrays()
    ones, zeros = weights * y, weights * (trials - y)
    inside = _probabilities(m)
    outside, why = _left_out(m.loo.value, y, trials, weights)
    here, plain = scores(inside, ones, zeros), baseline(ones, zeros)
    out = None if outside is None else scores(outside, ones, zeros)
    loss = out.log_loss if out is not None else _loo_loss(m.loo.value)
    slope_out = None if outside is None else calibration_slope(outside, ones, zeros)
    rows: tuple[tuple[Cell, ...], ...] = (
        ("log loss (nats)", here.log_loss, loss, plain.log_loss),
        ("Brier score", here.brier, _of(out, "brier"), plain.brier),
        ("AUC", here.auc, None, None if np.isnan(plain.auc) else plain.auc),
        ("calibration slope", calibration_slope(inside, ones, zeros), slope_out, None),
    )
    notes = [
        "AUC has no left-out value: left-out probabilities each come from another fit, and pooled they rank "
        "observations too badly.",
        "Calibration slope: of the outcome on the log-odds of the prediction; 1 is right, below 1 predictions are too "
        "extreme. Without predictors there is none.",
    ]
    if out is None:
        notes.append(f"A dash under \u201cleave-one-out\u201d: {why}.")
    return Table(
        "scores",
        "Predictive scores",
        (
            Column("score", "score"),
            Column("in_sample", "in the sample (optimistic)", "number"),
            Column("left_out", "leave-one-out", "number"),
            Column("no_predictors", "event rate alone", "number"),
        ),
        rows,
        header=("Means over observations; log loss and Brier score: lower is better.",),
        notes=tuple(notes),
    )


def _of(found: Scores | None, name: str) -> float | None:
    return None if found is None else float(getattr(found, name))


def _loo_loss(loo: LooResult | None) -> float | None:
    return None if loo is None or loo.unit != "observation" else -loo.elpd / loo.n_data_points


def _probabilities(m: Material) -> Array:
    """Posterior mean probability of every row by the Gaussian at the mode; at the mode where there is none."""
    posterior, design = m.fit.posterior, m.fit.design
    assert design is not None
    kind = "mode" if posterior.factor is None else "mean"
    parts = [
        predict_probability(posterior, block.X, block.offset, prob=m.prob, kind=kind).probability
        for block in design.source.blocks()
    ]
    return np.concatenate(parts)


def _left_out(loo: LooResult | None, y: Array, trials: Array, weights: Array) -> tuple[Array | None, str]:
    """Probability of the event for each row without it, where every row is one outcome."""
    if loo is None:
        return None, "leave-one-out prediction was not worked out"
    if loo.unit != "observation" or loo.kind != "posterior":
        return None, "what was left out, or how it was predicted, is not one observation by the posterior"
    if np.any(trials != 1.0) or loo.weighted or np.any((y != 0.0) & (y != 1.0)):
        return None, "rows stand for several outcomes, whose left-out probabilities differ"
    happened = np.exp(np.divide(loo.elpd_i, weights, out=np.zeros(y.size), where=weights > 0.0))
    return np.where(y == 1.0, happened, 1.0 - happened), ""


def calibration_slope(probability: Array, successes: Array, failures: Array) -> float | None:
    """Slope of the outcomes on the log-odds of their prediction, by maximum likelihood; None where there is none."""
    used = successes + failures > 0.0
    with np.errstate(divide="ignore"):
        eta = logit(probability[used])
    if not np.isfinite(eta).all() or np.ptp(eta) < 1e-6:
        return None
    both = np.concatenate([eta, eta])[:, None]
    y = np.repeat([1.0, 0.0], eta.size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            design = Design.from_arrays(both, y, weights=np.concatenate([successes[used], failures[used]]))
            found = fit_line(design, prior=None)
    except BayeslogitError:
        return None
    return float(found.params.iloc[1]) if found.converged else None
