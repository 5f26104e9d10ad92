"""The posterior in whitened coordinates as a PyMC model whose every number is data, so that one compilation serves all.

Rows, counts, the whitening and the parameters of the prior are ``pm.Data``: another prior scale, or other data, of the
same families and the same number of whitened coordinates re-use the compiled density.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.interrupts import deferred, look
from bayeslogit.mode import Mode
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.nuts import half_log_information, log_density
from bayeslogit.posterior.variational import Gaussian, fit_gaussian
from bayeslogit.resolved import PriorTerm

if TYPE_CHECKING:
    import pymc

Array = NDArray[np.float64]
_KEPT = 4


@dataclass(frozen=True)
class WhitenedTarget:
    """A log posterior in coordinates z in which a Gaussian near it is standard normal: ``theta = mean + root z``.

    Attributes
    ----------
    ground : Ground
    gaussian : Gaussian
        The variational one, or that at the mode.
    """

    ground: Ground
    gaussian: Gaussian

    @classmethod
    def at(cls, ground: Ground, mode: Mode) -> WhitenedTarget:
        """By the nearest Gaussian; where that cannot be found, by the curvature at the mode.

        Raises
        ------
        FitError
            If there is no finite mode.
        """
        if ground.target.prior.whole != "jeffreys":
            found = fit_gaussian(ground, mode)
            if found.converged:
                return cls(ground, found.gaussian)
        near = Gaussian.of_precision(*ground.start(mode))
        assert near is not None  # `start` has seen to it
        return cls(ground, near)

    @property
    def size(self) -> int:
        return self.ground.size

    def theta(self, z: Array) -> Array:
        """Core coordinates of points z; shape (S, k)."""
        result: Array = self.gaussian.mean + z @ self.gaussian.root.T
        return result

    def log_density(self, z: Array) -> Array:
        """The log density of z at points of shape (S, k), shape (S,)."""
        return self.ground.log_densities(self.theta(z)) + self.gaussian.log_determinant

    @cached_property
    def _terms(self) -> list[tuple[PriorTerm, Array | None]]:
        prior = self.ground.target.prior_target
        groups = [(term, None) for term in prior.prior.terms if term.density.group is not None]
        return [*prior.proper_terms, *groups]

    @property
    def families(self) -> tuple[str, ...]:
        """Of the proper terms of the prior, in order; last "jeffreys" where the whole model has that term.

        The pseudo-observations of a Diaconis-Ylvisaker prior are among the counts.
        """
        proper = tuple(term.family for term, _ in self._terms)
        return (*proper, "jeffreys") if self.ground.target.prior.whole == "jeffreys" else proper

    def data(self) -> dict[str, Array]:
        """Every number of the model, by the name that `build` gives it."""
        mean, root = self.gaussian.mean, self.gaussian.root
        parts: list[tuple[Array, ...]] = []
        for chunk in self.ground.chunks():
            count = np.ones_like(chunk.offset) if chunk.failures is None else chunk.successes + chunk.failures
            parts.append((chunk.X @ root, chunk.X @ mean + chunk.offset, chunk.successes, count))
        names = ("rows", "base", "successes", "count")
        values = {name: np.concatenate(part) for name, part in zip(names, zip(*parts, strict=True), strict=True)}
        for number, (term, rows) in enumerate(self._terms):
            index = list(term.columns)
            values[f"at_{number}"] = mean[index] if rows is None else rows @ mean
            values[f"map_{number}"] = root[index] if rows is None else rows @ root
            values |= {f"{key}_{number}": np.asarray(value) for key, value in term.parameters.items()}
        return values


def build(families: tuple[str, ...], values: Mapping[str, Array], size: int) -> pymc.Model:
    """A PyMC model of the free vector "z", standard normal if the whitening is perfect; ``values`` fill its data."""
    import pymc as pm

    with pm.Model() as model:
        data = {name: pm.Data(name, value) for name, value in values.items()}
        z = pm.Flat("z", shape=size)
        eta = data["base"] + data["rows"] @ z
        pm.Potential("log_likelihood", (data["successes"] * eta - data["count"] * pm.math.log1pexp(eta)).sum())
        for number, family in enumerate(families):
            if family == "jeffreys":
                pm.Potential("jeffreys", half_log_information(data["rows"], data["count"], eta))
                continue
            own = {name.rpartition("_")[0]: value for name, value in data.items() if name.endswith(f"_{number}")}
            functions = own.pop("at") + own.pop("map") @ z
            pm.Potential(f"log_prior_{number}", log_density(family, functions, own))
    return model


@dataclass(frozen=True)
class Compiled:
    """A model with PyMC's NUTS step compiled on it; ``lock`` keeps threads from each other's data."""

    model: pymc.Model
    step: Any
    lock: threading.Lock

    def fill(self, values: Mapping[str, Array]) -> None:
        """Put other numbers in place of those the model was built with."""
        import pymc as pm

        pm.set_data(dict(values), model=self.model)


_models: OrderedDict[tuple[tuple[str, ...], int, float], Compiled] = OrderedDict()
_models_lock = threading.Lock()


def compiled(target: WhitenedTarget, accept: float) -> Compiled:
    """The compiled model of these families and this size: from the last few made in this process, or new (seconds)."""
    with deferred():
        import pymc as pm

    size, values = target.size, target.data()
    key = (target.families, size, accept)
    with _models_lock, deferred():
        if key not in _models:
            model = build(target.families, values, size)
            step = pm.NUTS(model=model, initial_point={"z": np.zeros(size)}, target_accept=accept, rng=0)
            _look_between_gradients(step)
            _models[key] = Compiled(model, step, threading.Lock())
        _models.move_to_end(key)
        while len(_models) > _KEPT:
            _models.popitem(last=False)
        return _models[key]


def _look_between_gradients(step: Any) -> None:
    """Have a sampler look whether Ctrl-C waits before each of its gradients: a draw may take many long ones."""
    leap = step.integrator.step

    def looking(*args: Any) -> Any:
        look()
        return leap(*args)

    step.integrator.step = looking
