"""One door to draws of a posterior, for priors with unknown scales too."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit._fit import DEFAULT_PRIOR, as_design, fit
from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError, FitError, PriorError
from bayeslogit.facts import Facts
from bayeslogit.ladder import check_method
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.posterior.nuts_sampling import Progress
from bayeslogit.posterior.rung import Rung
from bayeslogit.posterior.scale_blocks import BLOCKS
from bayeslogit.posterior.scale_given import given, open_terms, reference, without
from bayeslogit.posterior.scale_grid import ScaleDensity, can_grid, sample_grid
from bayeslogit.posterior.scale_nuts import ScaleDraws, sample_scales
from bayeslogit.posterior.scale_target import ScaleTarget
from bayeslogit.presets import as_prior
from bayeslogit.propriety import Existence, existence
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.results import Fit
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior
from bayeslogit.unknown_draws import UnknownDraws, hyper_of
from bayeslogit.unknown_scales import OPEN

Array = NDArray[np.float64]
_Found = tuple[Rung, ScaleDraws, ScaleDensity | None]


@guarded
def sample(
    model: str | Design,
    data: Any = None,
    prior: Prior | str | None = DEFAULT_PRIOR,
    *,
    method: str = "auto",
    draws: int = 4000,
    rng: int | np.random.Generator = 0,
    nuts: bool = True,
    chains: int = 4,
    tune: int | None = None,
    sampler: str = "pymc",
    target_accept: float | None = None,
    progress: Progress | None = None,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
    labels: Mapping[str, str] | None = None,
) -> Draws:
    """Draw from the posterior of a logistic regression.

    Under an ordinary prior this is ``fit(...).sample(...)``. It is the way in for priors with unknown scales,
    `Hierarchical` and `Horseshoe`, which have no mode to fit.

    Parameters
    ----------
    model, data, prior, trials, weights, offset, event, missing, labels
        As in `fit`.
    method : {"auto", "importance", "nuts"}
        With one unknown scale "importance" integrates over a grid of its values by certified importance sampling, in
        fractions of a second; "auto" does so where it certifies, and else, as with a horseshoe, goes to NUTS. (Under
        ordinary priors also "laplace" and "variational"; see `Fit.sample`.)
    draws : int
        Number of equally weighted draws in all.
    rng : int or Generator
        The same seed gives the same numbers.
    nuts : bool
        Whether "auto" may go on to NUTS.
    chains, tune, sampler, target_accept
        Of NUTS: chains, warm-up of each, whose it is, and the acceptance rate aimed at; by default 400 steps and 0.9,
        with a horseshoe 800 and 0.95.
    progress : function, optional
        Called by NUTS with the number of draws done and to do.

    Returns
    -------
    Draws
        With unknown scales an `UnknownDraws`, which also has ``hyper`` (the scales), ``kappa``, ``shrinkage()`` and
        ``effective_nonzero()``.

    Raises
    ------
    FitError
        If the posterior is improper, or there is nothing to start from.
    PriorError
        If unknown scales are joined with a prior of the whole model.
    ArgumentError
        If an argument cannot be right.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> draws = bl.sample("switch ~ dist100 + arsenic + assoc", wells, bl.Hierarchical(1.0), rng=1)
    >>> draws.method, draws.verdict.level, round(draws.hyper.mean["tau"], 1)
    ('importance', 'certified', 0.7)
    """
    design = as_design(model, data, trials, weights, offset, event, missing, "sample")
    resolved = as_prior(prior).resolve(design)
    if not resolved.open:
        own = {} if tune is None else {"tune": tune}
        if target_accept is not None:
            raise ArgumentError("sample(target_accept=...): it is for priors with unknown scales.")
        fitted = fit(design, prior=prior, labels=labels)
        return fitted.sample(method, draws, rng, nuts=nuts, chains=chains, sampler=sampler, progress=progress, **own)
    if check_method(method) not in ("auto", "importance", "nuts"):
        raise ArgumentError(f"sample(method={method!r}): under unknown scales it is 'auto', 'importance' or 'nuts'.")
    if draws < 1:
        raise ArgumentError(f"draws={draws}: at least one draw is needed.")
    if resolved.whole:
        raise PriorError(f"{resolved.name}: unknown scales cannot be joined with a prior of the whole model.")
    known = existence_with_scales(design, resolved)
    if not known.proper:
        raise FitError(f"There is nothing to sample: {known.reasons[0]}.")
    generator = np.random.default_rng(rng)
    found: _Found | None = None
    climbed: tuple[str, ...] = ()
    if method != "nuts":
        if can_grid(resolved):
            patient = method == "importance" or not nuts
            found = sample_grid(resolved, reference(design, resolved), draws, generator, patient=patient)
            climbed = ("importance sampling fails at scales that weigh much",) if found is None else ()
        elif method == "importance":
            raise ArgumentError("sample(method='importance') integrates over one unknown scale; use method='nuts'.")
        elif not nuts:
            raise ArgumentError("sample(nuts=False): this prior has more than one unknown scale, and needs NUTS.")
    stays = found is not None and (method == "importance" or found[0].level == "certified" or not nuts)
    if found is not None and not stays and sampler == "pymc" and find_spec("pymc") is None:
        stays, climbed = True, ("NUTS needs PyMC, which is not installed",)
    if not stays:
        target = ScaleTarget.of(design, resolved)
        options: dict[str, Any] = {"chains": chains, "tune": tune, "sampler": sampler, "accept": target_accept}
        last = sample_scales(target, design, resolved, draws=draws, rng=generator, progress=progress, **options)
        if found is not None:
            climbed = (f"the grid of scales is {found[0].level} ({'; '.join(found[0].reasons)})",)
        if found is None or not (last[0].level == "failed" and found[0].level != "failed"):
            found = (*last, None)
        else:
            climbed = (f"nuts failed ({'; '.join(last[0].reasons)})",)
    assert found is not None
    return _named(design, resolved, found, known, climbed, labels or {})


def _named(
    design: Design,
    prior: ResolvedPrior,
    found: _Found,
    known: Existence,
    climbed: tuple[str, ...],
    labels: Mapping[str, str],
) -> UnknownDraws:
    """Draws in the user's hands, beside the fit with the scales at their posterior medians."""
    rung, scales, density = found
    slow = min(OPEN[term.family].tail(**term.parameters) for term in open_terms(prior)) <= 2.0
    hyper = hyper_of(prior, design.terms, scales, density, separated=slow and _separated(design, prior))
    median = _median_sds(prior, scales)
    plugged = given(prior, median, ", scales at their posterior medians")
    mode = find_mode(LogPosterior.of(design, plugged))
    fitted = Fit(
        mode=mode,
        posterior=LaplacePosterior.at(mode),
        prior=plugged,
        prior_is_default=False,
        spec=design.spec,
        facts=Facts.of(design),
        notes=(*mode.notes, *design.notes, *prior.notes),
        design=design,
    )
    words = {name: text for name, text in design.provenance.labels.items() if name in fitted.known_names}
    fitted = fitted.relabel({**words, **labels}) if words or labels else fitted
    return UnknownDraws(rung, fitted, known, climbed, prior=prior, hyper=hyper)


def _median_sds(prior: ResolvedPrior, scales: ScaleDraws) -> list[Array]:
    result = []
    for number, term in enumerate(open_terms(prior)):
        own = [k for k, belongs in enumerate(scales.term) if belongs == number]
        twice = np.where([scales.names[k] == "slab" for k in own], 2.0, 1.0)
        logs = BLOCKS[term.family](term).log_sds(np.log(scales.values[:, own]) * twice)
        result.append(np.exp(np.median(logs, axis=0)))
    return result


def existence_with_scales(design: Design, prior: ResolvedPrior) -> Existence:
    """Whether the posterior is proper and has moments, scales integrated out.

    A term's tails are those of a Student-t density of the degrees of freedom of its widest scale, or lighter than any
    power. All its columns share that scale, so that the tails of their joint density count its degrees of freedom once
    and not for each: where the data are separated by several columns together, that is looked at apart.
    """
    tails = [OPEN[term.family].tail(**term.parameters) for term in open_terms(prior)]
    left = iter(tails)
    terms = tuple(_tailed(term, next(left)) if term.open else term for term in prior.terms)
    known = existence(design, ResolvedPrior(prior.columns, terms, prior.name))
    heavy = min(tails)
    flats = float(np.sum(prior.flat))
    if not known.proper or heavy > flats + 2.0:
        return known
    if not _separated(design, prior):
        return known
    held = f"the data are separated, and {prior.name} has tails of {heavy:g} degrees of freedom"
    none = np.zeros(len(prior.columns), dtype=bool)
    if heavy <= flats:
        words = f"the posterior may be improper: {held}. Give the scale a HalfNormal density, or the intercept a prior"
        return Existence(False, none, none.copy(), (words,))
    there = known.mean if heavy > flats + 1.0 else none
    return Existence(True, there, none.copy(), (f"means or sds may not exist: {held}",), known.undecided)


def _separated(design: Design, prior: ResolvedPrior) -> bool:
    """Whether the columns with unknown scales, together with flat ones, separate the outcome."""
    return not existence(design, without(prior), moments=0).proper


def _tailed(term: PriorTerm, df: float) -> PriorTerm:
    k = len(term.columns)
    zero, one = np.zeros(k), np.ones(k)
    if np.isinf(df):
        return PriorTerm("normal", term.columns, {"mean": zero, "scale": one})
    return PriorTerm("student_t", term.columns, {"df": np.full(k, df), "mean": zero, "scale": one})
