"""The same targets under a coverage-guided fuzzer, for those who have atheris (Linux, CPython).

``python tests/fuzz/guided.py csv /tmp/found tests/fuzz/corpus/csv -runs=100000 -max_total_time=600``: what reaches new
code is written to the first folder, the others are read; an input that raises is written to ``crash-...``.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))
importlib.import_module("bayeslogit.loops")  # compiled code is not to be watched
with atheris.instrument_imports(include=["bayeslogit", "targets"]):
    import bayeslogit

    # Rooms that are loaded on first use must be seen as they are loaded.
    for room in pkgutil.walk_packages(bayeslogit.__path__, "bayeslogit."):
        if room.name != "bayeslogit.__main__":
            importlib.import_module(room.name)
    import targets

chosen = targets.TARGETS[sys.argv.pop(1)]
atheris.Setup(sys.argv, chosen)
atheris.Fuzz()
