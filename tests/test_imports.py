"""What `import bayeslogit` loads, and that no import order hides a public name behind a module."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import bayeslogit

HEAVY = (
    *(
        "pymc",
        "pytensor",
        "arviz",
        "arviz_base",
        "arviz_stats",
        "xarray",
        "matplotlib",
        "pandas",
        "formulaic",
        "sklearn",
    ),
    *(
        "numba",
        "scipy.optimize",
        "scipy.stats",
        "rich",
        "jinja2",
        "typer",
        "pyarrow",
        "narwhals",
        "polars",
        "statsmodels",
    ),
)


def run(script: str, *arguments: str) -> str:
    """Standard output of a script in a fresh Python; its error output is shown when it fails."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_nothing_heavy():
    loaded = run(
        """
        import sys
        import bayeslogit
        print(*(name for name in sys.argv[1:] if name in sys.modules))
        """,
        *HEAVY,
    )
    assert loaded.split() == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_public_names_survive_every_submodule_in_any_order(seed):
    """Each name is touched twice in a random order; an imported submodule must not take a function's place."""
    report = run(
        """
        import importlib, inspect, pkgutil, random, sys, types
        import bayeslogit

        rng = random.Random(int(sys.argv[1]))
        public_modules = {"datasets", "estimator", "plot"}
        submodules = sorted(
            module.name
            for module in pkgutil.walk_packages(bayeslogit.__path__, "bayeslogit.")
            if not module.name.endswith("__main__")
        )
        names = sorted(bayeslogit.__all__)
        assert len(set(names)) == len(names) > 0, "bayeslogit.__all__ is empty or has a name twice"

        rng.shuffle(names)
        first = {name: getattr(bayeslogit, name) for name in names}
        rng.shuffle(submodules)
        for name in submodules:
            importlib.import_module(name)
        rng.shuffle(names)
        for name in names:
            second = getattr(bayeslogit, name)
            assert second is first[name], f"bayeslogit.{name} changed from {first[name]!r} to {second!r}"
            is_module = isinstance(second, types.ModuleType)
            assert is_module == (name in public_modules), f"bayeslogit.{name} is {second!r}"
        assert set(names) <= set(dir(bayeslogit)), "dir(bayeslogit) misses public names"
        print(len(names), len(submodules))
        """,
        str(seed),
    )
    n_names, n_submodules = (int(number) for number in report.split())
    assert n_names > 10
    assert n_submodules > 10


def test_an_unknown_name_is_an_attribute_error():
    run(
        """
        import bayeslogit
        try:
            bayeslogit.no_such_name
        except AttributeError as error:
            assert "no_such_name" in str(error)
        else:
            raise SystemExit("bayeslogit.no_such_name did not fail")
        """
    )


def test_names_and_rooms_agree_with_what_type_checkers_read():
    """The package loads rooms by a table; type checkers read imports that never run."""
    tree = ast.parse(Path(bayeslogit.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        (node.module, alias.name) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    table = {(f"bayeslogit.{room}", name) for room, names in bayeslogit._ROOMS.items() for name in names}
    modules = {("bayeslogit", name) for name in bayeslogit.__all__ if name not in bayeslogit._ROOM_OF}
    assert table | modules == imported
    assert sorted(bayeslogit.__all__) == sorted(name for _, name in imported)


def test_no_test_is_skipped_for_want_of_a_package():
    """The test group brings what `importorskip` asks for; a package that drops out of it must not pass in silence."""
    here = Path(__file__).parent
    asked = {
        each for file in here.glob("test_*.py") for each in re.findall(r'importorskip\("(\w+)', file.read_text("utf-8"))
    }
    assert len(asked) > 5
    missing = {name for name in asked if importlib.util.find_spec(name) is None}
    assert missing <= {"marginaleffects"}  # it needs polars below 2
