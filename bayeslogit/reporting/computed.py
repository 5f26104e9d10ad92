"""Computation: how the numbers were had, and how sure each step is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bayeslogit.diagnostics import effective_in_words
from bayeslogit.draws import Draws
from bayeslogit.mode import Mode
from bayeslogit.render.document import Block, Facts, Paragraph
from bayeslogit.reporting.material import Material
from bayeslogit.results import Fit
from bayeslogit.verdict import RUNGS


def computation(m: Material) -> Iterator[Block]:
    """The search, its certificate, and the posterior beside it."""
    yield _search(m.fit)
    if not m.fit.converged:
        yield Paragraph("There is no posterior to sample: the search ended without a mode.")
        return
    draws = m.posterior.value
    if draws is None:
        yield Paragraph(m.posterior.reason)
        return
    yield _posterior(m, draws)
    yield replace(draws.beside_mode(), notes=())  # the verdict stands above


def _search(fit: Fit) -> Facts:
    mode = fit.mode
    return Facts(
        (
            ("Method", f"{mode.road.value} steps to the posterior mode; Gaussian approximation there"),
            ("Status", mode.message),
            ("Distance to the mode", f"{mode.decrement:.1e} posterior sd (Newton decrement)"),
            ("Work", _work(mode)),
            ("Log likelihood", f"{fit.log_likelihood:.4f}"),
            ("Log posterior", f"{fit.log_posterior:.4f} (not divided by the evidence)"),
            ("Log evidence", evidence(fit)),
            ("Effective parameters", _effective(fit)),
        ),
        title="The mode and its certificate",
    )


def _work(mode: Mode) -> str:
    passes = f"{mode.n_passes} passes over the data, {mode.n_hessians} of them with the information matrix"
    return passes + (f", from the mode of {mode.n_sampled:,} sampled rows" if mode.n_sampled else "")


def _effective(fit: Fit) -> str:
    found = fit.effective_parameters
    if math.isnan(found):
        return "\u2014 (the fit has no finite covariance)"
    return effective_in_words(found, len(fit.columns))


def evidence(fit: Fit) -> str:
    """Of the Gaussian at the mode, in words."""
    if fit.prior.whole:
        return "none: a prior of the whole model has no known constant"
    if not np.isfinite(fit.log_evidence):
        return "none: the fit has no finite covariance"
    relative = ", relative: per unit of each flat column" if fit.prior.flat.any() else ""
    return f"{fit.log_evidence:.2f} nats (Gaussian approximation{relative})"


def _posterior(m: Material, draws: Draws) -> Facts:
    own = "given to the report" if m.given is not None else "made for this report (rng=0, without NUTS)"
    items = [
        ("Rung", f"{RUNGS.get(draws.method, draws.method)}; {own}"),
        ("Verdict", draws.verdict.in_words),
        ("Draws", f"{draws.n:,} equally weighted"),
    ]
    if draws.method == "importance":
        items.append(("Pairs", f"{draws.rung.n_pairs:,}, {draws.rung.n_evaluations:,} evaluations of the posterior"))
    if math.isfinite(draws.khat):
        items.append(("k-hat", f"{draws.khat:.2f} (weights can be relied on below 0.7)"))
    ess = draws.ess
    if not isinstance(ess, float):
        items.append(("Effective draws (NUTS)", f"at least {float(np.nanmin(ess.to_numpy())):,.0f} of {draws.n:,}"))
    elif math.isfinite(ess):
        items.append(("Effective pairs", f"{ess:,.0f}"))
    if math.isfinite(draws.log_evidence):
        relative = ", relative: per unit of each flat column" if m.fit.prior.flat.any() else ""
        se = draws.log_evidence_se
        error = "Monte-Carlo error " + (f"{se:.3f}" if se >= 0.0005 else "below 0.0005")
        items.append(("Log evidence", f"{draws.log_evidence:.3f} nats ({error}{relative})"))
    used = "the results rest on it" if m.reported is not None else "the results rest on the mode; this checks them"
    items.append(("Used for", used))
    return Facts(tuple(items), title="The posterior")
