"""Checked numbers for the constructors of priors: finite, positive, vectors, covariances; errors name the argument."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.errors import PriorError

Array = NDArray[np.float64]


def finite(family: str, name: str, value: Any) -> float:
    """A finite number."""
    number = _single(value)
    if isinstance(value, bool | str | bytes) or not math.isfinite(number):
        raise PriorError(f"{family}({name}={value!r}): {name} must be a finite number.")
    return number


def _single(value: Any) -> float:
    """As a float; NaN where it is none, such as an array of one number, which some releases of NumPy take for one."""
    try:
        return math.nan if getattr(value, "ndim", 0) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def positive(family: str, name: str, value: Any) -> float:
    """A positive finite number, small and large enough to be squared and inverted."""
    number = _single(value)
    if isinstance(value, bool | str | bytes) or not (math.isfinite(number) and number > 0.0):
        raise PriorError(
            f"{family}({name}={value!r}): {name} must be a positive finite number, in log-odds per unit of the column. "
            "For no prior at all use bayeslogit.Flat()."
        )
    # 1 / scale^2 and its logarithm must stay representable.
    if not 1e-150 < number < 1e150:
        raise PriorError(f"{family}({name}={value!r}): {name} must lie between 1e-150 and 1e150; rescale the column.")
    return number


def one_of(value: Any, known: tuple[str, ...]) -> bool:
    """Whether a value is one of these words; an array equals none of them."""
    return isinstance(value, str) and value in known


def names_of(value: Any) -> tuple[str, ...] | None:
    """Names in an order; None if that is not what was given."""
    if isinstance(value, str | bytes | set | frozenset) or not np.iterable(value):
        return None
    names = tuple(value)
    return names if all(isinstance(name, str) for name in names) else None


def vector(family: str, name: str, value: ArrayLike) -> Array:
    """A vector of finite numbers, shape (k,)."""
    try:
        values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        raise PriorError(f"{family}({name}=...): {name} must be numbers.") from None
    if values.ndim != 1 or not np.all(np.isfinite(values)):
        raise PriorError(f"{family}({name}=...): {name} must be a vector of finite numbers, shape (k,).")
    return values


def positive_definite(family: str, name: str, value: ArrayLike, size: int) -> Array:
    """A symmetric positive definite matrix, shape (size, size)."""
    try:
        matrix = np.atleast_2d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        raise PriorError(f"{family}({name}=...): {name} must be a matrix of numbers.") from None
    if matrix.shape != (size, size):
        raise PriorError(f"{family}({name}=...): {name} has shape {matrix.shape}, the mean needs ({size}, {size}).")
    if not np.all(np.isfinite(matrix)):
        raise PriorError(f"{family}({name}=...): {name} has values that are not finite.")
    scale = np.sqrt(np.abs(np.diag(matrix)))
    if not np.all(np.abs(matrix - matrix.T) <= 1e-10 * np.outer(scale, scale)):
        raise PriorError(f"{family}({name}=...): {name} is not symmetric.")
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(matrix)[0])
        raise PriorError(
            f"{family}({name}=...): {name} is not positive definite (smallest eigenvalue {smallest:.3g})."
        ) from None
    return 0.5 * (matrix + matrix.T)


def inverse(matrix: Array | None) -> Array:
    """The inverse of a covariance, made symmetric."""
    assert matrix is not None
    result: Array = np.linalg.inv(matrix)
    return 0.5 * (result + result.T)
