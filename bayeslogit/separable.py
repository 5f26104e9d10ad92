"""A prior that is a sum over working coordinates, on some of them: what chord steps need to know of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslogit.densities import Density
from bayeslogit.sources.memory import MemorySource
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]


def serves(target: LogPosterior) -> bool:
    """Whether the prior is a sum over working coordinates, log-concave, with kinks, and the data are in memory."""
    prior = target.prior_target
    plain = all(rows is None for _, rows in prior.proper_terms)
    smooth = target.concave and not target.prior.whole and not len(target.kinks.groups)
    return bool(target.kinks) and plain and smooth and isinstance(target.design.source, MemorySource)


class Separable:
    """A prior that is a sum over coordinates, on some of them."""

    def __init__(self, target: LogPosterior, columns: NDArray[np.intp]) -> None:
        self.rate, self.center = target.kinks.rate[columns], target.kinks.center[columns]
        self._parts: list[tuple[NDArray[np.intp], Density, dict[str, Array]]] = []
        for term, _ in target.prior_target.proper_terms:
            place = np.full(target.kinks.rate.size, -1, dtype=np.intp)
            place[term.index] = np.arange(term.index.size)
            index = np.flatnonzero(place[columns] >= 0)
            given = {key: np.asarray(value)[place[columns[index]]] for key, value in term.parameters.items()}
            self._parts.append((index, term.density, given))

    def log_density(self, gamma: Array) -> float:
        return float(sum(density.log_density(gamma[index], **given) for index, density, given in self._parts))

    def score(self, gamma: Array) -> Array:
        """Of the part without a kink."""
        result = np.zeros(gamma.size)
        for index, density, given in self._parts:
            result[index] += density.score(gamma[index], **given)
        return result

    def curvature(self, gamma: Array) -> Array:
        result = np.zeros(gamma.size)
        for index, density, given in self._parts:
            result[index] += density.information(gamma[index], **given)
        return result


def strength(target: LogPosterior) -> float:
    """How strong the kinks are: the median of their rates, a logarithm."""
    rate = target.kinks.rate
    return float(np.log(np.median(rate[rate > 0.0])))
