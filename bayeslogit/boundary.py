"""The public boundary: arguments of the wrong kind are named before any array is touched.

What an argument may be stands in its annotation and nowhere else. Words that this room does not know (priors, arrays,
data) are left to the rooms that read them, and so are values of the right kind that cannot be right.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, NoReturn, cast

import numpy as np

from bayeslogit.blas import one_thread
from bayeslogit.errors import ArgumentError, BayeslogitError, UnknownArgumentError

Rule = tuple[Callable[[Any], bool], str]

# Arguments of which the rooms say more than their kind, such as the names there are; they are asked first.
_SAYS_MORE = frozenset({"at", "fit", "fits", "design", "method", "probs", "weights", "scale", "summaries", "terms"})
# What arguments are called elsewhere, and here.
_HERE = {
    **dict.fromkeys(("alpha", "level", "conf_level", "conf_int", "ci", "ci_prob", "hdi_prob", "cred_mass"), "prob"),
    **dict.fromkeys(("exog", "newdata", "new_data", "X", "at"), "new"),
    **dict.fromkeys(("type", "cov_type", "vcov", "which"), "kind"),
    **dict.fromkeys(("random_state", "seed", "random_seed"), "rng"),
    **dict.fromkeys(("n_samples", "num_samples", "ndraws", "samples"), "draws"),
    **dict.fromkeys(("sample_weight", "freq_weights", "var_weights"), "weights"),
    **dict.fromkeys(("C", "penalty", "lambda_", "l2", "l1", "priors", "prior_scale"), "prior"),
    **dict.fromkeys(("maxiter", "maxit"), "max_iter"),
    **dict.fromkeys(("formula", "design"), "model"),
    **dict.fromkeys(("df", "frame", "dataset"), "data"),
    **dict.fromkeys(("na_action", "na_rm"), "missing"),
    "prob": "alpha",
    **dict.fromkeys(("exp", "odds_ratio", "or_"), "exponentiate"),
}
# Whole numbers that are of use from here on.
_COUNTS = {"most_rows": 1, "named": 0}
# The largest whole number that every array and every float holds exactly.
_LARGEST = 1 << 53


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and abs(int(value)) < _LARGEST


def _number(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return False
    try:
        return isinstance(value, Real) and isinstance(float(value), float)
    except OverflowError:
        return False


def _several(value: Any) -> bool:
    """Several in an order: no set, no mapping, and not the letters of a text."""
    if isinstance(value, str | bytes):
        return False
    return isinstance(value, Sequence) or getattr(value, "ndim", 0) == 1


def _named_values(value: Any) -> bool:
    """A pandas Series."""
    return getattr(value, "ndim", 0) == 1 and hasattr(value, "items") and hasattr(value, "keys")


def _design(value: Any) -> bool:
    return not isinstance(value, type) and hasattr(value, "has_intercept") and hasattr(value, "columns")


_KINDS: dict[str, Rule] = {
    "None": (lambda value: value is None, "None"),
    "str": (lambda value: isinstance(value, str), "a text"),
    "bool": (lambda value: isinstance(value, bool | np.bool_), "True or False"),
    "int": (_whole, "a whole number"),
    "float": (_number, "a number"),
    "Mapping": (lambda value: isinstance(value, Mapping) or _named_values(value), "a mapping such as a dict"),
    "Sequence": (_several, "a list"),
    "os.PathLike": (lambda value: isinstance(value, os.PathLike), "a path"),
    "Design": (_design, "a bayeslogit.Design"),
    "Columns": (_design, "a bayeslogit.Design"),
    "np.random.Generator": (lambda value: isinstance(value, np.random.Generator), "a numpy.random.Generator"),
}
# Records of ours, known by the name of their class so that this room needs to import none of them.
_RECORDS = ("Claim", "Draws", "Fit", "LooResult", "Pooled", "Sensitivity")


def guarded[F: Callable[..., Any]](function: F) -> F:
    """A public function whose arguments are of the kinds that its annotations name, and which has BLAS on one thread.

    Raises
    ------
    ArgumentError
        When it is called with one that is not: the message names it, what was given, and what may be given.
    UnknownArgumentError
        When it is called with one that it does not have.
    """
    signature = inspect.signature(function)
    rules = {name: rule for name, each in signature.parameters.items() if (rule := _rule_of(each)) is not None}
    names = tuple(signature.parameters)
    open_ended = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    if not rules and (open_ended or not names):
        return function
    of_method = names[:1] == ("self",)

    def called_name(args: tuple[Any, ...]) -> str:
        # A method of a base class is one of the object that the caller holds.
        return f"{type(args[0]).__name__}.{function.__name__}" if of_method and args else function.__qualname__

    def refuse(name: str, value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
        if name in _SAYS_MORE:
            try:
                function(*args, **kwargs)
            except BayeslogitError:
                raise
            except Exception:  # what NumPy says of it means nothing to the caller
                pass
        raise _refused(called_name(args), name, value, rules[name][1]) from None

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        for name, value in zip(names, args, strict=False):
            rule = rules.get(name)
            if rule is not None and not rule[0](value):
                refuse(name, value, args, kwargs)
        for name, value in kwargs.items():
            if name not in names and not open_ended:
                raise _unknown(called_name(args), name, names[of_method:])
            rule = rules.get(name)
            if rule is not None and not rule[0](value):
                refuse(name, value, args, kwargs)
        with one_thread():
            return function(*args, **kwargs)

    return cast("F", called)


def guarded_methods[C: type](cls: C) -> C:
    """A class whose public methods are `guarded`, and so are the properties that it keeps because they are work."""
    for name, found in list(vars(cls).items()):
        if name.startswith("_"):
            continue
        if isinstance(found, classmethod | staticmethod):
            setattr(cls, name, type(found)(guarded(found.__func__)))
        elif isinstance(found, functools.cached_property):
            found.func = guarded(found.func)
        elif inspect.isfunction(found):
            setattr(cls, name, guarded(found))
    return cls


def _rule_of(parameter: inspect.Parameter) -> Rule | None:
    """What may be given for a parameter; None where that is for the function itself to say."""
    annotation, name = parameter.annotation, parameter.name
    if not isinstance(annotation, str) or parameter.kind is parameter.VAR_KEYWORD or name in ("self", "cls", "model"):
        return None
    default = parameter.default
    if name == "rng":
        return (_seed, "a whole number from 0 up is needed as seed, or a numpy.random.Generator")
    if name == "prob":
        return (_probability, "the probability of an interval lies between 0 and 1, for example 0.95")
    if name in _COUNTS:
        least = _COUNTS[name]
        return (lambda value: _whole(value) and value >= least, f"a whole number is needed, from {least} up")
    words = [_bare(word) for word in alternatives(annotation)]
    if any(word not in _KINDS and word not in _RECORDS for word in words):
        return None
    kinds = [_KINDS.get(word) or _record(word) for word in words]
    said = [word for kind, word in kinds if word != "None"]
    meant = f"{' or '.join(dict.fromkeys(said))} is needed"

    def fits(value: Any) -> bool:
        return value is default or any(kind(value) for kind, _ in kinds)

    return fits, meant


def _record(word: str) -> Rule:
    def is_one(value: Any) -> bool:
        return any(base.__name__ == word for base in type(value).__mro__)

    return is_one, f"a bayeslogit.{word}"


def _seed(value: Any) -> bool:
    if isinstance(value, np.random.Generator):
        return True
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 0


def _probability(value: Any) -> bool:
    return _number(value) and 0.0 < float(value) < 1.0


def alternatives(annotation: str) -> list[str]:
    """The parts of ``A | B[C | D]``: A and B[C | D]."""
    found, depth, begin = [], 0, 0
    for place, letter in enumerate(annotation):
        depth += (letter == "[") - (letter == "]")
        if letter == "|" and not depth:
            found.append(annotation[begin:place].strip())
            begin = place + 1
    return [*found, annotation[begin:].strip()]


def _bare(word: str) -> str:
    return word.partition("[")[0]


def _unknown(call: str, name: str, names: Sequence[str]) -> UnknownArgumentError:
    here = _HERE.get(name)
    meant = (
        ""
        if here not in names
        else f" Here it is {here}="
        + (" (1 - alpha)." if name == "alpha" else " (1 - prob)." if name == "prob" else ".")
    )
    known = f"its arguments are {', '.join(names)}" if names else "it takes none"
    return UnknownArgumentError(f"{call}(): there is no argument {name!r}; {known}.{meant}")


def _refused(call: str, name: str, value: Any, meant: str) -> ArgumentError:
    hint = ""
    if "whole number" in meant and name != "rng" and not isinstance(value, bool):
        if isinstance(value, int | np.integer):
            hint = ", below 2^53"
        elif isinstance(value, float | np.floating) and math.isfinite(value) and float(value).is_integer():
            hint = f": write {name}={int(value)}"
    return ArgumentError(f"{call}(): {name}={short(value)}: {meant}{hint}.")


def short(value: Any) -> str:
    """A value in few letters, for a message: its text, or its type where that is long."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"<{type(value).__name__} of shape {shape}>"
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 60 else f"{text[:40]}... ({type(value).__name__})"
