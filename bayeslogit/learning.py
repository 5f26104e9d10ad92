"""The first pass over a stream: levels, outcome, missing values, kinds of columns; and the formula's coding from them.

What a formula learns from all rows it learns here from a small frame that has every level: `formula.build` itself reads
that frame, so that names, levels, references and notes are those of the same data in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bayeslogit.errors import DataError, FormulaError
from bayeslogit.factors import sensible
from bayeslogit.formula import Arrays, FormulaSpec, build
from bayeslogit.formula_guard import Reading
from bayeslogit.missing import left_out
from bayeslogit.row_coder import as_numbers, kept, missing_in, plain
from bayeslogit.sources.parts import Chunk, Part

# Real rows that the coding is tried on, and distinct values of an outcome or a factor that are remembered.
_EXAMPLES = 16
_MOST_VALUES = 50_000
_FEW_OUTCOMES = 8


@dataclass(frozen=True)
class Wanted:
    """What to look for.

    Attributes
    ----------
    reading : Reading
    roles : dict of str to str
        Names of the columns of trials, weights and offset.
    drop : bool
        Whether rows with missing values are left out.
    """

    reading: Reading
    roles: Mapping[str, str]
    drop: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Data columns that the model needs, outcome first."""
        return tuple(dict.fromkeys((self.reading.outcome, *self.reading.variables, *self.roles.values())))


@dataclass(frozen=True)
class Seen:
    """What was met in some chunks; two of them add.

    Attributes
    ----------
    rows, used, dropped : int
        Rows, those that are used, and those of weight that were left out.
    missing : dict of str to int
        Rows of weight in which a column is missing.
    values : dict of str to tuple
        Distinct values of the columns with levels, in order of appearance; of a category all that are declared.
    present : dict of str to frozenset
        Those of them that occur in rows that are used.
    outcomes : dict
        Value of the outcome to number of rows.
    examples : pyarrow.Table or None
        Some rows that are used.
    """

    rows: int
    used: int
    dropped: int
    missing: Mapping[str, int]
    values: Mapping[str, tuple[Any, ...]]
    present: Mapping[str, frozenset[Any]]
    outcomes: Mapping[Any, int]
    examples: Any = field(default=None, repr=False)

    def __add__(self, other: Seen) -> Seen:
        few = len(self.outcomes) > _FEW_OUTCOMES
        return Seen(
            self.rows + other.rows,
            self.used + other.used,
            self.dropped + other.dropped,
            _sums(self.missing, other.missing),
            {name: _together(name, mine, other.values[name]) for name, mine in self.values.items()},
            {name: mine | other.present[name] for name, mine in self.present.items()},
            self.outcomes if few else _sums(self.outcomes, other.outcomes),
            self.examples if self.examples is not None and self.examples.num_rows else other.examples,
        )


def _sums(mine: Mapping[Any, int], others: Mapping[Any, int]) -> dict[Any, int]:
    return {key: mine.get(key, 0) + others.get(key, 0) for key in dict.fromkeys((*mine, *others))}


def _together(name: str, mine: tuple[Any, ...], others: tuple[Any, ...]) -> tuple[Any, ...]:
    if mine == others:
        return mine
    result = tuple(dict.fromkeys((*mine, *others)))
    if len(result) > _MOST_VALUES:
        raise DataError(
            f"Factor {name!r} has more than {_MOST_VALUES:,} levels, like an identifier; leave it out, or group them."
        )
    return result


def look(part: Part, rows: int, wanted: Wanted, columns: tuple[str, ...]) -> Seen | None:
    """One part, of which some columns are read; None if it has no rows."""
    total = None
    for chunk in part.chunks(rows, columns):
        own = _seen(chunk, wanted)
        total = own if total is None else total + own
    return total


def _seen(chunk: Chunk, wanted: Wanted) -> Seen:
    import pyarrow as pa
    import pyarrow.compute as pc

    table, outcome, weights = chunk.table, wanted.reading.outcome, wanted.roles.get("weights")
    names = tuple(table.column_names)
    keep = kept(chunk, names, weights, wanted.drop)
    counted = np.ones(table.num_rows, dtype=bool)
    if weights is not None:
        counted = as_numbers(table[weights]) != 0.0
    missing = {}
    for name in names if keep is not None else ():
        gone = missing_in(table[name])
        if gone is not None and np.any(gone & counted):
            missing[name] = int(np.sum(gone & counted))
    used = table if keep is None else table.take(np.flatnonzero(keep))
    values, present = {}, {}
    for name in wanted.reading.variables:
        if name not in names or not has_levels(table.schema.field(name).type, name in wanted.reading.levelled):
            continue
        found = pc.unique(plain(used[name])).to_pylist()
        present[name] = frozenset(found)
        declared = pa.types.is_dictionary(table.schema.field(name).type)
        values[name] = tuple(_declared(table[name])) if declared else tuple(found)
    counts = [] if "trials" in wanted.roles else pc.value_counts(plain(used[outcome])).to_pylist()
    if pa.types.is_dictionary(table.schema.field(outcome).type):
        values[outcome] = tuple(_declared(table[outcome]))
    whole = set(wanted.columns) == set(names)
    return Seen(
        table.num_rows,
        used.num_rows,
        int(counted.sum()) - used.num_rows,
        missing,
        values,
        present,
        {each["values"]: each["counts"] for each in counts[: _FEW_OUTCOMES + 1]},
        used.slice(0, _EXAMPLES) if whole else None,
    )


def has_levels(kind: Any, levelled: bool) -> bool:
    """Whether a column of an Arrow type is a factor in the formula."""
    import pyarrow as pa

    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return levelled or texts or pa.types.is_dictionary(kind)


def _declared(column: Any) -> list[Any]:
    """The categories of a dictionary column in their order."""
    merged = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    chunks = getattr(merged, "chunks", [merged])
    return list(dict.fromkeys(level for each in chunks for level in each.dictionary.to_pylist()))


@dataclass(frozen=True)
class Learned:
    """The coding of a formula and what a reader must know.

    Attributes
    ----------
    spec : FormulaSpec
    event : object
        The level that counts as 1, as the column holds it; None if the outcome is numbers.
    notes : tuple of str
    n_dropped : int
    """

    spec: FormulaSpec
    event: Any
    notes: tuple[str, ...]
    n_dropped: int

    @property
    def record(self) -> tuple[FormulaSpec, bool, tuple[str, ...], int]:
        """For a design: coding, whether it has an offset, notes, rows dropped."""
        return self.spec, self.spec.offset is not None, self.notes, self.n_dropped


def learned(wanted: Wanted, seen: Seen, event: Any, categories: frozenset[str]) -> Learned:
    """The coding from what was seen; ``categories`` are the columns whose levels have an order of their own.

    Raises
    ------
    DataError, FormulaError
    """
    if not seen.used:
        named = _counted(seen.missing)
        raise DataError(f"data: every row has a missing value: {named}." if named else "data: no row counts.")
    outcome = wanted.reading.outcome
    if "trials" not in wanted.roles:
        _check_outcome(outcome, seen.outcomes, event)
    for name, present in seen.present.items():
        if len(present) > 1:
            sensible(name, tuple(present), max(seen.used, len(present)), name in wanted.reading.levelled)
    spec, made = _built(wanted, seen, event, categories)
    chosen = None
    if spec.event is not None and not all(isinstance(value, bool) for value in seen.outcomes):
        chosen = next((value for value in seen.outcomes if str(value) == spec.event), spec.event)
    elif spec.event is not None and event is not None:
        chosen = next((value for value in seen.outcomes if str(value) == spec.event), spec.event)
    notes = []
    if seen.dropped:
        notes.append(f"Missing values: {seen.dropped} of {seen.rows} rows dropped: {_counted(seen.missing)}.")
    idle = seen.rows - seen.used - seen.dropped
    if idle:
        notes.append(left_out(idle, "they count nowhere."))
    return Learned(spec, chosen, (*notes, *made.notes), seen.dropped)


def _counted(missing: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count} row{'s' if count > 1 else ''})" for name, count in missing.items())


def _check_outcome(name: str, outcomes: Mapping[Any, int], event: Any) -> None:
    """What `outcome.decode_outcome` says of too many levels or one, with the true numbers of rows."""
    shown = ", ".join(f"{value} ({count} rows)" for value, count in list(outcomes.items())[:6])
    numeric = all(isinstance(value, int | float) for value in outcomes)
    if len(outcomes) > 2:
        raise DataError(
            f"Outcome {name!r} is not two-valued, it has {min(len(outcomes), _FEW_OUTCOMES)} values or more, such as "
            f"{shown}. A logistic regression needs 0/1, True/False or two levels; for successes out of trials give "
            "trials=."
        )
    if len(outcomes) == 1 and event is None and not (numeric and set(outcomes) <= {0, 1}):
        raise DataError(
            f"Outcome {name!r} is not two-valued, it has one value: {shown}. If all rows agree, say which level is the "
            f"event with event={next(iter(outcomes))!r} or another."
        )


def _built(wanted: Wanted, seen: Seen, event: Any, categories: frozenset[str]) -> tuple[FormulaSpec, Arrays]:
    """What `formula.build` makes of one real row and all levels; of the first row whose terms can be computed.

    A row whose terms cannot be is met again in the pass that counts, which names its part.
    """
    examples = seen.examples.to_pandas()
    failure: DataError | None = None
    for row in range(len(examples)):
        try:
            frame = _frame(wanted, seen, categories, examples.iloc[[row]])
            trials, weights, offset = (wanted.roles.get(role) for role in ("trials", "weights", "offset"))
            return build(wanted.reading.formula, frame, event=event, trials=trials, weights=weights, offset=offset)
        except FormulaError:
            raise
        except DataError as error:
            failure = failure or error
    raise failure or DataError("data: there are no rows.")


def _frame(wanted: Wanted, seen: Seen, categories: frozenset[str], examples: Any) -> Any:
    """A real row, repeated, with every level and both outcomes in it."""
    import pandas as pd

    longest = max((len(present) for present in seen.present.values()), default=1)
    n = max(2 * longest, len(examples), 2)
    frame = examples.iloc[np.arange(n) % len(examples)].reset_index(drop=True)
    for name, present in seen.present.items():
        # pandas reads whole numbers with gaps as floats, unless the file says that they were nullable whole numbers.
        gaps = name in seen.missing and not pd.api.types.is_extension_array_dtype(examples[name].dtype)
        whole = gaps and all(isinstance(v, int) and not isinstance(v, bool) for v in present)
        levels = [float(level) for level in present] if whole else list(present)
        ordered = list(seen.values[name])
        cycled = [levels[k % len(levels)] for k in range(n)]
        frame[name] = pd.Categorical(cycled, categories=ordered) if name in categories else _column(cycled)
    if "trials" not in wanted.roles:
        values = list(seen.outcomes)
        cycled = [values[k % len(values)] for k in range(n)]
        name = wanted.reading.outcome
        ordered = list(seen.values.get(name, ()))
        frame[name] = pd.Categorical(cycled, categories=ordered) if name in categories else _column(cycled)
    if "weights" in wanted.roles:
        frame[wanted.roles["weights"]] = 1.0
    return frame


def _column(values: list[Any]) -> Any:
    """Values as pandas would hold them after reading a file."""
    import pandas as pd

    return pd.Series(values, dtype=object if any(isinstance(value, str) for value in values) else None)


def with_examples(seen: Seen, part: Part, rows: int, wanted: Wanted) -> Seen:
    """The same with examples, read from the beginning of a part where they were not read yet."""
    if seen.examples is not None and seen.examples.num_rows:
        return seen
    for chunk in part.chunks(rows, wanted.columns):
        found = _seen(chunk, wanted)
        if found.used:
            return replace(seen, examples=found.examples)
    return seen
