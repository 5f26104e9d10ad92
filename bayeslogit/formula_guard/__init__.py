"""A formula is data, not code: everything it may say is checked, and rewritten, before any of it is evaluated.

formulaic evaluates each factor with Python's ``eval``, after pasting column names and strings into code. So it never
sees the user's text: each factor is parsed here, checked against a short list of what a formula may hold, and printed
anew from the checked tree, with a plain identifier such as ``_v0_`` for each column and each string. What runs is what
was checked, whatever a column is called.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from bayeslogit.errors import FormulaError
from bayeslogit.formula_guard.factor import CONTRASTS as CONTRASTS
from bayeslogit.formula_guard.factor import QUOTED, Factor
from bayeslogit.formula_guard.factor import TRANSFORMS as TRANSFORMS
from bayeslogit.formula_guard.translations import GROUPS, translated

_LONGEST = 20_000
_DEEPEST = 40
_LARGEST_POWER = 10
_MOST_TERMS = 1_000
# Characters of a formula that a message quotes.
_SHOWN = 400


@dataclass(frozen=True)
class Reading:
    """A checked formula, rewritten so that its text holds nothing of the user's but structure and numbers.

    Attributes
    ----------
    formula : str
        As given.
    outcome : str
        Name of the outcome column.
    text : str
        The right-hand side, with safe names for columns and strings.
    columns : dict of str to (str, str)
        Safe name to the data column and its use: "plain" (a term by itself), "value" (in arithmetic or a transform) or
        "level" (directly in ``C()``).
    strings : dict of str to str
        Safe name to the text constant it stands for.
    prefix : str
        What every safe name begins with; it occurs nowhere in the formula.
    """

    formula: str
    outcome: str
    text: str
    columns: Mapping[str, tuple[str, str]]
    strings: Mapping[str, str]
    prefix: str

    @property
    def variables(self) -> tuple[str, ...]:
        """Data columns of the right-hand side, in order of appearance."""
        return tuple(dict.fromkeys(column for column, _ in self.columns.values()))

    @property
    def levelled(self) -> frozenset[str]:
        """Data columns that ``C()`` makes factors of."""
        return frozenset(column for column, use in self.columns.values() if use == "level")

    def shown(self, text: str) -> str:
        """A text in which safe names stand as the user wrote them."""
        return re.sub(rf"{self.prefix}\d+_", lambda match: self._written(match[0]), text)

    def _written(self, safe: str) -> str:
        if safe in self.strings:
            return repr(self.strings[safe])
        column, use = self.columns.get(safe, (safe, "plain"))
        plain = use == "plain" or (column.isidentifier() and not keyword.iskeyword(column))
        return column if plain else f"`{column}`"


def check_formula(text: str) -> None:
    """Refuse a formula that asks for more than a formula may do; see `read_formula`."""
    read_formula(text)


def read_formula(text: str, avoid: Iterable[str] = ()) -> Reading:
    """Check a formula and rewrite it in safe names.

    Parameters
    ----------
    text : str
        ``"outcome ~ terms"``.
    avoid : iterable of str
        Texts (levels of factors) that no safe name may occur in.

    Raises
    ------
    FormulaError
        Naming the piece that is not allowed, and what is. Nothing of the formula has been evaluated.
    """
    _check_text(text)
    prefix = "_v"
    while prefix in text or any(prefix in other for other in avoid):
        prefix += "v"
    tokens = _tokens(text)
    outcome = _outcome(text, tokens)
    writer = _Writer(text, prefix)
    right = " ".join([tokens[1].token.strip().removeprefix("~"), *(writer.token(token) for token in tokens[2:])])
    reading = Reading(text, outcome, right.strip(), writer.columns, writer.strings, prefix)
    _check_terms(reading)
    if outcome in reading.variables:
        raise FormulaError(f"The formula {text!r} has the outcome {outcome!r} on both sides.")
    return reading


def plain_message(error: BaseException) -> str:
    """A message of formulaic without its colours, on one line."""
    text = re.sub(r"\x1b\[[0-9;]*m|⧛|⧚|\[(?:1;)?\d+m", "", str(error))
    return " ".join(text.split())


# --- text and tokens ---------------------------------------------------------------------------------------------


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise FormulaError(f"A formula is text such as 'y ~ x', not {type(text).__name__}.")
    if len(text) > _LONGEST:
        raise FormulaError(f"The formula has {len(text):,} characters; the longest allowed has {_LONGEST:,}.")
    if "\\" in text or any(ord(character) < 32 and character not in "\t\n\r" for character in text):
        raise FormulaError("The formula holds a backslash or a control character; a formula needs neither.")
    depth = deepest = 0
    for character in QUOTED.sub("", text):
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise FormulaError(f"The formula nests {deepest} brackets; at most {_DEEPEST} are allowed.")


def _tokens(text: str) -> list[Any]:
    from formulaic.errors import FormulaicError
    from formulaic.parser.algos.tokenize import tokenize

    try:
        return list(tokenize(text))
    except (FormulaicError, ValueError, TypeError, IndexError) as error:
        raise FormulaError(f"The formula {text!r} cannot be read: {plain_message(error)}") from None


def _explained(message: str) -> str:
    """What the parser says, and what it most often means."""
    if not message.startswith("Missing operator"):
        return message
    return f"{message.split('`. ')[0].rstrip('`')}`. A name with blanks goes in backticks."


def _outcome(text: str, tokens: list[Any]) -> str:
    """The one name on the left; the second token then begins with the tilde."""
    tildes = [token for token in tokens if token.kind.value == "operator" and "~" in token.token]
    if not tildes or tokens[0] is tildes[0]:
        raise FormulaError(f"The formula {text!r} has no outcome: write 'outcome ~ terms'.")
    if len(tildes) > 1 or tildes[0].token.count("~") > 1:
        raise FormulaError(f"The formula {text!r} has more than one '~'; it needs exactly one.")
    named = tokens[0].kind.value == "name" and tokens[0].token not in ("", ".")
    if not (named and tokens[1] is tildes[0] and tokens[1].token.strip().startswith("~")):
        called = str(tokens[0].token).partition("(")[0].strip()
        why = translated(called) or "A name with blanks or signs goes in backticks: `Alive at day 30?`."
        raise FormulaError(f"The formula {text!r}: the left side must be the name of one column, the outcome. {why}")
    if len(tokens) == 2 and not tokens[1].token.strip().removeprefix("~").strip():
        raise FormulaError(f"The formula {text!r} has no terms; for an intercept alone write 'outcome ~ 1'.")
    return str(tokens[0].token)


def _check_terms(reading: Reading) -> None:
    """Parse the rewritten right-hand side, count its terms before formulaic multiplies them out; none may vanish."""
    from formulaic.errors import FormulaicError
    from formulaic.parser import DefaultFormulaParser

    whole = reading.formula
    given = repr(whole if len(whole) <= _SHOWN else f"{whole[: _SHOWN // 2]} ... {whole[-_SHOWN // 4 :]}")
    try:
        tree = DefaultFormulaParser().get_ast(reading.text)
        terms = 0 if tree is None else _count(tree, reading)
        if tree is not None and terms <= _MOST_TERMS:
            _check_removed(tree, reading)
    except RecursionError:
        raise FormulaError("The formula nests too deeply to be read.") from None
    except FormulaError:
        raise
    except (FormulaicError, SyntaxError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise FormulaError(
            f"The formula {given} cannot be read: {_explained(reading.shown(plain_message(error)))}"
        ) from None
    if terms > _MOST_TERMS:
        raise FormulaError(f"{given} would make more than {_MOST_TERMS:,} terms; write out the ones that are meant.")


def _count(tree: Any, reading: Reading) -> int:
    """An upper bound of the number of terms, those taken away included."""
    whole = reading.formula
    given = repr(whole if len(whole) <= _SHOWN else f"{whole[: _SHOWN // 2]} ... {whole[-_SHOWN // 4 :]}")
    counts: dict[int, int] = {}
    for node in _upwards(tree):
        if not hasattr(node, "operator"):
            counts[id(node)] = _leaf(node, given)
            continue
        symbol, arguments = node.operator.symbol, node.args
        if symbol in ("**", "^"):
            power = str(arguments[1])
            if not re.fullmatch(r"[0-9]{1,2}", power) or not 0 < int(power) <= _LARGEST_POWER:
                raise FormulaError(
                    f"{given}: a power of terms is a whole number up to {_LARGEST_POWER}, not {reading.shown(power)}."
                )
            base = counts[id(arguments[0])] if hasattr(arguments[0], "operator") else _leaf(arguments[0], given)
            if base == 1 and int(power) > 1:
                _refuse_power(arguments[0], int(power), reading)
            counts[id(node)] = min(base ** int(power), _MOST_TERMS + 1)
            continue
        parts = [counts[id(part)] if hasattr(part, "operator") else _leaf(part, given) for part in arguments]
        first, last = parts[0] if parts else 0, parts[-1] if len(parts) > 1 else 0
        total = {"+": first + last, "-": first + last, ":": first * last, "*": first + last + first * last}
        total |= {"/": first + last, "in": first * last}
        if symbol not in total:
            raise FormulaError(f"{given}: {symbol!r} is not part of this model; allowed are + - * : / ** and %in%.")
        counts[id(node)] = min(total[symbol], _MOST_TERMS + 1)
    return counts[id(tree)]


def _upwards(tree: Any) -> list[Any]:
    """The nodes, parts before wholes, without recursion: a sum of a thousand terms is a deep tree."""
    order, pending = [], [tree]
    while pending:
        node = pending.pop()
        order.append(node)
        pending += [part for part in getattr(node, "args", ()) if hasattr(part, "operator")]
    return order[::-1]


def _refuse_power(base: Any, power: int, reading: Reading) -> NoReturn:
    """A power of one term is that term: who writes it means the power of its numbers."""
    given = (
        f"{reading.formula!r}: a power in a formula multiplies terms out, and a power of one term is that term again"
    )
    if hasattr(base, "operator"):
        raise FormulaError(f"{given}; for powers of numbers write I(...) around them.")
    name = reading.shown(str(base.token).strip("{}"))
    if not (name.isidentifier() or base.kind.value == "python"):
        name = f"`{name}`"
    raise FormulaError(f"{given}: {name}**{power} is {name}; write I({name}**{power}) or poly({name}, {power}).")


def _check_removed(tree: Any, reading: Reading) -> None:
    """Refuse a minus that takes nothing away, of a factor that has no term there: ``y ~ -x`` means nothing.

    The intercept may be taken away twice, but inside brackets there is none.
    """
    spine, node = set(), tree
    while hasattr(node, "operator"):
        spine.add(id(node))
        node = node.args[0] if node.args else None
    terms: dict[int, Any] = {}
    for node in _upwards(tree):
        if not hasattr(node, "operator"):
            continue
        parts = [terms[id(part)] if hasattr(part, "operator") else part.to_terms() for part in node.args]
        terms[id(node)] = node.operator.to_terms(*parts)
        if node.operator.symbol != "-":
            continue
        removed = parts[-1]
        there = {factor.expr for term in parts[0] for factor in term.factors} if len(parts) > 1 else set()
        absent = [str(term) for term in removed if not {factor.expr for factor in term.factors} <= there]
        if "1" in absent and id(node) in spine:
            absent.remove("1")
        if absent:
            what = "the intercept inside brackets" if absent[0] == "1" else f"the term {reading.shown(absent[0])}"
            raise FormulaError(f"{reading.formula!r} takes away {what}, which is not there.")


def _leaf(token: Any, given: str) -> int:
    if token.kind.value == "value" and token.token not in ("0", "1"):
        raise FormulaError(f"{token.token!r} in {given}: a number or string by itself is no term; use I(...).")
    return 1


# --- rewriting ---------------------------------------------------------------------------------------------------


class _Writer:
    """Writes tokens anew in safe names, after checking them; remembers which name stands for what."""

    def __init__(self, formula: str, prefix: str) -> None:
        self.formula = formula
        self.prefix = prefix
        self.columns: dict[str, tuple[str, str]] = {}
        self.strings: dict[str, str] = {}

    def token(self, token: Any) -> str:
        kind, text = token.kind.value, token.token
        if kind == "python":
            return self._expression(text)
        if text == ".":
            raise FormulaError(f"{self.formula!r}: '.' for all other columns is not supported; name the columns.")
        if kind == "name":
            if not text:
                raise FormulaError(f"{self.formula!r}: a pair of backticks holds no column name.")
            return self._column(text, "plain")
        if kind == "context" and text in "[]":
            raise FormulaError(f"{self.formula!r}: square brackets are not allowed; name columns and use transforms.")
        if kind == "operator" and "|" in text:
            raise FormulaError(f"{self.formula!r}: {GROUPS}")
        if kind == "value" and not re.fullmatch(r"[0-9.]+", text):
            raise FormulaError(f"{text} in {self.formula!r}: a number or string by itself is no term; use I(...).")
        if kind == "operator" and text == "in":
            return "%in%"  # the tokenizer took its signs off
        if not re.fullmatch(r"[-+*/:^()0-9.\s]+", text):
            raise FormulaError(
                f"{self.formula!r}: {text!r} is not part of this model; allowed are + - * : / ** ^ and %in%."
            )
        return str(text)

    def _column(self, column: str, use: str) -> str:
        return self._safe(self.columns, (column, use))

    def _safe(self, table: dict[str, Any], value: Any) -> str:
        for name, known in table.items():
            if known == value:
                return name
        name = f"{self.prefix}{len(self.columns) + len(self.strings)}_"
        table[name] = value
        return name

    def _expression(self, text: str) -> str:
        factor = Factor(text, self._column, lambda value: self._safe(self.strings, value), f"{self.prefix}q")
        try:
            tree = factor.parsed()
            if isinstance(tree, ast.Name):
                return self._column(factor.column_of(tree), "plain")
            return "{" + ast.unparse(ast.fix_missing_locations(factor.outermost(tree))) + "}"
        except RecursionError:
            raise FormulaError(f"{text[:60]!r} ... nests too deeply for a formula.") from None
