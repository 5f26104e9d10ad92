"""The command line: the straight line of `fit` from a file to a table and a report. It owns no statistics.

stdout carries the result, stderr everything else. Exit codes: 0 done; 1 unexpected; 2 usage; 3 bad data; 4 not
converged; 5 done, but a verdict failed under --strict, or a manifest does not hold; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from bayeslogit.interrupts import insistent


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        from bayeslogit.cli_app import run_commands
    except KeyboardInterrupt:  # loading takes long enough to be interrupted
        print("bayeslogit: interrupted", file=sys.stderr)
        return 130
    return run_commands(arguments)


def main() -> None:
    """Entry point of the ``bayeslogit`` command."""
    try:
        with insistent():
            code = run()
    except KeyboardInterrupt:  # twice, the second time while the first was being told
        code = 130
    if code == 130:
        # Python forgets the code, and ends by the signal, where it was caught out of compiled text (CPython 3.12).
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
