"""A formula is data, not code: everything it may say, checked before any of it is evaluated.

formulaic evaluates each factor with Python's ``eval``. So each factor is parsed here first, and only column names,
numbers, plain strings, arithmetic, comparisons and calls of a fixed list of transforms are let through. Strings are
limited to harmless characters as well, because formulaic pastes the text of stateful calls into code of its own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from bayeslogit.errors import FormulaError

TRANSFORMS = ("C", "I", "log", "log2", "log10", "exp", "center", "scale", "standardize", "poly", "bs", "cs", "cr", "cc")
CONTRASTS = ("Treatment", "Sum", "Helmert", "Diff", "Poly")
CONTRAST_MEMBERS = ("treatment", "SAS", "sum", "helmert", "diff", "poly")

_LONGEST = 5_000
_DEEPEST = 40
_LARGEST_POWER = 10
_MOST_PRODUCTS = 12
_PLAIN_STRING = re.compile(r"[\w .,:;/+()<>=%&@#!?*|~^$\[\]{}-]*")
_BACKTICKED = re.compile(r"`([^`]*)`")
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
# Transforms whose arguments say how many columns they make.
_WIDTHS = ("degree", "df")
_MOST_COLUMNS = 100


def check_formula(text: str) -> None:
    """Refuse a formula that asks for more than a formula may do.

    Raises
    ------
    FormulaError
        Naming the piece that is not allowed, and what is. Nothing of the formula has been evaluated.
    """
    if not isinstance(text, str):
        raise FormulaError(f"A formula is text such as 'y ~ x', not {type(text).__name__}.")
    if len(text) > _LONGEST:
        raise FormulaError(f"The formula has {len(text):,} characters; the longest allowed has {_LONGEST:,}.")
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise FormulaError(f"The formula nests {deepest} brackets; at most {_DEEPEST} are allowed.")
    if "\\" in text or any(ord(character) < 32 and character not in "\t\n\r" for character in text):
        raise FormulaError("The formula holds a backslash or a control character; a formula needs neither.")
    tokens = list(_tokens(text))
    _check_operators(text, tokens)
    for token in tokens:
        if token.kind.value == "python":
            _check_expression(token.token)
        elif token.token == ".":
            raise FormulaError(f"{text!r}: '.' for all other columns is not supported; name the columns.")
        elif token.kind.value == "value" and token.token not in ("0", "1") and not _is_power(text, token):
            raise FormulaError(f"{token.token!r} in {text!r}: a number or string by itself is no term; use I(...).")


def functions_called(text: str) -> set[str]:
    """Names of the transforms that a checked formula calls."""
    called: set[str] = set()
    for token in _tokens(text):
        if token.kind.value == "python":
            tree = ast.parse(_plain(token.token), mode="eval")
            called |= {
                node.func.id
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            called |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "contr"}
    return called


def columns_named(expression: str) -> set[str]:
    """Data columns that a checked Python factor reads."""
    tree = ast.parse(_plain(expression).strip(), mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    called |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    contrasts = {*CONTRASTS, "contr"}
    return {name for name in names if name != "_column_" and name not in contrasts} | set(
        _BACKTICKED.findall(expression)
    )


def _tokens(text: str) -> Iterator[Any]:
    from formulaic.errors import FormulaParsingError
    from formulaic.parser.algos.tokenize import tokenize

    try:
        yield from tokenize(text)
    except FormulaParsingError as error:
        raise FormulaError(f"The formula {text!r} cannot be read: {plain_message(error)}") from None


def plain_message(error: Exception) -> str:
    """Formulaic's message without its colours, on one line."""
    text = re.sub(r"\x1b\[[0-9;]*m|⧛|⧚|\[(?:1;)?\d+m", "", str(error))
    return " ".join(text.split())


def _check_operators(text: str, tokens: list[Any]) -> None:
    operators = [token.token for token in tokens if token.kind.value == "operator"]
    for operator in operators:
        if "|" in operator:
            raise FormulaError(f"{text!r}: group terms with '|' are not part of this model.")
    if any(token.kind.value == "context" and token.token in "[]" for token in tokens):
        raise FormulaError(f"{text!r}: square brackets are not allowed; name columns and use transforms.")
    if sum(operator.count("*") for operator in operators) > _MOST_PRODUCTS:
        raise FormulaError(f"{text!r}: more than {_MOST_PRODUCTS} products would make thousands of interaction terms.")
    for position, token in enumerate(tokens[:-1]):
        if token.kind.value == "operator" and token.token in ("**", "^"):
            power = tokens[position + 1].token
            if not power.isdigit() or int(power) > _LARGEST_POWER:
                raise FormulaError(
                    f"{text!r}: a power of terms is a whole number up to {_LARGEST_POWER}, not {power!r}."
                )


def _is_power(text: str, token: Any) -> bool:
    before = text[: token.source_start].rstrip()
    return before.endswith(("**", "^"))


def _plain(expression: str) -> str:
    """Backticked column names as plain identifiers, so that the rest can be parsed."""
    inside = expression.strip()
    if inside.startswith("{") and inside.endswith("}"):
        inside = inside[1:-1]
    return _BACKTICKED.sub(" _column_ ", inside)


def _check_expression(expression: str) -> None:
    if "`" in expression and ("'" in expression or '"' in expression):
        raise FormulaError(f"{expression!r}: a column name in backticks and a string cannot stand in one call.")
    try:
        tree = ast.parse(_plain(expression).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError(f"{expression!r} is not an expression that a formula can hold. {allowed()}") from None
    _check_node(tree.body, expression)


def allowed() -> str:
    """What a factor may be, in a sentence."""
    return (
        f"Allowed are column names, numbers, arithmetic, and the transforms {', '.join(TRANSFORMS)}, with contrasts "
        f"{', '.join(CONTRASTS)} or {', '.join('contr.' + name for name in CONTRAST_MEMBERS)}."
    )


def _refuse(node: ast.AST, expression: str) -> FormulaError:
    piece = ast.unparse(node)
    hint = ""
    if isinstance(node, ast.Attribute) and node.attr in TRANSFORMS:
        hint = f" Write {node.attr}(...) for {piece}(...)."
    elif isinstance(node, ast.Attribute):
        hint = f" If {piece!r} is a column, put it in backticks: `{piece}`."
    return FormulaError(
        f"{piece!r} in {expression!r} is not allowed in a formula: a formula is data, not code.{hint} {allowed()}"
    )


def _check_node(node: ast.AST, expression: str) -> None:
    match node:
        case ast.Name():
            if node.id.startswith("__"):
                raise _refuse(node, expression)
        case ast.Constant():
            _check_constant(node, expression)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
            _check_node(node.operand, expression)
        case ast.BinOp() if isinstance(node.op, _OPERATORS):
            if isinstance(node.op, ast.Pow) and not _small(node.right):
                raise FormulaError(f"{ast.unparse(node)!r}: a power is a number up to {_LARGEST_POWER}.")
            _check_node(node.left, expression)
            _check_node(node.right, expression)
        case ast.Compare() if all(isinstance(op, _COMPARISONS) for op in node.ops):
            for part in (node.left, *node.comparators):
                _check_node(part, expression)
        case ast.Call():
            _check_call(node, expression)
        case _:
            raise _refuse(node, expression)


def _check_constant(node: ast.Constant, expression: str) -> None:
    value = node.value
    if isinstance(value, str):
        if not _PLAIN_STRING.fullmatch(value):
            raise FormulaError(
                f"The text {value!r} in {expression!r} holds a quote or another character not allowed there."
            )
    elif not (value is None or isinstance(value, bool | int | float)) or (
        isinstance(value, int) and abs(value) > 10**15
    ):
        raise _refuse(node, expression)


def _small(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) <= _LARGEST_POWER


def _check_call(node: ast.Call, expression: str) -> None:
    function = node.func
    if isinstance(function, ast.Attribute):
        inside = isinstance(function.value, ast.Name) and function.value.id == "contr"
        if not (inside and function.attr in CONTRAST_MEMBERS):
            raise _refuse(function, expression)
    elif not (isinstance(function, ast.Name) and function.id in (*TRANSFORMS, *CONTRASTS)):
        raise _refuse(node, expression)
    for argument in node.args:
        _check_node(argument, expression)
    widths: list[ast.AST] = []
    if isinstance(function, ast.Name) and function.id in ("poly", "bs", "cs", "cr", "cc"):
        widths += node.args[1:2]
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg.startswith("_"):
            raise _refuse(node, expression)
        _check_node(keyword.value, expression) if not isinstance(keyword.value, ast.List | ast.Tuple) else None
        if isinstance(keyword.value, ast.List | ast.Tuple):
            for item in keyword.value.elts:
                if not isinstance(item, ast.Constant | ast.UnaryOp):
                    raise _refuse(item, expression)
                _check_node(item, expression)
        if keyword.arg in _WIDTHS:
            widths.append(keyword.value)
    for width in widths:
        if not (isinstance(width, ast.Constant) and isinstance(width.value, int) and 0 < width.value <= _MOST_COLUMNS):
            raise FormulaError(f"{expression!r}: the number of columns is a whole number up to {_MOST_COLUMNS}.")
