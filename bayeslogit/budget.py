"""Memory that a computation would need, looked at before it is taken: a sentence instead of a killed process."""

from __future__ import annotations

import os
from pathlib import Path

from bayeslogit.errors import BayeslogitError, DataError

# Of the memory that is free, the share that one object may take: what is built from it needs the rest.
_SHARE = 0.7


def available() -> float:
    """Bytes of memory that can be had without swapping; the physical memory where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines)}
        return 1024.0 * float(found["MemAvailable"])
    except (OSError, KeyError, ValueError):
        pass
    if hasattr(os, "sysconf"):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return 8e9


def check_memory(needed: float, what: str, instead: str, error: type[BayeslogitError] = DataError) -> None:
    """Refuse what would not fit.

    Parameters
    ----------
    needed : float
        Bytes.
    what, instead : str
        What needs them, and what to do: parts of the message.
    error : type

    Raises
    ------
    DataError, or ``error``
        With both sizes in GB.
    """
    there = available()
    if needed > _SHARE * there:
        raise error(
            f"{what} would need {needed / 1e9:,.1f} GB of memory, and {there / 1e9:,.1f} GB are free. {instead}"
        )
