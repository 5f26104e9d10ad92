"""Every error and warning that bayeslogit raises: one root, one class for each thing a caller can mend."""

from __future__ import annotations


class BayeslogitError(Exception):
    """Root of all bayeslogit errors; catch this one to catch them all."""


class ArgumentError(BayeslogitError, ValueError):
    """An argument of a call that cannot be right, whatever the data are."""


class UnknownArgumentError(ArgumentError, TypeError):
    """An argument that a call does not have; other packages may call it so."""


class NoColumnError(ArgumentError, KeyError):
    """A column that a table does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


class DataError(BayeslogitError, ValueError):
    """Data that cannot be right: missing columns or values, wrong lengths, an outcome with three values."""


class FormulaError(DataError):
    """A formula that cannot be read, or that asks for more than a formula may do."""


class PriorError(BayeslogitError, ValueError):
    """A prior that is not a density, or that names terms which the design does not have."""


class FitError(BayeslogitError, RuntimeError):
    """A quantity that this fit cannot give, because of its status or of what it was loaded from."""


class FileFormatError(BayeslogitError, ValueError):
    """A saved fit that is corrupted, truncated, edited by hand, or written by a newer version."""


class FitWarning(UserWarning):
    """A fit whose numbers must be read with care; the same words stand in the notes of its tables."""
