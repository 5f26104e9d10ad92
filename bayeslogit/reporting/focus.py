"""What a report is asked about: a column, a term or a variable of the model, by its name or its label."""

from __future__ import annotations

import difflib
import re

from bayeslogit.arrays import ArraySpec
from bayeslogit.errors import ArgumentError
from bayeslogit.reporting.names import Names
from bayeslogit.results import Fit

_LISTED = 8


def columns_of(fit: Fit, focus: str, names: Names) -> tuple[int, ...]:
    """Positions of the slopes that a focus means.

    Parameters
    ----------
    fit : Fit
    focus : str
        A column, a term or a variable, or the label of one; a variable has the columns of all terms that hold it.
    names : Names

    Raises
    ------
    ArgumentError
        If it is none of them.
    """
    asked, terms = _plain(fit, focus, names), fit.spec.terms
    slopes = {name: j for j, name in enumerate(fit.columns) if (j, name) != (0, "Intercept")}
    if asked in slopes:
        return (slopes[asked],)
    own = (asked,) if asked in terms else tuple(term for term in terms if asked in variables_in(term))
    found = tuple(j for term in own for j in terms[term] if j in slopes.values())
    if found:
        return found
    known = list(dict.fromkeys([*variables_of(fit), *slopes]))
    near = difflib.get_close_matches(str(focus), known, n=1)
    more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known[:_LISTED])}{more}."
    raise ArgumentError(f"report(focus={focus!r}): this fit has no such variable, term or column; {hint}")


def variable_of(fit: Fit, focus: str, names: Names) -> str | None:
    """The variable that a focus is, or the only one of its term or column."""
    asked, known = _plain(fit, focus, names), variables_of(fit)
    if asked in known:
        return asked
    level = level_of(asked)
    inside = [name for name in known if name in variables_in(asked) or (level is not None and name == level[0])]
    return inside[0] if len(inside) == 1 else None


def variables_of(fit: Fit) -> tuple[str, ...]:
    """Variables of the data, or the columns of an array."""
    return tuple(fit.spec.names if isinstance(fit.spec, ArraySpec) else fit.spec.variables)


def _plain(fit: Fit, focus: str, names: Names) -> str:
    """The name behind a label; names come first."""
    if focus in fit.columns or focus in fit.spec.terms or focus in variables_of(fit):
        return focus
    return next((name for name, label in names.used.items() if label == focus), focus)


def level_of(column: str) -> tuple[str, str] | None:
    """Factor and level of a column that stands for one level of one factor."""
    found = re.fullmatch(r"(?:C\(([^,()]+)\)|([^\[\]():]+))\[(?:T\.)?([^\[\]]*)\]", column)
    return None if found is None else ((found[1] or found[2]).strip("` "), found[3])


def variables_in(term: str) -> set[str]:
    """Names in a term: those in backticks whole, else words."""
    quoted = set(re.findall(r"`([^`]+)`", term))
    return {term} | quoted | set(re.findall(r"[^\W\d]\w*(?:\.\w+)*", re.sub(r"`[^`]+`", " ", term)))
