"""How loops are compiled: by numba, on first use, cached on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

Loop = Callable[..., Any]

# Sums may be reordered for the vector units; NaN and infinity keep their meaning. Elementwise functions keep their
# order too: the reduction of an argument modulo log 2 lives on it.
SUMS = frozenset({"reassoc", "contract", "nsz", "arcp"})
ELEMENTS = frozenset({"contract"})


def jit(flags: frozenset[str]) -> Callable[[Loop], Loop]:
    """A decorator: compiled without the lock of the interpreter, cached on disk where there is a place to write.

    Divisions follow IEEE: a check for zero would keep them out of the vector units.
    """

    def compile_(loop: Loop) -> Loop:
        options: Any = {"nogil": True, "error_model": "numpy", "fastmath": set(flags)}
        try:
            compiled: Loop = numba.njit(cache=True, **options)(loop)
        except RuntimeError:  # no place for a cache: a read-only installation without a home directory
            compiled = numba.njit(**options)(loop)
        return compiled

    return compile_
