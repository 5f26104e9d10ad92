"""Parameters of other systems as a user gives them: each check says whose parameter it is and what it may be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import ArgumentError

Array = NDArray[np.float64]


def number(
    title: str, name: str, value: Any, *, low: float = 0.0, high: float = math.inf, open_low: bool = False
) -> float:
    """A number within its limits.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    try:
        result = float(value)
    except (TypeError, ValueError):
        result = math.nan
    if isinstance(value, list | tuple):
        raise ArgumentError(f"{title}: {name}={value!r} is a list; {name} is one number.")
    if isinstance(value, bool) or not (low < result if open_low else low <= result) or not result <= high:
        limits = (
            f"between {low:g} and {high:g}" if math.isfinite(high) else f"{'above' if open_low else 'at least'} {low:g}"
        )
        raise ArgumentError(f"{title}: {name}={value!r} must be a number {limits}.")
    return result


def finite(title: str, name: str, value: Any) -> float:
    """A finite number, not negative."""
    result = number(title, name, value)
    if math.isinf(result):
        raise ArgumentError(f"{title}: {name}={value!r} must be finite; nothing would be left to fit.")
    return result


def vector(title: str, name: str, value: Any, labels: Sequence[str], *, signed: bool = False) -> Array:
    """One finite number for all labels, or one for each; not negative unless ``signed``.

    Raises
    ------
    ArgumentError
        If their count is another, or one is out of bounds.
    """
    array = _numbers(title, name, value, labels)
    if not np.all(np.isfinite(array)) or not (signed or np.all(array >= 0.0)):
        raise ArgumentError(f"{title}: {name}={value!r} must be finite{'' if signed else ' and not negative'}.")
    return array


def scales(title: str, name: str, value: Any, labels: Sequence[str]) -> Array:
    """One positive scale for all labels, or one for each; infinite is no prior.

    Raises
    ------
    ArgumentError
        If their count is another, or one is not positive.
    """
    array = _numbers(title, name, value, labels)
    if not np.all(array > 0.0):
        raise ArgumentError(f"{title}: {name}={value!r} must be positive; inf is no prior.")
    return array


def _numbers(title: str, name: str, value: Any, labels: Sequence[str]) -> Array:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"{title}: {name}={value!r} must be numbers.") from None
    if array.ndim > 1:
        raise ArgumentError(
            f"{title}: {name} has shape {array.shape}; only one number a column is converted. A matrix is a prior too, "
            "bayeslogit.MultivariateNormal; the nearest penalty with one number a column is its diagonal."
        )
    if array.ndim == 1 and array.size != len(labels):
        some = ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")
        raise ArgumentError(f"{title}: {name} has {array.size} values for {len(labels)} columns ({some}).")
    return np.broadcast_to(array, (len(labels),)).astype(np.float64)


def choice(title: str, name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """One of the values that the system knows."""
    if value not in allowed:
        raise ArgumentError(f"{title}: {name}={value!r} is not one of {', '.join(map(repr, allowed))}.")
    return value


def shown(value: Any) -> str:
    """A parameter as text: six digits, and of a long vector the first numbers."""
    if isinstance(value, bool | str) or value is None:
        return repr(value)
    try:
        array = np.asarray(value)
    except ValueError:  # lists of several lengths
        return repr(value)
    if array.dtype.kind not in "fiu" or array.ndim > 1:
        return repr(value)
    if array.ndim == 0:
        return f"{float(array):.6g}"
    rest = f", ... ({array.size})" if array.size > 6 else ""
    return "[" + ", ".join(f"{float(each):.6g}" for each in array[:6]) + rest + "]"


def call(parameters: Mapping[str, Any]) -> str:
    """Mapping[str, Any] as one writes them: "C=0.5, l1_ratio=0"."""
    return ", ".join(f"{name}={shown(value)}" for name, value in parameters.items())
