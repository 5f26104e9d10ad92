"""Sites that cannot share rows: each hands over sums, and a coordinator takes exact Newton steps on their total.

The log likelihood of all rows is the sum over sites, and so are its score and its information. A site works out its
three at the coefficients that it is sent (`site_summary`); the coordinator adds them, adds the prior, and says where to
look next (`pool_sites`). After five to eight rounds the mode is that of all rows in one place. No row leaves a site;
but sums of very few rows can say much about them, and each site has to judge that for itself.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
import operator
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.boundary import guarded
from bayeslogit.coordinates import Coordinates
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, DataError, FileFormatError, PriorError
from bayeslogit.expansion import Expansion
from bayeslogit.formula import FormulaSpec
from bayeslogit.formula_guard import read_formula
from bayeslogit.handover import learned_transforms
from bayeslogit.preset_rules import RULES
from bayeslogit.presets import Preset, as_prior
from bayeslogit.prior_target import PriorTarget
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.site_records import Pooled as Pooled
from bayeslogit.site_records import SiteSummary as SiteSummary
from bayeslogit.steps import cholesky_factor
from bayeslogit.storage import read_record
from bayeslogit.tallies import Moments
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]


@guarded
def site_summary(design: Design, beta: Any = None, *, site: str) -> SiteSummary:
    """The sums that a site hands over: log likelihood, score and information of its rows.

    Privacy: no row is in it, but it is not anonymous. ``lower`` and ``upper`` are values of single rows; the sums of a
    site with few rows, or few events, can give rows away, and so can the differences between rounds in which a site's
    rows have changed. Each site has to judge that for itself before it sends the file.

    Parameters
    ----------
    design : Design
        The site's rows. All sites need the same columns. A factor of which a site may lack a level has its levels named
        in the formula, ``C(race, levels=['black', 'other', 'white'])`` (a site with rows of one level alone needs 0/1
        columns made by hand); columns are centred or scaled by numbers that
        all sites agree on, ``I((age - 40) / 10)``, not by ``scale(age)``, which takes them from the site's own rows.
    beta : array_like, shape (p,), Pooled, or path, optional
        Where: what `pool_sites` returned or saved; without it, the first round at zero.
    site : str
        Name of the site.

    Raises
    ------
    ArgumentError
        If ``beta`` has another length, or is for other columns.
    """
    if not isinstance(design, Design):
        raise ArgumentError(f"site_summary({type(design).__name__}): a bayeslogit.Design is needed.")
    at = _coefficients(design.columns, beta)
    target = LogPosterior.of(design, as_prior(None).resolve(design))
    gamma = target.coordinates.gamma(at)
    local, m, tally = target.likelihood(gamma), design.moments, design.tally
    center = target.coordinates.center
    mean = m.mean if center is None else center
    squares = m.squares + m.count * (m.mean - mean) ** 2
    zero_one = design.spec.event is None and not tally.grouped
    return SiteSummary(
        site=str(site),
        columns=tuple(design.columns),
        terms={name: tuple(places) for name, places in design.terms.items()},
        has_intercept=design.has_intercept,
        beta=at,
        log_likelihood=float(local.log_density),
        score=local.score,
        information=local.information,
        mean=mean,
        squares=squares,
        lower=m.lower,
        upper=m.upper,
        nobs=float(tally.nobs),
        n_events=float(tally.events),
        outcome=design.spec.outcome if isinstance(design.spec, FormulaSpec) else None,
        event="1" if zero_one else design.spec.event,
        other="0" if zero_one else design.spec.other,
        grouped=tally.grouped,
        coding=_coding(design.spec),
    )


@guarded
def pool_sites(
    summaries: Sequence[SiteSummary | str | os.PathLike[str]],
    prior: Any,
    previous: Pooled | None = None,
    *,
    tol: float = 1e-6,
) -> Pooled:
    """One round of the coordinator: the total of all sites, and the exact Newton step from there.

    Parameters
    ----------
    summaries : sequence of SiteSummary or paths
        One a site, all at the same coefficients.
    prior : Prior, str or None
        As in `fit`, with a smooth density; rstanarm and other presets that scale by sds take those of all sites.
    previous : Pooled, optional
        The last round. When a step went too far the next one is half of it.
    tol : float
        Largest accepted distance from the mode, in posterior sds.

    Returns
    -------
    Pooled

    Raises
    ------
    DataError
        If the sites disagree about the outcome, its event, columns, how these were made, or coefficients, or one is
        there twice.
    PriorError
        If the prior has kinks, is of the whole model, or needs rows.
    """
    if not 0.0 < tol < 1.0:
        raise ArgumentError(f"pool_sites(tol={tol!r}): a distance in posterior sds, between 0 and 1, is needed.")
    sites = _read(summaries)
    first = sites[0]
    total = _Total(sites)
    resolved = _smooth(prior, total)
    pooled = Coordinates(total.moments.mean if first.has_intercept else None)
    gamma = pooled.gamma(first.beta)
    # gamma_site = C gamma with the difference of the means, which is small where the means are large.
    parts = [
        Coordinates(site.mean - total.moments.mean if first.has_intercept else None).expansion(
            Expansion(site.log_likelihood, site.score, site.information)
        )
        for site in sites
    ]
    here: Expansion = functools.reduce(operator.add, parts) + PriorTarget(resolved, pooled).expand(gamma)
    factor = cholesky_factor(here.information)
    if factor is None:
        raise DataError(
            "pool_sites(): the columns are not identified by all sites together at these coefficients: some depend on "
            "others, or an outcome never varies. Give them a proper prior such as bayeslogit.Normal(2.5)."
        )
    step = factor.solve(here.score)
    decrement = math.sqrt(max(float(step @ here.score), 0.0))
    notes = _outcome_notes(sites)
    forward, too_far = gamma + step, False
    if previous is not None and here.log_density < previous.log_posterior - 1e-9 * (1.0 + abs(here.log_density)):
        forward = 0.5 * (pooled.gamma(previous.beta) + gamma)
        notes, too_far = ("The last step went too far: the next coefficients are half-way back.", *notes), True
    converged = decrement <= tol and not too_far
    covariance = pooled.covariance(factor.inverse)
    return Pooled(
        columns=first.columns,
        beta=first.beta,
        next_beta=first.beta.copy() if converged else pooled.beta(forward),
        decrement=decrement,
        converged=converged,
        log_posterior=here.log_density,
        covariance=covariance,
        prior=resolved,
        sites=tuple(site.site for site in sites),
        nobs=sum(site.nobs for site in sites),
        n_events=sum(site.n_events for site in sites),
        notes=notes,
    )


class _Total:
    """What a prior may ask of the columns of all sites together."""

    def __init__(self, sites: Sequence[SiteSummary]) -> None:
        first = sites[0]
        self.columns, self.terms, self.has_intercept = first.columns, first.terms, first.has_intercept
        own = [Moments(site.nobs, site.mean, site.squares, site.lower, site.upper) for site in sites]
        self.moments = functools.reduce(operator.add, own)

    @property
    def column_means(self) -> Array:
        return np.concatenate([np.ones(int(self.has_intercept)), self.moments.mean])

    @property
    def column_sds(self) -> Array:
        m = self.moments
        sd: Array = np.where(m.lower == m.upper, 0.0, np.sqrt(m.squares / max(m.count - 1.0, 1.0)))
        return np.concatenate([np.zeros(int(self.has_intercept)), sd])


def _smooth(prior: Any, total: _Total) -> ResolvedPrior:
    given = as_prior(prior)
    try:
        resolved = given.resolve(total)
    except AttributeError:
        known = ", ".join(RULES) if isinstance(given, Preset) else repr(given)
        raise PriorError(f"pool_sites(prior={given!r}): {known} may need the rows; give numbers instead.") from None
    if resolved.whole or any(term.density.kink or term.density.group or term.density.bend for term in resolved.terms):
        raise PriorError(
            f"pool_sites(prior={resolved.name}): exact Newton steps need a smooth, log-concave prior of each column, "
            "such as bayeslogit.Normal(2.5) or a MultivariateNormal."
        )
    return resolved


def _read(summaries: Sequence[SiteSummary | str | os.PathLike[str]]) -> list[SiteSummary]:
    if isinstance(summaries, str | os.PathLike | SiteSummary) or not len(summaries):
        raise ArgumentError("pool_sites(): give a list of summaries, one a site.")
    sites = [each if isinstance(each, SiteSummary) else SiteSummary.from_json(each) for each in summaries]
    names = [site.site for site in sites]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"pool_sites(): the site {', '.join(twice)} is there twice; its rows would count twice.")
    first = sites[0]
    for site in sites[1:]:
        if site.columns != first.columns:
            lost = [name for name in first.columns if name not in site.columns]
            more = [name for name in site.columns if name not in first.columns]
            what = "; ".join([f"lacks {', '.join(lost)}"] * bool(lost) + [f"has also {', '.join(more)}"] * bool(more))
            raise DataError(
                f"pool_sites(): the columns of {site.site} are not those of {first.site}: it "
                f"{what or 'has them in another order'}. Factors need the same levels at every site: name them in the "
                "formula, C(factor, levels=['a', 'b']), also where a site has no row of one."
            )
        _same_coding(first, site)
        if not np.array_equal(site.beta, first.beta):
            raise DataError(f"pool_sites(): {site.site} took its sums at other coefficients than {first.site}.")
    # A site may lack one of the levels, or its outcome a name: it may agree with two that disagree.
    for one, another in itertools.combinations(sites, 2):
        _same_outcome(one, another)
    return sites


def _same_outcome(first: SiteSummary, site: SiteSummary) -> None:
    """What counts as an event must be one and the same."""
    if first.outcome != site.outcome and first.outcome is not None and site.outcome is not None:
        raise DataError(
            f"pool_sites(): the outcome is {site.outcome!r} at {site.site} and {first.outcome!r} at {first.site}: "
            "another outcome has a model of its own. If it is the same one, give its column one name at all sites."
        )
    (event, other), (here, beside) = _levels(first), _levels(site)
    if event != here or (other != beside and other is not None and beside is not None):
        advice = "say which is the event by event= in each site's design"
        if first.grouped != site.grouped:
            advice = "give 0 and 1, with 1 for what the counts count, where rows are single"
        raise DataError(
            f"pool_sites(): the outcome is {_coded(site)} at {site.site} and {_coded(first)} at {first.site}; {advice}."
        )


def _levels(site: SiteSummary) -> tuple[str | None, str | None]:
    """The event and the other level, in which True is 1 is 1.0, and "Yes" is "yes"; what is counted is a 1."""
    if site.event is None:
        return _plain("1"), _plain("0")
    plain = _plain(site.event), None if site.other is None else _plain(site.other)
    return (site.event, site.other) if plain[0] == plain[1] else plain


def _plain(level: str) -> str:
    word = level.strip().casefold()
    try:
        return repr(float({"true": "1", "false": "0"}.get(word, word)))
    except ValueError:
        return word


def _coded(site: SiteSummary) -> str:
    if site.event is None:
        return "counts of successes"
    return f"{site.event} against {'what does not occur' if site.other is None else site.other}"


def _outcome_notes(sites: Sequence[SiteSummary]) -> tuple[str, ...]:
    """Where sites write the same outcome in other ways, or do not say what it is called."""
    notes: list[str] = []
    written: dict[str, list[str]] = {}
    for site in sites:
        if site.event is None or site.other is not None:
            written.setdefault(_coded(site), []).append(site.site)
    if len(written) > 1:
        words = "; ".join(f"{how} at {', '.join(names)}" for how, names in written.items())
        notes.append(f"The outcome is written in {len(written)} ways, taken for the same: {words}.")
    named = next((site.outcome for site in sites if site.outcome is not None), None)
    without = [site.site for site in sites if site.outcome is None]
    if named is not None and without:
        notes.append(f"The outcome of {', '.join(without)} is an array without a name, taken for {named!r}.")
    return tuple(notes)


def _coding(spec: Any) -> dict[str, str]:
    """How columns were made of the data, in words or hashes that tell no row."""
    found = {}
    for name, learned in learned_transforms(spec).items():
        found[f"transform {name}"] = hashlib.sha256(json.dumps(learned, default=str).encode()).hexdigest()
    if isinstance(spec, FormulaSpec):
        reading = read_formula(spec.formula, spec.factors.texts())
        for name, (kind, levels) in spec.state["encoders"].items():
            if kind == "categorical" and levels is not None:
                found[f"levels {reading.shown(name)}"] = json.dumps(levels, default=str)
    return found


def _same_coding(first: SiteSummary, site: SiteSummary) -> None:
    """Columns of one name must be one and the same."""
    for key in [key for key in first.coding if site.coding.get(key, first.coding[key]) != first.coding[key]]:
        kind, _, name = key.partition(" ")
        there, here = site.coding[key], first.coding[key]
        if kind == "transform":
            raise DataError(
                f"pool_sites(): {name} took other numbers from the rows of {site.site} than from those of "
                f"{first.site}, so that columns of one name are not the same. Write it with numbers that all sites "
                "agree on, such as I((age - 40) / 10), or with all its knots and bounds."
            )
        raise DataError(
            f"pool_sites(): {name} has the levels {there} at {site.site} and {here} at {first.site}; name them in "
            "the formula, C(factor, levels=['a', 'b'])."
        )


def _coefficients(columns: Sequence[str], given: Any) -> Array:
    named: Any
    values: Any
    if given is None:
        return np.zeros(len(columns))
    if isinstance(given, Pooled):
        named, values = given.columns, given.next_beta
    elif isinstance(given, str | os.PathLike):
        record = read_record(given, "round")
        named, values = record.get("columns"), record.get("beta")
        named_all = isinstance(named, list) and all(isinstance(name, str) for name in named)
        if not (named_all and isinstance(values, np.ndarray) and isinstance(record.get("converged"), bool)):
            raise FileFormatError(f"{Path(given).name}: lacks or mistypes columns, beta or converged.")
    else:
        try:
            named, values = list(columns), np.asarray(given, dtype=np.float64).ravel()
        except (TypeError, ValueError, OverflowError):
            raise ArgumentError(f"site_summary(beta={given!r}): an array of coefficients is needed.") from None
    if tuple(named) != tuple(columns) or values.shape != (len(columns),) or not np.isfinite(values).all():
        raise ArgumentError(
            f"site_summary(beta=): {values.size} coefficients ({', '.join(named)}) for the columns "
            f"{', '.join(columns)}; one finite number a column is needed."
        )
    return np.asarray(values, dtype=np.float64)
