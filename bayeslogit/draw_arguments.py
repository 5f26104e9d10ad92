"""Checked arguments of everything that is drawn: counts, seeds, numbers, and names that may be misspelt."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayeslogit.errors import ArgumentError


def count(name: str, value: Any, least: int = 1) -> int:
    """A whole number, at least ``least``.

    Raises
    ------
    ArgumentError
        If it is none, a truth value or a float among them; the message has the argument's ``name``.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        near = isinstance(value, float | np.floating) and math.isfinite(value) and float(value).is_integer()
        hint = f": write {name}={int(value)}" if near else ""
        raise ArgumentError(f"{name}={value!r}: a whole number is needed{hint}.")
    if value < least:
        what = "at least one is needed" if least == 1 else f"it is at least {least}"
        raise ArgumentError(f"{name}={value}: {what}.")
    return int(value)


def generator(rng: Any) -> np.random.Generator:
    """The generator that a seed stands for.

    Raises
    ------
    ArgumentError
        If ``rng`` is neither a whole number from 0 up nor a Generator.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool | np.bool_) or not isinstance(rng, int | np.integer) or rng < 0:
        raise ArgumentError(f"rng={rng!r}: a whole number from 0 up is needed as seed, or a numpy.random.Generator.")
    return np.random.default_rng(int(rng))


def number(name: str, value: Any, *, finite: bool = True) -> float:
    """A number; infinite ones only if asked for.

    Raises
    ------
    ArgumentError
        If it is none; the message begins with ``name``, which says whose argument it is.
    """
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if isinstance(value, str | bytes) or math.isnan(found) or (finite and math.isinf(found)):
        raise ArgumentError(f"{name}: {value!r} is not a {'finite ' if finite else ''}number.")
    return found


def meant(name: Any, known: Sequence[str]) -> str:
    """``"; did you mean 'x'?"`` where one of the known names is close, else nothing."""
    if not isinstance(name, str):
        return ""
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)
    return f"; did you mean {lower[near[0]]!r}?" if near else ""
