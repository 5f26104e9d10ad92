"""Find the mode: the choice of a road to it, and the roads for large data.

Every road ends with the same certificate: the Newton decrement, in posterior sds, is below ``tol``, the next step would
move no row by much, and the information that the standard errors rest on is that at the mode, to six digits.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.continuation import continued
from bayeslogit.errors import ArgumentError, PriorError
from bayeslogit.existence import single_class, too_few_rows
from bayeslogit.firth import firth, third_derivatives_are_cheap
from bayeslogit.group_sets import grouped
from bayeslogit.logistic import logit
from bayeslogit.mode import Mode, Road, Status, Whole
from bayeslogit.multimodal import examined, needs_examining
from bayeslogit.newton import POLISHED, SETTLED, Search, newton
from bayeslogit.proximal import proximal
from bayeslogit.quasi_newton import Climb, climb
from bayeslogit.sources.spread import Spread
from bayeslogit.steps import WELL_CONDITIONED, Factor, cholesky_factor
from bayeslogit.subsample import Start, sample_size, sample_start
from bayeslogit.target import Expansion, LogPosterior
from bayeslogit.wide import is_wide, reduce_wide
from bayeslogit.working_set import many_kinks, working_sets

Array = NDArray[np.float64]

# Below this many numbers in the design a whole Newton step costs less than choosing something cleverer.
_LARGE = 1 << 18
# Columns from which on three informations cost more than one and eight gradients (measured; benchmarks/README.md).
_COSTLY_INFORMATION = 64
# A sub-sample of more than this share of the rows costs as much as all of them.
_LARGEST_SHARE = 8
_LEAST_PER_COLUMN = 12
_MOST_GRADIENTS = 40
# Where informations are cheap, gradient steps only come this near, in posterior sds, before Newton's take over.
_WITHIN = 1.0
_MOST_CHORDS = 8
# e^D - 1 above which the information is formed again at the mode: standard errors are right to half of it.
_EXACT = 1e-6
# How far from the mode a reduced one may be once lifted, whatever the tolerance.
_LIFTED = 1e-6
# Families whose log density is quadratic.
_QUADRATIC = frozenset({"flat", "normal", "multivariate_normal"})
# Firth steps after which those from the null model have gone astray.
_PATIENCE = 40


def choose_road(target: LogPosterior, covariance: bool = True) -> Road:
    """Which algorithm finds this mode soonest; every one of them finds the same."""
    n, p = target.design.source.n_rows, len(target.design.columns)
    if target.prior.whole == "jeffreys":
        return Road.FIRTH
    if len(target.kinks.groups):
        return Road.GROUPS
    if target.kinks:
        return Road.WORKING_SETS if many_kinks(target) else Road.PROXIMAL
    if is_wide(target):
        return Road.WIDE
    if target.design.source.stored < _LARGE:
        return Road.NEWTON
    if p >= _COSTLY_INFORMATION and not isinstance(target.design.source, Spread):
        return Road.ONE_INFORMATION if covariance else Road.GRADIENTS
    return Road.SAMPLE_THEN_NEWTON if _LARGEST_SHARE * sample_size(n, p) <= n else Road.NEWTON


def find_mode(
    target: LogPosterior,
    *,
    start: Array | None = None,
    tol: float = 1e-6,
    max_iter: int = 200,
    covariance: bool = True,
    road: Road | None = None,
    examine: bool = True,
    passes: int | None = None,
) -> Mode:
    """The mode of a log posterior, with a certificate.

    Parameters
    ----------
    target : LogPosterior
    start : array, shape (p,), optional
        Where to begin, in the user's columns.
    tol : float
        Largest accepted Newton decrement, in posterior sds.
    max_iter : int
        Most Newton steps.
    covariance : bool
        Whether the information at the mode is wanted too; without it `Mode.factor` is None.
    road : Road, optional
        Instead of `choose_road`.
    examine : bool
        Under priors that are not log-concave, ask whether there are other modes, and return the highest.
    passes : int, optional
        Most passes over the data; the distance that is left to the mode is bounded and stated.

    Returns
    -------
    Mode
        Its ``status`` says how the search ended; the last iterate is never lost.
    """
    if not _between(tol, 0.0, 1.0):
        raise ArgumentError(f"tol={tol!r}: the largest Newton decrement, in posterior sds, must lie between 0 and 1.")
    if not _between(max_iter, 0, math.inf):
        raise ArgumentError(f"max_iter={max_iter!r}: a whole number of at least one step is needed.")
    road = choose_road(target, covariance) if road is None else road
    if passes is not None:
        road = _limited_road(target, road, passes)
    if road is Road.FIRTH:
        found = _firth(target, start, tol, int(max_iter), covariance)
        if examine and found.converged and needs_examining(target):
            found = examined(
                target, found, _null_model(target), lambda aim, near: firth(aim, near, tol, int(max_iter), started=True)
            )
    elif road is Road.WIDE:
        wide = reduce_wide(target)
        found = wide.lift(find_mode(wide.target, tol=tol, max_iter=max_iter, road=Road.NEWTON))
        if found.converged and found.decrement > max(tol, _LIFTED):
            found = replace(found, status=Status.ITERATION_LIMIT, message=_not_lifted(found.decrement, tol))
    else:
        gamma = _null_model(target) if start is None else target.coordinates.gamma(np.asarray(start, dtype=np.float64))
        found = _no_mode_at_once(target, gamma, road) or _walk(target, gamma, road, tol, int(max_iter), passes)
        ended = found.converged or found.status is Status.ITERATION_LIMIT
        if examine and ended and needs_examining(target):
            anew = road if target.kinks else Road.NEWTON
            found = examined(target, found, gamma, lambda aim, near: _walk(aim, near, anew, tol, int(max_iter)))
    if target.pseudo:
        found = replace(found, whole=_pseudo_prior(target, found))
    if covariance:
        return found
    whole = None if found.whole is None else Whole(found.whole.log_density, None)
    return replace(found, factor=None, information=None, subspace=None, whole=whole)


def _not_lifted(decrement: float, tol: float) -> str:
    return (
        f"Not converged: the reduction to the span of the rows ends {decrement:.1e} posterior sd from the mode (asked: "
        f"{tol:g}). Some columns are many orders of magnitude longer than others under their priors: rescale them."
    )


def _between(value: object, low: float, high: float) -> bool:
    # A whole number too large for a float can still be compared.
    return isinstance(value, int | float | np.integer | np.floating) and bool(low < value < high)


def _null_model(target: LogPosterior) -> Array:
    """Zero slopes, and the intercept that fits the overall event rate at the mean offset."""
    tally = target.design.tally
    gamma = np.zeros(len(target.design.columns))
    if target.design.has_intercept:
        gamma[0] = float(logit((tally.events + 0.5) / (tally.nobs + 1.0))) - tally.offset / tally.nobs
    return gamma


def _firth(target: LogPosterior, start: Array | None, tol: float, max_iter: int, covariance: bool) -> Mode:
    """Under Jeffreys' prior, from the null model or from the mode of the conjugate prior, which is near.

    From the latter where curvature is dear, so that few steps are left, and where steps from the null model have gone
    astray: the conjugate density is concave.
    """
    if any(term.proper for term in target.prior.terms) and target.kinks:
        raise PriorError(
            "Jeffreys() goes with smooth priors on terms only, such as bayeslogit.Normal(1); one of these has a kink. "
            "Use DiaconisYlvisaker() instead, which goes with all."
        )
    cheap = third_derivatives_are_cheap(target) or len(target.design.columns) > target.design.n_rows
    if start is not None or cheap:
        gamma = _null_model(target) if start is None else target.coordinates.gamma(np.asarray(start, dtype=np.float64))
        found = firth(target, gamma, tol, min(max_iter, _PATIENCE), started=start is not None)
        if found.status is not Status.ITERATION_LIMIT or len(found.trace) > max_iter:
            return found
    conjugate = LogPosterior(target.design, replace(target.prior, whole="diaconis_ylvisaker"), target.coordinates)
    near = find_mode(conjugate, tol=1e-2, max_iter=max_iter)
    if near.status is Status.NOT_POSITIVE_DEFINITE:
        return replace(near, road=Road.FIRTH, whole=None)
    gamma = target.coordinates.gamma(near.beta)
    metric = None if cheap else near.factor
    found = firth(target, gamma, tol, max_iter, started=True, metric=metric, exact=covariance)
    passes, informations = found.n_passes + near.n_passes, found.n_hessians + near.n_hessians
    return replace(found, n_passes=passes, n_hessians=informations, n_sampled=near.n_sampled)


def _pseudo_prior(target: LogPosterior, found: Mode) -> Whole:
    """What the pseudo-observations of a Diaconis-Ylvisaker prior say at the end of a search."""
    gamma = target.coordinates.gamma(found.beta)
    density = target.whole_log_density(gamma)
    if found.information is None or not found.information.size:
        return Whole(density, None)
    own = found.subspace.prior_information if found.subspace else target.prior_target.information(gamma)
    return Whole(density, 2.0 * target.pseudo / (1.0 + 2.0 * target.pseudo) * (found.information - own))


def _limited_road(target: LogPosterior, road: Road, passes: int) -> Road:
    """Newton's, whose distance to the mode can be bounded without a pass."""
    if not _between(passes, 0, math.inf) or passes != int(passes):
        raise ArgumentError(f"passes={passes!r}: a whole number of at least one pass is needed; 2 is a good one.")
    other = [term.family for term in target.prior.terms if term.family not in _QUADRATIC]
    if other or target.prior.whole or road is Road.WIDE:
        what = "more columns than rows" if road is Road.WIDE else f"a prior such as {target.prior.whole or other[0]}"
        raise ArgumentError(
            f"passes={passes}: what is left to the mode is bounded under normal and flat priors, not with {what}; "
            "leave passes= out."
        )
    return Road.NEWTON if road is Road.NEWTON else Road.SAMPLE_THEN_NEWTON


def _walk(target: LogPosterior, gamma: Array, road: Road, tol: float, max_iter: int, passes: int | None = None) -> Mode:
    if road is Road.GROUPS or (target.kinks and not target.concave):
        return grouped(target, gamma, tol, max_iter, road)
    if road is Road.WORKING_SETS:
        return continued(target, gamma, tol) or working_sets(target, gamma, tol, max_iter)
    if road is Road.PROXIMAL:
        return proximal(_search(target, gamma, road), tol, max_iter)
    if road is Road.NEWTON:
        search = _search(target, gamma, road)
        search.moved = bool(np.any(gamma[int(target.design.has_intercept) :]))
        return newton(search, tol, max_iter, passes)
    start = _start(target, gamma)
    if start is None:
        return newton(_search(target, gamma, road), tol, max_iter, passes)
    source = target.design.source
    if isinstance(source, Spread) or passes is not None:
        # Reading costs more than informations do: Newton's steps need the fewest passes.
        before = int(isinstance(source, Spread) and not (source.drawn and source.drawn.blocks)) + int(start.rows == 0)
        search = Search(target, start.gamma, target.expand(start.gamma), road, 1 + before, 1, start.rows)
        return newton(search, tol, max_iter, passes)
    enough = _WITHIN if road is Road.SAMPLE_THEN_NEWTON else 0.3 * tol
    near = climb(target, start.gamma, target.slope(start.gamma), start.metric, enough=enough, most=_MOST_GRADIENTS)
    informations = int(start.rows == 0)
    unformed = Expansion(near.slope.log_density, near.slope.score, np.empty((0, 0)))
    search = Search(target, near.gamma, unformed, road, 1 + near.passes + informations, informations, start.rows)
    search.trace = list(near.trace)
    if road is Road.SAMPLE_THEN_NEWTON:
        return _fall_back(search, tol, max_iter)
    return _few_informations(search, near, road, tol, max_iter)


def _search(target: LogPosterior, gamma: Array, road: Road) -> Search:
    return Search(target, gamma, target.expand(gamma), road)


def _start(target: LogPosterior, gamma: Array) -> Start | None:
    """From a sub-sample; where one would cost as much as all rows, from these at the null model."""
    n, p = target.design.source.n_rows, gamma.size
    rows = min(sample_size(n, p), n // _LARGEST_SHARE)
    if rows >= _LEAST_PER_COLUMN * p:
        return sample_start(target, gamma, rows)
    factor = cholesky_factor(target.expand(gamma).information, target.design.source.compiled)
    return None if factor is None else Start(gamma, factor, 0)


def _few_informations(search: Search, near: Climb, road: Road, tol: float, max_iter: int) -> Mode:
    """The end of the gradient steps: the mode if only that is wanted, or else one information and chords."""
    if road is Road.GRADIENTS:
        if near.arrived and float(search.reach(near.direction)[0]) <= SETTLED:
            return search.end(Status.CONVERGED, _arrived(near, search), near.decrement)
        return _fall_back(search, tol, max_iter)
    search.state = search.try_at(near.gamma)
    factor = search.factor()
    if not near.arrived or factor is None or factor.smallest_pivot < WELL_CONDITIONED:
        return newton(search, tol, max_iter)
    done = climb(search.target, near.gamma, near.slope, factor, enough=min(tol, POLISHED), most=_MOST_CHORDS)
    search.trace += list(done.trace)
    search.passes += done.passes
    moved, reach = (float(value) for value in search.reach(done.gamma - near.gamma, done.direction))
    if done.decrement > tol or reach > SETTLED:
        return _fall_back(search, tol, max_iter)
    return _settle(search, done, factor, moved)


def _settle(search: Search, done: Climb, factor: Factor, moved: float) -> Mode:
    """The end of the search; the information is formed again if the rows have moved since."""
    search.gamma = done.gamma
    search.information_error = math.expm1(moved)
    search.state = Expansion(done.slope.log_density, done.slope.score, search.state.information)
    if search.information_error > _EXACT:
        search.state = search.try_at(done.gamma)
        search.information_error = 0.0
        factor = search.factor() or factor
    search.take(factor.solve(search.state.score))
    return search.end(Status.CONVERGED, _arrived(done, search), done.decrement, factor)


def _arrived(done: Climb, search: Search) -> str:
    search.note(done.decrement, math.nan, "none")
    return f"Converged: {done.decrement:.1e} posterior sd from the mode after {len(search.trace) - 1} steps."


def _fall_back(search: Search, tol: float, max_iter: int) -> Mode:
    """Newton steps from where the gradient steps ended."""
    search.state = search.try_at(search.gamma)
    return newton(search, tol, max_iter)


def _no_mode_at_once(target: LogPosterior, gamma: Array, road: Road) -> Mode | None:
    """Single class with a free intercept, or more free columns than rows: no search can help."""
    one_class = single_class(target)
    if one_class is not None:
        message, recession = one_class
        return _search(target, gamma, road).end(Status.SINGLE_CLASS, message, math.inf, recession=recession)
    too_few = too_few_rows(target)
    if too_few is None:
        return None
    return _search(target, gamma, road).end(Status.NOT_POSITIVE_DEFINITE, too_few, math.inf)
